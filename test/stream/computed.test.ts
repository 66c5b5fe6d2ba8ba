// Expressions that the compiler does not have are computed by DuckDB for each batch, and give what the same SQL gives in batch: for
// random expressions of such functions over random rows, in every clause that reads rows as they come, with nulls, cuts and
// nested columns. What is not of the row alone is refused. The seed is printed; MILLRACE_SEED repeats a run.
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
const text = { kind: 'string' } as const
const address: Type = {
  kind: 'struct',
  fields: [field('city', text), field('geo', { kind: 'struct', fields: [field('lat', { kind: 'double' }), field('n', { kind: 'long' })] })],
}
const SHAPE: StreamShape = {
  fields: [
    field('ts', { kind: 'timestamp' }, false),
    field('n', { kind: 'int' }),
    field('big', { kind: 'long' }),
    field('price', { kind: 'decimal', precision: 12, scale: 2 }),
    field('heat', { kind: 'double' }),
    field('word', text),
    field('day', { kind: 'date' }),
    field('address', address),
    field('words', { kind: 'list', element: { type: text, optional: true } }),
    field('counts', { kind: 'map', key: text, value: { type: { kind: 'int' }, optional: true } }),
    ...SYSTEM_FIELDS,
  ],
  time: 'ts',
}
function line(random: Random, row: number): string {
  const pick = <T>(...of: readonly T[]): T => of[integer(random, of.length)]!
  const maybe = <T>(value: T): T | null => (random.next() < 0.2 ? null : value)
  const words = ['user_12@a.org', 'Ärger 7', '', 'b-2-cc', '2026-03-01', 'x'.repeat(40), '{"a": [1, 2]}']
  return JSON.stringify({
    ts: new Date(START + row * 250 + integer(random, 2_000)).toISOString(),
    n: maybe(integer(random, 100) - 50),
    big: maybe(String(9_007_199_254_740_993n + BigInt(integer(random, 9)))),
    price: maybe(`${integer(random, 900)}.${10 + integer(random, 89)}`),
    heat: maybe(pick(1.5, -0.25, 1e12, 3)),
    word: maybe(pick(...words)),
    day: maybe(pick('2024-02-29', '1999-12-31', '2026-07-15')),
    address: maybe({
      city: maybe(pick('Bern', 'Ulm')),
      geo: maybe({ lat: maybe(pick(47.5, -3.25)), n: maybe(pick<unknown>(0, 1, 2, '9007199254740993')) }),
    }),
    words: maybe(Array.from({ length: integer(random, 4) }, () => maybe(pick('a', 'b', 'cc')))),
    counts: maybe(Object.fromEntries(Array.from({ length: integer(random, 3) }, () => [pick('k', 'l', 'm'), maybe(integer(random, 9))]))),
  })
}

let events: Events

before(async () => {
  events = await openEvents(SHAPE, line)
})

after(() => events.close())

/** Each with the type that it wants of its arguments. */
const LEAVES = {
  text: ['word', 'address.city', "'b-2'", 'words[1]', 'upper(word)'],
  number: ['n', 'heat', 'n * 2', 'address.geo.lat', "counts['k']"],
} as const
const TEXTS = [
  (a: string, b: string) => `regexp_replace(${a}, '[0-9]+', coalesce(${b}, '#'))`,
  (a: string) => `regexp_extract(${a}, '([a-z]+)_?([0-9]*)', 1)`,
  (a: string) => `reverse(${a})`,
  (a: string, b: string) => `concat_ws('-', ${a}, ${b})`,
  (a: string) => `md5(${a})`,
  (a: string) => `array_to_string(list_transform(string_split(${a}, '-'), lambda x: x || '!'), ',')`,
  (a: string, b: string) => `CASE WHEN length(${a}) > 3 THEN translate(${a}, 'ab', 'xy') ELSE ${b} END`,
  (a: string) => `strftime(ts, '%Y/%m ') || ${a}`,
  (a: string) => `CAST(list_sort(words) AS VARCHAR) || ${a}`,
] as const
const NUMBERS = [
  (a: string, b: string) => `sqrt(abs(${a})) + ${b}`,
  (a: string) => `levenshtein(word, CAST(${a} AS VARCHAR))`,
  (a: string) => `len(words) + ${a}`,
  (a: string, b: string) => `list_sum([${a}, ${b}, 1])`,
  (a: string) => `bit_count(CAST(${a} AS BIGINT) & 255)`,
  (a: string, b: string) => `date_diff('day', day, CAST(ts AS DATE)) * ${a} + coalesce(${b}, 0)`,
  (a: string) => `TRY_CAST(regexp_extract(word, '[0-9]+') AS INTEGER) + ${a}`,
] as const

function expressionOf(random: Random, kind: 'text' | 'number', depth: number): string {
  const pick = <T>(of: readonly T[]): T => of[integer(random, of.length)]!
  if (depth === 0) return pick(LEAVES[kind])
  const inner = (): string => expressionOf(random, kind, integer(random, depth))
  return pick(kind === 'text' ? TEXTS : NUMBERS)(inner(), inner())
}

