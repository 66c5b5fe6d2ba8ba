// The project's endpoints under /api: parameters bound as values, ETag by snapshots and policy, keyset cursors, live results
// as server-sent events. The answer is an object per row.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { EndpointManifest } from '../define/manifest.ts'
import { type Cell, cellOf } from '../engine/cell.ts'
import type { SqlValue } from '../engine/duckdb.ts'
import { quoteName, replaceParameters } from '../engine/sql-text.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Shape } from '../schema/type.ts'
import { callerOf } from './admin/routes.ts'
import { type Answer, type Answerer, type Caller, isAllowed, type Question } from './answer.ts'
import { readParams } from './params.ts'
import { problemOf } from './problem.ts'
import { chooseFormat, isNumbersAsText, sendExport } from './sql.ts'

export interface RestParts {
  readonly answerer: Answerer
  endpoints(): readonly EndpointManifest[]
  /** Stored relations behind an endpoint, views expanded: those that `onChange` names. */
  reads(endpoint: EndpointManifest): readonly string[]
  /** Signs cursors. */
  readonly key: Uint8Array
  /** Calls back when a relation has new rows or a new snapshot. */
  onChange(listener: (relation: string) => void): () => void
  /** Gathers changes for live results. */
  after(ms: number, action: () => void): () => void
}

const RESERVED = ['cursor', 'limit', 'numbers']
const LIVE_GATHER_MS = 250

/** One route for all endpoints: the project may change while the server runs. */
export function addRest(app: FastifyInstance, parts: RestParts): void {
  app.get('/api/*', async (request, reply) => {
    const { endpoint, path } = findEndpoint(parts.endpoints(), request)
    const caller = await callerOf(parts.answerer, request)
    if (!isAllowed(caller, endpoint.allow)) {
      throw new MillraceError('MR_ACCESS_DENIED', `you may not call ${endpoint.name}`, { fix: 'ask its owner for a role that may' })
    }
    if (!endpoint.inputs.every((input) => parts.answerer.access(caller, input).readable))
      throw new MillraceError('MR_ACCESS_DENIED', `you may not read what ${endpoint.name} reads`, {
        fix: 'ask its owner for a role that may',
      })
    const given = { ...(request.query as Record<string, string>), ...path }
    const params = readParams(endpoint.params, given, RESERVED)
    const question = questionOf(parts, endpoint, params, given)
    if (endpoint.live && request.headers.accept?.includes('text/event-stream')) return streamLive(parts, endpoint, caller, question, reply)
    return answerOnce(parts, endpoint, caller, question, request, reply)
  })
}

function findEndpoint(
  endpoints: readonly EndpointManifest[],
  request: FastifyRequest,
): { endpoint: EndpointManifest; path: Record<string, string> } {
  const segments = `/${(request.params as { '*': string })['*']}`.split('/')
  for (const endpoint of endpoints) {
    const pattern = endpoint.path.split('/')
    if (pattern.length !== segments.length || !pattern.every((part, index) => part.startsWith(':') || part === segments[index])) continue
    return {
      endpoint,
      path: Object.fromEntries(pattern.flatMap((part, index) => (part.startsWith(':') ? [[part.slice(1), segments[index]!]] : []))),
    }
  }
  throw new MillraceError('MR_NOT_FOUND', `there is no endpoint at ${request.url.split('?')[0]}`, {
    fix: 'see /openapi.json for what there is',
  })
}

interface Page {
  readonly by: readonly string[]
  readonly size: number
  readonly after: readonly SqlValue[] | null
}

interface RestQuestion extends Question {
  readonly page: Page | null
  readonly scope: string
}

/** `$n` of the definition becomes a named, typed parameter; a page is cut around the whole. */
function questionOf(
  parts: RestParts,
  endpoint: EndpointManifest,
  params: Record<string, SqlValue>,
  given: Record<string, string>,
): RestQuestion {
  const types = new Map(endpoint.params.fields.map((field) => [field.name, toDuckType(field.type)]))
  const values: Record<string, SqlValue> = {}
  const text = replaceParameters(endpoint.sql.text, (index) => {
    const param = endpoint.sql.params[index - 1]
    if (param?.kind === 'request') {
      values[param.name] = params[param.name] ?? null
      return `CAST($${param.name} AS ${types.get(param.name) ?? 'VARCHAR'})`
    }
    const name = `constant_${index}`
    values[name] = param?.value ?? null
    return param && param.type !== 'string' && param.value !== null ? `CAST($${name} AS ${param.type})` : `$${name}`
  })
  const scope = createHash('sha256')
    .update(JSON.stringify([endpoint.name, Object.entries(params).map(([name, value]) => [name, String(value)])]))
    .digest('hex')
  const base = { surface: 'rest', object: endpoint.name, scope, ...(isNumbersAsText(given) ? { numbersAsText: true } : {}) }
  if (!endpoint.page) return { ...base, sql: text, params: values, page: null }
  const size = Math.min(1_000, Math.max(1, Number(given['limit'] ?? endpoint.page.size) || endpoint.page.size))
  const after = given['cursor'] === undefined ? null : openCursor(parts.key, scope, given['cursor'])
  const keys = endpoint.page.by.map(quoteName)
  after?.forEach((value, index) => {
    values[`after_${index}`] = value
  })
  const keyTypes = endpoint.page.by.map((name) => columnType(endpoint.result, name))
  const where = after
    ? ` WHERE (${keys.join(', ')}) > (${after.map((_, index) => `CAST($after_${index} AS ${keyTypes[index]})`).join(', ')})`
    : ''
  return {
    ...base,
    sql: `SELECT * FROM (${text}) AS page_of${where} ORDER BY ${keys.join(', ')} LIMIT ${size + 1}`,
    params: values,
    page: { by: endpoint.page.by, size, after },
  }
}

