// Live models with more state than memory, over the real log, lake, control database and engine: what is on the disk for want of room
// shows in nothing but the metrics, however pipelines are cut and killed; a full disk stops a model and loses nothing.
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MillraceError } from '../../src/core/errors.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { ModelManifest } from '../../src/define/manifest.ts'
import { storedShape } from '../../src/define/system-columns.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { compileLive } from '../../src/engine/algebra/read-query.ts'
import { inlineConstants } from '../../src/engine/sql-text.ts'
import type { Live } from '../../src/stream/live.ts'
import type { StreamEvent } from '../../src/stream/stream-event.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, streamOf, until } from './stream-world.ts'

const EVENTS = streamOf('events', [field('key', 'string'), field('shop', 'string'), field('seen', 'timestamp'), field('n', 'int', true)], {
  partitions: 2,
  key: 'key',
  time: 'seen',
  latenessMs: 30_000,
})

const TIGHT = { inputs: ['events'], memoryBytes: 40 << 10 }
const HUGE = { kind: 'decimal', precision: 38, scale: 0 } as const
const MODELS: readonly ModelManifest[] = [
  liveOf(
    'totals',
    'SELECT key, count(*) AS c, sum(n) AS s, max(seen) AS last, count(DISTINCT n) AS d FROM events GROUP BY ALL',
    [field('key', 'string'), field('c', 'long'), field('s', HUGE, true), field('last', 'timestamp', true), field('d', 'long')],
    { ...TIGHT, keyed: true, key: ['key'] },
  ),
  liveOf(
    'lasts',
    'SELECT key, seen, n FROM events QUALIFY row_number() OVER (PARTITION BY key ORDER BY seen DESC) = 1',
    [field('key', 'string'), field('seen', 'timestamp'), field('n', 'int', true)],
    { ...TIGHT, keyed: true, key: ['key'] },
  ),
  liveOf(
    'shops',
    'SELECT shop, sum(c) AS c, max(m) AS m FROM (SELECT key, shop, count(*) AS c, max(n) AS m FROM events GROUP BY ALL) GROUP BY shop',
    [field('shop', 'string'), field('c', HUGE, true), field('m', 'int', true)],
    { ...TIGHT, keyed: true, key: ['shop'] },
  ),
  liveOf(
    'minutes',
    'SELECT window_start, window_end, key, count(*) AS c FROM tumble(events, events.seen, INTERVAL 1 MINUTE) GROUP BY ALL',
    [field('window_start', 'timestamp'), field('window_end', 'timestamp'), field('key', 'string'), field('c', 'long')],
    TIGHT,
  ),
  liveOf(
    'visits',
    'SELECT key, window_start, window_end, count(*) AS c FROM session(events, events.seen, INTERVAL 40 SECOND, key := key) GROUP BY ALL',
    [field('key', 'string'), field('window_start', 'timestamp'), field('window_end', 'timestamp'), field('c', 'long')],
    TIGHT,
  ),
]

function events(random: Random, count: number, second: number): object[] {
  return Array.from({ length: count }, () => ({
    // Some keys come all the time, most seldom.
    key: `the key of number ${random.next() < 0.3 ? integer(random, 5) : integer(random, 1_500)}`,
    shop: `shop ${integer(random, 4)}`,
    seen: new Date(Date.UTC(2026, 0, 1) + second * 1_000 - integer(random, 30_000)).toISOString(),
    n: random.next() < 0.1 ? null : integer(random, 40),
  }))
}

async function assertEqualToBatch(world: StreamWorld, committedOnly: boolean): Promise<void> {
  for (const model of MODELS) {
    const { node } = await world.now.parser.parse(inlineConstants(model.sql))
    const query = compileLive(node, () => storedShape(EVENTS))
    const watermark = new Date(world.pipeline(`live:${model.name}`).pipeline.watermarkUs! / 1_000).toISOString()
    const isClosed = query.result === 'closing' ? ` WHERE window_end <= '${watermark}'` : ''
    const names = model.shape.fields.map(({ name }) => name).join(', ')
    const expected = await world.ask(`SELECT ${names} FROM (${printLive(query, () => 'events')})${isClosed} ORDER BY ALL`)
    const actual = await world.ask(`SELECT ${names} FROM ${model.name} ORDER BY ALL`, committedOnly)
    assert.ok(expected.length > 3, model.name)
    const text = (rows: typeof actual): string[] => rows.map((row) => row.map(String).join(' | '))
    assert.deepEqual(text(actual), text(expected), model.name)
  }
}