test('random expressions give what DuckDB gives', async () => {
  const random = seededRandom(SEED + 1)
  let computed = 0
  for (let round = 0; round < (process.env['MILLRACE_TEST_ALL'] ? 200 : 30); round++) {
    const outputs = Array.from(
      { length: 3 },
      (_, i) => `${expressionOf(random, integer(random, 2) === 0 ? 'text' : 'number', 1 + integer(random, 3))} AS v${i}`,
    )
    const query = await events.mustEqual(`SELECT _offset, ${outputs.join(', ')} FROM events WHERE ${expressionOf(random, 'number', 1)} > 1`)
    computed += countOf(query.root, 'computed')
  }
  assert.ok(computed > 30, `only ${computed} were computed by DuckDB`)
})

const QUERIES: Readonly<Record<string, string>> = {
  'parts of structs, lists and maps':
    "SELECT _offset, address.city, address.geo.lat AS lat, e.address.geo.n AS n, words[1] AS first, words[-1] AS last, counts['k'] AS k FROM events e",
  'in a condition, behind one that keeps others out':
    "SELECT n FROM events WHERE word LIKE '2026%' AND strptime(word, '%Y-%m-%d') > TIMESTAMP '2026-01-01' AND n > 0",
  'a CASE that keeps others out':
    "SELECT _offset, CASE WHEN word LIKE '2026%' THEN strptime(word, '%Y-%m-%d') END AS parsed, n FROM events",
  'keys and arguments of groups':
    "SELECT coalesce(address.city, '-') AS city, count(*) AS c, sum(len(words)) AS l, max(reverse(word)) FILTER (WHERE regexp_extract(word, '[0-9]') <> '') AS m FROM events GROUP BY 1",
  'the bounds of a window': "SELECT _offset, strftime(ts, '%c') AS at FROM events WHERE n > 0",
  'a part of a part in a subquery':
    'SELECT city, c + 1 AS more FROM (SELECT address.city AS city, len(words) AS c FROM events WHERE address.geo.n > 1)',
  'columns of types that are kept otherwise':
    'SELECT _offset, hash(word) % 100 AS h, to_base64(encode(word)) AS b, factorial(CAST(abs(n) % 5 AS INTEGER)) AS f, CAST(big AS HUGEINT) * 2 AS two, price::DOUBLE ** 2 AS p FROM events',
  'constants alone': "SELECT _offset, md5('x') AS m, list_sum([1, 2]) AS s FROM events",
  'a union': 'SELECT reverse(word) AS w FROM events WHERE n > 0 UNION ALL SELECT address.city FROM events WHERE n < 0',
}
for (const [name, sql] of Object.entries(QUERIES))
  test(name, async () => {
    const query = await events.mustEqual(sql)
    assert.ok(countOf(query.root, 'computed') > 0)
    assert.throws(() => printFlink(query), { code: 'MR_PLAN_FLINK' })
  })

test('windows, tops and lag read what was computed', async () => {
  for (const sql of [
    "SELECT window_start, coalesce(address.city, '-') AS city, count(*) AS c, sum(sqrt(abs(n))) AS s FROM tumble(events, ts, INTERVAL 10 SECOND) GROUP BY ALL",
    "SELECT coalesce(reverse(word), '-') AS w, ts, n FROM events QUALIFY row_number() OVER (PARTITION BY coalesce(reverse(word), '-') ORDER BY bit_count(n) DESC NULLS LAST, ts) = 1",
    "SELECT a.ts, reverse(a.word) AS w, b.address.city AS city FROM events a JOIN events b ON a.n = b.n AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 2 SECOND WHERE len(b.words) > 1 AND regexp_extract(a.word, '[a-z]') <> 'x' AND a.n > -40",
    'SELECT a.ts, reverse(a.word) AS w, b.price FROM events a LEFT JOIN events b ON a.n = b.n AND b.ts BETWEEN a.ts AND a.ts + INTERVAL 2 SECOND',
    'SELECT ts, len(words) AS l, lag(len(words)) OVER (ORDER BY ts) AS before FROM events',
  ]) {
    const query = await events.read(sql)
    assert.ok(countOf(query.root, 'computed') > 0)
    const expected = (await events.twin(query)).sort()
    assert.ok(expected.length > 1)
    assert.deepEqual((await events.run(query, seededRandom(SEED + 2))).rows.sort(), expected, sql)
  }
})

