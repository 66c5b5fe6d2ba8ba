// The data path over the real log, lake, control database and engine: whatever is killed, whenever, every acknowledged row
// is on every surface exactly once, and what is computed from streams equals batch SQL over them.
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Disk } from '../../src/core/disk.ts'
import { integer, seededRandom } from '../../src/core/random.ts'
import type { ModelManifest } from '../../src/define/manifest.ts'
import { storedShape } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { inlineConstants } from '../../src/engine/sql-text.ts'
import type { Catalog } from '../../src/store/catalog.ts'
import type { Live } from '../../src/stream/live.ts'
import type { Materialize } from '../../src/stream/materialize.ts'
import type { OnRow } from '../../src/stream/processor/host.ts'
import type { StreamEvent } from '../../src/stream/stream-event.ts'
import { field, liveOf, manifestOf, processorOf, StreamWorld, streamOf, tableOf, until } from './stream-world.ts'

const EVENTS = streamOf(
  'events',
  [field('id', 'long'), field('key', 'string'), field('seen', 'timestamp'), field('amount', 'double', true)],
  {
    partitions: 2,
    key: 'key',
    time: 'seen',
    latenessMs: 5_000,
    dedupe: { by: ['key', 'id'], withinMs: 3_600_000 },
  },
)

const at = (ms: number): string => new Date(Date.UTC(2026, 0, 1) + ms).toISOString()

test('rows, late rows, duplicates and rejects survive kills at any point exactly once', async () => {
  const random = seededRandom(7)
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [EVENTS] }), readBytes: 2_000 })
  const sent: { id: number; isBad: boolean }[] = []
  let id = 0
  for (let round = 0; round < 5; round++) {
    for (let batch = 0; batch < 6; batch++) {
      const rows = Array.from({ length: 1 + integer(random, 12) }, () => {
        const isAgain = id > 0 && random.next() < 0.1
        const own = isAgain ? integer(random, id) : id++
        const isBad = !isAgain && random.next() < 0.05
        sent.push({ id: own, isBad })
        return { id: own, key: `k${own % 5}`, seen: isBad ? 'never' : at(own * 1_000 - integer(random, 12_000)), amount: own / 3 }
      })
      await world.send('events', rows)
      await world.clock.advance(10)
    }
    if (round % 2 === 0) await world.caughtUp()
    if (round % 3 === 1) await world.flush()
    const before = await world.now.log.range('events', 0)
    await world.restart()
    assert.deepEqual(world.now.log.range('events', 0), before)
  }
  await world.caughtUp()
  for (const committedOnly of [false, true]) {
    if (committedOnly) await world.flush()
    const good = (await world.ask('SELECT id FROM events ORDER BY 1', committedOnly)).map(([own]) => Number(own))
    const late = (await world.ask('SELECT id FROM events__late ORDER BY 1', committedOnly)).map(([own]) => Number(own))
    const bad = await world.ask('SELECT raw FROM events__rejected', committedOnly)
    const expected = [...new Set(sent.filter((row) => !row.isBad).map((row) => row.id))].sort((a, b) => a - b)
    assert.deepEqual(
      [...good, ...late].sort((a, b) => a - b),
      expected,
    )
    assert.ok(late.length > 0 && good.length > late.length)
    assert.equal(bad.length, sent.filter((row) => row.isBad).length)
  }
  const { counts } = world.pipeline('stream:events').sink as Materialize
  assert.equal(counts.in, sent.length)
  assert.equal(counts.in, counts.out + counts.late + counts.rejected + counts.deduplicated)
  assert.deepEqual(
    world.events.filter((event) => event.kind === 'failed'),
    [],
  )
})

test('a keyed table shows the latest row of a key, in the tail and after flushes and kills', async () => {
  const random = seededRandom(3)
  const latest = tableOf('latest', [field('id', 'int'), field('value', 'long')], ['id'])
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [latest] }) })
  const expected = new Map<number, number>()
  let value = 0
  for (let round = 0; round < 6; round++) {
    const rows = Array.from({ length: 20 }, () => ({ id: integer(random, 12), value: value++ }))
    for (const row of rows) expected.set(row.id, row.value)
    await world.send('latest', rows)
    if (round % 2 === 0) await world.flush()
    if (round % 3 === 0) await world.restart()
    await world.caughtUp()
    const seen = await world.ask('SELECT id, value FROM latest ORDER BY id')
    assert.deepEqual(
      seen.map(([id, own]) => [Number(id), Number(own)]),
      [...expected].sort(([a], [b]) => a - b),
    )
  }
})

// Commits that fail

/** Fails `times` calls of a method, after `skip` that pass. */
function failing<T extends object>(target: T, method: keyof T, error: () => unknown, { skip = 0, times = 1, late = false } = {}): T {
  let calls = 0
  const original = (target[method] as (...args: unknown[]) => Promise<unknown>).bind(target)
  const wrapped = async (...args: unknown[]): Promise<unknown> => {
    const call = calls++
    const isBad = call >= skip && call < skip + times
    if (isBad && !late) throw error()
    const result = await original(...args)
    if (isBad) throw error()
    return result
  }
  return { ...target, [method]: wrapped }
}

