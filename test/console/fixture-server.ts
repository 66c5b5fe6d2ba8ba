// Serves the built console and the shop's fixture as the product would, on a free loopback port: the same addresses, the
// same security headers, events included. Tests use it; `node24 test/console/fixture-server.ts` opens it for a look.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Problem } from '../../src/serve/answers/admin.ts'
import type { ChangedKey } from '../../src/serve/answers/session.ts'
import * as shop from './fixture-data.ts'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const dist = join(root, 'console', 'dist')
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.woff2': 'font/woff2',
  '.svg': 'image/svg+xml',
}
/** What the product sends with the console. Styles may be inline: React, CodeMirror and xyflow set them. */
export const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
export const TOKEN = 'fixture-token'

/** `shop`: all is there. `empty`: a project without anything. `refused`: every answer is 403. `failing`: every answer is 500. */
export type Scenario = 'shop' | 'empty' | 'refused' | 'failing'

/** Whether console/dist is there and no source of the console is newer. */
function isBuilt(): boolean {
  const page = join(dist, 'index.html')
  if (!existsSync(page)) return false
  const builtMs = statSync(page).mtimeMs
  const source = join(root, 'console', 'src')
  return readdirSync(source, { recursive: true, encoding: 'utf8' }).every((path) => statSync(join(source, path)).mtimeMs <= builtMs)
}

/** Builds console/dist with the workspace's Vite when it is missing or older than its sources. */
export async function buildConsole(): Promise<void> {
  if (isBuilt()) return
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js')
  const child: ChildProcess = spawn(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
    cwd: join(root, 'console'),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve))
  if (code !== 0) throw new Error(`vite build ended with ${code}`)
}

export interface Fixture {
  readonly url: string
  scenario: Scenario
  /** Tells every open tab that these changed. */
  change(keys: readonly ChangedKey[]): void
  /** Ends all connections and answers nothing until it is up again. */
  down(): void
  up(): void
  /** Runs started by POST, as sent. */
  readonly started: unknown[]
  /** Changes a row count, so that an event has something to show. */
  bump(): void
  close(): Promise<void>
}

const forbidden: Problem = { status: 403, code: 'MR_ACCESS_DENIED', detail: 'analyst has no grant on it. The owner is payments-team.' }
const unknown: Problem = {
  status: 404,
  code: 'MR_NOT_FOUND',
  detail: 'There is nothing of this name, or you may not see it.',
  fix: 'look at the list of relations',
}

interface State {
  scenario: Scenario
  extra: number
  started: unknown[]
}

const emptyProject = {
  overview: { relations: [], attention: [], runs: [], conservation: null },
  relations: { relations: [] },
  lineage: { nodes: [], edges: [], columns: [] },
  streams: { streams: [] },
  runs: { runs: [], total: 0, failed: 0, buckets: [], next: null },
  dashboards: { dashboards: [] },
}

function listOf(kind: string, state: State): object | null {
  const relations = shop.relations.map((one) => (one.name === 'clicks' ? { ...one, rows: (one.rows ?? 0) + state.extra } : one))
  const newRuns = Array.from({ length: state.extra === 0 ? 0 : 1 }, () => ({ ...shop.runs[1]!, id: '4817' }))
  switch (kind) {
    case 'session':
      return state.scenario === 'empty'
        ? { ...shop.session, counts: { relations: 0, streams: 0, dashboards: 0, failing: 0 } }
        : shop.session
    case 'overview':
      return { relations, attention: shop.attention, runs: shop.runs.slice(1, 7), conservation: shop.allStreams }
    case 'relations':
      return { relations }
    case 'lineage':
      return shop.lineage
    case 'streams':
      return { streams: shop.streams }
    case 'runs':
      return { runs: [...newRuns, ...shop.runs], total: 412 + newRuns.length, failed: 6, buckets: shop.buckets, next: null }
    case 'dashboards':
      return {
        dashboards: [
          {
            name: 'operations',
            title: 'operations',
            at: 'dashboards.ts:1',
            tiles: 8,
            inputs: ['daily_revenue', 'orders', 'suspects', 'order_facts'],
          },
        ],
      }
    default:
      return null
  }
}

function oneOf(kind: string, name: string, part: string | undefined, search: URLSearchParams, rest: string | undefined): object | null {
  if (kind === 'streams') return shop.streamDetail(name, search.get('range') ?? '1h')
  if (kind === 'runs') return shop.runDetail(name)
  if (kind === 'dashboards') return name !== 'operations' ? null : part === undefined ? shop.dashboard : shop.tile(Number(rest))
  if (kind !== 'relations') return null
  switch (part) {
    case undefined:
      return shop.relationDetail(name)
    case 'rows':
      return shop.rowsPage(name, Number(search.get('limit') ?? 200), search.get('order'), search.has('desc'))
    case 'schema':
      return shop.schemaPage(name)
    case 'quality':
      return shop.qualityPage(name)
    case 'snapshots':
      return shop.snapshotsPage()
    case 'lineage':
      return shop.lineageAround(name)
    default:
      return null
  }
}