test('members of structs are read without DuckDB, wherever they stand', async () => {
  for (const sql of [
    'SELECT _offset, address.city, e.address.geo.lat * 2 AS lat, ADDRESS.Geo.N + 1 AS n, upper(address.city) AS u FROM events e',
    "SELECT _offset, n FROM events WHERE address.city = 'Bern' AND address.geo.n IS NOT NULL AND n > -40",
    'SELECT address.city AS city, count(*) AS c, max(address.geo.n) AS m, count(DISTINCT address.geo.lat) AS l FROM events GROUP BY ALL',
    'SELECT city, sum(c) AS c FROM (SELECT address.city AS city, count(*) AS c FROM events WHERE n > 0 GROUP BY ALL) GROUP BY city',
    "SELECT _offset, (address.geo).lat AS lat, address['city'] AS c, ((address).geo)['n'] AS g, address.* EXCLUDE (geo) RENAME (city AS town) FROM events",
    'SELECT address.city AS city, n FROM events UNION ALL SELECT word, address.geo.n FROM events WHERE n < 0',
  ]) {
    const query = await events.mustEqual(sql)
    assert.deepEqual([countOf(query.root, 'computed'), countOf(query.root, 'part') > 0], [0, true], sql)
  }
  const within = 'b.ts BETWEEN a.ts AND a.ts + INTERVAL 300 MILLISECOND'
  for (const sql of [
    `SELECT a.ts, a.n, b.address.city AS city, a.address.geo.n AS n2 FROM events a JOIN events b ON a.address.city = b.address.city AND ${within}`,
    `SELECT a.ts, a.n, b.address.city AS city FROM events a LEFT JOIN events b ON a.n = b.n AND ${within} AND b.address.geo.n > 0 WHERE a.address.city <> 'Ulm'`,
    `SELECT a.ts, a.n FROM events a WHERE NOT EXISTS (SELECT 1 FROM events b WHERE b.address.geo.n = a.address.geo.n AND b.ts BETWEEN a.ts + INTERVAL 1 SECOND AND a.ts + INTERVAL 2 SECOND)`,
    'SELECT a.ts, a.n FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE address.geo.n = a.address.geo.n AND b.ts BETWEEN a.ts + INTERVAL 1 SECOND AND a.ts + INTERVAL 1100 MILLISECOND)',
    'SELECT window_start, address.city AS city, count(*) AS c FROM hop(events, ts, INTERVAL 2 SECOND, INTERVAL 10 SECOND) WHERE n > 0 GROUP BY ALL',
    'SELECT ts, n, lag(address.city) OVER (PARTITION BY address.geo.n ORDER BY ts) AS before FROM events',
  ]) {
    const query = await events.read(sql)
    assert.equal(countOf(query.root, 'computed'), 0, sql)
    const expected = (await events.twin(query)).sort()
    assert.ok(expected.length > 10)
    assert.deepEqual((await events.run(query, seededRandom(SEED + 3))).rows.sort(), expected, sql)
  }
  const flink = printFlink(await events.read("SELECT ts, address.geo.lat AS lat FROM events WHERE address.city = 'Bern'"))
  assert.match(flink, /`address`\.`geo`\.`lat` AS `lat`.*WHERE.*`address`\.`city` = 'Bern'/s)
})

test('what the compiler has is not given to DuckDB', async () => {
  assert.equal(
    countOf(
      (await events.read("SELECT upper(word) || '!' AS w, n + 1 AS m FROM events WHERE price > 3 AND word LIKE 'a%'")).root,
      'computed',
    ),
    0,
  )
})

test('what is not of the row alone, or has no type here, is refused', async () => {
  const refusals: readonly (readonly [string, RegExp])[] = [
    ['SELECT random() AS r FROM events', /random\(\.\.\.\)/],
    ['SELECT age(ts) AS r FROM events', /age\(\.\.\.\)/],
    ['SELECT now() - ts AS r FROM events', /now\(\.\.\.\)/],
    ["SELECT current_setting('TimeZone') AS r FROM events", /current_setting/],
    ["SELECT string_split(word, '-') AS r FROM events", /string_split/],
    ['SELECT mode(n) AS r FROM events', /mode/],
    ['SELECT (SELECT max(n) FROM events) AS r FROM events', /subquery/],
    ['SELECT day, sqrt(count(*)) AS r FROM events WHERE day IS NOT NULL GROUP BY day', /sqrt/],
    ['SELECT a.n FROM events a JOIN events b ON a.n = b.n WHERE reverse(concat(a.word, b.word)) = b.word', /reverse/],
    ['SELECT a.n FROM events a JOIN events b ON reverse(a.word) = b.word', /reverse/],
    ['SELECT day, reverse(CAST(day AS VARCHAR)) AS r, count(*) AS c FROM events WHERE day IS NOT NULL GROUP BY day', /over groups/],
  ]
  for (const [sql, message] of refusals) await assert.rejects(events.read(sql), { code: 'MR_PLAN_LIVE_SHAPE', message }, sql)
  for (const [sql, message] of [
    ['SELECT address.street FROM events', /there is no "address.street"/],
    ['SELECT address.geo.x FROM events', /there is no "address.geo.x"/],
    ['SELECT other.* FROM events', /there is no "other" in FROM/],
  ] as const)
    await assert.rejects(events.read(sql), { code: 'MR_PLAN_UNKNOWN', message }, sql)
})
