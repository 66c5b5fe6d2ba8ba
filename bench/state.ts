// State of many keys, of a live model (count, sum and latest by key) and of a processor (a value, an expiring set and a rate for each
// key): memory a key, the longest pause while it grows and while a checkpoint is cut, what a checkpoint writes when all keys and when
// one in a hundred have changed, and how long it takes until the state is there again from the files. Then the live model with all its
// keys in memory and with a tenth of it, the rest on the disk: rows a core-second while keys are added, for keys at random and for a
// working set of a fortieth of them that has 95 of 100 rows. Then the dedupe keys of a partition. Times are of this machine.
// One JSON line per figure; the longest pause of the live model has a floor, 20 ms. Usage: node24 --expose-gc bench/state.ts [keys, default 1000000] [rows of a batch, default 5000]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { nodeDisk } from '../src/core/disk.ts'
import { seededRandom, systemRandom } from '../src/core/random.ts'
import { compileLive } from '../src/engine/algebra/read-query.ts'
import { openParser } from '../src/engine/ast.ts'
import { openEngine } from '../src/engine/duckdb.ts'
import { diskStore } from '../src/objects/disk-store.ts'
import { diskScratch } from '../src/runtime/disk-scratch.ts'
import type { Column, ColumnBatch } from '../src/schema/batch.ts'
import type { Shape } from '../src/schema/type.ts'
import { type CheckpointStore, openCheckpoints } from '../src/stream/checkpoint.ts'
import { Chain } from '../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../src/stream/operators/shape.ts'
import { SeenKeys } from '../src/stream/seen-keys.ts'
import { keyedState } from '../src/stream/state/keyed-state.ts'

const KEYS = Number(process.argv[2] ?? 1_000_000)
const BATCH = Number(process.argv[3] ?? 5_000)

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
let written = 0
const disk = diskStore(nodeDisk)
const store = {
  ...disk,
  put: async (path: string, content: Uint8Array) => {
    written += content.length
    await disk.put(path, content)
  },
}
const round = (value: number): number => Number(value.toFixed(1))
const print = (of: string, what: string, value: number, unit: string): void => {
  const figure = { bench: 'state', case: `${of}: ${what}`, value: round(value), unit, keys: KEYS, load: round(loadavg()[0] ?? 0) }
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}
const now = (): number => systemClock.monotonicMs()
/** Milliseconds that this thread has computed: what is left of a pause on a machine that others use. */
const computedMs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** What is measured of both. */
interface Kept {
  /** Changes each of these keys once. */
  change(from: number, count: number): void
  readonly bytes: number
  save(): unknown
  restore(saved: unknown): void
}

const PAUSE_MAX_MS = 20
const floors: { readonly name: string; readonly value: number; readonly floor: number; readonly held: boolean }[] = []

