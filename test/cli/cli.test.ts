// The command line as a user calls it: help with examples, JSON, exit statuses 0, 1 (findings, failures) and 2 (misuse), errors on
// standard error with code and fix; and the life of a server: one to a directory, a clean stop, a start after `kill -9`.
import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startServer, type TestServer } from '../server/server.ts'
import { type Printed, runMillrace } from './millrace.ts'

const here = dirname(fileURLToPath(import.meta.url))
// Beside this file: a project outside of the repository would need the package installed.
const directory = mkdtempSync(join(here, 'work-'))
const project = join(directory, 'tiny')
const data = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
let server: TestServer

const millrace = (...args: string[]): Promise<Printed> => runMillrace(args, { MILLRACE_LOG: 'warn' })

/** A command on the project, with `--json`. */
const inProject = (...args: string[]): Promise<Printed> => millrace(...args, '--project', project, '--data', data, '--json')

function json<T>(printed: Printed, status = 0): T {
  assert.equal(printed.status, status, printed.out + printed.errors)
  return JSON.parse(printed.out) as T
}

interface Failure {
  readonly code: string
  readonly message: string
  readonly fix: string
}

function failure(printed: Printed, status: number, code: string): Failure {
  assert.equal(printed.status, status, printed.out + printed.errors)
  const found = JSON.parse(printed.errors.trim().split('\n').at(-1)!) as Failure
  assert.equal(found.code, code)
  assert.ok(found.message && found.fix, printed.errors)
  return found
}

before(() => {
  cpSync(join(here, 'project'), project, { recursive: true, filter: (path) => !path.endsWith('.d.ts') })
})
after(() => {
  server?.child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
  rmSync(data, { recursive: true, force: true })
})

const COMMANDS = [
  ...[
    'init',
    'dev',
    'start',
    'check',
    'plan',
    'apply',
    'run',
    'query',
    'relocate',
    'status',
    'logs',
    'verify',
    'restore',
    'doctor',
    'token',
    'tag',
  ],
  ...['maintain', 'branch', 'publish', 'backfill'],
  ...[
    'token create',
    'token list',
    'token revoke',
    'tag create',
    'tag list',
    'tag remove',
    'branch create',
    'branch list',
    'branch remove',
  ],
  ...['keys', 'keys create', 'keys list', 'keys rotate'],
]

test('every command has help with examples', async () => {
  const { status, out } = await millrace('--help')
  assert.equal(status, 0)
  const listed = [...out.matchAll(/^ {2}([a-z]+) /gm)].map((match) => match[1]!).filter((name) => name !== 'help')
  assert.deepEqual(listed, [...new Set(listed)])
  assert.deepEqual([...listed].sort(), COMMANDS.filter((name) => !name.includes(' ')).sort(), 'this test knows every command')
  // Two at a time: each is a process of its own.
  for (let index = 0; index < COMMANDS.length; index += 2)
    await Promise.all(
      COMMANDS.slice(index, index + 2).map(async (command) => {
        const help = await millrace(...command.split(' '), '--help')
        assert.equal(help.status, 0, command)
        assert.match(help.out, new RegExp(`Examples:\n {2}\\$ millrace ${command}`), command)
        if (!['token', 'tag', 'branch', 'keys'].includes(command)) assert.match(help.out, /--json/, command)
      }),
    )
})

test('a misused command line is status 2, with code and fix', async () => {
  for (const args of [['nonsense'], ['query'], ['query', 'SELECT 1', '--nothing'], ['dev', '--port', 'x']]) {
    const printed = await millrace(...args, '--json')
    const { fix } = failure(printed, 2, 'MR_USAGE')
    assert.equal(printed.out, '')
    assert.ok(fix.length > 10, fix)
  }
  assert.equal((await millrace('query', 'SELECT 1', '--format', 'xml')).status, 2)
  const plain = await millrace('querry', 'SELECT 1')
  assert.equal(plain.status, 2)
  assert.match(plain.errors, /^MR_USAGE {2}unknown command 'querry'\n {2}fix: .*query/)
})

