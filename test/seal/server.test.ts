// The whole program with encrypted relations: rows with a marker go in over HTTP and from a file, through models, a processor with
// state, checks, checkpoints, compaction, a kill, restarts and a rotation; then no file of the data directory holds the marker, and
// with encryption off the same work leaves it in many. And what is refused: other ways to the files, other keys, none, a switch.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { type Printed, runMillrace } from '../cli/millrace.ts'
import { startServer, type TestServer } from '../server/server.ts'
import { filesBelow, showing } from './keys.ts'

/** Of letters that no compression joins with others: as they stand they are found. */
const MARKER = 'qzxjkvwq'
const made: string[] = []
const started: TestServer[] = []
after(() => {
  // Of a test that failed.
  for (const { child } of started) child.kill('SIGKILL')
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

const projectWith = (isEncrypted: boolean): string => `
import { between, checks, emitted, files, grant, http, keyed, model, processor, project, role, sql, stream, t, table } from 'millrace'
const encrypted = ${isEncrypted}
export const visits = stream('visits', { id: t.string(), person: t.string(), n: t.int(), seen: t.timestamp() },
  { from: http(), key: 'person', time: 'seen', lateness: '1 minute', dedupe: { by: 'id', within: '1 hour' }, iceberg: { version: 3 }, encrypted })
export const people = table('people', { id: t.string(), name: t.string() }, { from: http(), key: 'id', iceberg: { version: 3 }, encrypted })
export const cities = table('cities', { id: t.string(), city: t.string() }, { from: files({ path: 'cities.csv', format: 'csv' }), key: 'id', encrypted })
export const old = stream('old', { id: t.string(), seen: t.timestamp() }, { from: http(), time: 'seen', keep: { table: '1 day', archive: true }, encrypted })
export const loud = stream('loud', { person: t.string(), seen: t.timestamp() }, { from: emitted(), time: 'seen', encrypted })
export const byPerson = model('by_person', sql\`SELECT \${visits.person}, count(*) AS visits FROM \${visits} GROUP BY ALL\`, { key: 'person', partition: ['person'] })
export const daily = model('daily', sql\`SELECT CAST(seen AS DATE) AS day, list(DISTINCT person ORDER BY person) AS who FROM \${visits} GROUP BY day\`, { refresh: 'incremental', by: 'day' })
export const history = model('history', sql\`SELECT * FROM \${cities}\`, { refresh: 'scd2', key: 'id' })
export const minutes = model('minutes', sql\`SELECT person, window_start, count(*) AS visits FROM tumble(\${visits}, \${visits.seen}, INTERVAL 1 MINUTE) GROUP BY ALL\`, { fresh: 'live' })
export const named = model('named', sql\`SELECT person, count(*) AS visits FROM \${visits} GROUP BY person\`, { fresh: 'live', emit: 'changes' })
export const broken = model('broken', sql\`SELECT CAST(\${visits.person} AS INTEGER) AS x FROM \${visits}\`)
export const seen = processor('seen_by', { person: t.string(), times: t.int(), before: t.string().optional(), seen: t.timestamp() }, {
  from: visits, key: 'person', time: 'seen', outputs: { loud },
  state: { last: keyed.value(t.string()), count: keyed.value(t.int()) },
  on(row, state, { emit, emitTo }) {
    if (row.n === 13) throw new Error('unlucky ' + row.person)
    const times = (state.count.get() ?? 0) + 1
    emit({ person: row.person, times, before: state.last.get(), seen: row.seen })
    if (times === 3) emitTo.loud({ person: row.person, seen: row.seen })
    state.count.set(times)
    state.last.set(row.id)
  },
})
export const sound = checks('sound', [between(visits.n, 0, 50).quarantine()], { on: visits })
export const clear = table('clear_people', { id: t.string(), name: t.string() }, { from: http(), key: 'id' })
export const open = model('open_counts', sql\`SELECT count(*) AS visits FROM \${visits}\`, { encrypted: false })
export const analyst = role('analyst')
export const reads = grant('reads', { to: [analyst], on: ['*'] })
export default project('sealed', [{ visits, people, cities, old, loud, byPerson, daily, history, minutes, named, broken, seen, sound, clear, open, analyst, reads }])
`

interface World {
  readonly project: string
  readonly data: string
  readonly keyFile: string
  env(more?: Record<string, string>): Record<string, string>
}

function newWorld(isEncrypted: boolean): World {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-sealed-'))
  made.push(directory)
  const [project, data, keyFile] = [join(directory, 'project'), join(directory, 'data'), join(directory, 'master.keys')]
  mkdirSync(project)
  writeFileSync(join(project, 'millrace.ts'), projectWith(isEncrypted))
  writeFileSync(join(project, 'cities.csv'), `id,city\n1,${MARKER}city\n2,elsewhere\n`)
  return { project, data, keyFile, env: (more = {}) => ({ MILLRACE_FLUSH_MS: '400', MILLRACE_KEY_FILE: keyFile, ...more }) }
}

const millrace = ({ project, data, env }: World, args: readonly string[], more: Record<string, string> = {}): Promise<Printed> =>
  runMillrace([...args, '--project', project, '--data', data], { ...env(), ...more })

async function must(world: World, ...args: string[]): Promise<string> {
  const { status, out, errors } = await millrace(world, args)
  assert.equal(status, 0, `${out}${errors}`)
  return out
}

async function eventually<T>(what: string, read: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (let round = 0; ; round++) {
    const found = await read()
    if (isRight(found)) return found
    assert.ok(round < 300, `not within thirty seconds: ${what}; last ${JSON.stringify(found)}`)
    await systemClock.sleep(100)
  }
}

async function start({ project, data, env }: World): Promise<TestServer> {
  const server = await startServer({ project, data, env: env() })
  started.push(server)
  return server
}

const NDJSON = { 'content-type': 'application/x-ndjson' }
const PEOPLE = 4

async function send(server: TestServer, path: string, rows: readonly object[], headers: Record<string, string> = {}): Promise<void> {
  const answer = await server.post(path, rows.map((row) => JSON.stringify(row)).join('\n'), { ...NDJSON, ...headers })
  assert.ok([202, 422].includes(answer.status), await answer.text())
}

const visit = (round: number, n: number) => ({
  id: `${MARKER}id-${round}-${n}`,
  person: `${MARKER}person${n % PEOPLE}`,
  n,
  seen: `2026-03-0${round + 1}T10:${String(n).padStart(2, '0')}:00Z`,
})

const settled = (server: TestServer, rounds: number): Promise<unknown> =>
  eventually(
    'all rows are everywhere',
    async () => [
      await server.sql('SELECT count(*)::INT FROM visits'),
      await server.sql('SELECT sum(visits)::INT FROM by_person'),
      await server.sql('SELECT count(*)::INT FROM daily'),
      await server.sql('SELECT sum(visits)::INT FROM named'),
      await server.sql('SELECT count(*)::INT FROM seen_by WHERE before IS NOT NULL'),
      await server.sql('SELECT sum(visits)::INT FROM open_counts'),
      await server.sql('SELECT count(*) > 0 FROM minutes'),
    ],
    (found) =>
      JSON.stringify(found) ===
      JSON.stringify([[[rounds * 19]], [[rounds * 19]], [[rounds]], [[rounds * 19]], [[rounds * 18 - PEOPLE]], [[rounds * 19]], [[true]]]),
  )

/** 19 rows that are out, sent twice; one that a check sets aside, one that is refused; and two of a keyed table. */
async function oneRound(server: TestServer, round: number): Promise<void> {
  const rows = Array.from({ length: 19 }, (_, n) => visit(round, n))
  await send(server, '/streams/visits', rows, { 'idempotency-key': `${MARKER}key-${round}` })
  await send(server, '/streams/visits', rows, { 'idempotency-key': `${MARKER}key-${round}` })
  await send(server, '/streams/visits', [
    { ...visit(round, 60), n: 60 },
    { id: 7, person: `${MARKER}bad` },
  ])
  await send(server, '/streams/old', [{ id: `${MARKER}old${round}`, seen: `2020-01-0${round + 1}T00:00:00Z` }])
  await send(server, '/streams/people', [
    { id: `${MARKER}1`, name: `${MARKER} the ${round}th` },
    { id: '2', name: `${MARKER}b` },
  ])
  // By SQL as well: rows that change, that get another key, and one that goes.
  await server.sql(`UPDATE people SET name = name || '${MARKER}', id = CASE WHEN id = '2' THEN '${MARKER}2' ELSE id END`)
  await server.sql(`DELETE FROM people WHERE id = '${MARKER}2'`)
  await assert.rejects(server.sql(`UPDATE people SET name = NULL WHERE name <> '${MARKER}nobody'`), /MR_SQL_ROW/)
}

async function ask(server: TestServer): Promise<void> {
  await server.sql(`SELECT * FROM visits WHERE person = '${MARKER}person1'`)
  await assert.rejects(server.sql('SELECT CAST(person AS INTEGER) FROM visits'))
  await assert.rejects(server.sql(`SELECT '${MARKER}' FROM nothing`))
}

/** The work of the test; answers what the disk shows when the server was killed and when it has ended. */
async function work(world: World): Promise<readonly string[][]> {
  const shown: string[][] = []
  let server = await start(world)
  await oneRound(server, 0)
  await settled(server, 1)
  await must(world, 'run', 'cities', 'history')
  await ask(server)
  await oneRound(server, 1)
  await server.kill('SIGKILL')
  shown.push(showing(world.data, [MARKER]))
  server = await start(world)
  await settled(server, 2)
  await oneRound(server, 2)
  await settled(server, 3)
  await must(world, 'maintain')
  await settled(server, 3)
  assert.deepEqual(await server.sql('SELECT count(*)::INT FROM old__archive'), [[3]])
  await server.stop()
  shown.push(showing(world.data, [MARKER]))
  return shown
}

test('with encryption off the marker is all over the data directory', async () => {
  const world = newWorld(false)
  const [, ended] = await work({ ...world, env: (more) => ({ MILLRACE_FLUSH_MS: '400', ...more }) })
  for (const part of [/\/log\//, /\/lake\/visits\/data\//, /lake\/by_person\/.*__p_0=/, /control\.db/])
    assert.ok(
      ended!.some((path) => part.test(path)),
      `${part} is not in ${ended!.join('\n')}`,
    )
})

test('with encryption on it is nowhere, over a kill, restarts and rotation, and everything works', async () => {
  const world = newWorld(true)
  const { data, project } = world
  await assert.rejects(startServer({ project, data, env: { MILLRACE_FLUSH_MS: '400' } }), /MR_KEY_MISSING/)
  await must(world, 'keys', 'create', world.keyFile)
  assert.deepEqual(await work(world), [[], []])

  // Rotation: a new master key in front, then only that.
  const [old] = readFileSync(world.keyFile, 'utf8').split('\n') as [string]
  await must(world, 'keys', 'create', world.keyFile)
  assert.match(await must(world, 'keys', 'rotate'), /No data was written again/)
  const [next] = readFileSync(world.keyFile, 'utf8').split('\n') as [string]
  writeFileSync(world.keyFile, `${old}\n`)
  await assert.rejects(startServer({ project, data, env: world.env() }), new RegExp(`MR_KEY_UNKNOWN.*${next.split(' ')[0]}`))
  writeFileSync(world.keyFile, `${next}\n`)
  const server = await start({ ...world, env: () => world.env({ MILLRACE_KEY_FILE: '', MILLRACE_KEYS: next }) })
  await settled(server, 3)
  await oneRound(server, 3)
  await settled(server, 4)

  // What the keys are is told beside the server, whose files stay.
  const keys = JSON.parse(await must(world, 'keys', 'list', '--json')) as { scope: string; wrapped?: string }[]
  assert.ok(keys.some(({ scope }) => scope === 'visits') && keys.every(({ wrapped }) => wrapped === undefined))

  // What was asked is in the audit for administrators, opened.
  const audit = (await server.sql("SELECT detail FROM millrace.audit WHERE action = 'query:sql'")).map(([detail]) => String(detail))
  assert.ok(audit.some((detail) => detail.includes(`${MARKER}person1`)))
  assert.ok(audit.some((detail) => detail.includes('Could not convert')))

  // Earlier snapshots, by their ids.
  const [[snapshot]] = (await server.sql(
    "SELECT snapshot_id::VARCHAR FROM millrace.snapshots WHERE relation = 'visits' ORDER BY sequence LIMIT 1",
  )) as [[string]]
  const [[then]] = (await server.sql(`SELECT count(*)::INT FROM visits AT (VERSION => '${snapshot}')`)) as [[number]]
  assert.ok(then > 0 && then <= 19)

  // Other ways to the rows.
  const table = await server.get('/iceberg/v1/namespaces/main/tables/visits')
  assert.equal(table.status, 403)
  assert.match(await table.text(), /visits is encrypted/)
  assert.equal((await server.get('/iceberg/v1/namespaces/main/tables/visits__late')).status, 403)
  assert.equal((await server.get('/iceberg/v1/namespaces/main/tables/open_counts')).status, 200)
  const asked = (accept: string) =>
    server.post('/sql', JSON.stringify({ sql: 'FROM visits' }), { 'content-type': 'application/json', accept })
  const parquet = await asked('application/vnd.apache.parquet')
  assert.equal(parquet.status, 403)
  assert.match(await parquet.text(), /MR_KEY_SHARED/)
  assert.equal((await asked('application/vnd.apache.arrow.stream')).status, 200)
  await assert.rejects(
    server.sql('INSERT INTO clear_people SELECT id, name FROM people'),
    /MR_KEY_SHARED: people is encrypted and clear_people is not/,
  )
  await server.sql('DELETE FROM clear_people WHERE id IN (SELECT id FROM people)')

  const verified = JSON.parse(await must(world, 'verify', '--json')) as { storage: { tables: { table: string; damage: unknown[] }[] } }
  assert.ok(verified.storage.tables.length >= 12)
  assert.deepEqual(
    verified.storage.tables.flatMap(({ damage }) => damage),
    [],
  )
  await must(
    world,
    'restore',
    'by_person',
    '--to',
    (
      (await server.sql("SELECT snapshot_id::VARCHAR FROM millrace.snapshots WHERE relation = 'by_person' ORDER BY sequence LIMIT 1")) as [
        [string],
      ]
    )[0][0],
  )
  await server.stop()
  assert.deepEqual(showing(data, [MARKER]), [])

  // Also what is packed, in which no marker would be seen.
  const stored = (folder: string): string[] =>
    filesBelow(join(data, folder)).filter((path) => !/\/(open_counts|clear_people(__rejected)?)\//.test(path))
  const [tables, states] = [stored('lake'), stored('checkpoints')]
  assert.ok(tables.length > 100 && states.length > 5)
  for (const path of tables) {
    const begins = readFileSync(path).toString('latin1', 0, 6)
    // Of a statement that was killed before it wrote: an orphan of nothing.
    if (begins !== '') assert.match(begins, /^(MRSEAL|PARE..)$/s, path)
  }
  for (const path of states) assert.equal(readFileSync(path).toString('latin1').slice(-4), 'MRC3', path)

  // A definition that says otherwise than what is stored.
  writeFileSync(join(project, 'millrace.ts'), projectWith(false))
  assert.match((await millrace(world, ['plan'])).out, /was stored encrypted and is not to be any more/)
  await assert.rejects(startServer({ project, data, env: world.env() }), /MR_PLAN_STATE/)
})
