// The elements of lists as rows give what DuckDB gives of the SQL as it was written: of columns and of lists that DuckDB computes, of
// flat and of nested elements, with nulls, empty lists and lists that are null, and through the operators above. The seed is printed;
// MILLRACE_SEED repeats a run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { printFlink } from '../../src/engine/algebra/print-flink.ts'
import type { StreamShape } from '../../src/engine/algebra/read-query.ts'
import type { Field, Type } from '../../src/schema/type.ts'
import { SEED } from '../seed.ts'
import { countOf, type Events, openEvents, START } from './events.ts'

const field = (name: string, type: Type, optional = true): Field => ({ name, type, optional })
const list = (type: Type, optional = true): Type => ({ kind: 'list', element: { type, optional } })
const text = { kind: 'string' } as const
const item: Type = {
  kind: 'struct',
  fields: [field('sku', text, false), field('count', { kind: 'int' }), field('tags', list(text))],
}
const SHAPE: StreamShape = {
  fields: [
    field('ts', { kind: 'timestamp' }, false),
    field('shop', text, false),
    field('n', { kind: 'int' }),
    field('words', list(text)),
    field('longs', list({ kind: 'long' })),
    field('prices', list({ kind: 'decimal', precision: 12, scale: 2 }, false), false),
    field('days', list({ kind: 'date' })),
    field('times', list({ kind: 'timestamp' })),
    field('kinds', list({ kind: 'enum', values: ['a', 'b'] })),
    field('texts', list({ kind: 'json' })),
    field('items', list(item, false)),
    field('grid', list(list({ kind: 'int' }))),
    field('path', text),
    ...SYSTEM_FIELDS,
  ],
  time: 'ts',
}

function line(random: Random, row: number): string {
  const pick = <T>(...of: readonly T[]): T => of[integer(random, of.length)]!
  const maybe = <T>(value: T): T | null => (random.next() < 0.2 ? null : value)
  const some = <T>(one: () => T, most = 4): T[] => Array.from({ length: integer(random, most) }, one)
  const word = () => pick('a', 'b', 'cc', 'é "x"', 'a longer word than twelve', '')
  return JSON.stringify({
    ts: new Date(START + row * 250 + integer(random, 2_000)).toISOString(),
    shop: pick('north', 'south'),
    n: maybe(integer(random, 100) - 50),
    words: maybe(some(() => maybe(word()))),
    longs: maybe(some(() => maybe(pick<unknown>('9007199254740993', 7, -1)))),
    prices: some(() => `${integer(random, 900)}.${10 + integer(random, 89)}`),
    days: maybe(some(() => maybe(pick('2024-02-29', '1999-12-31')))),
    times: maybe(some(() => maybe(pick('2024-02-29T10:00:00Z', '2026-12-31T23:59:59.123456Z')))),
    kinds: maybe(some(() => maybe(pick('a', 'b')))),
    texts: maybe(some(() => pick<unknown>({ a: [1, 2] }, 'x', 3, true))),
    items: maybe(some(() => ({ sku: word(), count: maybe(integer(random, 5)), tags: maybe(some(word)) }))),
    grid: maybe(some(() => maybe(some(() => maybe(integer(random, 9)))))),
    path: maybe(some(word).join('/')),
  })
}

let events: Events

before(async () => {
  events = await openEvents(SHAPE, line)
})

after(() => events.close())