async function measure(of: string, make: () => Kept): Promise<void> {
  global.gc?.()
  const memory = process.memoryUsage()
  let kept = make()
  const pauses: number[] = []
  const computed: number[] = []
  const change = (keys: number, stride: number): void => {
    for (let from = 0; from < keys; from += BATCH) {
      const startedMs = now()
      const computedBeforeMs = computedMs()
      kept.change(from * stride, Math.min(BATCH, keys - from))
      pauses.push(now() - startedMs)
      computed.push(computedMs() - computedBeforeMs)
    }
  }
  change(KEYS, 1)
  pauses.sort((a, b) => b - a)
  const longest = pauses[0]!
  const usual = pauses[pauses.length >> 1]!
  print(of, `longest batch of ${BATCH} rows while keys are added`, longest, 'ms')
  const stood = [longest]
  print(of, `usual batch of ${BATCH} rows`, usual, 'ms')
  print(of, `longest batch of ${BATCH} rows while keys are added, computed`, Math.max(...computed), 'ms')
  const after = process.memoryUsage()
  print(of, 'memory a key, as counted', kept.bytes / KEYS, 'bytes')
  print(of, 'memory a key, of the process', (after.rss - memory.rss) / KEYS, 'bytes')
  const open = (): CheckpointStore => openCheckpoints(store, systemClock, systemRandom, directory)
  let checkpoints = open()
  let before: string | null = null
  for (const [what, keys] of [
    ['all keys', 0],
    ['1 % of the keys', KEYS / 100],
    ['no key', 0],
  ] as const) {
    if (keys > 0) change(keys, 1)
    const cutMs = now()
    const cutBeforeMs = computedMs()
    const saved = kept.save()
    const savedMs = now()
    const cutComputedMs = computedMs() - cutBeforeMs
    const bytesBefore = written
    let isWriting = true
    const writing = checkpoints.write(of, saved, before).finally(() => {
      isWriting = false
    })
    let longest = 0
    for (let lastMs = savedMs; isWriting; ) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      longest = Math.max(longest, now() - lastMs)
      lastMs = now()
    }
    before = await writing
    await checkpoints.prune(of, before)
    print(of, `longest pause while a checkpoint is written after ${what} changed`, longest, 'ms')
    stood.push(longest)
    print(of, `pause of a cut after ${what} changed`, savedMs - cutMs, 'ms')
    print(of, `pause of a cut after ${what} changed, computed`, cutComputedMs, 'ms')
    print(of, `checkpoint after ${what} changed, in the background`, now() - savedMs, 'ms')
    print(of, `checkpoint after ${what} changed`, written - bytesBefore, 'bytes')
  }
  kept = make()
  checkpoints = open()
  const startedMs = now()
  const restoreBeforeMs = computedMs()
  kept.restore(await checkpoints.read(before!))
  print(of, 'recovery from the files', now() - startedMs, 'ms')
  print(of, 'recovery from the files, computed', computedMs() - restoreBeforeMs, 'ms')
  // A processor has a thread of its own.
  const value = Math.max(...stood)
  if (of === 'live model')
    floors.push({ name: `${of}: longest pause, ms`, value: Number(value.toFixed(1)), floor: PAUSE_MAX_MS, held: value <= PAUSE_MAX_MS })
}

