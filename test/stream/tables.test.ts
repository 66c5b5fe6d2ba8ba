// Live models over the rows of keyed tables give what DuckDB's batch SQL gives over the rows that the table has at that moment: for
// random replacements, deletions, nulls, keys that come again, several rows of a key in one batch, cuts into batches, little
// memory and restarts from checkpoints. The seed is printed; MILLRACE_SEED repeats a run.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { memoryScratch } from '../../src/core/scratch.ts'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { printFlink } from '../../src/engine/algebra/print-flink.ts'
import { compileLive, type StreamShape } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { openTestEngine, type TestEngine } from '../../src/engine/testing.ts'
import { type ColumnBatch, type NumberColumn, selectRows } from '../../src/schema/batch.ts'
import type { Field, Shape, Type } from '../../src/schema/type.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { batchOf, type Plain } from '../../src/stream/plain.ts'
import { asStored, OpenCuts } from '../../src/stream/testing.ts'
import { SEED } from '../seed.ts'
import { type Ask, digitsOf, expectedRows, load, openOracle, show } from './oracle.ts'

const field = (name: string, type: Type, optional = false): Field => ({ name, type, optional })

const ITEMS: StreamShape = {
  fields: [
    field('shop', { kind: 'string' }),
    field('id', { kind: 'long' }),
    field('class', { kind: 'string' }, true),
    field('n', { kind: 'int' }, true),
    field('big', { kind: 'long' }, true),
    field('price', { kind: 'decimal', precision: 12, scale: 2 }, true),
    field('total', { kind: 'decimal', precision: 30, scale: 4 }, true),
    field('heat', { kind: 'double' }, true),
    field('ok', { kind: 'boolean' }, true),
    field('day', { kind: 'date' }, true),
    ...SYSTEM_FIELDS,
  ],
  time: '_ingested_at',
  tableKey: ['shop', 'id'],
}
const KEYS = 2
const pick = <T>(random: Random, ...of: readonly T[]): T => of[integer(random, of.length)]!

/** One change of the table: rows that come, or keys that go. */
interface Change {
  readonly gone: boolean
  readonly rows: readonly Plain[][]
}

function changesOf(random: Random, keys: number, count: number): Change[] {
  let offset = 0
  const maybe = <T>(value: T): T | null => (random.next() < 0.15 ? null : value)
  return Array.from({ length: count }, () => {
    const gone = random.next() < 0.35
    const rows = Array.from({ length: 1 + integer(random, 25) }, (): Plain[] => {
      const key = [pick(random, 'a', 'b', 'é'), BigInt(integer(random, keys)) + 9_007_199_254_740_990n]
      const system = [0, BigInt(offset), BigInt(1_767_225_600_000_000 + offset++ * 1_000)]
      if (gone) return [...key, ...Array.from({ length: ITEMS.fields.length - KEYS - SYSTEM_FIELDS.length }, () => null), ...system]
      return [
        ...key,
        maybe(pick(random, 'x', 'y', 'a longer name of a class')),
        maybe(integer(random, 40) - 20),
        maybe(pick(random, 9223372036854775807n, -5n, 7n, 4503599627370497n)),
        maybe(pick(random, 7n, 1_250n, -310n, 999_999_999_999n)),
        maybe(pick(random, 95_000n, 100_001n, -123_456_789_012_345_678_901_234n)),
        maybe(pick(random, 1.5, 0.25, 1e6, -1e6, Number.NaN, Number.POSITIVE_INFINITY, 3.25, 2 ** -20)),
        maybe(pick(random, true, false)),
        maybe(pick(random, 20_454, -1, 20_455)),
        ...system,
      ]
    })
    return { gone, rows }
  })
}

/** What the table has after these changes. */
function tableAfter(changes: readonly Change[]): Plain[][] {
  const rows = new Map<string, Plain[]>()
  for (const { gone, rows: own } of changes)
    for (const row of own) {
      const key = row.slice(0, KEYS).map(String).join()
      if (gone) rows.delete(key)
      else rows.set(key, row)
    }
  return [...rows.values()]
}

interface Round {
  readonly changes: readonly Change[]
  /** By how many changes were made: the name of the oracle's table. */
  readonly tables: ReadonlyMap<number, string>
}