const noSpace = (): Error => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })

/** The first data file cannot be synced. */
function unsyncedOnce(disk: Disk): Disk {
  let isDone = false
  return {
    ...disk,
    async open(path, mode) {
      const file = await disk.open(path, mode)
      if (isDone || !path.endsWith('.parquet')) return file
      isDone = true
      return failing(file, 'sync', noSpace)
    },
  }
}

const faults: Record<string, { wrapCatalog?: (catalog: Catalog) => Catalog; wrapDisk?: (disk: Disk) => Disk }> = {
  'the catalog refuses': { wrapCatalog: (catalog) => failing(catalog, 'commit', () => new Error('SQLITE_BUSY'), { times: 2 }) },
  'the commit happens, its answer is lost': {
    wrapCatalog: (catalog) => failing(catalog, 'commit', () => new Error('SQLITE_IOERR'), { late: true }),
  },
  'the disk is full for the checkpoint': { wrapDisk: (disk) => failing(disk, 'writeNew', noSpace, { times: 2 }) },
  'the disk is full for a data file': { wrapDisk: unsyncedOnce },
}

for (const [name, fault] of Object.entries(faults)) {
  test(`a flush that fails loses and doubles nothing: ${name}`, async () => {
    const stream = streamOf('events', [field('id', 'int')])
    await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [stream] }) })
    await world.restart(fault)
    await world.send('events', [{ id: 1 }, { id: 2 }])
    const flushed = world.flush()
    await until(() => world.events.some((event) => event.kind === 'failed'))
    await world.send('events', [{ id: 3 }])
    await world.driving(flushed)
    await world.driving(world.flush())
    await until(() => world.events.some((event) => event.kind === 'recovered'))
    const told = world.events.map(({ kind }) => kind).filter((kind) => kind !== 'applied')
    assert.ok(told.indexOf('recovered') > told.lastIndexOf('failed'), 'rows that are read again are not committed yet')
    assert.deepEqual(await world.ask('SELECT id FROM events ORDER BY id', true), [[1], [2], [3]])
    assert.deepEqual(await world.ask('SELECT id FROM events ORDER BY id'), [[1], [2], [3]])
    await world.restart({ wrapCatalog: (catalog) => catalog, wrapDisk: (disk) => disk })
    await world.caughtUp()
    assert.deepEqual(await world.ask('SELECT id FROM events ORDER BY id'), [[1], [2], [3]])
  })
}

test('an owner that was replaced cannot commit, says so and stops', async () => {
  const stream = streamOf('events', [field('id', 'int')])
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [stream] }) })
  await world.send('events', [{ id: 1 }])
  await world.flush()
  await world.now.store.catalog.acquire('stream:events', 'the other owner')
  await world.send('events', [{ id: 2 }])
  await world.flush()
  const failed = world.events.filter((event) => event.kind === 'failed')
  assert.deepEqual(
    failed.map((event) => [event.error.code, event.againMs]),
    [['MR_LAKE_FENCED', Number.POSITIVE_INFINITY]],
  )
  assert.equal((await world.now.store.catalog.progress('stream:events')).offsets[0]!.next, 1)
  await world.restart()
  await world.flush()
  assert.deepEqual(await world.ask('SELECT id FROM events ORDER BY id', true), [[1], [2]])
})

test('a log that ends before the committed offset is not read on silently', async () => {
  const stream = streamOf('events', [field('id', 'int')])
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [stream] }) })
  await world.send('events', [{ id: 1 }])
  await world.flush()
  const { catalog } = world.now.store
  await catalog.acquire('stream:events', 'g')
  await catalog.commit({
    tables: [],
    pipeline: { name: 'stream:events', generation: 'g', offsets: [{ topic: 'events', partition: 0, next: 5 }] },
    nowMs: 1,
  })
  await assert.rejects(world.restart(), { code: 'MR_LOG_RANGE' })
})

test('a log that is gone begins after what was committed: no offset is given out twice', async () => {
  const stream = streamOf('events', [field('id', 'int')])
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [stream] }) })
  await world.send('events', [{ id: 1 }, { id: 2 }])
  await world.flush()
  await world.kill()
  rmSync(join(world.directory, 'log'), { recursive: true })
  for (let start = 0; start < 2; start++) {
    await world.start()
    assert.deepEqual((await world.send('events', [{ id: 3 + start }])).offsets, [{ partition: 0, first: 2 + start, last: 2 + start }])
    await world.flush()
    await world.kill()
  }
  await world.start()
  assert.deepEqual(await world.ask('SELECT id, _offset FROM events ORDER BY id'), [
    [1, 0n],
    [2, 1n],
    [3, 2n],
    [4, 3n],
  ])
})

// Live models

