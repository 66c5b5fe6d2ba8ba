// Timers and calls against a plain model that keeps all timers in a list, over random records, cut into rounds anywhere and
// saved and restored at any cut: the same calls in the same order, and calls that throw leave nothing behind.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ProcessorManifest, StreamManifest } from '../../define/manifest.ts'
import { Instant } from '../../schema/instant.ts'
import type { Shape } from '../../schema/type.ts'
import { batchOf } from '../plain.ts'
import { shardOf } from '../state/entry.ts'
import { hashOf } from '../state/entry-log.ts'
import { memorySpill, type Room } from '../state/spill.ts'
import { reopen } from '../testing.ts'
import { Executor } from './executor.ts'
import type { ProcessorCode, Ran, Round, Skipped } from './host.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'key', type: { kind: 'string' }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
    { name: 'does', type: { kind: 'string' }, optional: false },
    { name: 'name', type: { kind: 'string' }, optional: false },
    { name: 'afterMs', type: { kind: 'int' }, optional: false },
  ],
}
const COMMON = {
  at: 'test.ts:1',
  tags: [],
  partition: [],
  cluster: [],
  keep: { logMs: 1 },
  kind: 'stream',
  partitions: 1,
  latenessMs: 0,
} as const
const INPUT: StreamManifest = { ...COMMON, name: 'input', shape: SHAPE, source: 'http', time: 'seen', key: 'key' }
const OUTPUT: StreamManifest = {
  ...COMMON,
  name: 'output',
  source: 'processor',
  shape: { fields: [{ name: 'what', type: { kind: 'string' }, optional: false }] },
}
const MANIFEST: ProcessorManifest = {
  kind: 'processor',
  name: 'output',
  at: 'test.ts:1',
  from: 'input',
  key: 'key',
  time: 'seen',
  state: { calls: { kind: 'value', type: { kind: 'int' } }, all: { kind: 'moments', scope: 'partition' } },
  timers: ['a', 'b'],
  outputs: { side: 'side' },
}
const SIDE: StreamManifest = { ...OUTPUT, name: 'side', partitions: 3, key: 'what' }

interface State {
  readonly calls: { get(): number | null; set(n: number): void }
  readonly all: { add(n: number): void; readonly count: number }
}

const count = ({ calls, all }: State): string => {
  calls.set((calls.get() ?? 0) + 1)
  all.add(1)
  return `${calls.get()}/${all.count}`
}

const CODE: ProcessorCode = {
  on(row, state, { emit, emitTo, timer, cancelTimer, now }) {
    const { key, seen, does, name, afterMs } = row as { key: string; seen: Instant; does: string; name: string; afterMs: number }
    const nth = count(state as unknown as State)
    if (does === 'event') timer(name, seen.plusMs(afterMs))
    if (does === 'arrival') timer(name, now.plusMs(afterMs), 'arrival')
    if (does === 'cancel') cancelTimer(name)
    if (does === 'throw') {
      timer(name, seen)
      throw new Error('thrown')
    }
    emit({ what: `row ${key} ${nth}` })
    if (does === 'side') emitTo['side']!({ what: `side ${key}` })
  },
  onTimer: {
    a({ key, at }, state, { emit }) {
      emit({ what: `a ${key} ${at.epochMs} ${count(state as unknown as State)}` })
    },
    b({ key, at }, state, { emit, timer }) {
      const nth = count(state as unknown as State)
      // Again at a later time, once more at the same time, or not at all.
      if (at.epochMs % 3 === 0) timer('b', at.plusMs(7))
      if (at.epochMs % 3 === 1) timer('a', at)
      if (at.epochMs % 5 === 4) throw new Error('thrown by b')
      emit({ what: `b ${key} ${at.epochMs} ${nth}` })
    },
  },
}

/** A record: a row, or a control (no row). */
interface Rec {
  readonly row: { key: string; seenMs: number; does: string; name: 'a' | 'b'; afterMs: number } | null
  readonly watermarkMs: number
  readonly appendMs: number
}

const LATENESS_MS = 20

