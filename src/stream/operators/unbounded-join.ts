// Pairs of rows with equal keys that no time bounds: what may still find a partner is kept for good. Where the rows of one side
// are unique by the key, its first row is kept, and a row of the other side only until it has met it. Rows that have no room lie on the
// disk until a row of their key comes.
import type { Scratch } from '../../core/scratch.ts'
import type { JoinBound, JoinRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { NONE } from '../memory/held-rows.ts'
import { addPair, JoinParts, noPairs, type Side, type SideBatch } from './join-parts.ts'
import type { Operator } from './operator.ts'

export class UnboundedJoin implements Operator {
  readonly #parts: JoinParts
  /** By side: only the first row of a key counts. */
  readonly #isUnique: readonly [boolean, boolean]

  constructor(join: JoinRelation, on: Extract<JoinBound, { kind: 'unbounded' }>, left: Shape, right: Shape, scratch: Scratch | null) {
    this.#parts = new JoinParts(join, left, right, [[], []], scratch)
    this.#isUnique = [on.unique === 'left', on.unique === 'right']
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): void {
    this.#parts.probe(batch, rows, count, side)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): ColumnBatch | null {
    const own = this.#parts.read(batch, rows, count, side)
    const held = this.#parts.held[side]
    const other = this.#parts.held[1 - side]!
    const first = this.#isUnique[side] ? this.#firsts(own, side) : null
    const pairs = noPairs()
    const { next } = other
    const kept = new Int32Array(count)
    let keep = 0
    for (let i = 0; i < count; i++) {
      if (first !== null && first[i] === 0) continue
      const before = pairs.count
      for (let slot = other.firstOf(own.groups[i]!); slot !== NONE; slot = next.at(slot)) addPair(pairs, i, slot)
      const isDone = this.#isUnique[1 - side]! && pairs.count > before
      if (own.groups[i] !== NONE && !isDone && first === null) kept[keep++] = i
    }
    held.addAll(own, kept, keep)
    const met = first === null ? [] : Array.from(pairs.slots.subarray(0, pairs.count))
    const out = this.#parts.select(pairs, own, side)
    for (const slot of met) other.remove(slot)
    return out
  }

  /** Keeps the rows whose key had none, and says which they are. */
  #firsts(own: SideBatch, side: Side): Uint8Array {
    const { groups, count } = own
    const held = this.#parts.held[side]
    const seen = new Set<number>()
    const kept = new Int32Array(count)
    const first = new Uint8Array(count)
    let keep = 0
    for (let i = 0; i < count; i++) {
      const group = groups[i]!
      if (group === NONE || held.firstOf(group) !== NONE || seen.has(group)) continue
      seen.add(group)
      kept[keep++] = i
      first[i] = 1
    }
    held.addAll(own, kept, keep)
    return first
  }

  fit(limitBytes: number): void {
    this.#parts.fit(limitBytes)
  }

  get bytes(): number {
    return this.#parts.bytes
  }

  get spilledBytes(): number {
    return this.#parts.spilledBytes
  }

  save(): unknown {
    return this.#parts.save()
  }

  restore(saved: unknown): void {
    this.#parts.restore(saved)
  }
}