const READINGS = streamOf(
  'readings',
  [
    field('device', 'string', true),
    field('seen', 'timestamp'),
    field('big', 'long', true),
    field('small', 'int', true),
    field('price', { kind: 'decimal', precision: 12, scale: 2 }, true),
    field('heat', 'double', true),
    field('total', { kind: 'decimal', precision: 30, scale: 4 }, true),
    field('day', 'date', true),
  ],
  { partitions: 2, key: 'device', time: 'seen', latenessMs: 20_000 },
)

const HUGE = { kind: 'decimal', precision: 38, scale: 0 } as const

const FIGURES = liveOf(
  'figures',
  `SELECT window_start, window_end, device, big, count(*) AS n, count(heat) AS heats, sum(small) AS smalls, sum(price) AS prices,
     avg(price) AS price, sum(heat) AS heat, avg(small) AS mean, min(day) AS first, max(heat) AS hottest, min(total) AS least,
     sum(total) AS totals, max(device) AS last
   FROM tumble(readings, readings.seen, INTERVAL 30 SECONDS)
   WHERE (heat > 1.5 OR heat IS NULL OR device IN ('a', 'b')) AND NOT (price = 0.07) GROUP BY ALL`,
  [
    field('window_start', 'timestamp'),
    field('window_end', 'timestamp'),
    field('device', 'string', true),
    field('big', 'long', true),
    field('n', 'long'),
    field('heats', 'long'),
    field('smalls', HUGE, true),
    field('prices', { kind: 'decimal', precision: 38, scale: 2 }, true),
    field('price', 'double', true),
    field('heat', 'double', true),
    field('mean', 'double', true),
    field('first', 'date', true),
    field('hottest', 'double', true),
    field('least', { kind: 'decimal', precision: 30, scale: 4 }, true),
    field('totals', { kind: 'decimal', precision: 38, scale: 4 }, true),
    field('last', 'string', true),
  ],
  { inputs: ['readings'] },
)

const ORDER = ' ORDER BY window_start, device, big'

/** What batch SQL says about the rows that the stream's table has. */
async function batchOf(world: StreamWorld, model: ModelManifest): Promise<readonly (readonly unknown[])[]> {
  const { node } = await world.now.parser.parse(inlineConstants(model.sql))
  const query = compileLive(node, () => READINGS.shape)
  return world.ask(`SELECT * FROM (${printLive(query, () => 'readings')})${ORDER}`)
}

function assertAlike(actual: readonly (readonly unknown[])[], expected: readonly (readonly unknown[])[]): void {
  assert.equal(actual.length, expected.length)
  for (const [index, row] of actual.entries()) {
    for (const [column, value] of row.entries()) {
      const other = expected[index]![column]
      // DuckDB adds doubles in the order of the rows, we exactly.
      if (typeof value === 'number' && typeof other === 'number' && Number.isFinite(other))
        assert.ok(Math.abs(value - other) <= 1e-8 * Math.max(1, Math.abs(other)), `${value} is not ${other}`)
      else assert.equal(String(value), String(other), `row ${index}, column ${column}`)
    }
  }
}

function readings(random: ReturnType<typeof seededRandom>, count: number, seconds: number): object[] {
  const maybe = <T>(value: T): T | null => (random.next() < 0.15 ? null : value)
  const pick = <T>(...values: readonly T[]): T => values[integer(random, values.length)]!
  return Array.from({ length: count }, () => ({
    device: maybe(pick('a', 'b', 'c', 'é')),
    seen: at(seconds * 1_000 - integer(random, 40_000)),
    big: maybe(pick('9223372036854775807', '-5', '7')),
    small: maybe(integer(random, 1_000) - 500),
    price: maybe(pick('0.07', '12.50', '-3.10', '9999999999.99')),
    heat: maybe(pick<number | string>(1.5, 0.1, 0.2, 1e6, -1e6, 'NaN', -0, 3.25)),
    total: maybe(pick('9.5', '10.0001', '-12345678901234567890.1234')),
    day: maybe(pick('2026-01-01', '1969-12-31')),
  }))
}

for (const emit of ['final', 'changes'] as const) {
  test(`a live model equals batch SQL over its stream, cut and killed anywhere: emit ${emit}`, async () => {
    const random = seededRandom(emit === 'final' ? 11 : 12)
    const model = { ...FIGURES, emit }
    await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [READINGS, model] }), readBytes: 3_000 })
    for (let round = 0; round < 6; round++) {
      for (let batch = 0; batch < 4; batch++)
        await world.send('readings', readings(random, 1 + integer(random, 25), round * 45 + batch * 9))
      if (round % 2 === 1) await world.flush()
      if (round % 3 === 1) await world.restart()
    }
    await world.caughtUp()
    const live = world.pipeline('live:figures')
    const watermark = live.pipeline.watermarkUs! / 1_000
    await until(() => live.pipeline.watermarkUs !== null)
    const expected = await batchOf(world, model)
    const isClosed = (row: readonly unknown[]): boolean => Date.parse(row[1] as string) <= watermark
    const wanted = emit === 'final' ? expected.filter(isClosed) : expected
    assert.ok(wanted.length > 20 && expected.some((row) => !isClosed(row)))
    assertAlike(await world.ask(`SELECT * FROM figures${ORDER}`), wanted)
    await world.flush()
    await world.restart()
    await world.caughtUp()
    await until(() => live.pipeline.watermarkUs !== null)
    assertAlike(await world.ask(`SELECT * FROM figures${ORDER}`), wanted)
  })
}

