// When a partition counts as idle, how far it then counts, and that nothing is decided twice or by a passing of time alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { type Decisions, IdleWatch } from './idle.ts'

const IDLE_MS = 30_000

function watch(watermarks: (number | null)[], more: ReadonlySet<number> = new Set()) {
  const clock = new VirtualClock(0)
  const source = {
    latenessUs: 0,
    watermarkOf: (partition: number) => watermarks[partition]!,
    hasMore: (partition: number) => more.has(partition),
  }
  const partitions = watermarks.map((_, partition) => ({ topic: 't', partition, source }))
  const idle = new IdleWatch(clock, partitions, IDLE_MS)
  return { clock, idle, watermarks }
}

const decided = (decisions: readonly Decisions[]): [number, number][] =>
  decisions
    .flatMap((one) => one.decisions)
    .map(({ partition, payload }) => [partition, (JSON.parse(Buffer.from(payload).toString()) as { watermarkUs: number }).watermarkUs])

test('an idle partition counts as far as the slowest of those that are not', async () => {
  const { clock, idle, watermarks } = watch([null, 500, 900])
  assert.equal(idle.nextMs, IDLE_MS)
  await clock.advance(IDLE_MS - 1)
  idle.saw({ topic: 't', partition: 1 })
  idle.saw({ topic: 't', partition: 2 })
  assert.deepEqual(decided(idle.due()), [])
  await clock.advance(1)
  assert.deepEqual(decided(idle.due()), [[0, 500]])
  watermarks[0] = 500
  assert.deepEqual(decided(idle.due()), [])
  watermarks[1] = 700
  assert.deepEqual(decided(idle.due()), [], 'not more often than every sixth of the idle time')
  await clock.advance(IDLE_MS / 6)
  assert.deepEqual(decided(idle.due()), [[0, 700]])
})

test('when all are idle they count as far as the furthest, once', async () => {
  const { clock, idle, watermarks } = watch([100, 900])
  await clock.advance(IDLE_MS)
  assert.deepEqual(decided(idle.due()), [[0, 900]])
  watermarks[0] = 900
  assert.equal(idle.nextMs, null)
  await clock.advance(10 * IDLE_MS)
  assert.deepEqual(decided(idle.due()), [])
})

test('a partition that has not been read to its end is not idle; without any watermark nothing is decided', async () => {
  const busy = watch([100, 900], new Set([0]))
  await busy.clock.advance(IDLE_MS)
  assert.deepEqual(decided(busy.idle.due()), [])
  const empty = watch([null, null])
  await empty.clock.advance(IDLE_MS)
  assert.deepEqual(decided(empty.idle.due()), [])
  assert.equal(empty.idle.nextMs, null)
})

test('it sleeps until time can change something', async () => {
  const { clock, idle } = watch([100, 50, 900])
  await clock.advance(10_000)
  idle.saw({ topic: 't', partition: 1 })
  assert.equal(idle.nextMs, IDLE_MS - 10_000)
  await clock.advance(IDLE_MS - 10_000)
  assert.deepEqual(decided(idle.due()), [], 'the slowest is at work and behind the idle one')
  assert.equal(idle.nextMs, 10_000, 'until the slowest is idle too')
})

test('over several streams each keeps its own lateness behind the one that leads', async () => {
  const clock = new VirtualClock(0)
  const marks: Record<string, (number | null)[]> = { quick: [900], slow: [null] }
  const latenessUs = { quick: 100, slow: 400 }
  const partitions = (['quick', 'slow'] as const).map((topic) => ({
    topic,
    partition: 0,
    source: { latenessUs: latenessUs[topic], watermarkOf: (partition: number) => marks[topic]![partition]!, hasMore: () => false },
  }))
  const idle = new IdleWatch(clock, partitions, IDLE_MS)
  await clock.advance(IDLE_MS)
  idle.saw(partitions[0]!)
  const due = idle.due()
  assert.deepEqual(
    due.map(({ topic }) => topic),
    ['slow'],
  )
  assert.deepEqual(decided(due), [[0, 600]], 'the newest event of the other is at 1000')
  marks['slow'] = [600]
  await clock.advance(IDLE_MS)
  assert.deepEqual(decided(idle.due()), [], 'both are as far as their newest events')
})
