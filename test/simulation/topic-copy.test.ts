// A topic copied into the log on a faulty disk: processes die at any I/O step, forget where they were, and read rounds of other sizes.
// Each committed message is in the log exactly once, the rows of a key in the order of their offsets, what is no row among the rejected.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonDecoder } from '../../src/connectors/kafka/decoder.ts'
import type { Clock } from '../../src/core/clock.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { KafkaSourceManifest } from '../../src/define/manifest.ts'
import { TopicCopy } from '../../src/ingest/kafka/copy-topic.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { TopicMessage, TopicReader, TopicSlice } from '../../src/log/kafka/topic-reader.ts'
import type { Log } from '../../src/log/log.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { Shape } from '../../src/schema/type.ts'
import type { CommitRequest } from '../../src/store/catalog.ts'
import { FakeDisk } from './fake-disk.ts'

const TOPIC = 'events'
const SEEDS = process.env['MILLRACE_TEST_SEED']
  ? [Number(process.env['MILLRACE_TEST_SEED'])]
  : Array.from({ length: process.env['MILLRACE_TEST_ALL'] ? 1_000 : 40 }, (_, seed) => seed + 1)

const SOURCE: KafkaSourceManifest = {
  connection: { bus: 'bus', brokers: 'none:1' },
  topic: 'clicks',
  format: { kind: 'json' },
  start: 'earliest',
  epoch: 0,
}

/** The columns of one start and those of another, by which some rows are none. */
const SHAPES: readonly Shape[] = [
  ['k0', 'k1', 'k2', 'k3', 'k4'],
  ['k0', 'k2', 'k4'],
].map((values) => ({
  fields: [
    { name: 'id', type: { kind: 'int' }, optional: false },
    { name: 'key', type: { kind: 'enum', values }, optional: false },
    { name: 'at', type: { kind: 'timestamp' }, optional: false },
  ],
}))

/** Time passes whenever somebody looks. */
function hastyClock(random: Random): Clock {
  let nowMs = Date.UTC(2026, 0, 1)
  const pass = (): number => {
    nowMs += integer(random, 400)
    return nowMs
  }
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return { nowMs: pass, monotonicMs: pass, busyMs: () => 0, sleep: turn, after: () => () => {} }
}

interface Told {
  readonly id: number
  readonly key: string
  readonly isRow: boolean
}