test('a live model beyond its memory stands still with all rows in the log, and goes on once it may take more', async () => {
  const random = seededRandom(21)
  const small = { ...FIGURES, emit: 'changes' as const, memoryBytes: 100 }
  const manifest = (model: ModelManifest) => manifestOf({ relations: [READINGS, model] })
  await using world = await StreamWorld.open({ manifest: manifest(small) })
  await world.send('readings', readings(random, 40, 60))
  const failed = () => world.events.find((event) => event.kind === 'failed')
  await until(() => failed() !== undefined)
  const { error } = failed() as Extract<StreamEvent, { kind: 'failed' }>
  assert.deepEqual([error.code, /figures takes \d+ bytes, more than its memory of 100/.test(error.message)], ['MR_STREAM_MEMORY', true])
  await world.restart({ manifest: manifest({ ...small, memoryBytes: 1 << 20 }) })
  await world.flush()
  const expected = await batchOf(world, small)
  assert.ok(expected.length > 5)
  assertAlike(await world.ask(`SELECT * FROM figures${ORDER}`), expected)
})

/** Models of the other kinds, over the same stream. */
const OTHERS: readonly ModelManifest[] = [
  liveOf(
    'latest',
    `SELECT coalesce(device, 'none') AS device, count(*) AS n, sum(small) AS smalls, max(seen) AS last FROM readings GROUP BY ALL`,
    [field('device', 'string'), field('n', 'long'), field('smalls', HUGE, true), field('last', 'timestamp', true)],
    { inputs: ['readings'], keyed: true, key: ['device'] },
  ),
  liveOf(
    'firsts',
    `SELECT device, seen, price FROM readings WHERE device IS NOT NULL
     QUALIFY row_number() OVER (PARTITION BY device ORDER BY seen DESC) = 1`,
    [field('device', 'string'), field('seen', 'timestamp'), field('price', { kind: 'decimal', precision: 12, scale: 2 }, true)],
    { inputs: ['readings'], keyed: true, key: ['device'] },
  ),
  liveOf(
    'devices',
    'SELECT device, small % 3 AS rest, count(*) AS n, count(device) AS named, max(seen) AS last FROM readings GROUP BY ALL',
    [
      field('device', 'string', true),
      field('rest', 'int', true),
      field('n', 'long'),
      field('named', 'long'),
      field('last', 'timestamp', true),
    ],
    { inputs: ['readings'], keyed: true, key: ['device', 'rest'] },
  ),
  liveOf(
    'even_devices',
    'SELECT device, small % 5 AS rest, count(*) AS n FROM readings GROUP BY ALL HAVING count(*) % 2 = 0',
    [field('device', 'string', true), field('rest', 'int', true), field('n', 'long')],
    { inputs: ['readings'], keyed: true, loses: true, key: ['device', 'rest'] },
  ),
  liveOf(
    'device_sizes',
    `SELECT n, device, count(*) AS often FROM (SELECT device, small % 7 AS rest, count(*) AS n FROM readings GROUP BY ALL HAVING count(*) < 6)
     WHERE rest < 5 GROUP BY ALL`,
    [field('n', 'long'), field('device', 'string', true), field('often', 'long')],
    { inputs: ['readings'], keyed: true, loses: true, key: ['n', 'device'] },
  ),
  liveOf(
    'even_sizes',
    `SELECT n, count(*) AS often, max(price) AS price FROM (SELECT device, small AS s, count(*) AS n, max(price) AS price FROM readings GROUP BY ALL)
     WHERE n % 4 <> 3 GROUP BY n`,
    [field('n', 'long'), field('often', 'long'), field('price', { kind: 'decimal', precision: 12, scale: 2 }, true)],
    { inputs: ['readings'], keyed: true, loses: true, key: ['n'] },
  ),
  liveOf(
    'leaders',
    'SELECT device, small, count(*) AS n FROM readings GROUP BY device, small QUALIFY row_number() OVER (ORDER BY count(*) DESC) <= 4',
    [field('device', 'string', true), field('small', 'int', true), field('n', 'long')],
    { inputs: ['readings'], keyed: true, loses: true, key: ['device', 'small'] },
  ),
  liveOf(
    'leaders_of_devices',
    `SELECT device, rest, n, rank() OVER (PARTITION BY device ORDER BY n DESC, p) AS place
     FROM (SELECT device, small % 9 AS rest, count(*) AS n, max(price) AS p FROM readings GROUP BY ALL) WHERE n % 3 <> 0
     QUALIFY rank() OVER (PARTITION BY device ORDER BY n DESC, p) <= 2`,
    [field('device', 'string', true), field('rest', 'int', true), field('n', 'long'), field('place', 'long')],
    { inputs: ['readings'], keyed: true, loses: true, key: ['device', 'rest'] },
  ),
  liveOf(
    'whole',
    'SELECT count(*) AS n, count(device) AS named, sum(small) AS smalls, max(seen) AS last FROM readings',
    [field('n', 'long'), field('named', 'long'), field('smalls', HUGE, true), field('last', 'timestamp', true)],
    { inputs: ['readings'], keyed: true },
  ),
  liveOf(
    'whole_if_many',
    'SELECT count(*) AS n, max(price) AS most FROM readings HAVING count(*) > 20',
    [field('n', 'long'), field('most', { kind: 'decimal', precision: 12, scale: 2 }, true)],
    { inputs: ['readings'], keyed: true, loses: true },
  ),
  liveOf('whole_if_few', 'SELECT count(*) AS n FROM readings HAVING count(*) < 20', [field('n', 'long')], {
    inputs: ['readings'],
    keyed: true,
    loses: true,
  }),
  liveOf(
    'visits',
    `SELECT device, window_start, window_end, count(*) AS n, sum(price) AS prices
     FROM session(readings, readings.seen, INTERVAL 3 SECONDS, key := device) GROUP BY ALL`,
    [
      field('device', 'string', true),
      field('window_start', 'timestamp'),
      field('window_end', 'timestamp'),
      field('n', 'long'),
      field('prices', { kind: 'decimal', precision: 38, scale: 2 }, true),
    ],
    { inputs: ['readings'] },
  ),
  liveOf(
    'busiest',
    `SELECT window_start, window_end, device, count(*) AS n FROM hop(readings, readings.seen, INTERVAL 5 SECONDS, INTERVAL 20 SECONDS)
     GROUP BY ALL QUALIFY rank() OVER (PARTITION BY window_start ORDER BY count(*) DESC) = 1`,
    [field('window_start', 'timestamp'), field('window_end', 'timestamp'), field('device', 'string', true), field('n', 'long')],
    { inputs: ['readings'] },
  ),
  liveOf('warm', `SELECT upper(device) AS device, small // 7 AS sevenths, seen FROM readings WHERE heat > 1`, [
    field('device', 'string', true),
    field('sevenths', 'int', true),
    field('seen', 'timestamp'),
  ]),
]

