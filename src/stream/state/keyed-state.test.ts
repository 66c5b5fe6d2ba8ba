// Each kind of keyed state: what it answers, that a checkpoint gives it back, and that undo takes changes back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { StateManifest } from '../../define/manifest.ts'
import type { EwmaState, ExpiringSetState, MomentsState, ValueState } from '../../define/state.ts'
import { Decimal } from '../../schema/decimal.ts'
import { Instant } from '../../schema/instant.ts'
import { reopen, writtenBytes } from '../testing.ts'
import { KeyedState, keyedState } from './keyed-state.ts'
import { memorySpill } from './spill.ts'

const handle = <T>(state: KeyedState, name: string): T => state.handles[name] as T

/** As a checkpoint does it: through JSON. */
function reopened(state: KeyedState, declared: Record<string, StateManifest>): KeyedState {
  return reopen(state, keyedState(declared))
}

test('value: every type comes back as it was, for its own key', () => {
  const cases: [StateManifest & { kind: 'value' }, unknown][] = [
    [{ kind: 'value', type: { kind: 'string' } }, 'é'],
    [{ kind: 'value', type: { kind: 'boolean' } }, false],
    [{ kind: 'value', type: { kind: 'long' } }, 9_223_372_036_854_775_807n],
    [{ kind: 'value', type: { kind: 'double' } }, Number.NaN],
    [{ kind: 'value', type: { kind: 'double' } }, 0.1],
    [{ kind: 'value', type: { kind: 'decimal', precision: 38, scale: 2 } }, Decimal.from('-123456789012345678901234.50')],
    [{ kind: 'value', type: { kind: 'timestamp' } }, Instant.fromIso('2026-01-01T00:00:00.000001Z')],
    [{ kind: 'value', type: { kind: 'binary' } }, new Uint8Array([0, 255])],
    [{ kind: 'value', type: { kind: 'json' } }, { a: [1, null, 'x'] }],
  ]
  for (const [declared, value] of cases) {
    const state = keyedState({ v: declared })
    state.enter('k', 0, Number.NEGATIVE_INFINITY)
    assert.equal(handle<ValueState<unknown>>(state, 'v').get(), null)
    handle<ValueState<unknown>>(state, 'v').set(value)
    const again = reopened(state, { v: declared })
    again.enter('other', 0, Number.NEGATIVE_INFINITY)
    assert.equal(handle<ValueState<unknown>>(again, 'v').get(), null)
    again.enter('k', 0, Number.NEGATIVE_INFINITY)
    assert.deepEqual(handle<ValueState<unknown>>(again, 'v').get(), value)
    handle<ValueState<unknown>>(again, 'v').clear()
    assert.equal(handle<ValueState<unknown>>(again, 'v').get(), null)
  }
})

test('value: what user code does to an object that it got or gave changes nothing', () => {
  const state = keyedState({ v: { kind: 'value', type: { kind: 'json' } } })
  const { v } = { v: handle<ValueState<{ list: number[] }>>(state, 'v') }
  state.enter('k', 0, Number.NEGATIVE_INFINITY)
  const given = { list: [1] }
  v.set(given)
  given.list.push(2)
  v.get()!.list.push(3)
  assert.deepEqual(v.get(), { list: [1] })
})

test('expiringSet: members go when their time is over, whatever the order of events', () => {
  const declared = { s: { kind: 'expiringSet', type: { kind: 'string' }, withinMs: 10 } } as const
  const state = keyedState(declared)
  const set = handle<ExpiringSetState<string>>(state, 's')
  const enter = (ms: number): void => state.enter('k', ms * 1_000, Number.NEGATIVE_INFINITY)
  enter(0)
  set.add('a')
  enter(5)
  set.add('b')
  set.add('a')
  assert.equal(set.size, 2)
  enter(2)
  set.add('a')
  enter(14)
  assert.ok(set.has('a') && set.has('b'))
  const again = reopened(state, declared)
  again.enter('k', 15_000, 15_000)
  assert.equal(handle<ExpiringSetState<string>>(again, 's').size, 0)
  assert.deepEqual((again.save() as { shards: unknown[] }).shards, [], 'a key with nothing to remember is forgotten')
  assert.equal(again.keys, 0)
})

test('ewma: a steady rate is found, and fades', () => {
  const state = keyedState({ r: { kind: 'ewma', windowMs: 10_000 } })
  const rate = handle<EwmaState>(state, 'r')
  for (let ms = 0; ms < 200_000; ms += 100) {
    state.enter('k', ms * 1_000, Number.NEGATIVE_INFINITY)
    rate.tick()
  }
  assert.ok(Math.abs(rate.value - 10) < 0.2, `${rate.value}`)
  state.enter('k', 210_000 * 1_000, Number.NEGATIVE_INFINITY)
  assert.ok(Math.abs(rate.value - 10 / Math.E) < 0.2, `${rate.value}`)
})

test('moments: as the textbook has it, across checkpoints', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 30 }), (values) => {
      const declared = { m: { kind: 'moments' } } as const
      let state = keyedState(declared)
      for (const value of values) {
        state.enter('k', 0, Number.NEGATIVE_INFINITY)
        handle<MomentsState>(state, 'm').add(value)
        state = reopened(state, declared)
      }
      state.enter('k', 0, Number.NEGATIVE_INFINITY)
      const m = handle<MomentsState>(state, 'm')
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length
      const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1)
      const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-6 * Math.max(1, Math.abs(a), Math.abs(b))
      assert.equal(m.count, values.length)
      assert.ok(isNear(m.mean, mean) && isNear(m.variance, variance) && isNear(m.deviation, Math.sqrt(variance)))
      const one = m.mean + m.deviation // as near as a double of its size comes
      assert.ok(m.deviation === 0 ? m.score(5) === 0 : isNear(m.score(one), (one - m.mean) / m.deviation))
    }),
    { numRuns: 50 },
  )
})

