// What starts runs by itself, under a virtual clock: commits that settle, pacing by freshness, jobs, polls, and that nothing is
// lost while an asset is busy or a run cannot be begun.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import type { JobManifest, Manifest, ModelManifest, Relation, TableManifest } from '../define/manifest.ts'
import { assetsOf, chooseAssets, downstream, readsOf } from './graph.ts'
import type { Runner, RunRequest } from './runner.ts'
import { Triggers } from './triggers.ts'

const COMMON = { at: 'm.ts:1', tags: [], shape: { fields: [] }, partition: [], cluster: [], keep: { logMs: 0 } }
const model = (name: string, inputs: readonly string[], how: Partial<ModelManifest> = {}): ModelManifest => ({
  kind: 'model',
  name,
  ...COMMON,
  sql: { text: '', params: [] },
  inputs,
  refresh: 'full',
  key: [],
  emit: 'final',
  declared: false,
  ...how,
})
const files = (name: string, everyMs?: number): TableManifest => ({
  kind: 'table',
  name,
  ...COMMON,
  key: [],
  source: { kind: 'files', path: '*', format: 'csv', options: {}, ...(everyMs === undefined ? {} : { everyMs }) },
  load: 'full',
})
const stream = (name: string): Relation => ({ kind: 'stream', name, ...COMMON, source: 'http', partitions: 1, latenessMs: 0 })
const manifestOf = (relations: readonly Relation[], jobs: readonly Partial<JobManifest>[] = []): Manifest =>
  ({ relations, jobs: jobs.map((job) => ({ at: 'm.ts:1', retry: { times: 0, waitMs: 0 }, ...job })) }) as unknown as Manifest

function setUp(manifest: Manifest) {
  const clock = new VirtualClock(0)
  const runs: { atMs: number; assets: string[]; name: string; end: () => void }[] = []
  const busy = new Set<string>()
  const errors: unknown[] = []
  const state = { fails: 0 }
  const runner = {
    isBusy: (asset: string) => busy.has(asset),
    start: async (request: RunRequest) => {
      if (state.fails-- > 0) throw new Error('the store is gone')
      let end = (): void => {}
      const done = new Promise<void>((resolve) => {
        end = resolve
      })
      runs.push({ atMs: clock.nowMs(), assets: request.assets.map(({ name }) => name), name: request.name, end })
      return { id: 'r', done }
    },
  } as unknown as Runner
  const triggers = new Triggers(manifest, { clock, runner, code: () => null, onError: (error) => errors.push(error) })
  return { clock, runs, busy, errors, state, triggers, seen: () => runs.splice(0).map(({ atMs, assets }) => `${atMs} ${assets.join(' ')}`) }
}

test('the graph: views are looked through, streams are no assets, order is that of the manifest', () => {
  const manifest = manifestOf([
    stream('s'),
    files('f'),
    model('v', ['s', 'f'], { refresh: 'view' }),
    model('l', ['s'], { refresh: 'live' }),
    model('a', ['v', 'l']),
    model('b', ['a']),
  ])
  const assets = assetsOf(manifest)
  assert.deepEqual(
    assets.map(({ name, kind, needs, reads }) => ({ name, kind, needs, reads })),
    [
      { name: 'f', kind: 'load', needs: [], reads: [] },
      { name: 'a', kind: 'model', needs: ['f'], reads: ['s', 'f', 'l'] },
      { name: 'b', kind: 'model', needs: ['a'], reads: ['a'] },
    ],
  )
  assert.deepEqual(readsOf(manifest, manifest.relations[0]!), [])
  assert.deepEqual(
    chooseAssets(assets, ['b', 'f']).map(({ name }) => name),
    ['f', 'b'],
  )
  assert.throws(() => chooseAssets(assets, ['s']), { code: 'MR_PLAN_UNKNOWN', fix: /f, a, b/ })
  assert.deepEqual(
    downstream(assets, ['l']).map(({ name }) => name),
    ['a', 'b'],
  )
})

test('at the start everything runs once; then commits settle into one run of what is stale', async () => {
  const world = setUp(manifestOf([stream('s'), stream('t'), files('f'), model('a', ['s', 't']), model('b', ['a', 'f'])]))
  world.triggers.committed('s')
  await world.triggers.start()
  assert.deepEqual(world.seen(), ['0 f a b'])
  await world.clock.advance(1_000)
  world.triggers.committed('s')
  await world.clock.advance(30)
  world.triggers.committed('t')
  await world.clock.advance(100)
  assert.deepEqual(world.seen(), ['1050 a b'])
  world.triggers.committed('f')
  world.triggers.committed('unknown')
  await world.clock.advance(1_000)
  assert.deepEqual(world.seen(), ['1180 b'])
  world.triggers.stop()
  world.triggers.committed('s')
  await world.clock.advance(60_000)
  assert.deepEqual(world.seen(), [])
})

test('a freshness target paces; one asset that waits holds up no other', async () => {
  const world = setUp(manifestOf([stream('s'), model('slow', ['s'], { freshMs: 600_000 }), model('fast', ['s']), model('after', ['slow'])]))
  await world.triggers.start()
  world.seen()
  for (let i = 0; i < 4; i++) {
    world.triggers.committed('s')
    await world.clock.advance(1_000)
  }
  assert.deepEqual(world.seen(), ['50 slow fast after', '1050 fast', '2050 fast', '3050 fast'])
  await world.clock.advance(600_000)
  assert.deepEqual(world.seen(), ['300050 slow after'])
  await world.clock.advance(600_000)
  assert.deepEqual(world.seen(), [], 'nothing came since')
})

test('what commits while an asset is busy, or while no run can be begun, is made up for', async () => {
  const world = setUp(manifestOf([stream('s'), model('a', ['s']), model('b', ['a'])]))
  await world.triggers.start()
  world.seen()
  world.busy.add('a')
  world.triggers.committed('s')
  await world.clock.advance(1_000)
  assert.deepEqual(world.seen(), [], 'b has nothing new before a has run')
  world.busy.clear()
  await world.clock.advance(300)
  assert.equal(world.seen().length, 1)
  world.state.fails = 1
  world.triggers.committed('s')
  await world.clock.advance(100)
  assert.deepEqual([world.seen().length, world.errors.length], [0, 1])
  await world.clock.advance(5_000)
  assert.equal(world.seen().length, 1)
})

test('jobs and polls run by the clock, not over themselves; their assets are not started by commits', async () => {
  const world = setUp(
    manifestOf(
      [stream('s'), files('f', 10_000), model('a', ['s']), model('b', ['a'])],
      [{ name: 'nightly', run: ['a'], cron: '0 * * * *' }],
    ),
  )
  await world.triggers.start()
  world.seen()
  world.triggers.committed('s')
  await world.clock.advance(9_999)
  assert.deepEqual(world.seen(), [])
  await world.clock.advance(20_002)
  assert.deepEqual(world.seen(), ['10000 f'], 'while a load runs, the next is passed over')
  world.triggers.committed('a')
  await world.clock.advance(100)
  assert.deepEqual(world.seen(), ['30051 b'])
  await world.clock.advance(3_570_000)
  assert.deepEqual(world.seen(), ['3600000 a'])
  assert.deepEqual(world.errors, [])
})