let engine: TestEngine
let parser: SqlParser
let ask: Ask
const rounds: Round[] = []

before(async () => {
  engine = await openTestEngine({ threads: 1 })
  parser = await openParser(engine.engine)
  ask = await openOracle()
  console.log(`seed ${SEED}`)
  for (let round = 0; round < (process.env['MILLRACE_TEST_ALL'] ? 10 : 3); round++) {
    const changes = changesOf(seededRandom(SEED + round), [4, 30, 200][round % 3]!, 60)
    const tables = new Map<number, string>()
    for (const at of [1, 2, 3, 7, 15, 30, 45, 60]) {
      const rows = tableAfter(changes.slice(0, at))
      if (rows.length === 0) continue
      const batch = batchOf(ITEMS, rows)
      await load(ask, `items_${round}_${at}`, ITEMS, [{ batch, out: Int32Array.from(rows, (_, row) => row) }])
      tables.set(at, `items_${round}_${at}`)
    }
    rounds.push({ changes, tables })
  }
})

after(async () => {
  parser.close()
  await engine[Symbol.asyncDispose]()
})

/** What a tail has that takes these batches: the last of each key, unless it is gone. */
class Shown {
  readonly #rows = new Map<string, string>()
  readonly #shape: Shape
  readonly #key: readonly number[]
  readonly #digits: number
  losses = 0

  constructor(shape: Shape, query: LiveQuery) {
    const { key } = query
    this.#shape = shape
    this.#digits = digitsOf(query)
    this.#key = key.map((name) => shape.fields.findIndex((candidate) => candidate.name === name))
  }

