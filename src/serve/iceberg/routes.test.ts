// What the routes do around their handlers: who is served by address, and which errors a client may act on.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import Fastify, { type FastifyInstance } from 'fastify'
import { ERRORS, type ErrorCode, MillraceError } from '../../core/errors.ts'
import type { LakeTable } from '../../lake/types.ts'
import { icebergError } from './error.ts'
import { addIceberg, type IcebergServing } from './routes.ts'
import { committed } from './tables.ts'

function serve(): FastifyInstance {
  const app = Fastify()
  const refuse = async () => {
    throw new MillraceError('MR_AUTH_MISSING', 'no token')
  }
  addIceberg(app, { answerer: { authenticate: refuse }, onError: () => {} } as unknown as IcebergServing)
  return app
}

test('only addresses of this machine get as far as being asked for a token', async () => {
  const app = serve()
  const at = async (remoteAddress: string, headers = {}) =>
    (await app.inject({ url: '/iceberg/v1/config', remoteAddress, headers })).statusCode
  for (const address of ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']) assert.equal(await at(address), 401, address)
  for (const address of ['192.0.2.1', '10.0.0.1', '::ffff:192.0.2.1', '2001:db8::1']) assert.equal(await at(address), 403, address)
  assert.equal(await at('127.0.0.1', { 'x-forwarded-for': '192.0.2.1' }), 403)
  assert.equal(await at('127.0.0.1', { forwarded: 'for=192.0.2.1' }), 403)
  await app.close()
})

test('409 is said of nothing but a commit that did not happen or a name that is taken', () => {
  const conflicts = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => icebergError(new MillraceError(code, '')).error.code === 409)
  const known = conflicts.filter((code) => code.startsWith('MR_LAKE_'))
  assert.deepEqual(known.toSorted(), [
    'MR_LAKE_CONFLICT',
    'MR_LAKE_FENCED',
    'MR_LAKE_NAMESPACE_EXISTS',
    'MR_LAKE_NAMESPACE_FULL',
    'MR_LAKE_TABLE_EXISTS',
    'MR_LAKE_VIEW_EXISTS',
  ])
})

test('what fails after a commit is told as an unknown outcome, whatever it is', async () => {
  for (const code of ['MR_LAKE_METADATA_MISSING', 'MR_LAKE_CONFLICT', 'MR_LAKE_CORRUPT'] as const) {
    const lake = {
      metadata: async () => {
        throw new MillraceError(code, 'gone')
      },
    }
    const parts = { lake, onCommitted: () => {} } as unknown as IcebergServing
    const table = { name: 't', metadataLocation: 'file:///m' } as LakeTable
    await assert.rejects(committed(parts, table), (error: MillraceError) => error.status === 500)
  }
})