const records: fc.Arbitrary<Rec[]> = fc
  .array(
    fc.record({
      isControl: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
      key: fc.constantFrom('k', 'l'),
      stepMs: fc.integer({ min: 0, max: 30 }),
      behindMs: fc.integer({ min: 0, max: LATENESS_MS }),
      waitMs: fc.integer({ min: 0, max: 15 }),
      does: fc.constantFrom('event', 'event', 'arrival', 'cancel', 'throw', 'side', 'count'),
      name: fc.constantFrom('a' as const, 'b' as const),
      afterMs: fc.integer({ min: -10, max: 60 }),
    }),
    { minLength: 1, maxLength: 60, size: 'max' },
  )
  .map((list) => {
    let [headMs, appendMs, watermarkMs] = [1_000, 50_000, Number.NEGATIVE_INFINITY]
    return list.map(({ isControl, stepMs, behindMs, waitMs, ...row }): Rec => {
      headMs += stepMs
      appendMs += waitMs
      const seenMs = Math.max(headMs - behindMs, watermarkMs)
      if (!isControl) watermarkMs = Math.max(watermarkMs, seenMs - LATENESS_MS)
      else if (stepMs % 2 === 0) watermarkMs = Math.max(watermarkMs, headMs - LATENESS_MS)
      return { row: isControl ? null : { ...row, seenMs }, watermarkMs, appendMs }
    })
  })

function roundOf(list: readonly Rec[], from: number, skipped: readonly Skipped[] = []): Round {
  const rows = list.flatMap((record, index) => (record.row ? [{ ...record, row: record.row, offset: from + index }] : []))
  let before = 0
  const controls = list.flatMap((record, index) => {
    if (record.row) {
      before++
      return []
    }
    return [{ before, offset: from + index, appendMs: record.appendMs, watermarkUs: record.watermarkMs * 1_000 }]
  })
  return {
    partition: 0,
    batch: batchOf(
      SHAPE,
      rows.map(({ row }) => [row.key, row.seenMs * 1_000, row.does, row.name, row.afterMs]),
    ),
    rows: Int32Array.from(rows.keys()),
    offsets: Float64Array.from(rows, ({ offset }) => offset),
    appendMs: Float64Array.from(rows, ({ appendMs }) => appendMs),
    watermarkUs: Float64Array.from(rows, ({ watermarkMs }) => watermarkMs * 1_000),
    controls,
    told: [],
    skipped,
  }
}

const linesOf = ({ emissions }: Ran, output: number): string[] =>
  emissions
    .filter((emission) => emission.output === output)
    .flatMap(({ payload, count }) => new TextDecoder().decode(payload).split('\n').slice(0, count))
    .map((line) => (JSON.parse(line) as { what: string }).what)

const executorOf = (code = CODE, manifest = MANIFEST, room?: Room): Executor =>
  new Executor({ processor: manifest, input: INPUT, outputs: [OUTPUT, SIDE], code, ...(room ? { room } : {}) })

/** What comes out when the records are cut after each of `cuts`, with a checkpoint at each. */
function outOf(list: readonly Rec[], cuts: ReadonlySet<number>, room?: Room): { own: string[]; side: string[]; refused: string[] } {
  const out = { own: [] as string[], side: [] as string[], refused: [] as string[] }
  let executor = executorOf(CODE, MANIFEST, room)
  let from = 0
  for (let to = 1; to <= list.length; to++) {
    if (!cuts.has(to) && to < list.length) continue
    let ran = executor.run(roundOf(list.slice(from, to), from))
    for (;;) {
      out.own.push(...linesOf(ran, 0))
      out.side.push(...linesOf(ran, 1))
      out.refused.push(...ran.refusals.map(({ message }) => message.split('\n')[0]!))
      if (ran.isDone) break
      ran = executor.resume()
    }
    from = to
    executor = reopen(executor, executorOf(CODE, MANIFEST, room))
  }
  return out
}

interface ModelTimer {
  key: string
  name: 'a' | 'b'
  atMs: number
  by: 'event' | 'arrival'
  seq: number
  heldUntil: number
}