  take(batch: ColumnBatch | null): void {
    if (!batch) return
    assert.equal(batch.columns.length, this.#shape.fields.length + 1)
    const marks = batch.columns.at(-1) as NumberColumn
    const keyShape = { fields: this.#key.map((index) => this.#shape.fields[index]!) }
    const keys = show({ shape: keyShape, rows: batch.rows, columns: this.#key.map((index) => batch.columns[index]!) })
    const there = Int32Array.from({ length: batch.rows }, (_, row) => row).filter((row) => marks.values[row] === 0)
    const rows = show({ ...selectRows({ ...batch, columns: batch.columns.slice(0, -1) }, there), shape: this.#shape }, this.#digits)
    for (let row = 0, at = 0; row < batch.rows; row++) {
      if (marks.values[row] === 0) this.#rows.set(keys[row]!, rows[at++]!)
      else if (this.#rows.delete(keys[row]!)) this.losses++
    }
  }

  get rows(): string[] {
    return [...this.#rows.values()].sort()
  }
}

interface Given {
  readonly query: LiveQuery
  readonly shape: Shape
  readonly memoryBytes?: number
}

/** Takes all changes, and looks at each moment that the oracle has a table of. */
async function follow(
  { query, shape, memoryBytes }: Given,
  { changes, tables }: Round,
  random: Random,
): Promise<{ losses: number; rows: number; spilled: number }> {
  const scratch = memoryBytes === undefined ? null : memoryScratch()
  const open = (): Chain => new Chain(query, () => ITEMS, shape, null, scratch)
  let chain = open()
  chain.restore(null)
  const cuts = new OpenCuts()
  const closeCuts = (): void => {
    for (const [read, then] of cuts.close()) assert.deepEqual(read, then)
  }
  const shown = new Shown(shape, query)
  let [rows, spilled] = [0, 0]
  for (const [index, change] of changes.entries()) {
    const batch = batchOf(ITEMS, change.rows)
    for (let from = 0; from < batch.rows; ) {
      const until = Math.min(batch.rows, from + 1 + integer(random, 20))
      const own = Int32Array.from({ length: until - from }, (_, i) => from + i)
      if (change.gone) shown.take(chain.forget('items', selectRows(batch, own)))
      else if (random.next() < 0.5) shown.take(chain.take('items', batch, own, own.length))
      else shown.take(chain.take('items', selectRows(batch, own), null, own.length))
      from = until
    }
    const table = tables.get(index + 1)
    if (table || random.next() < 0.7) shown.take(chain.changed())
    if (memoryBytes !== undefined) {
      shown.take(chain.changed())
      chain.fit(memoryBytes)
      if (chain.spilledBytes > 0) spilled++
    }
    if (table) {
      const expected = (await expectedRows(ask, query, shape, () => table)).sort()
      assert.deepEqual(shown.rows, expected, `after ${index + 1} changes, seed ${SEED}`)
      rows += expected.length
    }
    const what = random.next()
    if (what < 0.1) {
      closeCuts()
      const saved = asStored(chain.save())
      chain = open()
      chain.restore(saved)
    } else if (what < 0.2) cuts.take(chain)
  }
  closeCuts()
  return { losses: shown.losses, rows, spilled }
}

const ALL = `count(*) AS c, count(n) AS cn, sum(n) AS sn, sum(big) AS sb, sum(price) AS sp, sum(total) AS st, sum(heat) AS sh, avg(n) AS an,
  avg(price) AS ap, avg(heat) AS ah, min(n) AS mn, max(n) AS xn, min(class) AS mc, max(big) AS xb, min(total) AS mt, max(heat) AS xh, max(day) AS xd,
  bool_and(ok) AS ba, bool_or(ok) AS bo, count(*) FILTER (WHERE n > 0) AS positive, sum(price) FILTER (WHERE ok) AS sold, max(id) AS xi`

const SPREADS = `stddev(n) AS dn, stddev_pop(n) AS pn, var_samp(price) AS vp, var_pop(price) AS pp, variance(big) AS vb, stddev_samp(total) AS st,
  var_pop(heat) FILTER (WHERE NOT isnan(heat) AND NOT isinf(heat)) AS vh`

const QUANTILES = `median(n) AS mn, quantile_cont(price, 0.3) AS qp, median(total) FILTER (WHERE ok) AS mt, quantile_cont(heat, 0.9) AS qh, median(day) AS md,
  quantile_disc(class, 0.4) AS qc, quantile_disc(big, 0.9) AS qb`

const QUERIES: Readonly<Record<string, string>> = {
  'groups with every aggregate': `SELECT coalesce(class, '-') AS class, ${ALL} FROM items GROUP BY ALL`,
  'groups by a part of the key': `SELECT shop, ${ALL} FROM items GROUP BY shop`,
  'groups with variances': `SELECT class, shop, ${SPREADS} FROM items GROUP BY ALL`,
  'groups with quantiles': `SELECT class, ${QUANTILES} FROM items GROUP BY ALL`,
  'groups with quantiles that leave by HAVING': `SELECT shop, median(price) AS m FROM items GROUP BY ALL HAVING median(price) > 5`,
  'groups with variances that leave by HAVING': `SELECT class, stddev(n) AS d FROM items GROUP BY ALL HAVING stddev(n) > 5`,
  'groups by several expressions, with a condition': `SELECT coalesce(n % 3, 9) AS rest, CAST(coalesce(ok, false) AS INT) AS ok, sum(price) / count(*) AS mean, max(class) AS last
     FROM items WHERE n > -10 AND heat IS NOT NULL GROUP BY 1, 2`,
  'groups of rows whose column is there': `SELECT class, count(*) AS c, min(id) AS least FROM items WHERE class IS NOT NULL GROUP BY class`,
  'groups that may leave by HAVING': `SELECT shop, coalesce(day, DATE '2000-01-01') AS day, count(*) AS c, sum(n) AS s FROM items GROUP BY ALL HAVING count(*) > 2 AND sum(n) > 0`,
  'distinct values': `SELECT DISTINCT shop, coalesce(n % 4, -1) AS rest FROM items WHERE ok`,
  'distinct values that are counted': `SELECT shop, count(*) AS classes FROM (SELECT DISTINCT shop, class FROM items WHERE class IS NOT NULL) GROUP BY shop`,
  'groups of null, with every aggregate': `SELECT class, ok, ${ALL} FROM items GROUP BY ALL`,
  'groups of null that may leave by HAVING': `SELECT day, class, count(*) AS c, sum(n) AS s FROM items GROUP BY ALL HAVING count(*) > 2`,
  'distinct values and null': `SELECT DISTINCT class, n % 4 AS rest FROM items WHERE ok IS NOT false`,
  'groups of null over groups that go': `SELECT class, count(*) AS days, sum(c) AS rows FROM
     (SELECT class, day, count(*) AS c FROM items GROUP BY ALL HAVING count(*) < 20) GROUP BY class`,
  'distinct values that are counted, of groups without any': `SELECT shop, count(class) AS classes FROM (SELECT DISTINCT shop, class FROM items) GROUP BY shop`,
  'rows with a condition': `SELECT id, shop, upper(class) AS class, n * 2 AS twice, big, price, total, heat, ok, day FROM items WHERE n % 3 = 0 OR class = 'y'`,
  'rows without a condition': `SELECT shop, id, n, class || '!' AS loud FROM items`,
  'rows with the columns of the log': `SELECT * FROM items WHERE price > 0`,
  'groups over a subquery without the key': `WITH good AS (SELECT class, n, price FROM items WHERE ok AND class IS NOT NULL)
     SELECT class, count(*) AS c, sum(price) AS s, max(n) AS most FROM good GROUP BY ALL`,
  'rows over a subquery': `SELECT i AS id, s AS shop, m + 1 AS more FROM (SELECT id AS i, shop AS s, n AS m, ok FROM items WHERE n IS NOT NULL) WHERE ok`,
  'groups over groups that go': `SELECT shop, count(*) AS classes, sum(c) AS rows, max(s) AS most, min(c) FILTER (WHERE c > 1) AS least
     FROM (SELECT shop, coalesce(class, '-') AS class, count(*) AS c, max(n) AS s FROM items GROUP BY ALL HAVING count(*) < 20) GROUP BY shop`,
  'groups of groups by their size': `SELECT c, count(*) AS often FROM (SELECT class, count(*) AS c FROM items GROUP BY class) WHERE c > 1 GROUP BY c`,
  'groups by the same twice': `SELECT class, n % 5 AS rest, class AS again, count(*) AS c FROM items GROUP BY ALL`,
  'best rows of a part of the key': `SELECT id, shop, n, class FROM items WHERE n IS NOT NULL QUALIFY row_number() OVER (PARTITION BY shop ORDER BY n DESC, day) <= 4`,
  'best rows of what changes, with their place': `SELECT id, shop, class, price, row_number() OVER (PARTITION BY class ORDER BY price DESC NULLS LAST, heat) AS place FROM items
     QUALIFY row_number() OVER (PARTITION BY class ORDER BY price DESC NULLS LAST, heat) <= 3`,
  'best rows of all, by rank': `SELECT id, shop, day FROM items QUALIFY rank() OVER (ORDER BY day DESC NULLS LAST) = 1`,
  'best rows of all, by a rank that is there': `SELECT shop AS s, rank() OVER (PARTITION BY ok ORDER BY n) AS place, id + 1 AS next, id, heat FROM items QUALIFY rank() OVER (PARTITION BY ok ORDER BY n) < 6`,
  'lists of texts': `SELECT shop, string_agg(class, ',' ORDER BY class) AS l, count(*) AS c FROM items GROUP BY shop`,
  'best groups': `SELECT class, day, count(*) AS c, sum(n) AS s FROM items GROUP BY class, day QUALIFY row_number() OVER (ORDER BY count(*) DESC, sum(n)) <= 5`,
  'best groups that may leave by HAVING, with their place': `SELECT class, n % 5 AS rest, row_number() OVER (PARTITION BY class ORDER BY count(*)) AS place, max(heat) AS h FROM items
     GROUP BY class, rest HAVING count(*) % 3 > 0 QUALIFY row_number() OVER (PARTITION BY class ORDER BY count(*)) <= 2`,
  'groups over best groups': `SELECT c, count(*) AS k, max(s) AS s FROM (SELECT class, day, count(*) AS c, sum(n) AS s FROM items GROUP BY class, day
     QUALIFY rank() OVER (PARTITION BY class ORDER BY sum(n) DESC) <= 2) WHERE c > 1 GROUP BY c`,
  'groups over best rows': `SELECT class, sum(n) AS s, count(*) AS c FROM (SELECT class, n FROM items QUALIFY row_number() OVER (PARTITION BY shop ORDER BY n DESC) <= 20) GROUP BY class`,
  'groups over groups over groups': `SELECT odd, count(*) AS often, sum(s) AS s FROM
     (SELECT c > 2 AS odd, c, min(most) AS s FROM (SELECT shop, day, count(*) AS c, max(n) AS most FROM items GROUP BY ALL) GROUP BY 1, 2) GROUP BY odd`,
}

for (const [name, sql] of Object.entries(QUERIES)) {
  test(name, async () => {
    const { node } = await parser.parse(sql)
    const query = compileLive(node, () => ITEMS)
    assert.ok(query.result === 'keyed' && query.loses)
    const shape = shapeOfRelation(query.root, () => ITEMS)
    let [losses, rows, spilled] = [0, 0, 0]
    for (const [at, round] of rounds.entries()) {
      const random = seededRandom(SEED + at)
      const followed = await follow({ query, shape }, round, random)
      losses += followed.losses
      rows += followed.rows
      // Nothing at all has room, or some.
      const tight = await follow({ query, shape, memoryBytes: at % 2 === 0 ? 1 : 2_000 + integer(random, 20_000) }, round, random)
      spilled += tight.spilled
    }
    assert.ok(losses > 0 && rows > 10, `${losses} rows went, ${rows} were compared`)
    if (/group|distinct|best/.test(name)) assert.ok(spilled > 20, `something was spilled ${spilled} times`)
  })
}

const WHOLE: Readonly<Record<string, string>> = {
  'every aggregate': `SELECT ${ALL} FROM items`,
  variances: `SELECT ${SPREADS} FROM items`,
  'a condition': `SELECT count(*) AS c, sum(price) AS s, max(class) AS last FROM items WHERE ok AND n > 0`,
  having: 'SELECT count(*) AS c, sum(n) AS s FROM items HAVING count(*) % 3 > 0',
  'over groups that go':
    'SELECT count(*) AS classes, sum(c) AS rows, max(s) AS s FROM (SELECT class, count(*) AS c, max(n) AS s FROM items GROUP BY ALL HAVING count(*) > 1)',
  'over the whole': 'SELECT count(*) AS one, max(c) AS c FROM (SELECT count(*) AS c FROM items)',
  'over the whole, if it is there': 'SELECT count(*) AS one, max(c) AS c FROM (SELECT count(*) AS c FROM items HAVING count(*) % 2 = 0)',
}

for (const [name, sql] of Object.entries(WHOLE)) {
  test(`the whole table: ${name}`, async () => {
    const { node } = await parser.parse(sql)
    const query = compileLive(node, () => ITEMS)
    assert.deepEqual([query.result, query.key], ['keyed', []])
    const shape = shapeOfRelation(query.root, () => ITEMS)
    let rows = 0
    for (const [at, round] of rounds.entries()) {
      rows += (await follow({ query, shape }, round, seededRandom(SEED + at))).rows
      rows += (await follow({ query, shape, memoryBytes: 1 + at * 5_000 }, round, seededRandom(SEED + at))).rows
    }
    assert.ok(rows > 10, `${rows} rows were compared`)
    const none = await expectedRows(ask, query, shape, () => `(SELECT * FROM ${[...rounds[0]!.tables.values()][0]} WHERE false)`)
    const chain = new Chain(query, () => ITEMS, shape)
    chain.restore(null)
    const shown = new Shown(shape, query)
    shown.take(chain.changed())
    assert.deepEqual(shown.rows, none, 'before any row')
    const all = batchOf(ITEMS, tableAfter(rounds[0]!.changes))
    shown.take(chain.take('items', all, null, all.rows))
    shown.take(chain.changed())
    shown.take(chain.forget('items', all))
    shown.take(chain.changed())
    assert.deepEqual(shown.rows, none, 'after all have gone')
  })
}

test('keys and groups that have gone take no memory', async () => {
  const { node } = await parser.parse('SELECT n, count(*) AS c, max(id) AS most FROM items WHERE n IS NOT NULL GROUP BY n')
  const query = compileLive(node, () => ITEMS)
  const shape = shapeOfRelation(query.root, () => ITEMS)
  const chain = new Chain(query, () => ITEMS, shape)
  const shown = new Shown(shape, query)
  const sizes: number[] = []
  for (let round = 0; round < 24; round++) {
    const rows = Array.from({ length: 2_000 }, (_, i): Plain[] => {
      const n = round * 2_000 + i
      return ['a', BigInt(n), 'x', n, null, null, null, null, null, null, 0, BigInt(n), 0n]
    })
    const batch = batchOf(ITEMS, rows)
    shown.take(chain.take('items', batch, null, batch.rows))
    shown.take(chain.changed())
    assert.equal(shown.rows.length, 2_000)
    shown.take(chain.forget('items', batch))
    shown.take(chain.changed())
    assert.equal(shown.rows.length, 0)
    sizes.push(chain.bytes)
  }
  assert.ok(Math.max(...sizes.slice(12)) <= 1.5 * Math.max(...sizes.slice(0, 12)), `${sizes} bytes`)
})

test('what stays refused over tables says what is near', async () => {
  const shapes: Readonly<Record<string, StreamShape>> = {
    items: ITEMS,
    other: ITEMS,
    events: { fields: [field('ts', { kind: 'timestamp' }), field('k', { kind: 'long' }), ...SYSTEM_FIELDS], time: 'ts' },
  }
  const refusals: readonly (readonly [string, RegExp, RegExp])[] = [
    ['SELECT n FROM items', /rows that can go without the whole of their key/, /select shop, id as well/],
    ['SELECT i FROM (SELECT id AS i, n FROM items)', /without the whole of their key/, /select the key of the subquery as well/],
    [
      'SELECT shop, count(DISTINCT n) AS c FROM items GROUP BY ALL',
      /count\(DISTINCT \.\.\.\) over rows that are replaced/,
      /SELECT DISTINCT/,
    ],
    [
      'SELECT shop, arg_max(n, price) AS c FROM items GROUP BY ALL',
      /arg_max\(\.\.\.\) over rows that are replaced/,
      /use count, sum, avg, min, max/,
    ],
    ['SELECT shop, approx_count_distinct(n) AS c FROM items GROUP BY ALL', /approx_count_distinct/, /use count, sum/],
    [
      'SELECT window_start, count(*) AS c FROM tumble(items, _ingested_at, INTERVAL 1 MINUTE) GROUP BY ALL',
      /tumble\(\.\.\.\) over the table "items"/,
      /time_bucket/,
    ],
    [
      'SELECT shop, window_start, window_end, count(*) AS c FROM session(items, _ingested_at, INTERVAL 1 MINUTE, key := shop) GROUP BY ALL',
      /session\(\.\.\.\) over the table "items"/,
      /window a stream/,
    ],
    ['SELECT a.id FROM items a JOIN other b ON a.id = b.id', /a join of the tables "items" and "other"/, /a model that is not live/],
    [
      'SELECT e.k FROM events e JOIN (SELECT id, shop FROM items) i ON e.k = i.id',
      /a join with rows that are replaced/,
      /look up in the table itself/,
    ],
    ['SELECT x FROM items, unnest([id, n]) AS t(x)', /unnest\(\.\.\.\) over the rows of the table "items"/, /lists of a stream/],
    ['SELECT id, shop FROM items UNION ALL SELECT id, shop FROM other', /UNION ALL of rows that are replaced/, /a view over/],
    [
      'SELECT shop, n FROM items QUALIFY row_number() OVER (PARTITION BY shop ORDER BY n) = 1',
      /grouping or partitioning by what is not selected/,
      /select every column of the key/,
    ],
    [
      'SELECT class, sum(c) AS s FROM (SELECT class, c FROM (SELECT class, day, count(*) AS c FROM items GROUP BY ALL) QUALIFY dense_rank() OVER (ORDER BY c) < 3) GROUP BY ALL',
      /dense_rank\(\) over groups or rows that are replaced/,
      /use rank\(\) or row_number\(\)/,
    ],
    [
      'SELECT id, shop, lag(n) OVER (PARTITION BY shop ORDER BY _ingested_at) AS l FROM items',
      /lag\(\.\.\.\) over other than a time that the watermark follows/,
      /./,
    ],
  ]
  for (const [sql, message, fix] of refusals) {
    const { node } = await parser.parse(sql)
    assert.throws(() => compileLive(node, (name) => shapes[name]), { code: 'MR_PLAN_LIVE_SHAPE', message, fix }, sql)
  }
  const { node } = await parser.parse('SELECT shop, count(*) AS c FROM items GROUP BY ALL')
  assert.throws(() => printFlink(compileLive(node, () => ITEMS)), { code: 'MR_PLAN_FLINK', message: /the rows of the table "items"/ })
})