const SHAPE: Shape = {
  fields: [
    { name: 'key', type: { kind: 'long' }, optional: false },
    { name: 'amount', type: { kind: 'double' }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
  ],
}

const batchOf = (from: number, count: number): ColumnBatch => batchOfKeys(Float64Array.from({ length: count }, (_, i) => from + i))

function batchOfKeys(keys: Float64Array): ColumnBatch {
  const integers = (of: (key: number) => number): Column => ({
    kind: 'integer',
    values: keys.map(of),
    big: null,
    nulls: null,
  })
  const amounts = keys.map((key) => key / 7)
  return {
    shape: SHAPE,
    rows: keys.length,
    columns: [integers((i) => i * 977), { kind: 'number', values: amounts, nulls: null }, integers((i) => 1e15 + i)],
  }
}

const engine = await openEngine({ clock: systemClock, directories: [directory], tempDirectory: join(directory, 'spill'), threads: 1 })
const parser = await openParser(engine)
const { node } = await parser.parse('SELECT key, count(*) AS n, sum(amount) AS total, max(seen) AS last FROM s GROUP BY key')
const query = compileLive(node, () => SHAPE)
const model = shapeOfRelation(query.root, () => SHAPE)
await measure('live model', () => {
  const chain = new Chain(query, () => SHAPE, model)
  return {
    change: (from, count) => {
      chain.take('s', batchOf(from, count), null, count)
      chain.changed()
    },
    get bytes() {
      return chain.bytes
    },
    save: () => chain.save(),
    restore: (saved) => chain.restore(saved),
  }
})

const ROWS = Math.min(KEYS, 1_000_000)
const scratch = diskScratch(join(directory, 'state'))
let residentBytes = 0
for (const where of ['all in memory', 'a tenth in memory']) {
  const limitBytes = where === 'all in memory' ? Number.POSITIVE_INFINITY : residentBytes / 10
  const chain = new Chain(query, () => SHAPE, model, null, scratch)
  const random = seededRandom(1)
  chain.restore(null)
  const drive = (what: string, rows: number, keyOf: (i: number) => number): void => {
    const pauses: number[] = []
    let spentMs = 0
    for (let from = 0; from < rows; from += BATCH) {
      const batch = batchOfKeys(Float64Array.from({ length: Math.min(BATCH, rows - from) }, (_, i) => keyOf(from + i)))
      const [startedMs, beforeMs] = [now(), computedMs()]
      chain.take('s', batch, null, batch.rows)
      chain.changed()
      chain.fit(limitBytes)
      pauses.push(now() - startedMs)
      spentMs += computedMs() - beforeMs
    }
    print(where, what, rows / (spentMs / 1_000), 'rows a core-second')
    print(where, `${what}: longest batch of ${BATCH} rows`, Math.max(...pauses), 'ms')
  }
  const anywhere = (): number => Math.floor(random.next() * KEYS)
  drive('keys are added', KEYS, (i) => i)
  if (where === 'all in memory') residentBytes = chain.bytes
  drive('keys at random', ROWS, anywhere)
  drive('a working set', ROWS, () => (random.next() < 0.95 ? (Math.floor((random.next() * KEYS) / 40) * 37) % KEYS : anywhere()))
  print(where, 'memory a key', chain.bytes / KEYS, 'bytes')
  print(where, 'on the disk a key', chain.spilledBytes / KEYS, 'bytes')
  if (where === 'all in memory') continue
  chain.fit(1)
  print('nothing in memory', 'memory a key', chain.bytes / KEYS, 'bytes')
}
scratch.close()

await measure('processor', () => {
  const state = keyedState({
    n: { kind: 'value', type: { kind: 'int' } },
    cards: { kind: 'expiringSet', type: { kind: 'string' }, withinMs: 600_000 },
    rate: { kind: 'ewma', windowMs: 60_000 },
  })
  const { n, cards, rate } = state.handles as unknown as {
    n: { get(): number | null; set(value: number): void }
    cards: { add(card: string): void }
    rate: { tick(): void }
  }
  return {
    change: (from, count) => {
      for (let i = from; i < from + count; i++) {
        state.enter(`customer-${i}`, 1e15, 1e15)
        n.set((n.get() ?? 0) + 1)
        cards.add(`tok_${i % 1_000}`)
        rate.tick()
        state.leave()
      }
      state.settle()
    },
    get bytes() {
      return state.bytes
    },
    save: () => state.save(),
    restore: (saved) => state.restore(saved),
  }
})
// Of a partition that deduplicates by an identifier of 36 characters, all within the horizon.
{
  const seen = new SeenKeys([{ kind: 'string' }], 1_000)
  const pauses: number[] = []
  let spentMs = 0
  for (let from = 0; from < KEYS; from += BATCH) {
    const count = Math.min(BATCH, KEYS - from)
    const bytes = Buffer.from(Array.from({ length: count }, (_, i) => `order-${String(from + i).padStart(30, '0')}`).join(''))
    const start = Int32Array.from({ length: count }, (_, i) => i * 36)
    const column: Column = { kind: 'bytes', bytes, start, length: new Int32Array(count).fill(36), nulls: null }
    const [startedMs, beforeMs] = [now(), computedMs()]
    seen.mark([column], count, new Float64Array(count).fill(1))
    pauses.push(now() - startedMs)
    spentMs += computedMs() - beforeMs
  }
  print('dedupe', 'keys that come', KEYS / (spentMs / 1_000), 'rows a core-second')
  print('dedupe', `longest batch of ${BATCH} rows`, Math.max(...pauses), 'ms')
  print('dedupe', 'memory a key', seen.bytes / KEYS, 'bytes')
}
parser.close()
engine.close()
rmSync(directory, { recursive: true, force: true })
const held = floors.every((floor) => floor.held)
process.stdout.write(`${JSON.stringify({ bench: 'state', held, floors })}\n`)
process.exitCode = held ? 0 : 1
