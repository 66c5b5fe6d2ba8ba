// What a change of a processor means for its state: kept by name where it fits, refused where it does not, unless it may be reset.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manifestOf } from '../../test/access/fixture.ts'
import type { Keep, Manifest, ProcessorManifest, StateManifest } from '../define/manifest.ts'
import { diff } from './diff.ts'

const processor = (state: Record<string, StateManifest>, more: Partial<ProcessorManifest> = {}): Manifest =>
  manifestOf([], { processors: [{ kind: 'processor', name: 'p', at: 'a.ts:1', from: 's', key: 'k', state, ...more }] })

const CARDS: StateManifest = { kind: 'expiringSet', type: { kind: 'string' }, withinMs: 10 }
const RATE: StateManifest = { kind: 'ewma', windowMs: 10 }

test('state is kept by name and kind', () => {
  const classOf = (after: Manifest): string | undefined => diff(processor({ cards: CARDS, rate: RATE }), after)[0]?.class
  assert.equal(classOf(processor({ rate: RATE, cards: CARDS })), undefined)
  assert.equal(classOf(processor({ more: RATE, cards: CARDS, rate: RATE })), 'additive')
  assert.equal(classOf(processor({ cards: { ...CARDS, withinMs: 20 }, rate: { ...RATE, windowMs: 1 } })), 'setting')
  assert.equal(classOf(processor({ cards: CARDS, rate: RATE }, { memoryBytes: 1 << 20 })), 'setting')
  assert.equal(classOf(processor({ cards: CARDS })), 'breaking')
  const ints: StateManifest = { ...CARDS, type: { kind: 'int' } }
  for (const cards of [ints, RATE, { ...CARDS, scope: 'partition' as const }]) {
    assert.equal(classOf(processor({ cards, rate: RATE })), 'refused')
    assert.equal(classOf(processor({ cards, rate: RATE }, { reset: ['rate'] })), 'refused')
    assert.equal(classOf(processor({ cards, rate: RATE }, { reset: ['cards'] })), 'rebuild')
    assert.equal(classOf(processor({ cards, rate: RATE }, { reset: true })), 'rebuild')
  }
  assert.equal(classOf(processor({ cards: CARDS, rate: RATE }, { key: 'other' })), 'refused')
  assert.equal(classOf(processor({ cards: CARDS, rate: RATE }, { key: 'other', reset: true })), 'rebuild')
})

test('another column of time says which rows are old', () => {
  const stream = (keep: Keep): Manifest => ({
    ...processor({}),
    processors: [],
    relations: [
      {
        kind: 'stream',
        name: 's',
        at: 'a.ts:1',
        tags: [],
        shape: { fields: [] },
        partition: [],
        cluster: [],
        keep,
        lateMs: 0,
        maxSkewMs: 0,
        partitions: 1,
        source: 'collect',
      } as unknown as Manifest['relations'][number],
    ],
  })
  const keep = { logMs: 1, tableMs: 86_400_000, by: 'seen' }
  assert.deepEqual(diff(stream(keep), stream(keep)), [])
  const [change] = diff(stream(keep), stream({ ...keep, by: 'sent' }))
  assert.equal(change?.class, 'breaking')
  assert.deepEqual(change?.reasons, ['rows are deleted by the age of "sent", no longer of "seen"'])
  assert.equal(diff(stream({ logMs: 1 }), stream(keep))[0]?.class, 'breaking')
})
