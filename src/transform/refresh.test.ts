// A refresh gives what a rebuild gives: for random changes of a stream, of a keyed table, and of both sides of a join, with
// compactions between; and it says when it cannot do better than rebuild.
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import type { ModelManifest } from '../define/manifest.ts'
import { flushAppend, flushKeyed } from '../engine/flush.ts'
import { scanSql } from '../engine/scan.ts'
import { openTestEngine } from '../engine/testing.ts'
import { withRelations } from '../engine/workspace.ts'
import { writeParquet } from '../engine/write.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Shape, Type } from '../schema/type.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { changedRows } from './changed-rows.ts'
import { type Input, isCurrent, publish, type Staged, stage } from './refresh.ts'

const shapeOf = (fields: Record<string, Type['kind']>): Shape => ({
  fields: Object.entries(fields).map(([name, kind]) => ({ name, type: { kind } as Type, optional: true })),
})

const modelOf = (text: string, fields: Record<string, Type['kind']>, how: Partial<ModelManifest>): ModelManifest => ({
  kind: 'model',
  name: 'result',
  at: 'test.ts:1',
  tags: [],
  shape: shapeOf(fields),
  partition: [],
  cluster: [],
  keep: { logMs: 0 },
  sql: { text, params: [] },
  inputs: [],
  refresh: 'incremental',
  key: [],
  emit: 'final',
  declared: false,
  ...how,
})

const tested = await openTestEngine({ threads: 1 })
after(() => tested[Symbol.asyncDispose]())
let worlds = 0
/** Random histories of each model. */
const RUNS = process.env['MILLRACE_TEST_ALL'] ? 20 : 1

/** Tables `events` (added to) and `people` (latest of a key), and one model over them. */
class World {
  readonly lake: Lake
  readonly store: Store
  readonly model: ModelManifest
  readonly view: { name: string; sql: string } | undefined
  code = 'c1'

  constructor(lake: Lake, store: Store, model: ModelManifest, view: World['view']) {
    this.lake = lake
    this.store = store
    this.model = model
    this.view = view
  }

  static async open(model: ModelManifest, view?: World['view']): Promise<World> {
    const directory = join(tested.directory, `world-${worlds++}`)
    mkdirSync(join(directory, 'lake'), { recursive: true })
    const store = openStore(join(directory, 'control.db'))
    const clock = new VirtualClock(Date.UTC(2026, 0, 1))
    const lake = openLake({
      disk: nodeDisk,
      clock,
      random: seededRandom(1),
      catalog: store.catalog,
      directory: join(directory, 'lake'),
    })
    const create = (name: string, shape: Shape, key: readonly string[], formatVersion: 2 | 3 = 2) =>
      lake.create({ name, shape, partition: [], cluster: [], key, formatVersion })
    await create('events', shapeOf({ id: 'int', day: 'date', person: 'string', amount: 'int' }), [])
    await create('people', shapeOf({ person: 'string', country: 'string', level: 'int' }), [], 3)
    await create('result', model.shape, [], 3)
    return new World(lake, store, model, view)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close()
  }

  async commit(name: 'events' | 'people', source: string): Promise<void> {
    const parts = { engine: tested.engine, lake: this.lake, table: await this.lake.table(name), source }
    await this.lake.commit([name === 'people' ? await flushKeyed(parts, ['person']) : await flushAppend(parts)])
  }

  /** Rewrites all files of a table as one. */
  async compact(name: string): Promise<void> {
    const table = await this.lake.table(name)
    const files = await this.lake.files(table)
    if (files.length < 2) return
    const select = scanSql({ table, files, tails: [] })
    const add = await withRelations(tested.engine, {}, (session) =>
      writeParquet(session, { select, table, directory: this.lake.dataDirectory(table) }),
    )
    await this.lake.commit([
      {
        table: name,
        operation: 'replace',
        add,
        remove: files.map((file) => file.path),
        validateFrom: table.current!.id,
        validateWhere: [],
      },
    ])
  }

