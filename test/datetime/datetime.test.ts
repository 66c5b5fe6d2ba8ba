// Datetimes through the whole of a running server: sent, refused with an offset, read in SQL, endpoints and every format before and
// after a flush, loaded from files, taken by a processor, live models and models, masked and filtered by a policy, changed by SQL, and
// partitioned by, so that files of other days are not read.
import assert from 'node:assert/strict'
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { DuckDBInstance } from '@duckdb/node-api'
import { tableFromIPC } from 'apache-arrow'
import { systemClock } from '../../src/core/clock.ts'
import { startServer, type TestServer } from '../server/server.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-datetime-'))
const project = join(directory, 'project')
const data = join(directory, 'data')

const PROJECT = `
import { between, checks, endpoint, files, grant, http, keyed, masks, model, policy, processor, project, role, sql, stream, t, table } from 'millrace'
export const visits = stream('visits', {
  id: t.string(),
  seen: t.timestamp(),
  due: t.datetime(),
  born: t.datetime().optional().pii('born'),
  slots: t.list(t.struct({ from: t.datetime(), seen: t.timestamp().optional() })).optional(),
}, { from: http(), key: 'id', time: 'seen', lateness: '365 days', partition: ['day(due)'] })
export const rooms = table('rooms', { room: t.string(), free: t.datetime().default('2026-01-01T08:00:00') }, { from: http(), key: 'room' })
export const slots = table('slots', { at_time: t.datetime(), n: t.int() }, { from: http(), key: 'at_time' })
export const sound = checks('sound', [between(visits.due, '1900-01-01 00:00:00', '2200-01-01').quarantine()], { on: visits })
const plan = { id: t.string(), due: t.datetime().optional(), note: t.struct({ at: t.datetime().optional() }).optional() }
export const from_json = table('from_json', plan, { from: files({ path: 'data/plan.json', format: 'json' }), load: 'full' })
export const from_csv = table('from_csv', { id: t.string(), due: t.datetime().optional() }, { from: files({ path: 'data/plan.csv', format: 'csv' }), load: 'full' })
export const from_parquet = table('from_parquet', plan, { from: files({ path: 'data/plan.parquet', format: 'parquet' }), load: 'full' })
export const passed = model('passed', sql\`SELECT id, due, slots, due + INTERVAL 1 HOUR AS later, strftime(due, '%H:%M') AS hour, last_day(due) AS last,
  make_timestamp(epoch_us(due) + 1) AS next FROM \${visits} WHERE due >= TIMESTAMP '2026-03-01 00:00:00' AND due <> '2026-03-09 00:00:00'\`, { fresh: 'live' })
export const by_day = model('by_day', sql\`SELECT date_trunc('day', due) AS day, count(*) AS n, min(due) AS first, max(due) AS last FROM \${visits} GROUP BY 1\`, { fresh: 'live' })
export const daily = model('daily', sql\`SELECT date_trunc('day', due) AS day, list(due ORDER BY due) AS dues FROM \${visits} GROUP BY ALL\`, { refresh: 'incremental', by: 'day', key: 'day' })
export const local = model('local', sql\`SELECT id, due, seen AT TIME ZONE 'Europe/Paris' AS paris, due AT TIME ZONE 'Europe/Paris' AS instant FROM \${visits}\`, { refresh: 'view' })
export const declared = model('declared', sql\`SELECT id, seen AT TIME ZONE 'Europe/Paris' AS paris FROM \${visits}\`, { refresh: 'view', columns: { id: t.string(), paris: t.datetime() } })
export const moved = processor('moved', { id: t.string(), due: t.datetime(), latest: t.datetime(), slots: t.list(t.datetime()) }, {
  from: visits,
  key: 'id',
  state: { latest: keyed.value(t.datetime()) },
  on(visit, { latest }, { emit }) {
    if (visit.due > (latest.get() ?? '')) latest.set(visit.due)
    emit({ id: visit.id, due: visit.due, latest: latest.get()!, slots: (visit.slots ?? []).map(({ from }) => from) })
  },
})
export const reader = role('reader', { from: t.datetime() })
export const reads = grant('reads', { to: [reader], on: ['*'] })
export const hidden = masks('hidden', { born: 'year' })
export const later = policy('later', { on: visits, to: reader, rows: (row, user) => row.due.gte(user.from).or(row.due.eq('2026-03-01T23:30:00')) })
export const due = endpoint('GET /due/:from', { params: { from: t.datetime() }, allow: [reader], page: { by: ['due', 'id'], size: 2 },
  sql: (p) => sql\`SELECT id, due, seen, seen AT TIME ZONE 'UTC' AS utc FROM \${visits} WHERE due >= \${p.from}\` })
export default project('clinic', [{ visits, rooms, slots, sound, from_json, from_csv, from_parquet, passed, by_day, daily, local, declared, moved, reader, reads, hidden, later, due }])
`

