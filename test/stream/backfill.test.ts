// Windows of a live model are computed again where rows of its stream's table came from outside: what the range holds is the batch
// SQL over the table then, what lies outside stays, what is open is the pipeline's, which goes on meanwhile. The seed is printed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, seededRandom } from '../../src/core/random.ts'
import type { ModelManifest } from '../../src/define/manifest.ts'
import { liveShape } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { flushAppend } from '../../src/engine/flush.ts'
import { quoteName } from '../../src/engine/sql-text.ts'
import { backfillLive, planBackfill } from '../../src/runtime/backfill.ts'
import type { StepParts } from '../../src/runtime/step-parts.ts'
import type { Range } from '../../src/transform/range.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, streamOf, tableOf } from '../simulation/stream-world.ts'

const START_MS = Date.UTC(2026, 0, 1)
const sales = streamOf('sales', [field('seen', 'timestamp'), field('shop', 'string'), field('amount', 'int')], {
  time: 'seen',
  latenessMs: 10_000,
})
const [shop, events, total] = [field('shop', 'string'), field('events', 'long'), field('total', 'long', true)]
const time = (name: string) => field(name, 'timestamp')

const over = (...[name, text, fields]: Parameters<typeof liveOf>): ModelManifest => liveOf(name, text, fields, { inputs: ['sales'] })

const MODELS: Readonly<Record<string, ModelManifest>> = {
  tumble: over(
    'tumble',
    'SELECT shop, window_start AS starts, count(*) AS events, CAST(sum(amount) AS BIGINT) AS total FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL',
    [shop, time('starts'), events, total],
  ),
  'the end alone': over(
    'ends',
    'SELECT window_end, count(*) AS events FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL HAVING count(*) > 1',
    [time('window_end'), events],
  ),
  hop: over(
    'hop',
    'SELECT window_start, shop, count(*) AS events FROM hop(sales, seen, INTERVAL 30 SECOND, INTERVAL 2 MINUTE) GROUP BY ALL',
    [time('window_start'), shop, events],
  ),
  session: over(
    'session',
    'SELECT shop, window_start, window_end, count(*) AS events FROM session(sales, seen, INTERVAL 20 SECOND, key := shop) GROUP BY ALL',
    [shop, time('window_start'), time('window_end'), events],
  ),
  'groups over groups': over(
    'busiest',
    'SELECT window_start, max(events) AS events FROM (SELECT shop, window_start, count(*) AS events FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY ALL) GROUP BY ALL',
    [time('window_start'), events],
  ),
  'the first rows': over(
    'largest',
    'SELECT window_start, shop, amount FROM tumble(sales, seen, INTERVAL 1 MINUTE) QUALIFY row_number() OVER (PARTITION BY window_start, shop ORDER BY amount DESC) = 1',
    [time('window_start'), shop, field('amount', 'int')],
  ),
  'the first rows of windows of windows': over(
    'busy',
    `WITH w AS (SELECT shop, window_start, window_end, count(*) AS events FROM tumble(sales, seen, INTERVAL 20 SECOND) GROUP BY ALL)
     SELECT window_start, shop, events FROM tumble(w, window_end, INTERVAL 1 MINUTE) QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY events DESC, shop) <= 2`,
    [time('window_start'), shop, events],
  ),
}

const minutes = (n: number): number => START_MS + n * 60_000
const ranged = (fromMinute: number, untilMinute: number, onlyMissing = false): Range => ({
  fromMs: minutes(fromMinute),
  untilMs: minutes(untilMinute),
  onlyMissing,
})
const context = { runId: 'run', signal: new AbortController().signal, full: false, log: () => {} }

class Backfilled {
  readonly world: StreamWorld
  readonly model: ModelManifest
  readonly committed: string[] = []
  /** Windows that end until then were closed when the last backfill began. */
  settledUs = 0

  constructor(world: StreamWorld, model: ModelManifest) {
    this.world = world
    this.model = model
  }