const QUERIES: Readonly<Record<string, string>> = {
  'of every kind of column, each': `SELECT e._offset, w.word, l.l, p.price, d.day, t.seen, k.kind, j.json FROM events e, unnest(e.words) AS w(word), unnest(e.longs) AS l(l),
     unnest(prices) AS p(price), unnest(days) AS d(day), unnest(times) AS t(seen), unnest(kinds) AS k(kind), unnest(texts) AS j(json)`,
  'an output column': "SELECT _offset, unnest(words) AS word, n FROM events WHERE n > 0 OR shop = 'north'",
  'within an expression': "SELECT _offset, upper(unnest(words)) || '!' AS word FROM events",
  'without names': 'SELECT _offset, unnest(longs) FROM events',
  'by its own name': 'SELECT _offset, unnest, n FROM events CROSS JOIN unnest(events.words) WHERE unnest <> shop',
  'rows without any stay': 'SELECT e._offset, w.word, n FROM events e LEFT JOIN unnest(e.words) AS w(word) ON true',
  'with their places': 'SELECT _offset, word, place FROM events, unnest(words) WITH ORDINALITY AS w(word, place) WHERE place > 1',
  'with their places, and rows without any':
    'SELECT _offset, word, ordinality FROM events LEFT JOIN unnest(words) WITH ORDINALITY AS w(word) ON true',
  'parts of structs': 'SELECT _offset, i.item.sku, item.count AS c FROM events, unnest(items) AS i(item) WHERE n > 0',
  'lists of structs of lists': 'SELECT _offset, item.sku AS sku, tag FROM events, unnest(items) AS i(item), unnest(item.tags) AS t(tag)',
  'lists of lists': 'SELECT _offset, a.row[1] AS first, x FROM events, unnest(grid) AS a(row), unnest(a.row) AS b(x)',
  'lists that are computed':
    "SELECT _offset, part, length(part) AS l FROM events, unnest(string_split(path, '/')) AS p(part) WHERE part <> ''",
  'numbers that are computed': 'SELECT _offset, x FROM events, unnest(list_transform(longs, lambda x: x // 3)) AS p(x)',
  'distinct values': 'SELECT DISTINCT shop, unnest(words) AS word FROM events',
  groups:
    'SELECT word, count(*) AS c, count(n) AS n, sum(price) AS p FROM events, unnest(words) AS w(word), unnest(prices) AS p(price) GROUP BY word',
  'groups of parts': 'SELECT item.sku AS sku, sum(item.count) AS c FROM events, unnest(items) AS i(item) GROUP BY ALL',
  'a union of elements':
    "SELECT unnest(words) AS word FROM events UNION ALL SELECT word FROM events, unnest(string_split(path, '/')) AS p(word)",
  'of a subquery': 'SELECT shop, max(l) AS l FROM (SELECT shop, unnest(longs) AS l FROM events WHERE n < 0) GROUP BY shop',
}
for (const [name, sql] of Object.entries(QUERIES))
  test(name, async () => {
    const query = await events.mustEqual(sql)
    assert.ok(countOf(query.root, 'unnest') > 0)
  })

test('windows, joins, numbers and rows before stand over elements', async () => {
  const words = 'WITH words AS (SELECT ts, shop, n, word FROM events, unnest(words) AS w(word))'
  for (const sql of [
    `${words} SELECT window_start, word, count(*) AS c FROM tumble(words, ts, INTERVAL 10 SECOND) GROUP BY ALL`,
    `SELECT window_start, word, count(*) AS c FROM hop(events, ts, INTERVAL 5 SECOND, INTERVAL 10 SECOND), unnest(words) AS w(word) GROUP BY ALL`,
    `${words} SELECT a.word, a.ts, b.n FROM words a JOIN words b ON a.word = b.word AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 300 MILLISECOND`,
    'SELECT ts, shop, word, lag(word) OVER (PARTITION BY shop ORDER BY ts) AS before FROM events, unnest(words) AS w(word)',
    'SELECT ts, item.sku AS sku, lag(item.sku) OVER (ORDER BY ts) AS before FROM events, unnest(items) AS i(item)',
    `SELECT shop, word, n, row_number() OVER (PARTITION BY shop ORDER BY n DESC NULLS LAST) AS place FROM events, unnest(words) AS w(word)
       QUALIFY row_number() OVER (PARTITION BY shop ORDER BY n DESC NULLS LAST) <= 20`,
    `SELECT e.ts, word, f.n, x FROM events e, unnest(e.words) AS w(word) JOIN events f ON f.n = e.n AND f.ts BETWEEN e.ts AND e.ts + INTERVAL 1 SECOND, unnest(e.longs) AS l(x)`,
    `SELECT e.ts, tag FROM events e JOIN events f ON e.n = f.n AND f.ts BETWEEN e.ts AND e.ts + INTERVAL 1 SECOND, unnest(f.words) AS t(tag)`,
  ]) {
    const query = await events.read(sql)
    assert.ok(countOf(query.root, 'unnest') > 0)
    const expected = (await events.twin(query)).sort()
    assert.ok(expected.length > 10, sql)
    assert.deepEqual((await events.run(query, seededRandom(SEED + 2))).rows.sort(), expected, sql)
  }
})