test('keyed tables, sessions, hopping windows and plain rows equal batch SQL, cut and killed anywhere', async () => {
  const random = seededRandom(21)
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [READINGS, ...OTHERS] }), readBytes: 3_000 })
  for (let round = 0; round < 4; round++) {
    for (let batch = 0; batch < 3; batch++) await world.send('readings', readings(random, 1 + integer(random, 20), round * 45 + batch * 9))
    if (round % 2 === 1) await world.flush()
    if (round !== 1) await world.restart()
  }
  for (const committedOnly of [false, true]) {
    await world.caughtUp()
    if (committedOnly) {
      await world.flush()
      await world.restart()
      await world.caughtUp()
    }
    for (const model of OTHERS) {
      const { node } = await world.now.parser.parse(inlineConstants(model.sql))
      const query = compileLive(node, () => storedShape(READINGS))
      const watermark = new Date(world.pipeline(`live:${model.name}`).pipeline.watermarkUs! / 1_000).toISOString()
      const until = query.result === 'closing' ? ` WHERE window_end <= '${watermark}'` : ''
      const names = model.shape.fields.map(({ name }) => name).join(', ')
      const expected = await world.ask(`SELECT ${names} FROM (${printLive(query, () => 'readings')})${until} ORDER BY ALL`)
      const actual = await world.ask(`SELECT ${names} FROM ${model.name} ORDER BY ALL`, committedOnly)
      if (model.name.startsWith('whole')) assert.equal(expected.length, model.name === 'whole_if_few' ? 0 : 1, model.name)
      else assert.ok(expected.length > 2, model.name)
      assert.deepEqual(
        actual.map((row) => row.map(String)),
        expected.map((row) => row.map(String)),
        model.name,
      )
    }
  }
})

test('an aggregate over a whole stream is a row before any row is, and one row ever after', async () => {
  const models = OTHERS.filter(({ name }) => name.startsWith('whole'))
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [READINGS, ...models] }), readBytes: 1_000 })
  const counts = new Set<number>()
  const countOf = async (name: string): Promise<number[]> => (await world.ask(`SELECT n FROM ${name}`)).map(([n]) => Number(n))
  const check = async (when: string): Promise<void> => {
    await world.caughtUp()
    const n = Number((await world.ask('SELECT count(*) FROM readings'))[0]![0])
    counts.add(n)
    assert.deepEqual(await countOf('whole'), [n], when)
    assert.deepEqual(await countOf('whole_if_many'), n > 20 ? [n] : [], when)
    assert.deepEqual(await countOf('whole_if_few'), n < 20 ? [n] : [], when)
  }
  await check('before any row')
  assert.deepEqual((await world.ask('SELECT named, smalls, last FROM whole'))[0]!.map(String), ['0', 'null', 'null'])
  await world.flush()
  await world.restart()
  await check('before any row, after a restart')
  const random = seededRandom(5)
  for (const [round, more] of [1, 7, 15, 22, 40].entries()) {
    await world.send('readings', readings(random, more, 60 * (round + 1)))
    await check('in the tail')
    await world.flush()
    await check('after a flush')
    await world.restart()
    await check('after a restart')
  }
  assert.ok(counts.size === 6 && Math.max(...counts) > 20, `${[...counts]} rows`)
  const files = await world.now.lake.files(await world.now.lake.table('whole'))
  assert.deepEqual(
    files.map((file) => file.rows),
    [1],
  )
})

