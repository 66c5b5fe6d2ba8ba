// Structs, lists and maps through the whole of a running server: sent, refused with the place, read in SQL and REST before and after
// a flush, taken by a processor and by models, masked as a whole however a question spells a part, and changed inside by a new
// definition over rows that are in files and in the log.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { startServer, type TestServer } from '../server/server.ts'

const directory = mkdtempSync(join(tmpdir(), 'millrace-nested-'))
const project = join(directory, 'project')
const data = join(directory, 'data')

const FIRST = '{ sku: t.string(), price: t.decimal(12, 2), count: t.int().optional(), old: t.string().optional() }'
/** Without `old`, with `count` widened and a member more. */
const SECOND = '{ sku: t.string(), price: t.decimal(12, 2), count: t.long().optional(), note: t.list(t.string()).optional() }'
/** `count` under another name, and another `old` under the name of the one that is gone. */
const THIRD = "{ sku: t.string(), price: t.decimal(12, 2), amount: t.long().optional().was('count'), old: t.string().optional() }"

const projectWith = (item: string): string => `
import { endpoint, grant, http, masks, model, processor, project, role, sql, stream, t, table } from 'millrace'
const item = t.struct(${item})
export const orders = stream('orders', {
  id: t.string(),
  seen: t.timestamp(),
  who: t.struct({ name: t.string(), email: t.string().optional() }).pii('email'),
  items: t.list(item),
  sizes: t.map(t.string(), t.double().optional()).optional(),
}, { from: http(), key: 'id', time: 'seen', lateness: '1 hour' })
export const stock = table('stock', { sku: t.string(), by_size: t.map(t.int(), t.struct({ n: t.long(), at: t.date().optional() })) }, { from: http(), key: 'sku' })
export const lines = model('lines', sql\`SELECT id, unnest(items) AS item FROM \${orders}\`, { refresh: 'view' })
export const passed = model('passed', sql\`SELECT id, items, orders.who, upper(id) AS big FROM \${orders} WHERE id <> 'b'\`, { fresh: 'live' })
export const daily = model('daily', sql\`SELECT CAST(seen AS DATE) AS day, list(id ORDER BY id) AS ids, map_from_entries(list({'k': id, 'v': items} ORDER BY id)) AS items FROM \${orders} GROUP BY day\`, { refresh: 'incremental', by: 'day' })
export const priced = processor('priced', { id: t.string(), total: t.decimal(38, 2), items: t.list(item), note: t.map(t.string(), t.string()) }, {
  from: orders,
  on(order, _state, { emit }) {
    const [first] = order.items
    if (!first) return
    const total = order.items.reduce((sum, { price }) => sum.plus(price), first.price.minus(first.price))
    emit({ id: order.id, total, items: order.items.toReversed(), note: { who: order.who.name } })
  },
})
export const analyst = role('analyst')
export const reads = grant('reads', { to: [analyst], on: ['*'] })
export const hidden = masks('hidden', { email: 'hash' })
export const order = endpoint('GET /orders/:id', { params: { id: t.string() }, allow: [analyst], sql: (p) => sql\`SELECT id, items, sizes FROM \${orders} WHERE id = \${p.id}\` })
export default project('nested', [{ orders, stock, lines, passed, daily, priced, analyst, reads, hidden, order }])
`

let server: TestServer
const ndjson = { 'content-type': 'application/x-ndjson' }

async function start(item: string): Promise<void> {
  mkdirSync(project, { recursive: true })
  writeFileSync(join(project, 'millrace.ts'), projectWith(item))
  server = await startServer({ project, data, env: { MILLRACE_FLUSH_MS: '3600000' } })
}

before(() => start(FIRST))
after(async () => {
  await server.stop()
  rmSync(directory, { recursive: true, force: true })
})

interface Answer {
  readonly accepted: number
  readonly errors: readonly { readonly index: number; readonly code: string; readonly message: string }[]
}

async function send(path: string, ...lines: readonly string[]): Promise<Answer> {
  const answer = await server.post(path, lines.join('\n'), ndjson)
  return (await answer.json()) as Answer
}

async function eventually<T>(what: string, read: () => Promise<T>, isRight: (found: T) => boolean): Promise<T> {
  for (let round = 0; ; round++) {
    const found = await read()
    if (isRight(found)) return found
    assert.ok(round < 200, `not within ten seconds: ${what}; last ${JSON.stringify(found)}`)
    await systemClock.sleep(50)
  }
}