/** Partitions with gaps between the offsets, and messages that are no rows. */
class FakeTopic {
  readonly partitions: TopicMessage[][]
  readonly told: Told[] = []
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
    this.partitions = Array.from({ length: 1 + integer(random, 3) }, () => [])
    const count = 20 + integer(random, 120)
    for (let id = 0; id < count; id++) {
      const key = `k${integer(random, 5)}`
      const isRow = integer(random, 10) > 0
      const messages = this.partitions[Number(key[1]) % this.partitions.length]!
      const offset = (messages.at(-1)?.offset ?? -1) + 1 + (integer(random, 4) === 0 ? integer(random, 5) : 0)
      const text = isRow ? JSON.stringify({ id, key, at: new Date(Date.UTC(2026, 0, 1) + id * 1_000).toISOString() }) : `no row ${id}`
      messages.push({ offset, key: null, value: Buffer.from(text) })
      this.told.push({ id, key, isRow })
    }
  }

  end(partition: number): number {
    return (this.partitions[partition]!.at(-1)?.offset ?? -1) + 1
  }

  reader(): TopicReader {
    return {
      state: async () => ({ id: 'one', partitions: this.partitions.map((_, partition) => ({ start: 0, end: this.end(partition) })) }),
      offsetsAt: async () => [],
      fetch: async (positions) => {
        await new Promise((resolve) => setImmediate(resolve))
        return [...positions].flatMap(([partition, from]) => this.#slice(partition, from))
      },
      tell: async () => {},
      close: async () => {},
    }
  }

  #slice(partition: number, from: number): TopicSlice[] {
    const end = this.end(partition)
    if (from >= end || integer(this.#random, 4) === 0) return []
    const all = this.partitions[partition]!.filter(({ offset }) => offset >= from)
    const messages = all.slice(0, 1 + integer(this.#random, 20))
    return [{ partition, messages, next: messages.at(-1)!.offset + 1, end }]
  }
}

async function linesOf(log: Log, kind: 'rows' | 'rejects'): Promise<{ partition: number; line: Record<string, unknown> }[]> {
  const found: { partition: number; line: Record<string, unknown> }[] = []
  for (const partition of log
    .topics()
    .find(({ topic }) => topic === TOPIC)!
    .partitions.keys()) {
    for (let at = 0; at < log.range(TOPIC, partition).end; ) {
      for (const batch of await log.read(TOPIC, partition, at, 1 << 20)) {
        at = batch.baseOffset + batch.count
        if (batch.kind !== kind) continue
        for (const line of Buffer.from(batch.payload).toString().trimEnd().split('\n')) found.push({ partition, line: JSON.parse(line) })
      }
    }
  }
  return found
}

async function live(seed: number): Promise<number> {
  const random = seededRandom(seed)
  const topic = new FakeTopic(random)
  const partitions = 1 + integer(random, 3)
  const cursors = new Map<string, string>()
  const clock = hastyClock(random)
  let disk = new FakeDisk(random)
  let deaths = 0
  await disk.makeDirectory('/data')
  for (let isDone = false; !isDone; ) {
    const mayDie = deaths < 4
    if (mayDie) disk.crashAt(1 + integer(random, 60))
    else disk.disarm()
    const now = disk
    const catalog = {
      cursor: async (name: string) => cursors.get(name) ?? null,
      // The control store has a disk of its own, and dies with the process.
      commit: async ({ cursors: written = [] }: CommitRequest) => {
        if (now.isCrashed) throw new Error('dead')
        for (const { name, value } of written) cursors.set(name, value)
        return { kind: 'committed' as const, sequence: 1 }
      },
    }
    try {
      const log = await openEmbeddedLog({ disk, clock, directory: '/data/log', segmentBytes: 2_000 })
      await log.ensureTopic(TOPIC, partitions)
      const copy = new TopicCopy(
        {
          clock,
          log,
          catalog,
          cluster: () => ({ bus: 'bus', brokers: [] }),
          open: async () => topic.reader(),
          openReading: async ({ shape, format: _, ...door }) => ({
            door: { topic: TOPIC, ...door, scanner: compileScanner(shape) },
            decoder: jsonDecoder,
          }),
          onEvent: () => {},
        },
        {
          relation: TOPIC,
          reading: {
            shape: SHAPES[integer(random, 2)]!,
            keyIndex: integer(random, 4) === 0 ? -1 : 1,
            timeIndex: 2,
            partitions,
            format: { kind: 'json' },
          },
          slackMs: integer(random, 3) * 1_000,
          source: SOURCE,
          group: 'g',
        },
      )
      copy.start()
      for (let turn = 0; turn < 20_000 && !disk.isCrashed && copy.lag !== 0; turn++) await new Promise((resolve) => setImmediate(resolve))
      await copy.stop()
      if (disk.isCrashed) throw new Error('dead')
      assert.equal(copy.lag, 0)
      await check(log, topic)
      isDone = true
      await log.close()
    } catch (error) {
      if (error instanceof assert.AssertionError || !disk.isCrashed) throw error
      deaths++
      disk = integer(random, 2) === 0 ? disk.crash() : disk.kill()
    }
  }
  return deaths
}

async function check(log: Log, { told }: FakeTopic): Promise<void> {
  const rows = (await linesOf(log, 'rows')).map(({ line, partition }) => ({ id: line['id'] as number, key: line['key'], partition }))
  const rejected = (await linesOf(log, 'rejects')).map(({ line }) => Number(/\d+/.exec(String(line['raw']))![0]))
  // What a row is, each process says for itself: but each message is one or the other, once.
  const all = [...rows.map(({ id }) => id), ...rejected].toSorted((a, b) => a - b)
  assert.deepEqual(
    all,
    told.map(({ id }) => id),
  )
  const none = new Set(rejected)
  for (const { id, isRow } of told) assert.ok(isRow || none.has(id), `${id} is no row`)
  for (const [place, own] of Map.groupBy(rows, ({ key, partition }) => `${key} in ${partition}`)) {
    const order = own.map(({ id }) => id)
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      `${place} is in order`,
    )
  }
}

test(`${SEEDS.length} topics copied through crashes`, async () => {
  let deaths = 0
  for (const seed of SEEDS) {
    try {
      deaths += await live(seed)
    } catch (error) {
      throw new Error(`MILLRACE_TEST_SEED=${seed}`, { cause: error })
    }
  }
  if (SEEDS.length > 1) assert.ok(deaths > SEEDS.length, `only ${deaths} deaths`)
})