/** Expressions that fail on some rows: in a filter, in what is grouped, in what is summed, in plain columns. */
const STRICT: readonly ModelManifest[] = [
  liveOf('plain', 'SELECT CAST(device AS INTEGER) AS number, seen FROM readings WHERE small > -400', [
    field('number', 'int', true),
    field('seen', 'timestamp'),
  ]),
  liveOf(
    'grouped',
    'SELECT CAST(device AS INTEGER) AS number, count(*) AS n, sum(CAST(small * 5000000 AS INTEGER)) AS total FROM readings WHERE device IS NOT NULL GROUP BY ALL',
    [field('number', 'int'), field('n', 'long'), field('total', HUGE, true)],
    { keyed: true, key: ['number'] },
  ),
  liveOf(
    'windows',
    `SELECT window_start, window_end, count(*) AS n, max(CAST(device AS INTEGER)) AS most FROM tumble(readings, readings.seen, INTERVAL 10 SECONDS)
     GROUP BY ALL`,
    [field('window_start', 'timestamp'), field('window_end', 'timestamp'), field('n', 'long'), field('most', 'int', true)],
  ),
]

test('rows on which an expression fails are set aside: a model is batch SQL over all the others, cut and killed anywhere', async () => {
  const random = seededRandom(31)
  const models = STRICT.map((model) => ({ ...model, inputs: ['readings'] }))
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [READINGS, ...models] }), readBytes: 2_000 })
  for (let round = 0; round < 5; round++) {
    for (let batch = 0; batch < 3; batch++) {
      const rows = readings(random, 1 + integer(random, 20), round * 45 + batch * 9).map((row) => ({
        ...row,
        device: [null, '1', '2', '3', '7', 'x', 'é', '99999999999'][integer(random, 8)],
      }))
      await world.send('readings', rows)
    }
    if (round % 2 === 1) await world.flush()
    if (round !== 2) await world.restart({ readBytes: 500 + integer(random, 3_000) })
  }
  for (const committedOnly of [false, true]) {
    await world.caughtUp()
    if (committedOnly) {
      await world.flush()
      await world.restart()
      await world.caughtUp()
    }
    for (const model of models) {
      const { node } = await world.now.parser.parse(inlineConstants(model.sql))
      const query = compileLive(node, () => storedShape(READINGS))
      const watermark = new Date(world.pipeline(`live:${model.name}`).pipeline.watermarkUs! / 1_000).toISOString()
      const isClosed = query.result === 'closing' ? ` WHERE window_end <= '${watermark}'` : ''
      const names = model.shape.fields.map(({ name }) => name).join(', ')
      const sound = `(SELECT * FROM readings ANTI JOIN ${model.name}__rejected USING (_partition, _offset))`
      const expected = await world.ask(`SELECT ${names} FROM (${printLive(query, () => sound)})${isClosed} ORDER BY ALL`)
      const actual = await world.ask(`SELECT ${names} FROM ${model.name} ORDER BY ALL`, committedOnly)
      assert.ok(expected.length > 2, model.name)
      assert.deepEqual(
        actual.map((row) => row.map(String)),
        expected.map((row) => row.map(String)),
        model.name,
      )
      const [[all], [aside]] = (await Promise.all(
        ['readings', `${model.name}__rejected`].map(async (name) => (await world.ask(`SELECT count(*) FROM ${name}`))[0]!),
      )) as [[bigint], [bigint]]
      const { counts } = world.pipeline(`live:${model.name}`).sink as Live
      assert.deepEqual({ ...counts }, { in: Number(all), out: Number(all - aside), rejected: Number(aside) })
      // Nothing is set aside without need: each row by itself fails in DuckDB too.
      for (const [partition, offset] of await world.ask(`SELECT _partition, _offset FROM ${model.name}__rejected`)) {
        const single = `(SELECT * FROM readings WHERE _partition = ${partition} AND _offset = ${offset})`
        await assert.rejects(world.ask(`SELECT ${names} FROM (${printLive(query, () => single)})`), `${model.name} ${partition}/${offset}`)
      }
      assert.ok(aside > 3n, model.name)
    }
  }
  const failed = world.events.filter((event) => event.kind === 'failed')
  assert.deepEqual(failed, [])
})

