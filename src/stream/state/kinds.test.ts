// Laws of every kind of state over random calls: what a call that was taken back did is not seen, a checkpoint anywhere
// changes nothing, and the answers are those of a plain model that keeps every call and looks at all of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StateManifest } from '../../define/manifest.ts'
import type {
  DistinctState,
  EwmaState,
  ExpiringSetState,
  LogisticState,
  MapState,
  QuantilesState,
  RegressionState,
  TopState,
  WindowState,
} from '../../define/state.ts'
import { reopen } from '../testing.ts'
import { type KeyedState, keyedState } from './keyed-state.ts'

/** One call: a key, a time, what is done, and whether it is taken back. */
interface Call {
  readonly key: string
  readonly nowMs: number
  readonly floorMs: number
  readonly word: string
  readonly number: number
  readonly does: 'add' | 'set' | 'delete' | 'clear'
  readonly isUndone: boolean
  readonly isSaved: boolean
}

const LATENESS_MS = 40

/** Times jump about, never further behind than the lateness. */
const calls: fc.Arbitrary<Call[]> = fc
  .array(
    fc.record({
      key: fc.constantFrom('a', 'b'),
      stepMs: fc.integer({ min: 0, max: 30 }),
      behindMs: fc.integer({ min: 0, max: LATENESS_MS }),
      word: fc.constantFrom('x', 'y', 'z', 'é', 'w'),
      number: fc.integer({ min: -50, max: 50 }),
      does: fc.constantFrom('add', 'add', 'set', 'delete', 'clear'),
      isUndone: fc.boolean(),
      isSaved: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((list) => {
    let headMs = 1_000
    let floorMs = Number.NEGATIVE_INFINITY
    return list.map(({ stepMs, behindMs, ...call }) => {
      headMs += stepMs
      const made: Call = { ...call, nowMs: Math.max(headMs - behindMs, floorMs), floorMs }
      floorMs = Math.max(floorMs, made.nowMs - LATENESS_MS)
      return made
    }) as Call[]
  })

const handleOf = <T>(state: KeyedState): T => state.handles['s'] as T

function reopened(state: KeyedState, declared: Record<string, StateManifest>): KeyedState {
  return reopen(state, keyedState(declared))
}

/** `seen` of each call after it was made, when all happens; undone calls answer null. */
function observe<T>(
  manifest: StateManifest,
  list: readonly Call[],
  act: (handle: T, call: Call) => void,
  seen: (handle: T) => unknown,
  isPlain: boolean,
) {
  const declared = { s: manifest }
  let state = keyedState(declared)
  return list.map((call) => {
    if (isPlain && call.isUndone) return null
    if (!isPlain && call.isSaved) state = reopened(state, declared)
    state.enter(call.key, call.nowMs * 1_000, call.floorMs * 1_000)
    const handle = handleOf<T>(state)
    act(handle, call)
    const saw = JSON.stringify(seen(handle))
    if (!call.isUndone) return saw
    act(handle, { ...call, word: 'other', number: 7 })
    state.undo()
    return null
  })
}

/** A plain model: the calls so far of the key that were not taken back, the current one last. */
type Model = (calls: readonly Call[], nowMs: number) => unknown

function law<T>(manifest: StateManifest, act: (handle: T, call: Call) => void, seen: (handle: T) => unknown, model: Model | null): void {
  fc.assert(
    fc.property(calls, (list) => {
      const all = observe(manifest, list, act, seen, false)
      assert.deepEqual(all, observe(manifest, list, act, seen, true), 'neither calls that were taken back nor checkpoints show')
      if (!model) return
      for (const [index, call] of list.entries()) {
        if (call.isUndone) continue
        const own = list
          .slice(0, index + 1)
          .filter((other) => !other.isUndone && (manifest.scope === 'partition' || other.key === call.key))
        assert.equal(all[index], JSON.stringify(model(own, call.nowMs)), `call ${index}`)
      }
    }),
    { numRuns: 300 },
  )
}

const STRING = { kind: 'string' } as const
const byWord = (a: readonly [string, unknown], b: readonly [string, unknown]): number => (a[0] < b[0] ? -1 : 1)

for (const withinMs of [undefined, 35]) {
  test(`map: as a list of its changes, ${withinMs ? 'with' : 'without'} an end of life`, () => {
    law<MapState<string, number>>(
      { kind: 'map', key: STRING, type: { kind: 'int' }, ...(withinMs ? { withinMs } : {}) },
      (map, { does, word, number }) => (does === 'clear' ? map.clear() : does === 'delete' ? map.delete(word) : map.set(word, number)),
      (map) => [map.size, map.entries(), map.get('x'), map.has('é')],
      (made, nowMs) => {
        const entries = new Map<string, [number, number]>()
        for (const { does, word, number, nowMs: atMs } of made) {
          const old = entries.get(word)
          const isLive = old !== undefined && (withinMs === undefined || atMs - old[1] < withinMs)
          if (does === 'clear') entries.clear()
          else if (does === 'delete') entries.delete(word)
          else entries.set(word, [number, isLive ? Math.max(old[1], atMs) : atMs])
        }
        const live = [...entries].filter(([, [, atMs]]) => withinMs === undefined || nowMs - atMs < withinMs).sort(byWord)
        const found = new Map(live)
        return [live.length, live.map(([word, [number]]) => [word, number]), found.get('x')?.[0] ?? null, found.has('é')]
      },
    )
  })
}

test('expiringSet: each member until its time after it was last added', () => {
  law<ExpiringSetState<string>>(
    { kind: 'expiringSet', type: STRING, withinMs: 50 },
    (set, { word }) => set.add(word),
    (set) => [set.size, set.has('y'), [...set.values()].sort()],
    (made, nowMs) => {
      const last = new Map<string, number>()
      for (const { word, nowMs: atMs } of made) last.set(word, Math.max(atMs, last.get(word) ?? atMs))
      const live = [...last].filter(([, atMs]) => nowMs - atMs < 50).map(([word]) => word)
      return [live.length, live.includes('y'), live.sort()]
    },
  )
})

test('window: every pane of the last so long, and no other', () => {
  const [withinMs, panes] = [60, 6]
  law<WindowState>(
    { kind: 'window', withinMs, panes },
    (window, { number }) => window.add(number),
    (window) => [window.count, window.sum, window.min, window.max, window.mean],
    (made, nowMs) => {
      const paneOf = (ms: number): number => Math.floor(ms / (withinMs / panes))
      const live = made.filter(({ nowMs: atMs }) => paneOf(atMs) <= paneOf(nowMs) && paneOf(atMs) > paneOf(nowMs) - panes)
      const numbers = live.map(({ number }) => number)
      const sum = numbers.reduce((a, b) => a + b, 0)
      return [numbers.length, sum, Math.min(...numbers), Math.max(...numbers), sum / numbers.length]
    },
  )
})

test('window: a key holds no more panes than fit into the window and the lateness', () => {
  const state = keyedState({ s: { kind: 'window', withinMs: 60, panes: 6 } })
  for (let ms = 0; ms < 10_000; ms++) {
    state.enter('k', ms * 1_000, (ms - LATENESS_MS) * 1_000)
    handleOf<WindowState>(state).add()
  }
  const { shards } = state.save() as { shards: { base: Uint8Array[] }[] }
  const [, cells] = JSON.parse(Buffer.concat(shards[0]!.base).toString()) as [string, [unknown[]]]
  assert.ok(cells[0].length <= 11, `${cells[0].length} panes`)
})

test('ewma, quantiles, distinct and models are functions of the calls that stand', () => {
  law<EwmaState>(
    { kind: 'ewma', windowMs: 20 },
    (rate, { number }) => rate.tick(Math.abs(number)),
    (rate) => rate.value,
    null,
  )
  law<QuantilesState>(
    { kind: 'quantiles', accuracy: 0.01 },
    (sketch, { number }) => sketch.add(number),
    (sketch) => [sketch.count, sketch.quantile(0), sketch.quantile(0.5), sketch.quantile(1)],
    null,
  )
  law<DistinctState<string>>(
    { kind: 'distinct', type: STRING, precision: 4 },
    (sketch, { word, number }) => sketch.add(`${word}${number}`),
    (sketch) => sketch.count,
    null,
  )
})

test('top: exact while the counters suffice', () => {
  law<TopState<string>>(
    { kind: 'top', type: STRING, size: 3, counters: 10 },
    (top, { word, number }) => top.add(word, 1 + Math.abs(number)),
    (top) => top.values(),
    (made) => {
      const counts = new Map<string, number>()
      for (const { word, number } of made) counts.set(word, (counts.get(word) ?? 0) + 1 + Math.abs(number))
      const ranked = [...counts].sort((a, b) => b[1] - a[1] || byWord(a, b)).slice(0, 3)
      return ranked.map(([value, count]) => ({ value, count, error: 0 }))
    },
  )
})

test('top: with too few counters a count is too high by at most its error', () => {
  law<TopState<string>>(
    { kind: 'top', type: STRING, size: 2, counters: 2 },
    (top, { word }) => top.add(word),
    (top) => top.values(),
    null,
  )
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 }).map((n) => Math.floor(Math.sqrt(n)))), (values) => {
      const state = keyedState({ s: { kind: 'top', type: { kind: 'int' }, size: 4, counters: 4 } })
      for (const value of values) {
        state.enter('k', 0, 0)
        handleOf<TopState<number>>(state).add(value)
      }
      state.enter('k', 0, 0)
      for (const { value, count, error } of handleOf<TopState<number>>(state).values()) {
        const exact = values.filter((other) => other === value).length
        assert.ok(exact <= count && count - error <= exact, `${value}: ${exact} is told as ${count} less ${error}`)
        assert.ok(error <= values.length / 4)
      }
    }),
  )
})