test('init makes a project of its own, and leaves what is there alone', async () => {
  const made = join(directory, 'made')
  assert.deepEqual(json(await millrace('init', made, '--template', 'empty', '--json')), { directory: made, template: 'empty' })
  assert.ok(existsSync(join(made, 'millrace.ts')) && existsSync(join(made, 'package.json')))
  assert.equal(json<{ ok: boolean }>(await millrace('check', '--project', made, '--json')).ok, true)
  failure(await millrace('init', made, '--json'), 2, 'MR_USAGE')
  failure(await millrace('init', join(directory, 'other'), '--template', 'nothing', '--json'), 2, 'MR_USAGE')
})

test('check finds every mistake, each with its line and what to do', async () => {
  const printed = await millrace('check', '--project', join(here, 'bad'), '--json')
  const { ok, findings } = json<{ ok: boolean; findings: { code: string; at: string; message: string; fix: string }[] }>(printed, 1)
  assert.equal(ok, false)
  const source = readFileSync(join(here, 'bad', 'millrace.ts'), 'utf8').split('\n')
  const line = (text: string): string => `millrace.ts:${source.findIndex((candidate) => candidate.startsWith(`export const ${text} `)) + 1}`
  assert.deepEqual(
    findings.map(({ code, at }) => [code, at]),
    [
      ['MR_PLAN_KEY', line('visits')],
      ['MR_PLAN_SQL', line('wrongSql')],
      ['MR_PLAN_UNKNOWN', line('wrongColumn')],
      ['MR_DEFINE_NAME', line('wrongName')],
    ],
  )
  for (const finding of findings) assert.ok(finding.fix.length > 5, finding.message)
  const started = await millrace('dev', '--project', join(here, 'bad'), '--data', join(directory, 'bad-data'), '--port', '0')
  assert.equal(started.status, 1)
  assert.match(started.errors, /4 errors.*MR_PLAN_KEY.*MR_PLAN_SQL.*MR_PLAN_UNKNOWN.*MR_DEFINE_NAME/s)
  failure(await millrace('check', '--project', join(directory, 'nowhere'), '--json'), 1, 'MR_LOAD_NO_PROJECT')
})