test('what is set aside says why and where; an expression over whole groups that fails stops the model', async () => {
  const strict = liveOf('strict', 'SELECT CAST(device AS INTEGER) AS number FROM readings WHERE device IS NOT NULL', [
    field('number', 'int'),
  ])
  const groups = liveOf(
    'groups',
    'SELECT device, CAST(max(big) AS INTEGER) AS most FROM readings WHERE device IS NOT NULL GROUP BY ALL',
    [field('device', 'string'), field('most', 'int', true)],
    { keyed: true, key: ['device'] },
  )
  const single = { ...READINGS, partitions: 1 }
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [single, strict, groups] }) })
  await world.send(
    'readings',
    ['7', '8', 'x', '9'].map((device, i) => ({ device, big: i === 3 ? '5000000000' : '5', seen: at(i * 1_000) })),
  )
  const failures = () => world.events.flatMap((event) => (event.kind === 'failed' ? [event] : []))
  await until(() => failures().length > 0)
  await until(() => world.now.relations.tailRowsOf('strict') === 3)
  assert.deepEqual(await world.ask('SELECT number FROM strict ORDER BY number'), [[7], [8], [9]])
  const [refused] = await world.ask('SELECT _offset, code, message, raw FROM strict__rejected')
  assert.deepEqual(refused!.slice(0, 3), [
    2n,
    'MR_ROW_EXPRESSION',
    'strict: the string x cannot be cast to int (readings, partition 0, offset 2)',
  ])
  assert.equal((JSON.parse(refused![3] as string) as { device: string }).device, 'x')
  assert.match(failures()[0]!.pipeline, /^live:groups@/)
})

// Processors

const PAYMENTS = streamOf(
  'payments',
  [field('id', 'int'), field('customer', 'string'), field('seen', 'timestamp'), field('cents', 'long')],
  {
    partitions: 2,
    key: 'customer',
    time: 'seen',
    latenessMs: 60_000,
  },
)
const TOTALS = streamOf(
  'totals',
  [field('id', 'int'), field('customer', 'string'), field('seen', 'timestamp'), field('total', 'long'), field('cards', 'int')],
  { source: 'processor', processor: 'totals', partitions: 2, key: 'customer', time: 'seen' },
)
const SUMS = processorOf('totals', 'payments', {
  key: 'customer',
  time: 'seen',
  state: { total: { kind: 'value', type: { kind: 'long' } }, recent: { kind: 'expiringSet', type: { kind: 'int' }, withinMs: 30_000 } },
})
const PER_MINUTE = liveOf(
  'per_minute',
  'SELECT window_start, customer, max(total) AS total, count(*) AS n FROM tumble(totals, totals.seen, INTERVAL 1 MINUTE) GROUP BY ALL',
  [field('window_start', 'timestamp'), field('customer', 'string'), field('total', 'long'), field('n', 'long')],
  { inputs: ['totals'] },
)

interface Handles {
  total: { get(): bigint | null; set(value: bigint): void }
  recent: { add(value: number): void; readonly size: number }
}

const sumUp: OnRow = (row, state, { emit }) => {
  const { total, recent } = state as unknown as Handles
  total.set((total.get() ?? 0n) + (row['cents'] as bigint))
  recent.add(row['id'] as number)
  if ((row['id'] as number) % 13 === 12) throw new Error(`refused ${row['id']}`)
  emit({ id: row['id'], customer: row['customer'], seen: row['seen'], total: total.get(), cards: recent.size })
}

test('a processor counts and emits each row once, whatever is killed; rows on which it throws leave no trace', async () => {
  const random = seededRandom(5)
  const manifest = manifestOf({ relations: [PAYMENTS, TOTALS, PER_MINUTE], processors: [SUMS] })
  await using world = await StreamWorld.open({ manifest, processors: { totals: { on: sumUp, onTimer: {} } }, readBytes: 700 })
  const sent: { id: number; customer: string; seen: string; cents: number }[] = []
  for (let round = 0; round < 6; round++) {
    for (let batch = 0; batch < 4; batch++) {
      const rows = Array.from({ length: 1 + integer(random, 15) }, (_, i) => ({
        id: sent.length + i,
        customer: `c${integer(random, 6)}`,
        seen: at((sent.length + i) * 2_000 - integer(random, 30_000)),
        cents: integer(random, 1_000),
      }))
      sent.push(...rows)
      await world.send('payments', rows)
    }
    if (round % 2 === 0) await world.caughtUp()
    if (round % 3 === 1) await world.flush()
    await world.restart()
  }
  await world.caughtUp()
  await world.flush()
  await world.caughtUp()
  const sums = new Map<string, number>()
  const expected = sent
    .filter(({ id }) => id % 13 !== 12)
    .map(({ id, customer, cents }) => {
      sums.set(customer, (sums.get(customer) ?? 0) + cents)
      return [id, customer, sums.get(customer)]
    })
  const seen = (await world.ask('SELECT id, customer, total FROM totals ORDER BY id')).map(([id, customer, total]) => [
    id,
    customer,
    Number(total),
  ])
  assert.deepEqual(seen, expected)
  const late = await world.ask('SELECT id FROM totals__late')
  assert.equal(late.length, 0, 'what a processor emits in time is not late, whatever the order of reading')
  const refused = await world.ask('SELECT raw, code FROM totals__rejected')
  assert.equal(refused.length, sent.length - expected.length)
  assert.ok(refused.every(([, code]) => code === 'MR_ROW_PROCESSOR'))
  const closed = await world.ask('SELECT * FROM per_minute ORDER BY window_start, customer')
  const batch = await world.ask(
    'SELECT time_bucket(INTERVAL 1 MINUTE, seen) AS window_start, customer, max(total), count(*) FROM totals GROUP BY ALL ORDER BY 1, 2',
  )
  const watermark = world.pipeline('live:per_minute').pipeline.watermarkUs! / 1_000
  assert.deepEqual(
    closed,
    batch.filter(([start]) => Date.parse(start as string) + 60_000 <= watermark),
  )
  assert.ok(closed.length > 5)
})

