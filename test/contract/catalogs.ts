// What every catalog promises: run on the SQLite catalog, on the model that simulations use in its place, and on external ones.
import assert from 'node:assert/strict'
import type { Catalog, CommitRequest } from '../../src/store/catalog.ts'

export type Run = (name: string, body: (catalog: Catalog) => Promise<void>) => void

const set = (name: string, from: string | null, to: string, also: Partial<CommitRequest> = {}): CommitRequest => ({
  tables: [{ name, from, to, snapshotId: '4611686018427387904' }],
  nowMs: 1_700_000_000_000,
  ...also,
})

const progressOf = (generation: string, next: number) => ({
  name: 'orders',
  generation,
  offsets: [{ topic: 'orders', partition: 0, next }],
  checkpoint: { location: `/checkpoints/${next}`, code: 'abc' },
})

export function contract(run: Run): void {
  run('compare-and-set creates, moves and refuses', async (catalog) => {
    assert.deepEqual(await catalog.commit(set('orders', null, 'a')), { kind: 'committed', sequence: 1 })
    assert.deepEqual(await catalog.commit(set('orders', 'a', 'b')), { kind: 'committed', sequence: 2 })
    const current = { name: 'orders', location: 'b', snapshotId: '4611686018427387904' }
    assert.deepEqual(await catalog.commit(set('orders', 'a', 'c')), { kind: 'conflict', table: 'orders', current })
    assert.deepEqual(await catalog.commit(set('orders', null, 'c')), { kind: 'conflict', table: 'orders', current })
    assert.deepEqual(await catalog.commit(set('absent', 'x', 'y')), { kind: 'conflict', table: 'absent', current: null })
    assert.deepEqual(await catalog.table('orders'), current)
    assert.equal(await catalog.table('absent'), null)
  })

  run('one refused table refuses all: no table, offset, cursor or change moves', async (catalog) => {
    await catalog.commit(set('a', null, 'a1'))
    await catalog.acquire('orders', 'g1')
    const outcome = await catalog.commit({
      tables: [
        { name: 'b', from: null, to: 'b1', snapshotId: null },
        { name: 'a', from: 'stale', to: 'a2', snapshotId: null },
      ],
      pipeline: progressOf('g1', 10),
      cursors: [{ name: 'files', value: 'x' }],
      refresh: { model: 'm', inputs: {}, runId: 'r' },
      nowMs: 1,
    })
    assert.equal(outcome.kind, 'conflict')
    assert.deepEqual(
      (await catalog.tables()).map(({ name, location }) => [name, location]),
      [['a', 'a1']],
    )
    assert.deepEqual((await catalog.progress('orders')).offsets, [])
    assert.equal(await catalog.cursor('files'), null)
    assert.equal(await catalog.refreshOf('m'), null)
    assert.equal((await catalog.changesAfter(0)).length, 1)
  })

  run('a zombie is fenced, and so is a pipeline that nobody acquired', async (catalog) => {
    const commit = (generation: string, next: number) => catalog.commit({ tables: [], pipeline: progressOf(generation, next), nowMs: 1 })
    assert.deepEqual(await commit('g1', 1), { kind: 'fenced', pipeline: 'orders' })
    await catalog.acquire('orders', 'g1')
    assert.equal((await commit('g1', 5)).kind, 'committed')
    await catalog.acquire('orders', 'g2')
    assert.deepEqual(await commit('g1', 9), { kind: 'fenced', pipeline: 'orders' })
    const { offsets, checkpoint } = await catalog.progress('orders')
    assert.deepEqual(offsets, [{ topic: 'orders', partition: 0, next: 5 }])
    assert.deepEqual(checkpoint, { location: '/checkpoints/5', code: 'abc' })
    assert.equal((await commit('g2', 9)).kind, 'committed')
  })

  run('checkpoints of a place move with it, others stay', async (catalog) => {
    for (const [name, location] of [
      ['orders', '/old/checkpoints/1'],
      ['clicks', '/older/checkpoints/1'],
    ] as const) {
      await catalog.acquire(name, 'g')
      await catalog.commit({
        tables: [],
        pipeline: { name, generation: 'g', offsets: [], checkpoint: { location, code: 'abc' } },
        nowMs: 1,
      })
    }
    await catalog.commit({ tables: [], moved: { from: '/old', to: 's3://new/place' }, nowMs: 2 })
    assert.deepEqual((await catalog.progress('orders')).checkpoint, { location: 's3://new/place/checkpoints/1', code: 'abc' })
    assert.deepEqual((await catalog.progress('clicks')).checkpoint, { location: '/older/checkpoints/1', code: 'abc' })
  })

  run('progress is kept per topic and partition', async (catalog) => {
    await catalog.acquire('orders', 'g')
    const offsets = [
      { topic: 'orders', partition: 1, next: 7 },
      { topic: 'orders', partition: 0, next: 3 },
      { topic: 'clicks', partition: 0, next: 2 ** 52 },
    ]
    await catalog.commit(set('orders', null, 'a', { pipeline: { name: 'orders', generation: 'g', offsets } }))
    await catalog.commit(
      set('orders', 'a', 'b', { pipeline: { name: 'orders', generation: 'g', offsets: [{ topic: 'orders', partition: 0, next: 4 }] } }),
    )
    const progress = await catalog.progress('orders')
    assert.deepEqual(progress.offsets, [
      { topic: 'clicks', partition: 0, next: 2 ** 52 },
      { topic: 'orders', partition: 0, next: 4 },
      { topic: 'orders', partition: 1, next: 7 },
    ])
    assert.equal(progress.checkpoint, null)
    await catalog.acquire('behind', 'g')
    await catalog.commit({
      tables: [],
      pipeline: { name: 'behind', generation: 'g', offsets: [{ topic: 'orders', partition: 0, next: 1 }] },
      nowMs: 3,
    })
    assert.deepEqual([await catalog.committed('orders'), await catalog.committed('nobody')], [[4, 7], []])
    assert.deepEqual(
      [await catalog.tables(), await catalog.denied()],
      [[{ name: 'orders', location: 'b', snapshotId: '4611686018427387904' }], []],
    )
    assert.deepEqual((await catalog.progress('other')).offsets, [])
  })

  run("a model's refresh is stored with its inputs; its token is compared when given", async (catalog) => {
    const refresh = { model: 'daily', inputs: { orders: '12', empty: null }, runId: 'r1' }
    await catalog.commit({ tables: [], refresh, nowMs: 42 })
    assert.deepEqual(await catalog.refreshOf('daily'), { inputs: refresh.inputs, runId: 'r1', committedMs: 42 })
    await catalog.acquire('refresh:daily', 't2')
    const stale = await catalog.commit({ tables: [], refresh: { ...refresh, runId: 'r2', token: 't1' }, nowMs: 43 })
    assert.deepEqual(stale, { kind: 'fenced', pipeline: 'refresh:daily' })
    assert.equal((await catalog.commit({ tables: [], refresh: { ...refresh, runId: 'r3', token: 't2' }, nowMs: 44 })).kind, 'committed')
    assert.equal((await catalog.refreshOf('daily'))?.runId, 'r3')
  })

  run('changes are numbered without gaps and followed from any number', async (catalog) => {
    await catalog.commit({
      tables: [
        { name: 'a', from: null, to: 'a1', snapshotId: '1' },
        { name: 'b', from: null, to: 'b1', snapshotId: null },
      ],
      nowMs: 5,
    })
    assert.deepEqual(await catalog.drop('b', 'b1', 6), { kind: 'committed', sequence: 3 })
    assert.deepEqual(await catalog.changesAfter(1), [
      { sequence: 2, table: 'b', snapshotId: null, committedMs: 5 },
      { sequence: 3, table: 'b', snapshotId: null, committedMs: 6 },
    ])
    assert.equal((await catalog.drop('b', 'b1', 7)).kind, 'conflict')
    assert.equal((await catalog.drop('a', 'stale', 7)).kind, 'conflict')
    assert.deepEqual(
      (await catalog.tables()).map((pointer) => pointer.name),
      ['a'],
    )
  })

  run('views have pointers of their own, and share no name with a table', async (catalog) => {
    await catalog.commit(set('t', null, 't1'))
    const view = (name: string, from: string | null, to: string) =>
      catalog.commit({ tables: [], views: [{ name, from, to }], nowMs: 1 }).then(({ kind }) => kind)
    assert.equal(await view('v', null, 'v1'), 'committed')
    assert.equal(await view('v', 'v1', 'v2'), 'committed')
    assert.equal(await view('v', 'v1', 'v3'), 'conflict')
    assert.equal(await view('t', null, 'v1'), 'conflict')
    assert.equal(await view('t', 't1', 'v1'), 'conflict')
    assert.deepEqual(await catalog.commit(set('v', null, 'x')), { kind: 'conflict', table: 'v', current: null })
    assert.deepEqual(await catalog.commit(set('v', 'v2', 'x')), { kind: 'conflict', table: 'v', current: null })
    assert.deepEqual(await catalog.views(), [{ name: 'v', location: 'v2' }])
    assert.deepEqual(await catalog.view('v'), { name: 'v', location: 'v2' })
    assert.equal(await catalog.view('t'), null)
    assert.equal(await catalog.table('v'), null)
    assert.deepEqual(
      (await catalog.tables()).map(({ name }) => name),
      ['t'],
    )
    assert.equal((await catalog.drop('v', 'v1', 2)).kind, 'conflict')
    assert.equal((await catalog.drop('v', 'v2', 2)).kind, 'committed')
    assert.equal((await catalog.changesAfter(0)).length, 1, 'only the table has changes to follow')
  })

  run('a rename moves the pointer and tells the followers of both names', async (catalog) => {
    await catalog.commit(set('a', null, 'a1'))
    await catalog.commit(set('b', null, 'b1'))
    assert.equal((await catalog.rename('a', 'stale', 'c', 3)).kind, 'conflict')
    const taken = await catalog.rename('a', 'a1', 'b', 3)
    assert.ok(taken.kind === 'conflict' && taken.table === 'b' && taken.current?.location === 'b1')
    assert.deepEqual(await catalog.rename('a', 'a1', 'new.place.c', 4), { kind: 'committed', sequence: 4 })
    assert.equal(await catalog.table('a'), null)
    assert.deepEqual(await catalog.table('new.place.c'), { name: 'new.place.c', location: 'a1', snapshotId: '4611686018427387904' })
    assert.deepEqual(
      (await catalog.changesAfter(2)).map(({ table, snapshotId }) => [table, snapshotId]),
      [
        ['a', null],
        ['new.place.c', '4611686018427387904'],
      ],
    )
    await catalog.commit({ tables: [], views: [{ name: 'v', from: null, to: 'v1' }], nowMs: 5 })
    assert.equal((await catalog.rename('v', 'v1', 'b', 6)).kind, 'conflict')
    assert.equal((await catalog.rename('v', 'v1', 'w', 6)).kind, 'committed')
    assert.deepEqual(await catalog.views(), [{ name: 'w', location: 'v1' }])
  })

  run('namespaces: main is there, a table makes its own, one that holds something stays', async (catalog) => {
    const names = async () => (await catalog.namespaces()).map(({ name }) => name)
    assert.deepEqual(await names(), ['main'])
    await catalog.commit(set('marts.daily', null, 'd1'))
    assert.deepEqual(await names(), ['main', 'marts'])
    assert.equal(await catalog.createNamespace({ name: 'a.b', properties: { owner: 'x' } }, 1), true)
    assert.equal(await catalog.createNamespace({ name: 'a.b', properties: {} }, 1), false)
    assert.deepEqual(await names(), ['a', 'a.b', 'main', 'marts'])
    const before = await catalog.alterNamespace('a.b', { set: { location: 'y' }, remove: ['owner'] }, 2)
    assert.deepEqual(before, { name: 'a.b', properties: { owner: 'x' } })
    assert.deepEqual((await catalog.namespaces())[1], { name: 'a.b', properties: { location: 'y' } })
    assert.equal(await catalog.alterNamespace('none', { set: {}, remove: [] }, 2), null)
    assert.equal(await catalog.dropNamespace('a', 3), 'full')
    assert.equal(await catalog.dropNamespace('a.b', 3), 'dropped')
    assert.equal(await catalog.dropNamespace('a', 3), 'dropped')
    assert.equal(await catalog.dropNamespace('a', 3), 'unknown')
    assert.equal(await catalog.dropNamespace('marts', 3), 'full')
    assert.equal(await catalog.dropNamespace('main', 3), 'full')
    await catalog.drop('marts.daily', 'd1', 4)
    assert.equal(await catalog.dropNamespace('marts', 5), 'dropped')
  })

  run('a request that was carried out is remembered with its change, for an hour', async (catalog) => {
    const finished = { key: 'k', request: 'r', answer: '{}' }
    assert.equal((await catalog.commit(set('a', 'absent', 'a1', { finished }))).kind, 'conflict')
    assert.equal(await catalog.finished('k', 0), null, 'nothing was carried out')
    const at = set('a', null, 'a1', { finished })
    assert.equal((await catalog.commit(at)).kind, 'committed')
    assert.deepEqual(await catalog.finished('k', at.nowMs + 3_600_000), finished)
    assert.equal(await catalog.finished('k', at.nowMs + 3_600_001), null)
    await catalog.finish({ key: 'refused', request: 'r', answer: '"no"' }, 5)
    assert.equal((await catalog.finished('refused', 6))?.answer, '"no"')
    await catalog.drop('a', 'a1', 7, { key: 'd', request: 'r', answer: '1' })
    assert.equal((await catalog.finished('d', 7))?.answer, '1')
    await catalog.createNamespace({ name: 'n', properties: {} }, 8, { key: 'n', request: 'r', answer: '2' })
    assert.equal((await catalog.finished('n', 8))?.answer, '2')
  })

  run('of concurrent commits from one state exactly one wins', async (catalog) => {
    await catalog.commit(set('a', null, 'start'))
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => catalog.commit(set('a', 'start', `w${i}`))))
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'committed').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'conflict').length, 19)
  })
}