test('check --flink prints a live model as Flink SQL', async () => {
  const nexmark = join(dirname(here), 'nexmark')
  const text = json<{ tables: string[]; query: string }>(await millrace('check', '--project', nexmark, '--flink', 'q7', '--json'))
  assert.equal(text.tables.length, 1)
  assert.match(text.tables[0]!, /^CREATE TABLE `bid` \(/)
  assert.match(text.query, /TABLE\(TUMBLE\(TABLE `bid`, DESCRIPTOR\(`date_time`\), INTERVAL '10' SECOND\)\)/)
  failure(await millrace('check', '--project', nexmark, '--flink', 'bid', '--json'), 1, 'MR_PLAN_UNKNOWN')
})

test('without a server: check, plan, apply; what needs one says so', async () => {
  assert.equal(json<{ ok: boolean }>(await inProject('check')).ok, true)
  assert.match(readFileSync(join(project, 'millrace-env.d.ts'), 'utf8'), /visits/)
  const planned = json<{ steps: unknown[]; refused: unknown[] }>(await inProject('plan'))
  assert.ok(planned.steps.length >= 2 && planned.refused.length === 0)
  failure(await inProject('apply'), 2, 'MR_USAGE')
  assert.deepEqual(json(await inProject('apply', '--yes')), { applied: planned.steps.length })
  assert.deepEqual(json<{ steps: unknown[] }>(await inProject('plan')).steps, [])
  for (const args of [
    ['query', 'SELECT 1'],
    ['run', 'pages'],
    ['token', 'list'],
  ])
    failure(await inProject(...args), 1, 'MR_NOT_READY')
})

test('with a server: query, run, status, logs, tokens, doctor, verify', async () => {
  server = await startServer({ project, data, env: { MILLRACE_FLUSH_MS: '300' } })
  assert.equal(statSync(join(data, 'token')).mode & 0o777, 0o600)
  const rows = ['a', 'b', 'a'].map((page) => JSON.stringify({ page, visitor: 'ann' })).join('\n')
  assert.equal((await server.post('/streams/visits', `${rows}\n`, { 'content-type': 'application/x-ndjson' })).status, 202)
  for (let tries = 0; tries < 100; tries++) {
    const [committed] = await server.sql("SELECT count(*) FROM millrace.snapshots WHERE relation = 'visits' AND total_records = 3")
    if (Number(committed![0]) > 0) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const run = json<{ run: { state: string }; steps: { name: string; state: string }[] }>(await inProject('run', 'pages'))
  assert.deepEqual([run.run.state, run.steps.map((step) => [step.name, step.state])], ['done', [['pages', 'done']]])
  assert.deepEqual(json<{ rows: unknown[] }>(await inProject('query', 'SELECT * FROM pages ORDER BY page')).rows, [
    ['a', 2],
    ['b', 1],
  ])
  const csv = await millrace('query', 'SELECT * FROM pages ORDER BY page', '--data', data, '--format', 'csv')
  assert.deepEqual([csv.status, csv.out.replaceAll('\r', '')], [0, 'page,visits\na,2\nb,1\n'])
  const table = await millrace('query', 'SELECT * FROM pages ORDER BY page', '--data', data)
  assert.match(table.out, /^page +visits\n-+ +-+\na +2\nb +1\n2 rows/)
  failure(await inProject('query', 'SELECT nothing FROM pages'), 1, 'MR_SQL_UNKNOWN')
  failure(await inProject('query', 'SELECT * FROM pages', '--as', 'nobody'), 1, 'MR_ACCESS_UNKNOWN_ROLE')
  failure(await inProject('run', 'nothing'), 1, 'MR_PLAN_UNKNOWN')

  const status = json<{ relations: { name: string; rows: number }[] }>(await inProject('status'))
  assert.deepEqual(
    status.relations.map((relation) => [relation.name, relation.rows]),
    [
      ['visits', 3],
      ['pages', 2],
    ],
  )
  const logs = json<{ run: { id: string } }[]>(await inProject('logs'))
  assert.ok(logs.length > 0)
  const created = json<{ id: string; token: string }>(await inProject('token', 'create', 'ann', '--role', 'guest', '--expires', '1 hour'))
  assert.match(created.token, /^mrt_/)
  const listed = async (): Promise<{ id: string; revokedMs: number | null }> =>
    json<{ id: string; revokedMs: number | null }[]>(await inProject('token', 'list')).find((token) => token.id === created.id)!
  assert.equal((await listed()).revokedMs, null)
  assert.deepEqual(json(await inProject('token', 'revoke', created.id)), { id: created.id })
  assert.equal(typeof (await listed()).revokedMs, 'number')
  const unknownRole = await inProject('token', 'create', 'ann', '--role', 'nobody')
  failure(unknownRole, 1, 'MR_ACCESS_UNKNOWN_ROLE')
  assert.equal(json<{ audit: unknown }>(await inProject('verify')).audit, null)
  const diagnoses = json<{ subject: string; state: string; detail: string }[]>(await inProject('doctor'))
  assert.deepEqual(
    diagnoses.filter(({ subject }) => subject === 'project' || subject === 'server').map(({ subject, state }) => [subject, state]),
    [
      ['project', 'ok'],
      ['server', 'ok'],
    ],
  )
})

test('a second server on the directory is refused with the pid of the first, which goes on', async () => {
  const second = await inProject('dev', '--port', '0')
  const { message } = failure(second, 1, 'MR_DATA_LOCKED')
  assert.match(message, new RegExp(`\\b${server.pid}\\b`))
  assert.deepEqual(await server.sql('SELECT count(*) FROM visits'), [[3]])
})

test('kill -9, start: everything is there; SIGTERM: a clean stop within ten seconds', async () => {
  await server.kill('SIGKILL')
  server = await startServer({ project, data })
  assert.deepEqual(json<{ rows: unknown[] }>(await inProject('query', 'SELECT count(*) FROM visits')).rows, [[3]])
  // A live connection must not hold it up.
  const events = await fetch(`${server.url}/admin/events`, { headers: { authorization: `Bearer ${server.token}` } })
  const startedMs = performance.now()
  assert.equal(await server.stop(), 0, server.errors())
  const tookMs = performance.now() - startedMs
  assert.ok(tookMs < 10_000, `it took ${tookMs} ms`)
  await events.body?.cancel().catch(() => {})
  failure(await inProject('status'), 1, 'MR_NOT_READY')
})
