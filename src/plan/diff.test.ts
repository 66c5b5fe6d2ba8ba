// What a change of a processor means for its state: kept by name where it fits, refused where it does not, unless it may be reset.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manifest, ProcessorManifest, StateManifest } from '../define/manifest.ts'
import { diff } from './diff.ts'

const processor = (state: Record<string, StateManifest>, more: Partial<ProcessorManifest> = {}): Manifest =>
  ({
    relations: [],
    processors: [{ kind: 'processor', name: 'p', at: 'a.ts:1', from: 's', key: 'k', state, ...more }],
    checks: [],
    roles: [],
    grants: [],
    policies: [],
    masks: [],
    endpoints: [],
    jobs: [],
    alerts: [],
    dashboards: [],
  }) as unknown as Manifest

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
