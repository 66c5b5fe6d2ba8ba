// `DELETE /streams/{name}`: rows of a keyed table go by their keys. Checks the caller and hands the body on; what it means is in
// `ingest/delete-rows.ts`.
import type { FastifyInstance } from 'fastify'
import { MillraceError } from '../core/errors.ts'
import type { CollectRequest } from '../ingest/collect.ts'
import { callerOf } from './admin/routes.ts'
import type { Answerer } from './answer.ts'

export interface DeletePorts {
  readonly answerer: Answerer
  deleteRows(name: string, request: Omit<CollectRequest, 'idempotencyKey'>): Promise<{ readonly accepted: number }>
}

export function addDeletes(app: FastifyInstance, { answerer, deleteRows }: DeletePorts): void {
  app.register(async (scope) => {
    // Bodies are read by the table's own scanner, which rounds nothing.
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    scope.delete('/streams/:name', async (request) => {
      const { name } = request.params as { name: string }
      const caller = await callerOf(answerer, request)
      if (!answerer.mayWrite(caller, name))
        throw new MillraceError('MR_ACCESS_DENIED', `you may not write to ${name}`, { fix: 'ask for a role with a write grant' })
      const { 'content-type': contentType, 'content-encoding': contentEncoding } = request.headers
      return deleteRows(name, { contentType, contentEncoding, body: (request.body as Buffer | undefined) ?? Buffer.alloc(0) })
    })
  })
}