  get parts(): StepParts {
    const { engine, lake, relations } = this.world.now
    return {
      engine,
      lake,
      relations,
      manifest: () => this.world.options.manifest,
      settle: async (name: string) => {
        const { watermarkUs } = this.world.pipeline(`live:${name}`).pipeline
        await this.world.driving(this.world.flush())
        this.settledUs = watermarkUs!
        return watermarkUs
      },
      onCommitted: (table: { name: string }) => {
        this.committed.push(table.name)
        relations.committed(table as never)
      },
    } as unknown as StepParts
  }

  backfill = (range: Range) => backfillLive(this.parts, this.model, range, context)

  /** Rows that another engine puts into the stream's table. */
  async addOutside(rows: readonly (readonly [minute: number, shop: string])[]): Promise<void> {
    const { engine, lake, relations } = this.world.now
    const values = rows.map(
      ([minute, name], n) => `(TIMESTAMPTZ '${new Date(minutes(minute)).toISOString()}', '${name}', 7, 0, ${1e9 + n})`,
    )
    const source = `SELECT seen, shop, amount, CAST(_partition AS INTEGER) AS _partition, CAST(_offset AS BIGINT) AS _offset, seen AS _ingested_at FROM (VALUES ${values.join(', ')}) AS v(seen, shop, amount, _partition, _offset)`
    const { tables } = await lake.commit([await flushAppend({ engine, lake, table: await lake.table('sales'), source })])
    relations.committed(tables[0]!)
  }

  async rows(where = 'true'): Promise<string[]> {
    return this.#ask(`SELECT * FROM ${this.model.name}`, where)
  }

  /** The same SQL over what the table has, of windows that are closed. */
  async batch(where = 'true'): Promise<string[]> {
    const statement = await this.world.now.parser.parse(this.model.sql.text)
    const query = compileLive(statement.node, (name) => (name === 'sales' ? liveShape(sales) : undefined))
    return this.#ask(
      printLive(query, (name) => name),
      where,
    )
  }

  async #ask(sql: string, where: string): Promise<string[]> {
    const columns = this.model.shape.fields.map(({ name }) => `CAST(${quoteName(name)} AS VARCHAR)`).join(', ')
    return (await this.world.ask(`SELECT ${columns} FROM (${sql}) WHERE ${where}`)).map((row) => row.join(' | ')).sort()
  }
}

for (const [name, model] of Object.entries(MODELS)) {
  test(`${name}: rows that came from outside count where windows are computed again, and nowhere else (seed ${SEED})`, async () => {
    const random = seededRandom(SEED)
    const manifest = manifestOf({ relations: [sales, model] })
    await using world = await StreamWorld.open({ manifest, seed: SEED })
    const filled = new Backfilled(world, model)
    const send = (from: number, until: number) =>
      world.send(
        'sales',
        Array.from({ length: 150 }, (_, i) => ({
          seen: new Date(minutes(from + ((until - from) * i) / 150)).toISOString(),
          shop: ['north', 'south'][integer(random, 2)],
          amount: integer(random, 100),
        })),
      )
    const [by] = model.shape.fields.filter(({ type }) => type.kind === 'timestamp').map(({ name: column }) => quoteName(column))
    const within = (from: number, until: number) =>
      `${by} >= TIMESTAMPTZ '${new Date(minutes(from)).toISOString()}' AND ${by} < TIMESTAMPTZ '${new Date(minutes(until)).toISOString()}'`
    // Nothing between the tenth and the twentieth minute.
    await send(0, 10)
    await send(20, 30)
    await world.driving(world.flush())
    const before = await filled.rows()
    assert.ok(before.length > 5)
    const early = await filled.rows(within(0, 10))
    await filled.addOutside([
      [5.5, 'north'],
      [12.25, 'north'],
      [12.3, 'south'],
      [12.35, 'south'],
      [17.5, 'south'],
      [29.5, 'north'],
    ])
    assert.deepEqual(await filled.rows(), before, 'nothing follows by itself')

    const plan = await planBackfill(filled.parts, model, ranged(10, 16, true))
    assert.ok(plan.intervals > 0 && plan.missing === plan.intervals, JSON.stringify(plan))
    assert.deepEqual(await filled.rows(), before, 'a plan changes nothing')
    const { note } = await filled.backfill(ranged(10, 16, true))
    assert.match(note, new RegExp(`^${plan.intervals} intervals?, ${plan.missing} of them new`))
    assert.deepEqual(filled.committed, [model.name])
    assert.deepEqual(await filled.rows(within(12, 16)), await filled.batch(within(12, 16)))
    assert.deepEqual(await filled.rows(within(0, 10)), early, 'what was there stays')

    // A row in a window that has rows counts once it is not only about those that have none; the pipeline goes on meanwhile.
    await send(30, 35)
    await world.caughtUp()
    await filled.backfill(ranged(0, 60))
    const closed = filled.settledUs
    await send(35, 50)
    await world.driving(world.flush())
    await world.restart()
    await send(50, 60)
    await world.driving(world.flush())
    const untilMinute = Math.floor((closed / 1_000 - START_MS) / 60_000) - 3
    assert.ok(untilMinute >= 25, `${untilMinute}`)
    // A session may be longer than the rest of the range: one that was open then has not got the row from outside.
    const endedBy = (us: number): string => (name === 'session' ? ` AND window_end <= TIMESTAMPTZ 'epoch' + to_microseconds(${us})` : '')
    const ended = endedBy(closed)
    assert.deepEqual(await filled.rows(within(0, untilMinute) + ended), await filled.batch(within(0, untilMinute) + ended), 'as in batch')
    const later = within(37, 54) + endedBy(minutes(59) * 1_000)
    assert.deepEqual(await filled.rows(later), await filled.batch(later), 'and so is what the pipeline closed later')
  })
}