const spilledOf = (world: StreamWorld, model: ModelManifest): number => (world.pipeline(`live:${model.name}`).sink as Live).spilledBytes

test('models with hardly any memory equal batch SQL, cut and killed anywhere; with more they go on from there', async () => {
  console.log(`seed ${SEED}`)
  const random = seededRandom(SEED)
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [EVENTS, ...MODELS] }), readBytes: 8_000 })
  for (let round = 0; round < 8; round++) {
    for (let batch = 0; batch < 3; batch++) await world.send('events', events(random, 1 + integer(random, 250), round * 30 + batch * 10))
    if (round % 2 === 1) {
      await world.flush()
      for (const model of MODELS) {
        const { stateBytes } = world.pipeline(`live:${model.name}`).sink as Live
        assert.ok(stateBytes <= model.memoryBytes!, `${model.name} takes ${stateBytes}`)
      }
    } else await world.caughtUp()
    if (round % 3 !== 0) await world.restart()
  }
  await world.caughtUp()
  await assertEqualToBatch(world, false)
  for (const model of MODELS)
    if (model.name !== 'minutes') assert.ok(spilledOf(world, model) > 5_000, `${model.name} has spilled ${spilledOf(world, model)}`)
  await world.flush()
  // Where nothing limits them they have the same state.
  const free = MODELS.map(({ memoryBytes: _, ...model }) => model)
  await world.restart({ manifest: manifestOf({ relations: [EVENTS, ...free] }) })
  await world.send('events', events(random, 400, 300))
  await world.caughtUp()
  await world.flush()
  await world.restart()
  await world.caughtUp()
  await assertEqualToBatch(world, true)
  assert.deepEqual(
    world.events.filter(({ kind }) => kind === 'failed'),
    [],
  )
})

test('a full disk stops a model with an error that says so, and it goes on from its last commit when there is room', async () => {
  const random = seededRandom(SEED + 1)
  let isFull = false
  await using world = await StreamWorld.open({
    manifest: manifestOf({ relations: [EVENTS, ...MODELS] }),
    wrapScratch: (scratch) => ({
      ...scratch,
      create: () => {
        const file = scratch.create()
        const append: typeof file.append = (content) => {
          if (isFull) throw new MillraceError('MR_DATA_FULL', 'the disk has no room')
          file.append(content)
        }
        return { ...file, append }
      },
    }),
  })
  await world.send('events', events(random, 900, 100))
  await world.flush()
  isFull = true
  const failures = () => world.events.filter((event): event is Extract<StreamEvent, { kind: 'failed' }> => event.kind === 'failed')
  for (let second = 140; failures().length < 3; second += 10) {
    await world.send('events', events(random, 700, second))
    await world.clock.advance(50)
    await until(() => failures().length > 0)
  }
  assert.ok(failures().every(({ error }) => error.code === 'MR_DATA_FULL'))
  isFull = false
  await world.send('events', events(random, 300, 300))
  await world.caughtUp()
  await world.flush()
  await assertEqualToBatch(world, true)
})

test('files of what was spilled go with the process that wrote them', async () => {
  const random = seededRandom(SEED + 2)
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [EVENTS, MODELS[0]!] }) })
  const files = (): string[] => {
    const directory = join(world.directory, 'state', 'totals')
    return existsSync(directory) ? readdirSync(directory) : []
  }
  for (let second = 30; second < 80; second += 10) {
    await world.send('events', events(random, 600, second))
    await world.caughtUp()
  }
  await world.flush()
  assert.ok(files().length > 0 && spilledOf(world, MODELS[0]!) > 0)
  await world.kill()
  assert.deepEqual(files(), [])
  await world.start()
  await world.caughtUp()
  assert.ok(files().length > 0)
})