const columnType = (shape: Shape, name: string): string => toDuckType(shape.fields.find((field) => field.name === name)!.type)

async function answerOnce(
  parts: RestParts,
  endpoint: EndpointManifest,
  caller: Caller,
  question: RestQuestion,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const format = chooseFormat(request.headers.accept)
  const etag = etagOf(parts, endpoint, caller, question, format + String(question.numbersAsText ?? false))
  reply.headers({ etag, 'cache-control': 'private, max-age=0, must-revalidate', vary: 'Accept, Authorization' })
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  if (format !== 'json') return sendExport(reply, await parts.answerer.export(caller, question, format), format)
  const answer = await parts.answerer.ask(caller, question)
  return reply.type('application/json').send(JSON.stringify(printPage(parts, question, answer)))
}

function etagOf(parts: RestParts, endpoint: EndpointManifest, caller: Caller, question: RestQuestion, format: string): string {
  const version = parts.answerer.version(caller, endpoint.inputs)
  return `"${createHash('sha256')
    .update(JSON.stringify([version, question.scope, question.sql, question.page?.after?.map(String) ?? null, format]))
    .digest('base64url')
    .slice(0, 27)}"`
}

function printPage(parts: RestParts, question: RestQuestion, answer: Answer): { data: Record<string, Cell>[]; next: string | null } {
  const { page, numbersAsText = false } = question
  const rows = page ? answer.rows.slice(0, page.size) : answer.rows
  const data = rows.map((row) =>
    Object.fromEntries(answer.columns.map((column, index) => [column.name, cellOf(row[index], column.type, { numbersAsText })])),
  )
  const last = rows.at(-1)
  const hasMore = page !== null && answer.rows.length > page.size && last !== undefined
  const next = hasMore
    ? sealCursor(
        parts.key,
        question.scope,
        page.by.map((name) => last[answer.columns.findIndex((column) => column.name === name)] as SqlValue),
      )
    : null
  return { data, next }
}

/** Values of the last row, signed together with the endpoint and its parameters. */
function sealCursor(key: Uint8Array, scope: string, values: readonly SqlValue[]): string {
  const body = Buffer.from(
    JSON.stringify(values.map((value) => (typeof value === 'bigint' ? { long: value.toString() } : value))),
  ).toString('base64url')
  return `${body}.${sign(key, scope, body)}`
}

const sign = (key: Uint8Array, scope: string, body: string): string =>
  createHmac('sha256', key).update(`${scope}.${body}`).digest('base64url').slice(0, 22)

function openCursor(key: Uint8Array, scope: string, cursor: string): SqlValue[] {
  const [body = '', seal = ''] = cursor.split('.')
  const expected = Buffer.from(sign(key, scope, body))
  const given = Buffer.from(seal)
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new MillraceError('MR_SQL_PARAMETER', 'the cursor does not belong to this request', {
      fix: 'start without a cursor, with the same parameters',
    })
  const values = JSON.parse(Buffer.from(body, 'base64url').toString('utf8')) as (SqlValue | { long: string })[]
  return values.map((value) => (value !== null && typeof value === 'object' ? BigInt(value.long) : value))
}

/** `event: rows` with the whole result at once and after each change of an input, when the result differs. */
async function streamLive(
  parts: RestParts,
  endpoint: EndpointManifest,
  caller: Caller,
  question: RestQuestion,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { raw } = reply
  const reads = new Set(parts.reads(endpoint))
  let last = ''
  let isAsking = true
  let isChanged = false
  let cancel: (() => void) | null = null
  // Before the first question: what changes while it is answered is asked for again.
  const stop = parts.onChange((relation) => {
    if (!reads.has(relation)) return
    isChanged = true
    cancel ??= parts.after(LIVE_GATHER_MS, () => {
      cancel = null
      void again()
    })
  })
  raw.on('close', () => {
    stop()
    cancel?.()
  })
  const send = (answer: Answer): void => {
    const text = JSON.stringify(printPage(parts, question, answer))
    if (text !== last) raw.write(`event: rows\nid: ${createHash('sha256').update(text).digest('hex').slice(0, 16)}\ndata: ${text}\n\n`)
    last = text
  }
  const again = async (): Promise<void> => {
    if (isAsking) return
    isAsking = true
    try {
      while (isChanged && !raw.writableEnded) {
        isChanged = false
        send(await parts.answerer.ask(caller, question))
      }
    } catch (cause) {
      raw.end(`event: problem\ndata: ${JSON.stringify(problemOf(asMillraceError(cause)))}\n\n`)
    } finally {
      isAsking = false
    }
  }
  const first = await parts.answerer.ask(caller, question)
  reply.hijack()
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  send(first)
  isAsking = false
  void again()
  return reply
}