  async inputs(): Promise<Input[]> {
    const stored = ['events', 'people'].map(
      async (name): Promise<Input> => ({ name, table: await this.lake.table(name), keyed: name === 'people' }),
    )
    const view = this.view ? [{ name: this.view.name, table: null, keyed: false, view: this.view.sql }] : []
    return [...(await Promise.all(stored)), ...view]
  }

  async options() {
    return { inputs: await this.inputs(), last: (await this.store.catalog.refreshOf('result'))?.inputs ?? null, code: this.code }
  }

  async refresh(): Promise<Staged> {
    const staged = await stage({ engine: tested.engine, lake: this.lake, lease: this.lake.lease() }, this.model, await this.options())
    await publish(this.lake, staged, { id: 'run' })
    return staged
  }

  async rowsOf(select: string): Promise<readonly string[]> {
    const relations = Object.fromEntries(
      await Promise.all(
        [...(await this.inputs())].map(async ({ name, table, view }) => [name, view ?? (await this.scan(table!))] as const),
      ),
    )
    return withRelations(tested.engine, relations, async (session) =>
      (await session.rows(select)).rows.map((row) => row.map(String).join('|')).sort(),
    )
  }

  scan = async (table: LakeTable): Promise<string> => scanSql({ table, files: await this.lake.files(table), tails: [] })

  async assertAlike(): Promise<void> {
    const columns = this.model.shape.fields.map(({ name }) => name).join(', ')
    const expected = await this.rowsOf(`SELECT ${columns} FROM (${this.model.sql.text})`)
    const actual = await this.rowsOf(`SELECT ${columns} FROM (${await this.scan(await this.lake.table('result'))})`)
    assert.deepEqual(actual, expected)
  }
}

test('chosen intervals: those in the range, or only those without rows; inputs count as read as far as they were', async () => {
  const model = modelOf(
    'SELECT day, count(*) AS events, CAST(sum(amount) AS INTEGER) AS total FROM events GROUP BY day',
    { day: 'date', events: 'long', total: 'int' },
    { by: 'day', lookbackMs: 86_400_000 },
  )
  await using world = await World.open(model)
  const day = (n: number): number => Date.UTC(2026, 0, n)
  const addAt = (...days: number[]): Promise<void> =>
    world.commit(
      'events',
      days
        .map((n) => `SELECT ${n} AS id, DATE '2026-01-${String(n).padStart(2, '0')}' AS day, 'p' AS person, 1 AS amount`)
        .join(' UNION ALL '),
    )
  const range = async (fromMs: number | null, untilMs: number | null, onlyMissing = false): Promise<string> => {
    const options = { ...(await world.options()), range: { fromMs, untilMs, onlyMissing } }
    const staged = await stage({ engine: tested.engine, lake: world.lake, lease: world.lake.lease() }, model, options)
    await publish(world.lake, staged, { id: 'run' })
    return staged.note
  }
  const days = async (): Promise<readonly string[]> =>
    world.rowsOf(`SELECT day, events FROM (${await world.scan(await world.lake.table('result'))})`)
  await assert.rejects(range(null, null), { code: 'MR_USAGE' }, 'nothing was computed yet')
  await addAt(1, 2, 20, 21)
  await world.refresh()
  // Far behind the newest day: the lookback leaves them out.
  await addAt(1, 3, 4)
  assert.match((await world.refresh()).note, /beyond the lookback/)
  assert.deepEqual(await days(), ['2026-01-01|1', '2026-01-02|1', '2026-01-20|1', '2026-01-21|1'])
  assert.equal(await range(day(1), day(4), true), '1 interval, 1 of them new, 2026-01-03')
  assert.deepEqual(await days(), ['2026-01-01|1', '2026-01-02|1', '2026-01-03|1', '2026-01-20|1', '2026-01-21|1'])
  assert.equal(await range(day(1), day(4), true), 'no interval')
  await addAt(21)
  assert.equal(await range(null, day(5)), '4 intervals, 1 of them new, from 2026-01-01 to 2026-01-04')
  assert.deepEqual(await days(), ['2026-01-01|2', '2026-01-02|1', '2026-01-03|1', '2026-01-04|1', '2026-01-20|1', '2026-01-21|1'])
  await world.refresh()
  await world.assertAlike()
  world.code = 'c2'
  await assert.rejects(range(null, null), { code: 'MR_USAGE', message: /present definition/ })
  const byKey = { ...model, key: ['day'] }
  delete (byKey as { by?: string }).by
  const keyed = stage({ engine: tested.engine, lake: world.lake, lease: world.lake.lease() }, byKey, {
    ...(await world.options()),
    range: { fromMs: null, untilMs: null, onlyMissing: false },
  })
  await assert.rejects(keyed, { code: 'MR_USAGE', message: /not computed by intervals/ })
})