/** The rules of timers, as `docs/guide/processors.md` has them, in the plainest way. */
function modelOf(list: readonly Rec[]): { own: string[]; side: string[]; refused: number } {
  const own: string[] = []
  const side: string[] = []
  let refused = 0
  let timers: ModelTimer[] = []
  let seq = 0
  const calls = new Map<string, number>()
  let all = 0
  const next = (key: string): string => {
    calls.set(key, (calls.get(key) ?? 0) + 1)
    return `${calls.get(key)}/${++all}`
  }
  const set = (timer: Omit<ModelTimer, 'seq'>): void => {
    timers = [...timers.filter(({ key, name }) => key !== timer.key || name !== timer.name), { ...timer, seq: seq++ }]
  }
  for (const [index, { row, watermarkMs, appendMs }] of list.entries()) {
    for (;;) {
      const due = (by: 'event' | 'arrival', untilMs: number): ModelTimer | undefined =>
        timers
          .filter((timer) => timer.by === by && timer.atMs <= untilMs && timer.heldUntil <= index)
          .sort((x, y) => x.atMs - y.atMs || x.seq - y.seq)[0]
      const timer = due('event', watermarkMs) ?? due('arrival', appendMs)
      if (!timer) break
      timers = timers.filter((other) => other !== timer)
      const { key, name, atMs, by } = timer
      if (name === 'b' && atMs % 5 === 4) {
        refused++
        continue
      }
      const nth = next(key)
      if (name === 'b') {
        // The processor has a time, so a timer goes by event time unless it says otherwise.
        const isHeld = (setMs: number): number => (setMs <= (by === 'event' ? atMs : watermarkMs) ? index + 1 : 0)
        if (atMs % 3 === 0) set({ key, name: 'b', atMs: atMs + 7, by: 'event', heldUntil: isHeld(atMs + 7) })
        if (atMs % 3 === 1) set({ key, name: 'a', atMs, by: 'event', heldUntil: isHeld(atMs) })
      }
      own.push(`${name} ${key} ${atMs} ${nth}`)
    }
    if (!row) continue
    const { key, seenMs, does, name, afterMs } = row
    if (does === 'throw') {
      refused++
      continue
    }
    const nth = next(key)
    if (does === 'event') set({ key, name, atMs: seenMs + afterMs, by: 'event', heldUntil: 0 })
    if (does === 'arrival') set({ key, name, atMs: appendMs + afterMs, by: 'arrival', heldUntil: 0 })
    if (does === 'cancel') timers = timers.filter((timer) => timer.key !== key || timer.name !== name)
    own.push(`row ${key} ${nth}`)
    if (does === 'side') side.push(`side ${key}`)
  }
  return { own, side, refused }
}

test('timers fire as the model has it, however the records are cut and wherever a checkpoint lies', () => {
  let fired = 0
  fc.assert(
    fc.property(records, fc.array(fc.integer({ min: 1, max: 50 })), (list, cuts) => {
      const { own, side, refused } = modelOf(list)
      for (const at of [new Set<number>(), new Set(cuts), new Set(list.keys())]) {
        const out = outOf(list, at)
        assert.deepEqual(out.own, own)
        assert.deepEqual(out.side.sort(), side.sort())
        assert.equal(out.refused.length, refused)
      }
      fired += own.filter((what) => !what.startsWith('row')).length
    }),
    { numRuns: 500 },
  )
  assert.ok(fired > 500, `${fired} timers fired`)
})

test('what has no room in memory is spilled, and nothing else shows of it', () => {
  let writes = 0
  fc.assert(
    fc.property(records, fc.array(fc.integer({ min: 1, max: 50 })), (list, cuts) => {
      const plain = outOf(list, new Set())
      const spill = memorySpill()
      const out = outOf(list, new Set(cuts), { limitBytes: 720, spill })
      assert.deepEqual([out.own, out.side.sort(), out.refused], [plain.own, plain.side.sort(), plain.refused])
      writes += spill.writes
    }),
    { numRuns: 300 },
  )
  assert.ok(writes > 200, `${writes} shards were spilled`)
})

test('lines of a key that count no more do not take the memory that its state needs', () => {
  const list = Array.from(
    { length: 100 },
    (_, i): Rec => ({
      row: { key: 'k', seenMs: 1_000 + i, does: i % 2 === 0 ? 'event' : 'arrival', name: i % 3 === 0 ? 'a' : 'b', afterMs: 10_000 },
      watermarkMs: 900,
      appendMs: 50_000 + i,
    }),
  )
  const cuts = new Set(list.keys())
  const spill = memorySpill()
  assert.deepEqual(outOf(list, cuts, { limitBytes: 720, spill }).own, outOf(list, cuts).own)
})