// Idle partitions

test('a partition without rows does not hold up windows; the decision is in its log and counts as no row', async () => {
  const stream = streamOf('clicks', [field('key', 'string'), field('seen', 'timestamp')], { partitions: 2, key: 'key', time: 'seen' })
  const perMinute = liveOf(
    'clicks_per_minute',
    'SELECT window_start, count(*) AS n FROM tumble(clicks, clicks.seen, INTERVAL 1 MINUTE) GROUP BY ALL',
    [field('window_start', 'timestamp'), field('n', 'long')],
    { inputs: ['clicks'] },
  )
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [stream, perMinute] }) })
  await world.send(
    'clicks',
    [0, 30, 61, 200].map((seconds) => ({ key: 'a', seen: at(seconds * 1_000) })),
  )
  await world.caughtUp()
  assert.deepEqual(await world.ask('SELECT n FROM clicks_per_minute'), [])
  const end = (): number => world.now.log.range('clicks', 0).end + world.now.log.range('clicks', 1).end
  await world.clock.advance(29_000)
  assert.equal(end(), 4)
  await world.clock.advance(2_000)
  await until(() => end() === 5)
  await world.caughtUp()
  await until(() => world.pipeline('live:clicks_per_minute').pipeline.watermarkUs === Date.parse(at(200_000)) * 1_000)
  await world.flush()
  assert.deepEqual(await world.ask('SELECT n FROM clicks_per_minute ORDER BY n'), [[1n], [2n]])
  const { counts } = world.pipeline('stream:clicks').sink as Materialize
  assert.deepEqual({ ...counts }, { in: 4, out: 4, late: 0, rejected: 0, deduplicated: 0, skewed: 0, redriven: 0 })
  // A row of the idle partition that is older than the decision is late for everybody, now and after a restart.
  const other = ['b', 'c', 'd', 'e', 'f'].map((key) => ({ key, seen: at(1_000) }))
  await world.send('clicks', other)
  await world.caughtUp()
  assert.equal((await world.ask('SELECT key FROM clicks__late')).length, other.length)
  await world.clock.advance(100_000)
  assert.equal(end(), 5 + other.length, 'nothing more is decided while nothing moves')
  await world.restart()
  await world.caughtUp()
  assert.equal((await world.ask('SELECT key FROM clicks__late')).length, other.length)
})

// Quarantine

test('rows that fail a quarantine check are set aside before anybody sees them', async () => {
  const stream = streamOf('orders', [field('id', 'int'), field('email', 'string', true), field('cents', 'long', true)], {
    dedupe: { by: ['id'], withinMs: 60_000 },
  })
  const severity = 'quarantine' as const
  const manifest = manifestOf({
    relations: [stream],
    checks: [
      {
        name: 'sane',
        at: 'test.ts:1',
        on: 'orders',
        checks: [
          { name: 'sane.between_cents', severity, rule: { kind: 'between', column: 'cents', min: '0', max: '1000' } },
          { name: 'sane.matches_email', severity, rule: { kind: 'matches', column: 'email', pattern: '(?i)@shop' } },
          { name: 'sane.not_null_cents', severity: 'warn', rule: { kind: 'not_null', column: 'cents' } },
        ],
      },
    ],
  })
  await using world = await StreamWorld.open({ manifest })
  await world.send('orders', [
    { id: 1, email: 'a@SHOP.org', cents: 5 },
    { id: 2, cents: -1 },
    { id: 3, email: 'nobody', cents: null },
    { id: 4 },
    { id: 2, cents: 7 },
  ])
  await world.caughtUp()
  assert.deepEqual(await world.ask('SELECT id FROM orders ORDER BY id'), [[1], [2], [4]])
  assert.deepEqual(await world.ask('SELECT _offset, raw, code, message, field FROM orders__rejected ORDER BY _offset'), [
    [1n, '{"id":2,"cents":-1}', 'MR_ROW_CHECK', 'the check sane.between_cents failed', 'cents'],
    [2n, '{"id":3,"email":"nobody","cents":null}', 'MR_ROW_CHECK', 'the check sane.matches_email failed', 'email'],
  ])
  const { counts } = world.pipeline('stream:orders').sink as Materialize
  assert.deepEqual({ ...counts }, { in: 5, out: 3, late: 0, rejected: 2, deduplicated: 0, skewed: 0, redriven: 0 })
})