test('undo takes back what was done since enter; a state declared anew starts empty', () => {
  const declared = { v: { kind: 'value', type: { kind: 'int' } }, m: { kind: 'moments' } } as const
  const state = keyedState(declared)
  state.enter('k', 0, Number.NEGATIVE_INFINITY)
  handle<ValueState<number>>(state, 'v').set(1)
  handle<MomentsState>(state, 'm').add(4)
  state.enter('k', 0, Number.NEGATIVE_INFINITY)
  handle<ValueState<number>>(state, 'v').set(2)
  handle<MomentsState>(state, 'm').add(6)
  state.undo()
  assert.equal(handle<ValueState<number>>(state, 'v').get(), 1)
  assert.equal(handle<MomentsState>(state, 'm').mean, 4)
  const changed = { m: { kind: 'value', type: { kind: 'int' } }, v: { kind: 'value', type: { kind: 'int' } } } as const
  const again = keyedState(changed)
  reopen(state, again)
  again.enter('k', 0, Number.NEGATIVE_INFINITY)
  assert.equal(handle<ValueState<number>>(again, 'v').get(), 1)
  assert.equal(handle<ValueState<number>>(again, 'm').get(), null)
})

test('a checkpoint takes what has changed since the one before, and now and then all of a part', () => {
  const declared = {
    n: { kind: 'value', type: { kind: 'int' } },
    s: { kind: 'expiringSet', type: { kind: 'string' }, withinMs: 50 },
  } as const
  type Handles = { n: ValueState<number>; s: ExpiringSetState<string> }
  const change = (state: KeyedState, key: number, ms: number): void => {
    state.enter(`key ${key}`, ms * 1_000, ms * 1_000)
    const { n, s } = state.handles as unknown as Handles
    if (key % 3 === 0) n.set(ms)
    else s.add(`${ms}`)
    state.leave()
  }
  let state = keyedState(declared)
  for (let key = 0; key < 20_000; key++) change(state, key, 1)
  const whole = writtenBytes(state.save())
  state = keyedState(declared)
  for (let key = 0; key < 20_000; key++) change(state, key, 1)
  state = reopen(state, keyedState(declared))
  const none = writtenBytes(state.save())
  assert.ok(whole > 500_000 && none < 15_000, `${whole} and then ${none} bytes`)
  for (let key = 0; key < 10; key++) change(state, key, 2)
  state.enter('key 7', 2_000, 2_000)
  const little = writtenBytes(state.save()) - none
  assert.ok(little < 1_000, `${little} bytes for ten keys, one of them only looked at`)
})

test('after any changes and checkpoints a state is what it would be without them', () => {
  const declared = { n: { kind: 'value', type: { kind: 'int' } }, s: { kind: 'expiringSet', type: { kind: 'int' }, withinMs: 20 } } as const
  type Handles = { n: ValueState<number>; s: ExpiringSetState<number> }
  const step = fc.record({ key: fc.nat(40), does: fc.constantFrom('set', 'clear', 'add', 'look', 'save', 'reopen', 'throw') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300, size: 'max' }), fc.option(fc.constantFrom(1_500, 4_000)), (steps, limitBytes) => {
      const parts = { declared, ...(limitBytes ? { room: { limitBytes, spill: memorySpill() } } : {}) }
      const plain = new KeyedState({ declared })
      let state = new KeyedState(parts)
      for (const [ms, { key, does }] of steps.entries()) {
        if (does === 'reopen' || does === 'save') state = reopen(state, new KeyedState(parts))
        const seen = [plain, state].map((one) => {
          one.enter(`${key}`, ms * 1_000, (ms - 3) * 1_000)
          const { n, s } = one.handles as unknown as Handles
          if (does === 'set' || does === 'throw') n.set(ms)
          if (does === 'clear') n.clear()
          if (does === 'add' || does === 'throw') s.add(ms)
          if (does === 'throw') one.undo()
          const saw = [n.get(), s.values()]
          one.leave()
          one.settle()
          return saw
        })
        assert.deepEqual(seen[1], seen[0])
      }
    }),
    { numRuns: 200 },
  )
})

test('numbers that JSON has no text for are the same after a checkpoint', () => {
  const declared = {
    value: { kind: 'value', type: { kind: 'double' } },
    window: { kind: 'window', withinMs: 1_000, panes: 10 },
    rate: { kind: 'ewma', windowMs: 1_000 },
    moments: { kind: 'moments' },
  } as const
  interface Handles {
    readonly value: { get(): number | null; set(value: number): void }
    readonly window: { add(value: number): void; readonly sum: number; readonly min: number | null; readonly max: number | null }
    readonly rate: { tick(weight: number): void; readonly value: number }
    readonly moments: { add(value: number): void; readonly variance: number }
  }
  const shown = (state: ReturnType<typeof keyedState>) => {
    state.enter('k', 0, 0)
    const { value, window, rate, moments } = state.handles as unknown as Handles
    return [value.get(), window.sum, window.min, window.max, rate.value, moments.variance]
  }
  for (const number of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0]) {
    const state = keyedState(declared)
    state.enter('k', 0, 0)
    const { value, window, rate, moments } = state.handles as unknown as Handles
    value.set(number)
    window.add(number)
    rate.tick(number)
    // Their spread is beyond what a double holds.
    for (const large of [-1e300, 1e300]) moments.add(large)
    const before = shown(state)
    state.leave()
    assert.deepEqual(before[0], number === 0 ? 0 : number)
    assert.deepEqual(shown(reopen(state, keyedState(declared))), before)
  }
})