test('a row fails as a whole on one of its elements, or in one of its windows', async () => {
  const offsets = async (where: string): Promise<number[]> => {
    const { rows } = await events.run(
      await events.read(`SELECT DISTINCT _offset FROM events, unnest(words) AS w(word) WHERE ${where}`),
      seededRandom(SEED),
    )
    return rows.map(Number).sort((a, b) => a - b)
  }
  const failing = await events.failing(await events.read("SELECT _offset, strptime(word, 'a') AS t FROM events, unnest(words) AS w(word)"))
  assert.ok(failing.length > 20)
  assert.deepEqual(failing, await offsets("word <> 'a'"))
  const ofWindows = await events.failing(
    await events.read("SELECT window_start, strptime(words[1], 'a') AS t FROM hop(events, ts, INTERVAL 1 SECOND, INTERVAL 3 SECOND)"),
  )
  assert.ok(ofWindows.length > 20 && ofWindows.length < failing.length)
})

test('elements are handed on whole where nothing else is done with them', async () => {
  const query = await events.read('SELECT _offset, item FROM events, unnest(items) AS i(item)')
  const { rows } = await events.run(query, seededRandom(SEED))
  assert.ok(rows.length > 100 && rows.every((row) => /^\d+ \| \{"sku":/.test(row)), rows[0])
})

test('what is no list, or stands where it cannot be, is refused', async () => {
  const flat = await events.read('SELECT shop, unnest(words) AS word FROM events')
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['SELECT x FROM events, unnest(n) AS t(x)', /unnest\(\.\.\.\) of what is no list/],
    ['SELECT x FROM events, unnest([n * 1.5]) AS t(x)', /unnest\(\.\.\.\) of what is no list/],
    ['SELECT word FROM events JOIN unnest(words) AS w(word) ON word = shop', /unnest\(\.\.\.\) in a join with a condition/],
    ['SELECT unnest(words) AS a, unnest(longs) AS b FROM events', /a second unnest/],
    ['SELECT unnest(words) AS a, count(*) AS c FROM events GROUP BY shop', /unnest\(\.\.\.\) beside what groups or numbers rows/],
    ['SELECT unnest(words) AS a, lag(n) OVER (ORDER BY ts) AS b FROM events', /unnest\(\.\.\.\) beside what groups or numbers rows/],
    ['SELECT items FROM events, unnest(words) AS w(word) GROUP BY items', /the column "items", which is a list/],
    ['SELECT a.x FROM events, unnest(words) AS a(x), unnest(longs) AS a(x)', /"a" twice in FROM/],
    ['SELECT x FROM unnest([1, 2]) AS t(x)', /unnest\(\.\.\.\)/],
    ['SELECT shop, x FROM (SELECT shop, max(ts) AS ts FROM events GROUP BY shop), unnest([1, 2]) AS t(x)', /unnest\(\.\.\.\)/],
  ]
  assert.throws(() => printFlink(flat), { code: 'MR_PLAN_FLINK', message: /unnest/ })
  for (const [sql, message] of refusals) await assert.rejects(events.read(sql), { code: 'MR_PLAN_LIVE_SHAPE', message }, sql)
})