test('what a timer changes is kept where its part of the keys was used longest ago and memory is full', () => {
  const record = (key: string, seenMs: number, watermarkMs: number, does = 'count'): Rec => ({
    row: { key, seenMs, does, name: 'b', afterMs: 5 },
    watermarkMs,
    appendMs: 50_000,
  })
  const others = Array.from({ length: 2_000 }, (_, i) => `k${i}`).filter((key) => shardOf(hashOf(key)) !== shardOf(hashOf('t')))
  // As many keys as sizes are looked at together: room is made next, as the timer of a key that is not among them fires.
  const rounds = [[record('t', 1_000, 900, 'event')], others.slice(0, 1_024).map((key) => record(key, 1_010, 990))]
  const last = [record('t', 1_020, 1_005), record('t', 1_030, 1_012), record('t', 1_040, 1_020)]
  const start = (room?: Room): Executor => {
    const executor = executorOf(CODE, MANIFEST, room)
    executor.run(roundOf(rounds[0]!, 0))
    return executor
  }
  const plain = start()
  const expected = linesOf(plain.run(roundOf([...rounds[1]!, ...last], 1)), 0)
  const measured = start()
  measured.run(roundOf(rounds[1]!, 1))
  const spill = memorySpill()
  const tight = start({ limitBytes: measured.bytes / 4, spill })
  assert.deepEqual(linesOf(tight.run(roundOf([...rounds[1]!, ...last], 1)), 0), expected)
  const ends = ['b t 1005 2/1026', 'row t 3/1027', 'b t 1012 4/1028', 'row t 5/1029', 'a t 1012 6/1030', 'row t 7/1031']
  assert.deepEqual(expected.slice(1_024), ends)
  assert.ok(spill.writes > 0)
})

test('another definition keeps the state that fits it by name, and refuses to forget the rest unless it may', () => {
  const list: Rec[] = [0, 1, 2].map((n) => ({
    row: { key: 'k', seenMs: 1_000 + n, does: 'event', name: 'a', afterMs: 50_000 },
    watermarkMs: 900,
    appendMs: n,
  }))
  const after = (manifest: ProcessorManifest, code = CODE): Executor => {
    const before = executorOf()
    before.run(roundOf(list, 0))
    return reopen(before, executorOf(code, manifest))
  }
  const next = (executor: Executor): string[] => linesOf(executor.run(roundOf(list, 10)), 0)
  assert.equal(next(after(MANIFEST))[0], 'row k 4/4')
  const more: ProcessorManifest = { ...MANIFEST, limitMs: 7, state: { more: { kind: 'moments' }, ...MANIFEST.state } }
  assert.equal(next(after(more))[0], 'row k 4/4', 'a new state before the others moves nothing')
  const other: ProcessorManifest = { ...MANIFEST, state: { ...MANIFEST.state, calls: { kind: 'value', type: { kind: 'double' } } } }
  assert.throws(() => after(other), { code: 'MR_STREAM_STATE', message: /"calls" of output/, fix: /reset: \['calls'\]/ })
  assert.throws(() => after({ ...other, reset: ['all'] }), { code: 'MR_STREAM_STATE' })
  assert.equal(next(after({ ...other, reset: ['calls'] }))[0], 'row k 1/4')
  const { key, ...keyless } = MANIFEST
  assert.throws(() => after({ ...keyless, state: {} }), { code: 'MR_STREAM_STATE', fix: /reset: true/ })
  assert.equal(key, 'key')
  assert.equal(next(after({ ...MANIFEST, from: 'elsewhere', reset: true }))[0], 'row k 1/1')
})