test('distinct: within four standard errors, from one value to a hundred thousand', () => {
  for (const precision of [8, 12]) {
    const state = keyedState({ s: { kind: 'distinct', type: { kind: 'long' }, precision } })
    const sketch = handleOf<DistinctState<bigint>>(state)
    let added = 0
    for (const count of [1, 5, 40, 300, 2_000, 20_000, 100_000]) {
      state.enter('k', 0, 0)
      for (; added < count; added++) {
        sketch.add(BigInt(added))
        if (added % 3 === 0) sketch.add(BigInt(added >> 1))
      }
      const error = Math.abs(sketch.count - count) / count
      assert.ok(error <= (4 * 1.04) / 2 ** (precision / 2), `${count} are told as ${sketch.count} with precision ${precision}`)
    }
  }
})

test('quantiles: within the accuracy of the true value, of any sign and size', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -1e9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (numbers, q) => {
        const state = keyedState({ s: { kind: 'quantiles', accuracy: 0.02 } })
        state.enter('k', 0, 0)
        const sketch = handleOf<QuantilesState>(state)
        for (const number of numbers) sketch.add(number)
        const exact = [...numbers].sort((a, b) => a - b)[Math.floor(q * (numbers.length - 1))]!
        assert.ok(Math.abs(sketch.quantile(q)! - exact) <= 0.0201 * Math.abs(exact) + 1e-300, `${sketch.quantile(q)} for ${exact}`)
      },
    ),
  )
})

