// Runs under a virtual clock: order, skips, tries, limits, one refresh of an asset at a time, and the stop.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { seededRandom } from '../core/random.ts'
import type { Asset } from './graph.ts'
import type { RunHistory, RunRecord, StepRecord } from './history.ts'
import { Runner, type RunRequest, type RunStep, type StartedRun } from './runner.ts'

const asset = (name: string, ...needs: string[]): Asset => ({ name, kind: 'model', needs, reads: needs })

/** A runner whose steps do what `act` says. */
function setUp(act: (name: string, signal: AbortSignal) => Promise<void>, concurrency = 2) {
  const clock = new VirtualClock(1_000)
  const saved: (RunRecord | StepRecord)[] = []
  const begun: string[] = []
  const active = new Map<string, number>()
  let most = 0
  const history = {
    save: async (run: RunRecord, steps: readonly StepRecord[]) => void saved.push(run, ...steps),
    saveRun: async (run: RunRecord) => void saved.push(run),
    saveStep: async (step: StepRecord) => void saved.push(step),
  } as unknown as RunHistory
  const runStep: RunStep = async ({ name }, { signal }) => {
    begun.push(name)
    active.set(name, (active.get(name) ?? 0) + 1)
    assert.equal(active.get(name), 1, `${name} is refreshed twice at once`)
    most = Math.max(
      most,
      [...active.values()].reduce((sum, count) => sum + count, 0),
    )
    try {
      await act(name, signal)
      return { note: `did ${name}`, rows: 1, effects: [] }
    } finally {
      active.set(name, active.get(name)! - 1)
    }
  }
  const runner = new Runner({ clock, random: seededRandom(1), history, runStep, concurrency, onStep: () => {}, onRun: () => {} })
  return {
    clock,
    runner,
    begun,
    most: () => most,
    start: (assets: readonly Asset[], how: Partial<RunRequest> = {}): Promise<StartedRun> =>
      runner.start({ name: 'r', trigger: 't', assets, code: null, ...how }),
    /** The last state of each step of a run, by relation. */
    steps: (id: string): Record<string, StepRecord> =>
      Object.fromEntries(
        saved.filter((record): record is StepRecord => 'ordinal' in record && record.runId === id).map((step) => [step.relation, step]),
      ),
    run: (id: string): RunRecord => saved.findLast((record): record is RunRecord => 'trigger' in record && record.id === id)!,
  }
}

test('steps wait for what they need, at most as many at once as allowed', async () => {
  const world = setUp(() => world.clock.sleep(100))
  const { id, done } = await world.start([asset('a'), asset('b'), asset('c'), asset('d', 'a', 'b'), asset('e', 'd', 'elsewhere')])
  await world.clock.advance(1_000)
  assert.equal((await done).status, 'succeeded')
  assert.ok(world.begun.indexOf('d') > world.begun.indexOf('a') && world.begun.indexOf('d') > world.begun.indexOf('b'))
  assert.equal(world.begun.at(-1), 'e')
  assert.equal(world.most(), 2)
  const { e } = world.steps(id)
  assert.deepEqual([e!.status, e!.waitsOn, e!.note, e!.tries.length], ['succeeded', ['d'], 'did e', 1])
})

test('what waits for a failed step is skipped, the rest runs; errors keep their code and fix', async () => {
  const world = setUp(async (name) => {
    if (name === 'a') throw new MillraceError('MR_SQL_TYPE', 'no', { fix: 'do', at: 'models.ts:3' })
  })
  const { id, done } = await world.start([asset('a'), asset('b'), asset('c', 'a'), asset('d', 'c', 'b')])
  assert.equal((await done).status, 'partial')
  const steps = world.steps(id)
  assert.deepEqual(
    Object.values(steps).map(({ status }) => status),
    ['failed', 'succeeded', 'skipped', 'skipped'],
  )
  assert.deepEqual(steps['a']!.error, { code: 'MR_SQL_TYPE', message: 'no', fix: 'do', at: 'models.ts:3' })
  assert.deepEqual([steps['c']!.waitsOn, steps['d']!.waitsOn], [['a'], ['c']])
  const alone = await world.start([asset('a')])
  assert.equal((await alone.done).status, 'failed')
})