test('state of which not even one part has room stops the processor with what to do', () => {
  const rows = Array.from(
    { length: 40 },
    (_, i): Rec => ({
      row: { key: 'k', seenMs: 1_000 + i, does: i % 2 ? 'event' : 'arrival', name: i % 2 ? 'a' : 'b', afterMs: 5_000 },
      watermarkMs: 0,
      appendMs: 50_000,
    }),
  )
  assert.throws(() => executorOf(CODE, MANIFEST, { limitBytes: 100, spill: memorySpill() }).run(roundOf(rows, 0)), {
    code: 'MR_STREAM_MEMORY',
    message: /more than its memory of 100/,
  })
})

test('very many timers that are due at once come in parts, and none is lost', () => {
  const rows = Array.from({ length: 45_000 }, (_, i) => ({
    row: { key: `k${i}`, seenMs: 1_000 + (i % 10), does: 'event', name: 'a' as const, afterMs: 100 },
    watermarkMs: 900,
    appendMs: 50_000,
  }))
  const executor = executorOf()
  executor.run(roundOf(rows, 0))
  while (!executor.resume().isDone);
  let parts = 0
  let fired = 0
  let ran = executor.run(roundOf([{ row: null, watermarkMs: 2_000, appendMs: 50_001 }], 45_000))
  for (; ; ran = executor.resume()) {
    parts++
    fired += linesOf(ran, 0).length
    if (ran.isDone) break
  }
  assert.equal(fired, 45_000)
  assert.ok(parts >= 3)
})

test('a call that is to be left out is not made, whether of a row or of a timer, and is told instead', () => {
  const skip = (offset: number, nth: number): Skipped => ({ partition: 0, offset, nth, code: 'MR_ROW_PROCESSOR_TIME', message: 'left out' })
  const row = (key: string, seenMs: number): Rec['row'] => ({ key, seenMs, does: 'event', name: 'a', afterMs: 5 })
  const list: Rec[] = [
    { row: row('k', 1_000), watermarkMs: 980, appendMs: 1 },
    { row: row('l', 1_001), watermarkMs: 981, appendMs: 1 },
    { row: row('k', 1_100), watermarkMs: 1_080, appendMs: 1 },
  ]
  const ran = executorOf().run(roundOf(list, 10, [skip(11, -1), skip(12, 0)]))
  assert.deepEqual(linesOf(ran, 0), ['row k 1/1', 'row k 2/2'])
  assert.deepEqual(
    ran.refusals.map(({ code, raw }) => [code, (JSON.parse(Buffer.from(raw).toString()) as { key: string }).key]),
    [
      ['MR_ROW_PROCESSOR_TIME', 'l'],
      ['MR_ROW_PROCESSOR_TIME', 'k'],
    ],
  )
})

test('chance is drawn from the place of the record: the same again, another for another record', () => {
  const draw = (): string[] => {
    const executor = executorOf({ ...CODE, on: (_row, _state, { emit, random }) => emit({ what: `${random()} ${random()}` }) })
    const list = [1, 2].map(
      (ms): Rec => ({ row: { key: 'k', seenMs: ms, does: 'count', name: 'a', afterMs: 0 }, watermarkMs: 0, appendMs: 1 }),
    )
    return linesOf(executor.run(roundOf(list, 5)), 0)
  }
  const drawn = draw()
  assert.deepEqual(draw(), drawn)
  assert.equal(new Set(drawn.flatMap((line) => line.split(' '))).size, 4)
})

test('outside of a call nothing can be emitted, set or read', () => {
  let kept: Parameters<ProcessorCode['on']>[2] | null = null
  let state: Record<string, unknown> = {}
  const keep = (given: Record<string, unknown>, context: Parameters<ProcessorCode['on']>[2]): void => {
    kept = context
    state = given
  }
  const executor = executorOf({ ...CODE, on: (_row, given, context) => keep(given, context) })
  const list: Rec[] = [{ row: { key: 'k', seenMs: 1, does: 'count', name: 'a', afterMs: 0 }, watermarkMs: 0, appendMs: 1 }]
  assert.deepEqual(executor.run(roundOf(list, 0)).refusals, [])
  assert.throws(() => kept!.emit({ what: 'late' }), { code: 'MR_PROCESSOR' })
  assert.throws(() => kept!.timer('a', Instant.fromMs(5)), { code: 'MR_PROCESSOR' })
  assert.throws(() => (state['calls'] as State['calls']).get(), { code: 'MR_PROCESSOR' })
})
