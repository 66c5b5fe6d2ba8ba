// A topic copied into the log on a faulty disk: processes die at any I/O step, forget where they were, and read rounds of other sizes.
// Each committed message is in the log exactly once, the rows of a key and its deletions in the order of their offsets, what is neither
// among the rejected.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonKeys } from '../../src/connectors/kafka/decode-key.ts'
import { jsonDecoder } from '../../src/connectors/kafka/decoder.ts'
import type { Clock } from '../../src/core/clock.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { KafkaSourceManifest } from '../../src/define/manifest.ts'
import { TopicCopy } from '../../src/ingest/kafka/copy-topic.ts'
import type { MessageReader } from '../../src/ingest/kafka/read-messages.ts'
import { openChanges } from '../../src/log/changes.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Log, RecordKind } from '../../src/log/log.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { Shape } from '../../src/schema/type.ts'
import type { CommitRequest } from '../../src/store/catalog.ts'
import { FakeDisk } from './fake-disk.ts'
import { FakeTopic } from './fake-topic.ts'

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
  /** What it is where it is no row, whatever the columns are. */
  readonly kind: 'row' | 'key' | 'none'
}

/** What was sent, by the place that refusals name. */
type Sent = ReadonlyMap<string, Told>

/** Rows, and messages that are none; `isTable`: those of a table, some of which delete rows. */
function send(topic: FakeTopic, random: Random, isTable: boolean): Sent {
  const sent = new Map<string, Told>()
  const count = 20 + integer(random, 120)
  for (let id = 0; id < count; id++) {
    const key = `k${integer(random, 5)}`
    const kind = integer(random, 10) === 0 ? 'none' : isTable && integer(random, 3) === 0 ? 'key' : 'row'
    const partition = Number(key[1]) % topic.partitions.length
    const at = new Date(Date.UTC(2026, 0, 1) + id * 1_000).toISOString()
    const none: readonly (readonly [string | null, string | null])[] = [
      [null, `no row ${id}`],
      [null, null],
      ['{"kay":"k1"}', null],
      ['{', null],
    ]
    const [messageKey, value] =
      kind === 'row'
        ? [null, JSON.stringify({ id, key, at })]
        : kind === 'key'
          ? [JSON.stringify({ key, id }), null]
          : none[integer(random, none.length)]!
    const offset = topic.send(partition, messageKey, value)
    sent.set(`partition ${partition}, offset ${offset}`, { id, key, kind })
  }
  return sent
}

interface Line {
  readonly partition: number
  readonly kind: RecordKind
  readonly line: Record<string, unknown>
}

const textOf = (payload: Uint8Array): string[] => Buffer.from(payload).toString().split('\n').slice(0, -1)

async function linesOf(log: Log): Promise<Line[]> {
  const found: Line[] = []
  const { partitions } = log.topics().find(({ topic }) => topic === TOPIC)!
  for (const partition of partitions.keys()) {
    for (let at = 0; at < log.range(TOPIC, partition).end; ) {
      for (const batch of await log.read(TOPIC, partition, at, 1 << 20)) {
        at = batch.baseOffset + batch.count
        const { keys, rows } =
          batch.kind === 'changes' ? openChanges(batch) : { keys: null, rows: { payload: batch.payload, offsets: null } }
        const own = [
          ...textOf(rows.payload).map((line, at) => ({ kind: keys ? 'rows' : batch.kind, line, offset: rows.offsets?.[at] ?? 0 })),
          ...(keys ? textOf(keys.payload) : []).map((line, at) => ({ kind: 'deletes' as const, line, offset: keys!.offsets[at]! })),
        ].toSorted((a, b) => a.offset - b.offset)
        for (const { kind, line } of own) found.push({ partition, kind: kind as RecordKind, line: JSON.parse(line) })
      }
    }
  }
  return found
}

async function live(seed: number, isTable: boolean): Promise<number> {
  const random = seededRandom(seed)
  const topic = new FakeTopic(random, 1 + integer(random, 3))
  const sent = send(topic, random, isTable)
  const partitions = isTable ? 1 : 1 + integer(random, 3)
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
          openReading: async ({ shape, format: _, keys, ...door }) => ({
            door: { topic: TOPIC, ...door, scanner: compileScanner(shape) },
            decoder: jsonDecoder,
            ...(keys ? { keys: keysOf(shape) } : {}),
          }),
          onEvent: () => {},
        },
        {
          relation: TOPIC,
          reading: {
            shape: SHAPES[integer(random, 2)]!,
            keyIndex: integer(random, 4) === 0 ? -1 : 1,
            timeIndex: isTable ? -1 : 2,
            partitions,
            format: { kind: 'json' },
            // What ran before knew nothing of keys.
            ...(isTable && integer(random, 4) > 0 ? { keys: { columns: ['key'] } } : {}),
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
      await check(log, sent)
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

async function check(log: Log, sent: Sent): Promise<void> {
  const lines = await linesOf(log)
  const refused = lines.flatMap(({ kind, line }) =>
    kind === 'rejects' ? [sent.get(/\((?:topic clicks, )(.*)\)$/.exec(String(line['message']))![1]!)!] : [],
  )
  const taken = lines.flatMap(({ kind, partition, line }) =>
    kind === 'rejects' ? [] : [{ id: line['id'] as number, key: line['key'], kind, partition }],
  )
  // What a row is, each process says for itself: but each message is one or the other, once.
  const all = [...taken, ...refused].map(({ id }) => id).toSorted((a, b) => a - b)
  const told = [...sent.values()]
  assert.deepEqual(
    all,
    told.map(({ id }) => id),
  )
  const none = new Set(refused.map(({ id }) => id))
  for (const { id, kind } of told) assert.ok(kind !== 'none' || none.has(id), `${id} is no row`)
  for (const { id, kind } of taken) assert.equal(kind, told[id]!.kind === 'row' ? 'rows' : 'deletes', `${id} is what was sent`)
  for (const [place, own] of Map.groupBy(taken, ({ key, partition }) => `${key} in ${partition}`)) {
    const order = own.map(({ id }) => id)
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      `${place} is in order`,
    )
  }
}

const keysOf = ({ fields }: Shape): NonNullable<MessageReader['keys']> => {
  const columns = fields.filter(({ name }) => name === 'key')
  return { decoder: jsonKeys(columns), scanner: compileScanner({ fields: columns }, { unknown: 'ignore' }) }
}

for (const [what, isTable] of [
  ['streams', false],
  ['tables, whose rows go', true],
] as const)
  test(`${SEEDS.length} topics of ${what} copied through crashes`, async () => {
    let deaths = 0
    for (const seed of SEEDS) {
      try {
        deaths += await live(seed, isTable)
      } catch (error) {
        throw new Error(`MILLRACE_TEST_SEED=${seed}`, { cause: error })
      }
    }
    if (SEEDS.length > 1) assert.ok(deaths > SEEDS.length, `only ${deaths} deaths`)
  })