test('tries: as many as asked for, with growing waits; a blocked check is final; a conflict is repeated unasked', async () => {
  const errors: Record<string, MillraceError> = {
    plain: new MillraceError('MR_SQL_RUNTIME', 'x'),
    blocked: new MillraceError('MR_CHECK_BLOCKED', 'x'),
    conflict: new MillraceError('MR_LAKE_CONFLICT', 'x'),
  }
  let left = 2
  const world = setUp(async (name) => {
    if (name === 'third' ? left-- > 0 : true) throw errors[name === 'third' ? 'plain' : name]!
  })
  const run = async (name: string, times?: number) => {
    const { id, done } = await world.start([asset(name)], times === undefined ? {} : { retry: { times, waitMs: 1_000 } })
    for (let i = 0; i < 40; i++) await world.clock.advance(1_000)
    await done
    return world.steps(id)[name]!
  }
  const third = await run('third', 2)
  assert.deepEqual([third.status, third.tries.map(({ error }) => error)], ['succeeded', ['MR_SQL_RUNTIME x', 'MR_SQL_RUNTIME x', null]])
  const waits = third.tries.slice(1).map((attempt, index) => attempt.startedAtMs - third.tries[index]!.endedAtMs!)
  assert.ok(waits[0]! >= 500 && waits[0]! <= 1_000 && waits[1]! >= 1_000 && waits[1]! <= 2_000, String(waits))
  assert.equal((await run('plain', 3)).tries.length, 4)
  assert.equal((await run('plain')).tries.length, 1)
  assert.equal((await run('blocked', 3)).tries.length, 1)
  assert.equal((await run('conflict')).tries.length, 4)
})

test('a time limit ends the step; the next refresh of the asset waits until the work has really ended', async () => {
  let end = (): void => {}
  const told: unknown[] = []
  const world = setUp((name, signal) => {
    if (name !== 'slow') return Promise.resolve()
    signal.addEventListener('abort', () => told.push(signal.reason))
    return new Promise<void>((resolve) => {
      end = resolve
    })
  })
  const first = await world.start([asset('slow'), asset('next', 'slow')], { timeoutMs: 1_000 })
  await world.clock.advance(1_000)
  assert.equal((await first.done).status, 'failed')
  assert.equal(world.steps(first.id)['slow']!.error!.code, 'MR_RUN_TIMEOUT')
  assert.equal(world.steps(first.id)['next']!.status, 'skipped')
  assert.equal((told[0] as MillraceError).code, 'MR_RUN_TIMEOUT')
  assert.ok(world.runner.isBusy('slow'))
  const second = await world.start([asset('slow')])
  await world.clock.advance(5_000)
  assert.deepEqual(world.begun, ['slow'])
  end()
  await world.clock.advance(0)
  assert.deepEqual(world.begun, ['slow', 'slow'])
  end()
  assert.equal((await second.done).status, 'succeeded')
  await world.clock.advance(0)
  assert.ok(!world.runner.isBusy('slow'))
})

test('many runs of one asset take turns', async () => {
  const world = setUp(() => world.clock.sleep(10), 4)
  const runs = await Promise.all(Array.from({ length: 6 }, () => world.start([asset('a'), asset('b', 'a')])))
  await world.clock.advance(1_000)
  assert.deepEqual(await Promise.all(runs.map(async ({ done }) => (await done).status)), Array(6).fill('succeeded'))
  assert.equal(world.begun.filter((name) => name === 'a').length, 6)
})

test('stop: what runs may end, what has not begun is skipped, what does not end in time is cancelled', async () => {
  const world = setUp((name) => (name === 'stuck' ? new Promise(() => {}) : world.clock.sleep(50)))
  const { id, done } = await world.start([asset('a'), asset('stuck'), asset('b', 'a')])
  await world.clock.advance(10)
  const stopping = world.runner.stop(1_000)
  await assert.rejects(world.start([asset('a')]), { code: 'MR_CANCELLED' })
  await world.clock.advance(2_000)
  await stopping
  assert.equal((await done).status, 'cancelled')
  assert.deepEqual(
    Object.values(world.steps(id)).map(({ relation, status }) => `${relation} ${status}`),
    ['a succeeded', 'stuck failed', 'b skipped'],
  )
  assert.equal(world.steps(id)['stuck']!.error!.code, 'MR_CANCELLED')
  assert.ok(world.runner.isIdle)
})