interface Change {
  readonly events: readonly (readonly [number, number, number])[]
  readonly people: readonly (readonly [number, number, number])[]
  readonly gone: readonly number[]
  readonly compact: boolean
}

const change: fc.Arbitrary<Change> = fc.record({
  events: fc.array(fc.tuple(fc.nat(9), fc.nat(4), fc.nat(20)), { maxLength: 6 }),
  people: fc.array(fc.tuple(fc.nat(4), fc.nat(2), fc.nat(3)), { maxLength: 3 }),
  gone: fc.array(fc.nat(4), { maxLength: 1 }),
  compact: fc.boolean(),
})

let nextId = 0

async function apply(world: World, { events, people, gone, compact }: Change): Promise<void> {
  if (events.length > 0)
    await world.commit(
      'events',
      `SELECT * FROM (VALUES ${events.map(([day, person, amount]) => `(${nextId++}, DATE '2026-01-01' + ${day}, ${person === 4 ? 'NULL' : `'p${person}'`}, ${amount})`).join(', ')}) AS t(id, day, person, amount)`,
    )
  const latest = new Map(people.map((row) => [row[0], row]))
  if (latest.size > 0)
    await world.commit(
      'people',
      `SELECT * FROM (VALUES ${[...latest.values()].map(([person, country, level]) => `('p${person}', 'c${country}', ${level})`).join(', ')}) AS t(person, country, level)`,
    )
  if (gone.length > 0) await remove(world, gone[0]!)
  if (compact) for (const name of ['events', 'people', 'result']) await world.compact(name)
}

/** Deletes a person: the files that hold it are written again without. */
async function remove(world: World, person: number): Promise<void> {
  const table = await world.lake.table('people')
  if (!table.current) return
  const files = await world.lake.files(table)
  const select = `SELECT * FROM (${scanSql({ table, files, tails: [] })}) WHERE person <> 'p${person}'`
  const add = await withRelations(tested.engine, {}, (session) =>
    writeParquet(session, { select, table, directory: world.lake.dataDirectory(table) }),
  )
  await world.lake.commit([
    { table: 'people', operation: 'overwrite', add, remove: files.map((file) => file.path), validateFrom: table.current.id },
  ])
}

