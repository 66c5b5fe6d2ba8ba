// Pairs of rows with equal keys whose times lie within bounds of each other. Both sides are kept until the watermark has passed
// all partners that a row may have; pairs come out when the second of them comes, rows without a partner when they are given
// up. The result is a function of the rows alone: a pair is found exactly once, whichever of its rows is first.
import type { JoinBound, JoinRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { NONE } from '../memory/held-rows.ts'
import { TimeBuckets } from '../memory/time-buckets.ts'
import { addPair, JoinParts, noPairs, rowsWithKey, type Side } from './join-parts.ts'
import { joinBatches, type Operator } from './operator.ts'

export class IntervalJoin implements Operator {
  readonly #parts: JoinParts
  readonly #fromUs: number
  readonly #untilUs: number
  /** By side: rows without a partner come out. */
  readonly #isKept: readonly [boolean, boolean]
  /** Rows of the left come out with their first partner alone. */
  readonly #isOnce: boolean
  /** By side: how far its rows may lie behind the watermark. */
  readonly #delays: readonly [number, number]
  #waiting: readonly [TimeBuckets, TimeBuckets] = [new TimeBuckets(), new TimeBuckets()]

  constructor(join: JoinRelation, on: Extract<JoinBound, { kind: 'interval' }>, left: Shape, right: Shape) {
    this.#parts = new JoinParts(join, left, right)
    this.#fromUs = on.fromUs
    this.#untilUs = on.untilUs
    this.#isKept = [join.kind === 'left' || join.kind === 'full', join.kind === 'right' || join.kind === 'full']
    this.#isOnce = join.kind === 'semi'
    this.#delays = [join.left.delayUs, join.right.delayUs]
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): void {
    this.#parts.probe(batch, rows, count, side)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): ColumnBatch | null {
    const own = this.#parts.read(batch, rows, count, side)
    const held = this.#parts.held[side]
    const other = this.#parts.held[1 - side]!
    // The other's time minus the own one.
    const [from, until] = side === 0 ? [this.#fromUs, this.#untilUs] : [-this.#untilUs, -this.#fromUs]
    const pairs = noPairs()
    const { times, next } = other
    for (let i = 0; i < count; i++) {
      const time = own.times[i]!
      let slot = other.latestAt(own.groups[i]!, time + until)
      for (; slot !== NONE && times.at(slot) >= time + from; slot = next.at(slot)) addPair(pairs, i, slot)
    }
    const out = this.#parts.select(pairs, own, side, this.#isOnce ? this.#isFirst(count, side) : null)
    const met = new Uint8Array(count)
    for (let i = 0; i < pairs.count; i++) {
      met[pairs.rows[i]!] = 1
      other.flags.put(pairs.slots[i]!, 1)
    }
    const waiting = this.#waiting[side]
    const kept = this.#isKept[side] ? null : rowsWithKey(own, this.#isOnce && side === 0 ? met : null)
    const slots = held.addAll(own, kept, kept?.length ?? count, met)
    for (let i = 0; i < slots.length; i++) waiting.add(own.times[kept === null ? i : kept[i]!]!, slots[i]!)
    return out
  }

  /** Whether a pair is the first of its row of the left. */
  #isFirst(count: number, side: Side): (row: number, slot: number) => boolean {
    if (side === 0) {
      const met = new Uint8Array(count)
      return (row) => {
        const isFirst = met[row] === 0
        met[row] = 1
        return isFirst
      }
    }
    const { flags } = this.#parts.held[0]
    const met = new Set<number>()
    return (_, slot) => {
      const isFirst = flags.at(slot) === 0 && !met.has(slot)
      met.add(slot)
      return isFirst
    }
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const parts = ([0, 1] as const).map((side) => this.#giveUp(side, watermarkUs))
    this.#parts.tidy()
    return joinBatches(parts.filter((part) => part !== null))
  }

  /** Rows that nothing which is still to come can be a partner of. */
  #giveUp(side: Side, watermarkUs: number): ColumnBatch | null {
    const held = this.#parts.held[side]
    const beforeUs = watermarkUs - this.#delays[1 - side]! - (side === 0 ? this.#untilUs : -this.#fromUs)
    const slots = this.#waiting[side].take(beforeUs, held.times)
    const alone = this.#isKept[side] ? Int32Array.from(slots.filter((slot) => held.flags.at(slot) === 0)) : new Int32Array(0)
    const out = this.#parts.rowsOf(alone, null, side)
    for (const slot of slots) held.remove(slot)
    return out
  }

  get bytes(): number {
    return this.#parts.bytes
  }

  save(): unknown {
    return this.#parts.save()
  }

  restore(saved: unknown): void {
    this.#parts.restore(saved)
    this.#waiting = [new TimeBuckets(), new TimeBuckets()]
    for (const side of [0, 1] as const) {
      const held = this.#parts.held[side]
      for (const slot of held.slots()) this.#waiting[side].add(held.times.at(slot), slot)
    }
  }
}
