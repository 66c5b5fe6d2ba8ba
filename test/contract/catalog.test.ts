// What every catalog promises, run on the SQLite catalog and on the model that simulations use in its place.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Catalog, CommitRequest } from '../../src/store/catalog.ts'
import { openStore } from '../../src/store/open-store.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'

type Run = (name: string, body: (catalog: Catalog) => Promise<void>) => void

const onSqlite: Run = (name, body) =>
  test(name, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'catalog-'))
    const store = openStore(join(directory, 'control.db'))
    try {
      await body(store.catalog)
    } finally {
      await store.close()
      rmSync(directory, { recursive: true })
    }
  })

const onModel: Run = (name, body) => test(name, () => body(modelCatalog()))

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

function contract(run: Run): void {
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

  run('progress is kept per topic and partition, and read with the pointers', async (catalog) => {
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
    assert.deepEqual(progress.tables, [{ name: 'orders', location: 'b', snapshotId: '4611686018427387904' }])
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

  run('of concurrent commits from one state exactly one wins', async (catalog) => {
    await catalog.commit(set('a', null, 'start'))
    const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => catalog.commit(set('a', 'start', `w${i}`))))
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'committed').length, 1)
    assert.equal(outcomes.filter((outcome) => outcome.kind === 'conflict').length, 19)
  })
}

describe('sqlite catalog', () => contract(onSqlite))
describe('model catalog', () => contract(onModel))