const MODELS: Record<string, { model: ModelManifest; view?: { name: string; sql: string } }> = {
  'sums by day': {
    model: modelOf(
      'SELECT day, count(*) AS n, sum(amount)::INTEGER AS total FROM events GROUP BY day',
      { day: 'date', n: 'long', total: 'int' },
      { by: 'day' },
    ),
  },
  'sums by a key that may be null, of groups that are large enough': {
    model: modelOf(
      'SELECT person, count(*) AS n FROM events WHERE amount > 3 GROUP BY ALL HAVING count(*) > 1',
      { person: 'string', n: 'long' },
      { key: ['person'] },
    ),
  },
  'rows joined with a table that changes': {
    model: modelOf(
      'SELECT e.id, e.day, p.country FROM events AS e JOIN people AS p ON p.person = e.person AND p.level > 0',
      { id: 'int', day: 'date', country: 'string' },
      { by: 'day', onChange: 'recompute' },
    ),
  },
  'sums by a column of the table that changes': {
    model: modelOf(
      'SELECT p.country, sum(e.amount)::INTEGER AS total FROM events AS e JOIN people AS p ON p.person = e.person GROUP BY p.country',
      { country: 'string', total: 'int' },
      { key: ['country'], onChange: 'recompute' },
    ),
  },
  'an outer join': {
    model: modelOf(
      "SELECT coalesce(p.country, 'none') AS country, count(*) AS n FROM events AS e LEFT JOIN people AS p ON p.person = e.person GROUP BY ALL",
      { country: 'string', n: 'long' },
      { key: ['country'], onChange: 'recompute' },
    ),
  },
  'the latest row of a key': {
    model: modelOf(
      'SELECT person, id, amount FROM events QUALIFY row_number() OVER (PARTITION BY person ORDER BY id DESC) = 1 AND amount > 5',
      { person: 'string', id: 'int', amount: 'int' },
      { key: ['person'] },
    ),
  },
  'through a view': {
    model: modelOf('SELECT day, max(amount) AS most FROM large AS l GROUP BY day', { day: 'date', most: 'int' }, { by: 'day' }),
    view: {
      name: 'large',
      sql: 'SELECT e.day, e.amount FROM events AS e JOIN people AS p ON p.person = e.person WHERE e.amount > p.level',
    },
  },
  'a window over all rows': {
    model: modelOf(
      'SELECT id, day, sum(amount) OVER (ORDER BY id)::INTEGER AS running FROM events',
      { id: 'int', day: 'date', running: 'int' },
      { by: 'day' },
    ),
  },
  'an interval that is computed over rows': {
    model: modelOf(
      'SELECT max(day) AS day, person, count(*) AS n FROM events GROUP BY person',
      { day: 'date', person: 'string', n: 'long' },
      { by: 'day' },
    ),
  },
  'a grouping below the top': {
    model: modelOf(
      'WITH totals AS (SELECT person, sum(amount) AS total FROM events GROUP BY person) SELECT e.day, count(*) AS n FROM events AS e JOIN totals AS t ON t.person = e.person WHERE t.total > 10 GROUP BY e.day',
      { day: 'date', n: 'long' },
      { by: 'day' },
    ),
  },
}