test('quantiles: numbers of very many sizes keep to the number of buckets; the large ones stay accurate', () => {
  const state = keyedState({ s: { kind: 'quantiles', accuracy: 0.001 } })
  state.enter('k', 0, 0)
  const sketch = handleOf<QuantilesState>(state)
  for (let i = 0; i < 5_000; i++) sketch.add(1.01 ** i)
  const { shards } = state.save() as { shards: { base: Uint8Array[] }[] }
  const [, cells] = JSON.parse(Buffer.concat(shards[0]!.base).toString()) as [string, [[unknown[], unknown[], number]]]
  assert.ok(cells[0][0].length <= 2_048)
  assert.equal(sketch.count, 5_000)
  assert.ok(Math.abs(sketch.quantile(1)! / 1.01 ** 4_999 - 1) < 0.0011)
})

const FEATURES = ['x', 'y'] as const

test('logistic: as the formula has it, and it learns to tell two sides apart', () => {
  const manifest: StateManifest = { kind: 'logistic', scope: 'partition', features: FEATURES, rate: 0.5, decay: 0.01 }
  type Model = LogisticState<'x' | 'y'>
  const inputsOf = ({ number, word }: Call): { x: number; y: number } => ({ x: number / 50, y: word === 'x' ? 1 : 0 })
  law<Model>(
    manifest,
    (model, call) => model.learn(inputsOf(call), call.number > 0),
    (model) => [model.version, model.weights, model.score({ x: 1, y: 1 })],
    (made) => {
      const w = [0, 0, 0]
      const g = [0, 0, 0]
      const chance = (v: readonly number[]): number => 1 / (1 + Math.exp(-(w[0]! * v[0]! + w[1]! * v[1]! + w[2]! * v[2]!)))
      for (const call of made) {
        const { x, y } = inputsOf(call)
        const v = [x, y, 1]
        const slope = chance(v) - (call.number > 0 ? 1 : 0)
        const gradients = v.map((value, i) => slope * value + (i < 2 ? 0.01 * w[i]! : 0))
        gradients.forEach((gradient, i) => {
          g[i]! += gradient * gradient
          if (gradient !== 0) w[i]! -= (0.5 * gradient) / Math.sqrt(g[i]!)
        })
      }
      return [made.length, { x: w[0], y: w[1], intercept: w[2] }, chance([1, 1, 1])]
    },
  )
  const state = keyedState({ s: manifest })
  state.enter('', 0, 0)
  const model = handleOf<Model>(state)
  for (let i = 0; i < 2_000; i++) model.learn({ x: Math.sin(i), y: Math.cos(7 * i) }, Math.sin(i) > 0)
  assert.ok(model.score({ x: 0.8, y: 0 }) > 0.95 && model.score({ x: -0.8, y: 0 }) < 0.05)
})