/** A server that ends commits what it has; the next reads it from files. */
async function flush(item: string): Promise<void> {
  await server.stop()
  await start(item)
  const body = JSON.stringify({ sql: 'SELECT count(*) > 0 FROM orders', freshness: 'committed' })
  const answer = (await (await server.post('/sql', body, { 'content-type': 'application/json' })).json()) as { rows: unknown[][] }
  assert.deepEqual(answer.rows, [[true]])
}

const A =
  '{"id":"a","seen":"2026-05-01T10:00:00Z","who":{"name":"Ann","email":"ann@x"},"items":[{"sku":"s1","price":"12.50","count":2147483647,"old":"gone"},{"sku":"s2","price":3e0}],"sizes":{"w":1.5,"none":null,"nan":"NaN"}}'
const B = '{"id":"b","seen":"2026-05-01T11:00:00Z","who":{"name":"Bob \\ud83d\\ude42"},"items":[]}'

test('rows are taken or refused with the place in the value', async () => {
  const bad = (part: string) => `{"id":"x","seen":"2026-05-01T10:00:00Z",${part}}`
  const answer = await send(
    '/streams/orders',
    A,
    bad('"who":{"name":"x"},"items":[{"sku":"s","price":1},{"sku":"s","price":"1.234"}]'),
    bad('"who":{"name":"x"},"items":[{"sku":"s","price":1},null]'),
    bad('"who":{"name":"x","phone":1},"items":[]'),
    bad('"who":{"email":"x"},"items":[]'),
    bad('"who":"x","items":[]'),
    bad('"who":{"name":"x"},"items":[],"sizes":{"a":1,"b":2,"a":3}'),
    bad('"who":{"name":"x"},"items":{}'),
    B,
  )
  assert.equal(answer.accepted, 2)
  assert.deepEqual(
    answer.errors.map(({ code, message }) => [code, message.replace(/:.*| is .*/, '')]),
    [
      ['MR_ROW_RANGE', 'field items[1].price'],
      ['MR_ROW_MISSING', 'field items[1]'],
      ['MR_ROW_UNKNOWN_FIELD', 'field who.phone'],
      ['MR_ROW_MISSING', 'field who.name'],
      ['MR_ROW_TYPE', 'field who'],
      ['MR_ROW_DUPLICATE_FIELD', 'field sizes["a"] occurs twice'],
      ['MR_ROW_TYPE', 'field items'],
    ],
  )
  const refused = await eventually(
    'refused rows are kept',
    () => server.sql('SELECT field FROM orders__rejected ORDER BY 1'),
    (rows) => rows.length === 7,
  )
  assert.deepEqual(refused.flat(), ['items', 'items[1]', 'items[1].price', 'sizes["a"]', 'who', 'who.name', 'who.phone'])
  assert.equal(
    (
      await send(
        '/streams/stock',
        '{"sku":"s1","by_size":{"38":{"n":4}}}',
        '{"sku":"s1","by_size":{"-1":{"n":"9223372036854775807","at":"2026-01-01"}}}',
      )
    ).accepted,
    2,
  )
})

const ITEMS = [
  { sku: 's1', price: '12.50', count: 2_147_483_647, old: 'gone' },
  { sku: 's2', price: '3.00', count: null, old: null },
]

const WHOLE: readonly (readonly [sql: string, rows: unknown[][]])[] = [
  [
    'SELECT items, sizes FROM orders ORDER BY id',
    [
      [ITEMS, { w: 1.5, none: null, nan: 'NaN' }],
      [[], null],
    ],
  ],
  [
    "SELECT id, items[1].price, who.name, sizes['w'], len(items) FROM orders ORDER BY id",
    [
      ['a', '12.50', 'Ann', 1.5, 2],
      ['b', null, 'Bob 🙂', null, 0],
    ],
  ],
  [
    'SELECT id, item.sku FROM (SELECT id, unnest(items) AS item FROM orders) ORDER BY ALL',
    [
      ['a', 's1'],
      ['a', 's2'],
    ],
  ],
  [
    'SELECT id, item.sku FROM lines ORDER BY ALL',
    [
      ['a', 's1'],
      ['a', 's2'],
    ],
  ],
  ['SELECT by_size FROM stock', [[{ '-1': { n: '9223372036854775807', at: '2026-01-01' } }]]],
  ['SELECT id, items, who.name, big FROM passed', [['a', ITEMS, 'Ann', 'A']]],
  ['SELECT total, items[1].sku, note FROM priced', [['15.50', 's2', { who: 'Ann' }]]],
]