function answerTo(url: URL, state: State): object | null {
  const [, , kind = '', name, part, rest] = url.pathname.split('/').map(decodeURIComponent)
  if (name !== undefined) return state.scenario === 'empty' ? null : oneOf(kind, name, part, url.searchParams, rest)
  if (state.scenario === 'empty' && kind in emptyProject) return emptyProject[kind as keyof typeof emptyProject]
  return listOf(kind, state)
}

const sendProblem = (response: ServerResponse, problem: Problem): void => {
  response.writeHead(problem.status, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
}

function serveFile(path: string, response: ServerResponse): void {
  const wanted = normalize(path).replace(/^\/console\/?/, '')
  const file = join(dist, extname(wanted) === '' ? 'index.html' : wanted)
  if (!file.startsWith(dist) || !existsSync(file)) {
    sendProblem(response, unknown)
    return
  }
  response
    .writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': CONTENT_SECURITY_POLICY,
      'x-content-type-options': 'nosniff',
    })
    .end(readFileSync(file))
}

const readBody = async (request: IncomingMessage): Promise<string> => {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

export async function startFixture(port = 0): Promise<Fixture> {
  await buildConsole()
  const state: State = { scenario: 'shop', extra: 0, started: [] }
  const streams = new Set<ServerResponse>()
  const beganMs = Date.now()
  const nowMs = (): number => shop.START_MS + Date.now() - beganMs

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (url.pathname.startsWith('/console')) return serveFile(url.pathname, response)
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return sendProblem(response, { status: 401, code: 'MR_AUTH_MISSING', detail: 'The request carries no valid token.' })
    if (url.pathname === '/admin/events') {
      response
        .writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
        .write(`event: hello\ndata: ${JSON.stringify({ nowMs: nowMs() })}\n\n`)
      streams.add(response)
      response.on('close', () => streams.delete(response))
      return
    }
    const always = url.pathname === '/admin/session'
    if (state.scenario === 'refused' && !always) return sendProblem(response, forbidden)
    if (state.scenario === 'failing' && !always)
      return sendProblem(response, {
        status: 500,
        code: 'MR_INTERNAL',
        detail: 'The control store could not be read.',
        fix: 'look at the log of the server',
      })
    const send = (body: object): void =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...body, nowMs: nowMs() }))
    if (request.method === 'POST') {
      const body: unknown = JSON.parse((await readBody(request)) || '{}')
      if (url.pathname === '/sql') {
        const { sql, readOnly } = body as { sql: string; readOnly?: true }
        if (/^UPDATE/.test(sql) && readOnly)
          return sendProblem(response, {
            status: 400,
            code: 'MR_SQL_STATEMENT',
            detail: 'the statement changes rows, and the request only asks',
            fix: 'look at it, and run it yourself',
          })
        if (/^UPDATE/.test(sql)) return send(shop.sqlWritten)
        if (sql.includes('nonsense'))
          return sendProblem(response, {
            status: 400,
            code: 'MR_SQL_SYNTAX',
            detail: 'syntax error at or near "nonsense", line 1',
            fix: 'write one SELECT',
          })
        return send(shop.sqlAs(sql, (request.headers['millrace-as'] as string | undefined) ?? null))
      }
      state.started.push(body)
      return send({ id: '4817' })
    }
    const body = answerTo(url, state)
    if (body === null) return sendProblem(response, unknown)
    send(body)
  }

  let open: Server | null = null
  let address: AddressInfo | null = null
  const listen = async (at: number): Promise<void> => {
    const server = createServer((request, response) => {
      handle(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error))
      })
    })
    await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve))
    address = server.address() as AddressInfo
    open = server
  }
  await listen(port)
  const shut = (): void => {
    open?.closeAllConnections()
    open?.close()
    open = null
  }
  return {
    url: `http://127.0.0.1:${address!.port}`,
    get scenario() {
      return state.scenario
    },
    set scenario(next: Scenario) {
      state.scenario = next
      state.extra = 0
    },
    change(keys) {
      for (const stream of streams) stream.write(`event: changed\ndata: ${JSON.stringify({ nowMs: nowMs(), keys })}\n\n`)
    },
    bump() {
      state.extra += 1
    },
    started: state.started,
    down: shut,
    up: () => void listen(address!.port),
    close: async () => shut(),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const fixture = await startFixture(Number(process.argv[2] ?? 4190))
  process.stdout.write(`${fixture.url}/console/#token=${TOKEN}\n`)
}