test('regression: finds a line; what is not a number is refused and changes nothing', () => {
  const state = keyedState({ s: { kind: 'regression', features: FEATURES, rate: 0.5, decay: 0 } })
  state.enter('k', 0, 0)
  const model = handleOf<RegressionState<'x' | 'y'>>(state)
  for (let i = 0; i < 5_000; i++) {
    const [x, y] = [Math.sin(i), Math.cos(3 * i)]
    model.learn({ x, y }, 2 * x - 3 * y + 1)
  }
  const { x, y, intercept } = model.weights
  assert.ok(Math.abs(x - 2) < 0.05 && Math.abs(y + 3) < 0.05 && Math.abs(intercept - 1) < 0.05, JSON.stringify(model.weights))
  const before = JSON.stringify(model.weights)
  assert.throws(() => model.learn({ x: Number.NaN, y: 1 }, 1), { code: 'MR_PROCESSOR', message: /NaN for x/ })
  assert.throws(() => model.predict({ x: 1 } as { x: number; y: number }), { code: 'MR_PROCESSOR', message: /undefined for y/ })
  assert.equal(JSON.stringify(model.weights), before)
})

test('shared state is one for all keys; keyed state is not', () => {
  const state = keyedState({ own: { kind: 'moments' }, all: { kind: 'moments', scope: 'partition' } })
  const { own, all } = state.handles as unknown as Record<'own' | 'all', { add(x: number): void; readonly count: number }>
  for (const key of ['a', 'b', 'a']) {
    state.enter(key, 0, 0)
    own.add(1)
    all.add(1)
  }
  assert.deepEqual([own.count, all.count], [2, 3])
  state.enter('c', 0, 0)
  all.add(1)
  state.undo()
  assert.deepEqual([own.count, all.count], [0, 3])
  state.leave()
  assert.throws(() => own.count, { code: 'MR_PROCESSOR', message: /"own" was used after the call/ })
})

test('keys whose state has expired are forgotten by the next checkpoint', () => {
  const state = keyedState({
    s: { kind: 'expiringSet', type: { kind: 'int' }, withinMs: 100 },
    m: { kind: 'map', key: { kind: 'int' }, type: { kind: 'int' }, withinMs: 50 },
  })
  for (let i = 0; i < 1_000; i++) {
    state.enter(`k${i}`, i * 1_000, (i - 10) * 1_000)
    handleOf<ExpiringSetState<number>>(state).add(i)
    ;(state.handles['m'] as unknown as MapState<number, number>).set(i, i)
  }
  state.save()
  assert.ok(state.keys <= 111, `${state.keys} keys are kept`)
})