test('a window of which no row is left goes, and what is open is left alone', async () => {
  const model = MODELS['tumble']!
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [sales, model] }), seed: SEED })
  const filled = new Backfilled(world, model)
  const rowAt = (minute: number, name = 'north') => ({ seen: new Date(minutes(minute)).toISOString(), shop: name, amount: 1 })
  await world.send('sales', [rowAt(1), rowAt(2), rowAt(3), rowAt(10), rowAt(10.5)])
  await world.driving(world.flush())
  assert.equal((await filled.rows()).length, 3)
  const { lake } = world.now
  const table = await lake.table('sales')
  const remove = (await lake.files(table)).map(({ path }) => path)
  await lake.commit([{ table: 'sales', operation: 'delete', add: [], remove, validateFrom: table.current!.id }])
  const { note } = await filled.backfill(ranged(0, 60))
  assert.match(note, /^3 intervals, 3 of them without rows now, from 2026-01-01 00:01/)
  assert.deepEqual(await filled.rows(), [])
  await world.send('sales', [rowAt(20)])
  await world.driving(world.flush())
  assert.deepEqual(await filled.rows(), ['north | 2026-01-01 00:10:00+00 | 2 | 2'], 'the open window was in the state of the pipeline')
  assert.equal((await filled.backfill(ranged(30, 60))).note, 'no interval')
})

test('a model that looks rows up in a table is computed as a whole: the lake has not what the table was then', async () => {
  const shops = tableOf('shops', [shop, field('town', 'string')], ['shop'])
  const model = liveOf(
    'per_town',
    'SELECT t.town, window_start, count(*) AS events FROM tumble(sales, seen, INTERVAL 1 MINUTE) AS s JOIN shops AS t ON s.shop = t.shop GROUP BY ALL',
    [field('town', 'string'), time('window_start'), events],
    { inputs: ['sales', 'shops'] },
  )
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [sales, shops, model] }), seed: SEED })
  await assert.rejects(new Backfilled(world, model).backfill(ranged(0, 1)), { code: 'MR_USAGE', message: /looks rows up in "shops"/ })
})

test('rows that do not tell their window cannot be chosen by it', async () => {
  const model = over('bare', 'SELECT shop, count(*) AS events FROM tumble(sales, seen, INTERVAL 1 MINUTE) GROUP BY shop, window_start', [
    shop,
    events,
  ])
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [sales, model] }), seed: SEED })
  const filled = new Backfilled(world, model)
  await assert.rejects(filled.backfill(ranged(0, 1)), { code: 'MR_USAGE', message: /do not tell the window/ })
})
