// ASOF: each left row with the version of the right side that was valid at its time. Left rows wait until the watermark of the
// right side has passed their time; of the versions, the newest that all later rows lie behind is kept for good.
import type { JoinBound, JoinRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { NONE } from '../memory/held-rows.ts'
import { Ints } from '../memory/paged.ts'
import { TimeBuckets } from '../memory/time-buckets.ts'
import { JoinParts, rowsWithKey, type Side } from './join-parts.ts'
import type { Operator } from './operator.ts'

export class LatestJoin implements Operator {
  readonly #parts: JoinParts
  readonly #isLeft: boolean
  readonly #isStrict: boolean
  readonly #delays: readonly [number, number]
  /** What orders versions of one time, among what is held of a right row. */
  readonly #ties: readonly number[]
  #waiting = new TimeBuckets()
  /** Versions that are not yet known to be behind every later row; of the others each key has one, which is flagged. */
  #unsettled = new TimeBuckets()
  /** By key: the one that is flagged. */
  #settled = new Ints(NONE)

  constructor(join: JoinRelation, on: Extract<JoinBound, { kind: 'latest' }>, left: Shape, right: Shape) {
    this.#parts = new JoinParts(join, left, right, [[], on.ties])
    this.#isLeft = join.kind === 'left'
    this.#isStrict = on.isStrict
    this.#delays = [join.left.delayUs, join.right.delayUs]
    this.#ties = on.ties.map((_, tie) => right.fields.length + tie)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): void {
    this.#parts.probe(batch, rows, count, side)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): null {
    const own = this.#parts.read(batch, rows, count, side)
    const waiting = side === 0 ? this.#waiting : this.#unsettled
    const kept = side === 0 && this.#isLeft ? null : rowsWithKey(own)
    const slots = this.#parts.held[side].addAll(own, kept, kept?.length ?? count)
    for (let i = 0; i < slots.length; i++) waiting.add(own.times[kept === null ? i : kept[i]!]!, slots[i]!)
    return null
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const [left] = this.#parts.held
    const slots = this.#waiting.take(watermarkUs - this.#delays[1], left.times)
    const found = slots.map((slot) => this.#versionAt(left.groupOf(slot), left.times.at(slot)))
    const kept = this.#isLeft ? slots : slots.filter((_, i) => found[i] !== NONE)
    const versions = this.#isLeft ? found : found.filter((slot) => slot !== NONE)
    const out = this.#parts.rowsOf(Int32Array.from(kept), Int32Array.from(versions), 0)
    for (const slot of slots) left.remove(slot)
    this.#settle(watermarkUs - Math.max(...this.#delays))
    if (this.#parts.tidy()) this.#index()
    return out
  }

  #versionAt(group: number, timeUs: number): number {
    const right = this.#parts.held[1]
    // Of one time the last in the log counts; times are whole microseconds.
    let best = right.latestAt(group, this.#isStrict ? timeUs - 1 : timeUs)
    if (best === NONE) return NONE
    const versionUs = right.times.at(best)
    for (let slot = right.next.at(best); slot !== NONE && right.times.at(slot) === versionUs; slot = right.next.at(slot))
      if (this.#compare(slot, best) > 0) best = slot
    return best
  }

  /** Above zero where version a is newer than version b. */
  #compare(a: number, b: number): number {
    const right = this.#parts.held[1]
    return right.times.at(a) - right.times.at(b) || right.compare(a, b, this.#ties)
  }

  /** Rows to come lie at or behind this time: of the versions before it, each key needs the newest alone. */
  #settle(beforeUs: number): void {
    const right = this.#parts.held[1]
    for (const slot of this.#unsettled.take(beforeUs, right.times)) {
      const group = right.groupOf(slot)
      const other = this.#settled.at(group)
      const isNewer = other === NONE || this.#compare(slot, other) > 0
      if (isNewer) {
        right.flags.put(slot, 1)
        this.#settled.put(group, slot)
      }
      if (other !== NONE) right.remove(isNewer ? other : slot)
    }
  }

  /** Keys have other numbers. */
  #index(): void {
    const right = this.#parts.held[1]
    this.#settled = new Ints(NONE)
    for (const slot of right.slots()) if (right.flags.at(slot) === 1) this.#settled.put(right.groupOf(slot), slot)
  }

  get bytes(): number {
    return this.#parts.bytes + this.#settled.bytes
  }

  save(): unknown {
    return this.#parts.save()
  }

  /** What was settled settles again. */
  restore(saved: unknown): void {
    this.#parts.restore(saved)
    this.#waiting = new TimeBuckets()
    this.#unsettled = new TimeBuckets()
    this.#settled = new Ints(NONE)
    const [left, right] = this.#parts.held
    for (const slot of left.slots()) this.#waiting.add(left.times.at(slot), slot)
    for (const slot of right.slots()) {
      right.flags.put(slot, 0)
      this.#unsettled.add(right.times.at(slot), slot)
    }
  }
}