test('SQL and REST give them nested, from the tail and from files', async () => {
  await eventually(
    'the processor and the live model have emitted',
    () => server.sql('SELECT id FROM priced UNION ALL SELECT id FROM passed'),
    (rows) => rows.length === 2,
  )
  const read = async () => {
    for (const [sql, rows] of WHOLE) assert.deepEqual(await server.sql(sql), rows, sql)
    const answer = (await (await server.get('/api/orders/a')).json()) as { data: unknown[] }
    assert.deepEqual(answer.data, [{ id: 'a', items: ITEMS, sizes: { w: 1.5, none: null, nan: 'NaN' } }])
  }
  await read()
  await flush(FIRST)
  await read()
  const daily = await eventually(
    'the model is refreshed',
    () => server.sql('SELECT ids, items FROM daily'),
    (rows) => rows.length === 1,
  )
  assert.deepEqual(daily, [[['a', 'b'], { a: ITEMS, b: [] }]])
  const text = await (
    await server.post('/sql', JSON.stringify({ sql: 'SELECT items FROM orders ORDER BY id' }), {
      'content-type': 'application/json',
      accept: 'text/csv',
    })
  ).text()
  assert.equal(text.split('\r\n')[1], `"${JSON.stringify(ITEMS).replaceAll('"', '""')}"`)
})

test('a masked column is masked as a whole, however a part of it is asked for', async () => {
  const analyst = { 'millrace-as': 'analyst' }
  assert.deepEqual(await server.sql('SELECT who FROM orders', analyst), [[null], [null]])
  assert.deepEqual(await server.sql('SELECT who.email, who FROM passed', analyst), [[null, null]])
  for (const part of [
    'who.email',
    'orders.who.email',
    "who['email']",
    "struct_extract(who, 'email')",
    'o.who.email',
    'to_json(who)',
    'who::VARCHAR',
    'unnest([who]).email',
  ]) {
    const sql = `SELECT ${part} FROM orders${part.startsWith('o.') ? ' AS o' : ''}`
    const rows = await server.sql(sql, analyst).catch((error: Error) => {
      // Not every function is on the list of those that may be called.
      assert.match(error.message, /MR_SQL_(FORBIDDEN|GATE|FUNCTION|REFUSED)/, sql)
      return []
    })
    assert.doesNotMatch(JSON.stringify(rows), /ann|bob/i, sql)
  }
  assert.deepEqual(await server.sql("SELECT count(*) FROM orders WHERE who.email = 'ann@x' OR who.name LIKE 'A%'", analyst), [[0]])
  assert.deepEqual(await server.sql('SELECT id FROM orders ORDER BY who.email, id DESC', analyst), [['b'], ['a']])
  assert.deepEqual(await server.sql("SELECT items[1].sku FROM orders WHERE id = 'a'", analyst), [['s1']])
})

test('a definition that changes parts: files by field id, rows of the log by the new shape', async () => {
  const second = [
    { sku: 's1', price: '12.50', count: 2_147_483_647, note: null },
    { sku: 's2', price: '3.00', count: null, note: null },
  ]
  await flush(SECOND)
  assert.deepEqual(await server.sql('SELECT items FROM orders ORDER BY id'), [[second], [[]]])
  const c = A.replace('"id":"a"', '"id":"c"')
  const answer = await send('/streams/orders', c, c.replace('"old":"gone"', '"note":["n",""]').replace('2147483647', '5000000000'))
  assert.deepEqual([answer.accepted, answer.errors[0]!.message.slice(0, 18)], [1, 'field items[0].old'])
  const note = { sku: 's1', price: '12.50', count: 5_000_000_000, note: ['n', ''] }
  assert.deepEqual(await server.sql("SELECT items[1] FROM orders WHERE id = 'c'"), [[note]])
  await flush(SECOND)
  assert.deepEqual(await server.sql("SELECT items[1] FROM orders WHERE id = 'c'"), [[note]])
  // Rows that are in the log alone are held to the definition by which they are read, as with whole columns.
  await send(
    '/streams/orders',
    c.replace('"c"', '"d"').replace(',"count":2147483647,"old":"gone"', ''),
    c.replace('"c"', '"e"').replace('"old":"gone"', '"note":[]'),
  )
  await server.kill('SIGKILL')
  await start(THIRD)
  const old = second.map(({ sku, price, count }) => ({ sku, price, amount: count, old: null }))
  await eventually(
    'the log is read again',
    () => server.sql('SELECT id FROM orders'),
    (rows) => rows.length === 4,
  )
  assert.deepEqual(await server.sql('SELECT id, items FROM orders ORDER BY id'), [
    ['a', old],
    ['b', []],
    ['c', [{ ...old[0]!, amount: 5_000_000_000 }, old[1]]],
    ['d', [{ ...old[0]!, amount: null }, old[1]]],
  ])
  const refused = await server.sql("SELECT message FROM orders__rejected WHERE field = 'items[0].count'")
  assert.equal(refused.length, 1)
})
