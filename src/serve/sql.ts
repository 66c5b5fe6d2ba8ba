// `POST /sql`: one SELECT under the caller's policy, in the format that the caller accepts; or one statement that changes rows.
import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MillraceError } from '../core/errors.ts'
import { cellOf } from '../engine/cell.ts'
import { type ExportFormat, MEDIA_TYPES } from '../engine/export.ts'
import { callerOf } from './admin/routes.ts'
import type { Answer, Answerer, Question } from './answer.ts'

const ACCEPTED: Readonly<Record<string, ExportFormat | 'json'>> = {
  'application/json': 'json',
  '*/*': 'json',
  'application/*': 'json',
  'application/x-ndjson': 'ndjson',
  'text/csv': 'csv',
  'application/vnd.apache.arrow.stream': 'arrow',
  'application/vnd.apache.parquet': 'parquet',
}

/** The best format that a caller accepts and we have. @throws MR_INGEST_MEDIA. */
export function chooseFormat(accept: string | undefined): ExportFormat | 'json' {
  const wanted = (accept ?? '*/*').split(',').map((part) => part.split(';')[0]!.trim().toLowerCase())
  for (const type of wanted) if (ACCEPTED[type]) return ACCEPTED[type]
  throw new MillraceError('MR_INGEST_MEDIA', `none of "${accept}" is offered`, { fix: `accept one of ${Object.keys(ACCEPTED).join(', ')}` })
}

export function addSql(app: FastifyInstance, answerer: Answerer): void {
  app.post('/sql', async (request, reply) => {
    const caller = await callerOf(answerer, request)
    const question = questionOf(request)
    const written = await answerer.write(caller, question)
    if (written) return reply.type('application/json').send(JSON.stringify(written))
    const format = chooseFormat(request.headers.accept)
    if (format !== 'json') return sendExport(reply, await answerer.export(caller, question, format), format)
    const answer = await answerer.ask(caller, question)
    return reply.type('application/json').send(JSON.stringify(printAnswer(answer, question)))
  })
}

export const isNumbersAsText = (query: unknown): boolean => (query as { numbers?: string }).numbers === 'string'

export function sendExport(reply: FastifyReply, chunks: AsyncIterable<Uint8Array>, format: ExportFormat): FastifyReply {
  return reply.type(MEDIA_TYPES[format]).send(Readable.from(chunks))
}

function questionOf(request: FastifyRequest): Question {
  const { sql, params, freshness, dryRun, readOnly } = (request.body ?? {}) as Record<string, unknown>
  if (typeof sql !== 'string' || sql.trim() === '')
    throw new MillraceError('MR_USAGE', 'the body has no "sql"', { fix: 'send {"sql": "SELECT 1"}' })
  if (params !== undefined && (typeof params !== 'object' || params === null))
    throw new MillraceError('MR_SQL_PARAMETER', 'params must be an array or an object', { fix: 'send {"params": ["France"]}' })
  if (freshness !== undefined && freshness !== 'committed')
    throw new MillraceError('MR_USAGE', `freshness "${String(freshness)}" is not known`, { fix: "leave it out, or send 'committed'" })
  return {
    sql,
    surface: 'sql',
    ...(params ? { params: params as readonly unknown[] } : {}),
    ...(freshness ? { freshness: 'committed' } : {}),
    ...(dryRun === true ? { dryRun } : {}),
    ...(readOnly === true ? { readOnly } : {}),
    ...(isNumbersAsText(request.query) ? { numbersAsText: true } : {}),
  }
}

function printAnswer(answer: Answer, { numbersAsText = false }: Question): object {
  return {
    columns: answer.columns,
    rows: answer.rows.map((row) => row.map((value, index) => cellOf(value, answer.columns[index]!.type, { numbersAsText }))),
    snapshots: answer.snapshots,
    tail: answer.tail,
    durationMs: answer.durationMs,
    policy: { rowFilter: answer.rowFilter, masked: answer.masked },
    ...(answer.truncated ? { truncated: true } : {}),
  }
}