let server: TestServer
const ndjson = { 'content-type': 'application/x-ndjson' }
const json = { 'content-type': 'application/json' }

async function start(): Promise<void> {
  server = await startServer({ project, data, env: { MILLRACE_FLUSH_MS: '3600000' } })
}

before(async () => {
  mkdirSync(join(project, 'data'), { recursive: true })
  writeFileSync(join(project, 'millrace.ts'), PROJECT)
  const lines = [
    { id: 'a', due: '2026-03-01T14:05:00', note: { at: '2026-03-01 14:05:00.5' } },
    { id: 'b', due: '2026-03-01T14:05:00+02:00' },
    { id: 'c', due: '2026-03-01T14:05:00Z' },
    { id: 'd', note: { at: '2026-03-01T14:05:00Z' } },
    { id: 'e' },
    { id: 'f', due: 'noon' },
  ]
  writeFileSync(join(project, 'data/plan.json'), lines.map((line) => JSON.stringify(line)).join('\n'))
  writeFileSync(join(project, 'data/plan.csv'), ['id,due', ...lines.map(({ id, due = '' }) => `${id},${due}`)].join('\n'))
  const duck = await (await DuckDBInstance.create(':memory:')).connect()
  await duck.run(`COPY (SELECT 'a' AS id, TIMESTAMP '2026-03-01 14:05:00' AS due, {'at': TIMESTAMP '2026-03-01 14:05:00.5'} AS note)
    TO '${join(project, 'data/plan.parquet')}' (FORMAT parquet)`)
  await start()
})
after(async () => {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function eventually<T>(what: string, read: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (let round = 0; ; round++) {
    const found = await read()
    if (isRight(found)) return found
    assert.ok(round < 400, `not within twenty seconds: ${what}; last ${JSON.stringify(found)}`)
    await systemClock.sleep(50)
  }
}

async function flush(): Promise<void> {
  await server.stop()
  await start()
}

interface Sent {
  readonly accepted: number
  readonly errors: readonly { readonly code: string; readonly message: string }[]
}

const send = async (path: string, ...rows: readonly object[]): Promise<Sent> =>
  (await (await server.post(path, rows.map((row) => JSON.stringify(row)).join('\n'), ndjson)).json()) as Sent

const SEEN = '2026-03-01T12:00:00Z'
const ROWS = [
  { id: 'a', seen: SEEN, due: '2026-03-01T14:05:00', born: '1990-05-17T08:00:00', slots: [{ from: '2026-03-01 14:05:00.25', seen: SEEN }] },
  { id: 'b', seen: SEEN, due: '2026-03-01 23:30:00' },
  { id: 'c', seen: SEEN, due: '2026-03-02t00:00:00.000001' },
  { id: 'd', seen: SEEN, due: '1969-12-31T23:59:59.999999', slots: [] },
]
const DUE = ['1969-12-31T23:59:59.999999', '2026-03-01T14:05:00.000000', '2026-03-01T23:30:00.000000', '2026-03-02T00:00:00.000001']

test('rows are taken without a zone, and refused with one, with the reason', async () => {
  const bad = (part: object): object => ({ id: 'x', seen: SEEN, due: '2026-03-01T00:00:00', ...part })
  const answer = await send(
    '/streams/visits',
    ROWS[0]!,
    bad({ due: '2026-03-01T14:05:00Z' }),
    bad({ due: '2026-03-01T14:05:00+02:00' }),
    bad({ due: '2026-03-01' }),
    bad({ due: 1_772_373_900_000 }),
    bad({ due: '2026-02-30T00:00:00' }),
    bad({ due: '2026-03-01T00:00:00.1234567' }),
    bad({ slots: [{ from: '2026-03-01T14:05:00Z' }] }),
    ...ROWS.slice(1),
    bad({ due: '2200-01-01T00:00:00.000001' }),
  )
  assert.equal(answer.accepted, 5)
  assert.deepEqual(
    answer.errors.map(({ code }) => code),
    ['MR_ROW_TYPE', 'MR_ROW_TYPE', 'MR_ROW_TYPE', 'MR_ROW_TYPE', 'MR_ROW_RANGE', 'MR_ROW_RANGE', 'MR_ROW_TYPE'],
  )
  assert.equal(
    answer.errors[1]!.message,
    'field due: expected a datetime YYYY-MM-DDTHH:MM:SS without Z or offset, in the years 1684 to 2255 with at most 6 decimals, got "2026-03-01T14:05:00+02:00"',
  )
  assert.match(answer.errors.at(-1)!.message, /^field slots\[0\]\.from: expected a datetime/)
  const kept = await eventually(
    'refused rows are kept',
    () => server.sql("SELECT raw ->> 'due' FROM visits__rejected"),
    (rows) => rows.length === 8,
  )
  assert.deepEqual(await server.sql("SELECT raw ->> 'due' FROM visits__rejected WHERE code = 'MR_ROW_CHECK'"), [
    ['2200-01-01T00:00:00.000001'],
  ])
  assert.ok(kept.flat().includes('2026-03-01T14:05:00+02:00'))
  assert.equal((await send('/streams/rooms', { room: 'r' }, { room: 's', free: '2026-01-01T09:00:00' })).accepted, 2)
})

const READS: readonly (readonly [sql: string, rows: unknown[][]])[] = [
  ['SELECT due FROM visits ORDER BY due', DUE.map((due) => [due])],
  [
    'SELECT typeof(due), typeof(seen), typeof(slots) FROM visits LIMIT 1',
    [['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'STRUCT("from" TIMESTAMP, seen TIMESTAMP WITH TIME ZONE)[]']],
  ],
  [
    "SELECT slots, born FROM visits WHERE id = 'a'",
    [[[{ from: '2026-03-01T14:05:00.250000', seen: '2026-03-01T12:00:00.000000Z' }], '1990-05-17T08:00:00.000000']],
  ],
  ["SELECT id FROM visits WHERE due >= '2026-03-02'", [['c']]],
  ["SELECT id FROM visits WHERE due = TIMESTAMP '2026-03-01 14:05:00'", [['a']]],
  ["SELECT id FROM visits WHERE due > seen AND due < DATE '2026-03-02' ORDER BY id", [['a'], ['b']]],
  [
    'SELECT CAST(due AS DATE) AS day, count(*) FROM visits GROUP BY day ORDER BY day',
    [
      ['1969-12-31', 1],
      ['2026-03-01', 2],
      ['2026-03-02', 1],
    ],
  ],
  [
    "SELECT due + INTERVAL 30 MINUTE, due AT TIME ZONE 'Europe/Paris' FROM visits WHERE id = 'b'",
    [['2026-03-02T00:00:00.000000', '2026-03-01T22:30:00.000000Z']],
  ],
  [
    'SELECT room, free FROM rooms ORDER BY room',
    [
      ['r', '2026-01-01T08:00:00.000000'],
      ['s', '2026-01-01T09:00:00.000000'],
    ],
  ],
  [
    "SELECT due, paris, instant FROM local WHERE id = 'a'",
    [['2026-03-01T14:05:00.000000', '2026-03-01T13:00:00.000000Z', '2026-03-01T13:05:00.000000Z']],
  ],
  ["SELECT paris FROM declared WHERE id = 'a'", [['2026-03-01T13:00:00.000000']]],
  [
    "SELECT * FROM passed WHERE id <> 'c' ORDER BY id",
    [
      [
        'a',
        DUE[1],
        [{ from: '2026-03-01T14:05:00.250000', seen: '2026-03-01T12:00:00.000000Z' }],
        '2026-03-01T15:05:00.000000',
        '14:05',
        '2026-03-31',
        '2026-03-01T14:05:00.000001',
      ],
      ['b', DUE[2], null, '2026-03-02T00:30:00.000000', '23:30', '2026-03-31', '2026-03-01T23:30:00.000001'],
    ],
  ],
  [
    'SELECT day, n, first, last FROM by_day ORDER BY day',
    [
      ['1969-12-31T00:00:00.000000', 1, DUE[0], DUE[0]],
      ['2026-03-01T00:00:00.000000', 2, DUE[1], DUE[2]],
      ['2026-03-02T00:00:00.000000', 1, DUE[3], DUE[3]],
    ],
  ],
  ["SELECT due, latest, slots FROM moved WHERE id = 'a'", [[DUE[1], DUE[1], ['2026-03-01T14:05:00.250000']]]],
]

async function format(accept: string): Promise<Response> {
  const body = JSON.stringify({ sql: 'SELECT id, due, seen FROM visits ORDER BY due' })
  return server.post('/sql', body, { ...json, accept })
}

test('SQL, endpoints and every format have them without a zone, from the tail and from files', async () => {
  await eventually(
    'the processor and the live models have emitted',
    () => server.sql('SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM passed) + (SELECT sum(n) FROM by_day)'),
    (rows) => Number(rows[0]![0]) === 4 + 3 + 4,
  )
  const read = async (): Promise<void> => {
    for (const [sql, rows] of READS) assert.deepEqual(await server.sql(sql), rows, sql)
    const csv = await (await format('text/csv')).text()
    assert.equal(csv, `id,due,seen\r\n${['d', 'a', 'b', 'c'].map((id, i) => `${id},${DUE[i]},2026-03-01T12:00:00.000000Z\r\n`).join('')}`)
    assert.equal(
      (await (await format('application/x-ndjson')).text()).split('\n')[1],
      `{"id":"a","due":"${DUE[1]}","seen":"2026-03-01T12:00:00.000000Z"}`,
    )
    const arrow = tableFromIPC(Buffer.from(await (await format('application/vnd.apache.arrow.stream')).arrayBuffer()))
    assert.deepEqual(
      arrow.schema.fields.map(({ type }) => String(type)),
      ['Utf8', 'Timestamp<MICROSECOND>', 'Timestamp<MICROSECOND, UTC>'],
    )
    assert.deepEqual([...(arrow.getChild('due')!.data[0]!.values as BigInt64Array)].slice(0, 1), [-1n])
    const parquet = join(directory, 'out.parquet')
    writeFileSync(parquet, Buffer.from(await (await format('application/vnd.apache.parquet')).arrayBuffer()))
    const duck = await (await DuckDBInstance.create(':memory:')).connect()
    const types = await duck.runAndReadAll(`DESCRIBE SELECT due, seen FROM '${parquet}'`)
    assert.deepEqual(
      types.getRows().map(([, type]) => type),
      ['TIMESTAMP', 'TIMESTAMP WITH TIME ZONE'],
    )
    const page = (await (await server.get('/api/due/2026-03-01%2014:05:00')).json()) as { data: unknown[]; next: string }
    assert.deepEqual(page.data, [
      { id: 'a', due: DUE[1], seen: '2026-03-01T12:00:00.000000Z', utc: '2026-03-01T12:00:00.000000Z' },
      { id: 'b', due: DUE[2], seen: '2026-03-01T12:00:00.000000Z', utc: '2026-03-01T12:00:00.000000Z' },
    ])
    const next = (await (await server.get(`/api/due/2026-03-01%2014:05:00?cursor=${encodeURIComponent(page.next)}`)).json()) as {
      data: { id: string }[]
    }
    assert.deepEqual(
      next.data.map(({ id }) => id),
      ['c'],
    )
  }
  await read()
  const wrong = (await (await server.get('/api/due/2026-03-01T14:05:00Z')).json()) as { code: string; detail: string }
  assert.deepEqual([wrong.code, wrong.detail], ['MR_SQL_PARAMETER', '"2026-03-01T14:05:00Z" is not a datetime for "from"'])
  await flush()
  await eventually(
    'what was sent is committed',
    () => server.sql('SELECT count(*) FROM visits'),
    (rows) => rows[0]![0] === 4,
  )
  await read()
  const openapi = JSON.stringify(await (await server.get('/openapi.json')).json())
  assert.match(openapi, /"due":\{"type":"string","format":"date-time-local","pattern":/)
  const daily = await eventually(
    'the model is refreshed',
    () => server.sql('SELECT day, dues FROM daily ORDER BY day'),
    (rows) => rows.length === 3,
  )
  assert.deepEqual(daily[1], ['2026-03-01T00:00:00.000000', [DUE[1], DUE[2]]])
})

test('a datetime is a key, however it is spelled', async () => {
  const rows = () => server.sql('SELECT at_time, n FROM slots ORDER BY n')
  await send(
    '/streams/slots',
    { at_time: '2026-03-01T14:05:00', n: 1 },
    { at_time: '2026-03-01T15:00:00', n: 2 },
    { at_time: '2026-03-01 14:05:00.000', n: 3 },
  )
  await eventually('the latest row of each key is there', rows, (found) => found.length === 2)
  assert.deepEqual(await rows(), [
    ['2026-03-01T15:00:00.000000', 2],
    ['2026-03-01T14:05:00.000000', 3],
  ])
  const remove = (at: string) =>
    fetch(`${server.url}/streams/slots`, {
      method: 'DELETE',
      body: JSON.stringify({ at_time: at }),
      headers: { ...ndjson, authorization: `Bearer ${server.token}` },
    })
  assert.equal((await remove('2026-03-01T15:00:00Z')).status, 422)
  assert.equal((await remove('2026-03-01t14:05:00')).status, 200)
  await eventually('one row is left', rows, (found) => found.length === 1)
  await flush()
  assert.deepEqual(await rows(), [['2026-03-01T15:00:00.000000', 2]])
})

test('files are loaded, and rows with a zone are set aside', async () => {
  const loaded = (name: string) =>
    eventually(
      `${name} is loaded`,
      () => server.sql(`SELECT id, due FROM ${name} ORDER BY id`),
      (rows) => rows.length > 0,
    )
  assert.deepEqual(await loaded('from_json'), [
    ['a', DUE[1]],
    ['e', null],
  ])
  assert.deepEqual(await server.sql("SELECT note FROM from_json WHERE id = 'a'"), [[{ at: '2026-03-01T14:05:00.500000' }]])
  assert.deepEqual(await loaded('from_csv'), [
    ['a', DUE[1]],
    ['d', null],
    ['e', null],
  ])
  assert.deepEqual(await loaded('from_parquet'), [['a', DUE[1]]])
  assert.deepEqual(await server.sql('SELECT note FROM from_parquet'), [[{ at: '2026-03-01T14:05:00.500000' }]])
  const zoned = 'the value of due has a zone or an offset, and its column none'
  assert.deepEqual(await server.sql("SELECT raw ->> 'id', message FROM from_csv__rejected ORDER BY 1"), [
    ['b', zoned],
    ['c', zoned],
    ['f', 'the value of due does not fit its column'],
  ])
  assert.deepEqual((await server.sql("SELECT raw ->> 'id' FROM from_json__rejected ORDER BY 1")).flat(), ['b', 'c', 'd', 'f'])
})

test('a mask cuts to the year, a rule compares, and an attribute with an offset shows nothing', async () => {
  const rows = (from: string): Promise<unknown[][]> =>
    server.sql('SELECT id, born FROM visits ORDER BY id', { 'millrace-as': 'reader', 'millrace-as-attributes': JSON.stringify({ from }) })
  assert.deepEqual(await rows('2026-03-01T14:05:00'), [
    ['a', '1990-01-01T00:00:00.000000'],
    ['b', null],
    ['c', null],
  ])
  assert.deepEqual(await rows('2026-03-01T14:05:00+00:00'), [['b', null]])
})

test('SQL changes them; an older version has what was', async () => {
  const [[before]] = (await server.sql(
    "SELECT snapshot_id FROM millrace.snapshots WHERE relation = 'rooms' ORDER BY committed_at DESC LIMIT 1",
  )) as [[string]]
  const write = async (sql: string) => {
    const answer = await server.post('/sql', JSON.stringify({ sql }), json)
    assert.equal(answer.status, 200, await answer.clone().text())
  }
  await write("INSERT INTO rooms VALUES ('t', '2026-01-01 10:00:00'), ('u', DEFAULT)")
  await write("UPDATE rooms SET free = free + INTERVAL 1 HOUR WHERE free >= TIMESTAMP '2026-01-01 09:00:00'")
  const now = [
    ['r', '08'],
    ['s', '10'],
    ['t', '11'],
    ['u', '08'],
  ].map(([room, hour]) => [room, `2026-01-01T${hour}:00:00.000000`])
  assert.deepEqual(await server.sql('SELECT room, free FROM rooms ORDER BY room'), now)
  await flush()
  assert.deepEqual(await server.sql('SELECT room, free FROM rooms ORDER BY room'), now)
  assert.deepEqual(await server.sql(`SELECT room, free FROM rooms AT (VERSION => ${before}) ORDER BY room`), [
    ['r', '2026-01-01T08:00:00.000000'],
    ['s', '2026-01-01T09:00:00.000000'],
  ])
})

test('files of other days are not looked at', async () => {
  const other = globSync(join(data, '**/visits/data/**/*.parquet')).filter((path) => path.includes('1969-12-31'))
  assert.equal(other.length, 1)
  const kept = join(directory, 'kept.parquet')
  cpSync(other[0]!, kept)
  rmSync(other[0]!)
  for (const where of [
    "due >= TIMESTAMP '2026-03-01 00:00:00'",
    "due BETWEEN '2026-03-01' AND '2026-03-03'",
    "due > CAST('2026-01-01T00:00:00' AS TIMESTAMPTZ)",
  ])
    assert.deepEqual(await server.sql(`SELECT count(*) FROM visits WHERE ${where}`), [[3]], where)
  await assert.rejects(server.sql("SELECT count(*) FROM visits WHERE due < '2026-01-01' OR id = 'd'"), /MR_/)
  cpSync(kept, other[0]!)
})