for (const [name, { model, view }] of Object.entries(MODELS)) {
  test(`incremental equals a rebuild: ${name}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 3, maxLength: 4, size: 'max' }), async (changes) => {
        await using world = await World.open(model, view)
        for (const one of changes) {
          await apply(world, one)
          await world.refresh()
          await world.assertAlike()
        }
      }),
      { numRuns: RUNS },
    )
  })
}

test('of a file that lost rows to a vector only those are looked at', async () => {
  const { model } = MODELS['sums by a column of the table that changes']!
  await using world = await World.open(model)
  const people = (from: number, to: number, country: string) =>
    `SELECT 'p' || i AS person, '${country}' || i % 10 AS country, 1 AS level FROM range(${from}, ${to}) AS r(i)`
  await world.commit('people', people(0, 100, 'c'))
  await world.commit(
    'events',
    "SELECT i::INTEGER AS id, DATE '2026-01-01' AS day, 'p' || i % 100 AS person, i::INTEGER AS amount FROM range(300) AS r(i)",
  )
  await world.refresh()
  for (const [from, to] of [
    [10, 13],
    [20, 21],
    [12, 14],
  ] as const) {
    const before = await world.lake.table('people')
    await world.commit('people', people(from, to, `v${from}-`))
    const now = await world.lake.table('people')
    assert.ok((await world.lake.files(now)).some((file) => file.deletes?.vector))
    using lease = world.lake.lease()
    const changed = await changedRows({ lake: world.lake, lease }, now, String(before.current!.id))
    assert.ok(typeof changed === 'object')
    const { rows } = await tested.session.rows(`SELECT count(*)::INTEGER, count(DISTINCT person)::INTEGER FROM (${changed.changed})`)
    assert.deepEqual(rows[0], [2 * (to - from), to - from], 'each as it was and as it is')
    assert.match((await world.refresh()).note, /^[1-9] keys?$/)
    await world.assertAlike()
  }
})

test('a unit that is gone is a vector and nothing else, and goes', async () => {
  const { model } = MODELS['sums by a column of the table that changes']!
  await using world = await World.open(model)
  await world.commit('people', "SELECT 'p' || i AS person, 'c' || i AS country, 1 AS level FROM range(10) AS r(i)")
  await world.commit('events', "SELECT i::INTEGER AS id, DATE '2026-01-01' AS day, 'p' || i AS person, 1 AS amount FROM range(10) AS r(i)")
  await world.refresh()
  await remove(world, 0)
  const { change } = await world.refresh()
  assert.deepEqual([change.add.length, change.remove.length, change.delete?.length], [0, 0, 1])
  await world.assertAlike()
})

test('it recomputes what changed and no more; compaction of inputs changes nothing', async () => {
  await using world = await World.open(MODELS['sums by day']!.model)
  const event = (day: number): Change => ({ events: [[day, 0, 1]], people: [], gone: [], compact: false })
  await apply(world, event(1))
  await apply(world, event(2))
  assert.equal((await world.refresh()).note, 'full')
  assert.ok(isCurrent(await world.options(), await world.lake.table('result')))
  await apply(world, event(2))
  assert.ok(!isCurrent(await world.options(), await world.lake.table('result')))
  const staged = await world.refresh()
  assert.deepEqual([staged.note, staged.rowsWritten], ['1 day', 2])
  await world.compact('events')
  assert.ok(!isCurrent(await world.options(), await world.lake.table('result')))
  const before = (await world.lake.table('result')).current!.id
  assert.deepEqual([(await world.refresh()).note, (await world.lake.table('result')).current!.id], ['0 days', before])
  assert.ok(isCurrent(await world.options(), await world.lake.table('result')))
  world.code = 'c2'
  assert.ok(!isCurrent(await world.options(), await world.lake.table('result')))
  assert.equal((await world.refresh()).note, 'full')
})

test('kept: rows of other inputs change nothing that was computed', async () => {
  const model = { ...MODELS['rows joined with a table that changes']!.model, onChange: 'keep' as const }
  await using world = await World.open(model)
  const none: Change = { events: [], people: [], gone: [], compact: false }
  await apply(world, { ...none, events: [[1, 0, 1]], people: [[0, 1, 1]] })
  await world.refresh()
  await apply(world, { ...none, people: [[0, 2, 1]] })
  assert.equal((await world.refresh()).note, '0 days')
  await apply(world, { ...none, events: [[2, 0, 1]] })
  await world.refresh()
  const rows = await world.rowsOf(`SELECT day, country FROM (${await world.scan(await world.lake.table('result'))})`)
  assert.deepEqual(rows, ['2026-01-02|c1', '2026-01-03|c2'])
})

test('days beyond the lookback are counted and left as they are', async () => {
  const model = { ...MODELS['sums by day']!.model, lookbackMs: 2 * 86_400_000 }
  await using world = await World.open(model)
  const none: Change = { events: [], people: [], gone: [], compact: false }
  await apply(world, {
    ...none,
    events: [
      [1, 0, 1],
      [9, 0, 1],
    ],
  })
  await world.refresh()
  await apply(world, {
    ...none,
    events: [
      [1, 0, 1],
      [8, 0, 1],
    ],
  })
  assert.equal((await world.refresh()).note, '1 day, 1 beyond the lookback')
  await apply(world, { ...none, events: [[2, 0, 1]] })
  assert.equal((await world.refresh()).note, '0 days, 1 beyond the lookback')
})

test('a snapshot that has expired rebuilds; a commit that came between refuses the publication', async () => {
  await using world = await World.open(MODELS['sums by day']!.model)
  const none: Change = { events: [], people: [], gone: [], compact: false }
  await apply(world, { ...none, events: [[1, 0, 1]] })
  await world.refresh()
  await apply(world, { ...none, events: [[1, 0, 1]] })
  await apply(world, { ...none, events: [[2, 0, 1]] })
  await world.lake.expire('events', { olderThanMs: -1, retainLast: 1 })
  assert.equal((await world.refresh()).note, 'full: the snapshot of events that was read last has expired')
  await world.assertAlike()
  await apply(world, { ...none, events: [[3, 0, 1]] })
  const parts = { engine: tested.engine, lake: world.lake, lease: world.lake.lease() }
  const [first, second] = [await stage(parts, world.model, await world.options()), await stage(parts, world.model, await world.options())]
  await publish(world.lake, first, { id: 'a' })
  await assert.rejects(publish(world.lake, second, { id: 'b' }), { code: 'MR_LAKE_CONFLICT' })
  await world.assertAlike()
})
