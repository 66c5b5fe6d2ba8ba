// Each left row with the row that a table had for its key when it came. Versions of the table's rows are held by key, in the order
// of the table's log, deletions among them; a left row takes the newest that came before it. Whoever feeds it has read the table
// as far as a left row's arrival (`lookups.ts`), and says when versions are older than any left row that is still to come.
import type { JoinBound, JoinRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { NONE } from '../memory/held-rows.ts'
import { addPair, JoinParts, noPairs, type Side } from './join-parts.ts'
import type { Operator } from './operator.ts'

/** Of a version's flag: the key has no row from then on. */
const GONE = 1

export class LookupJoin implements Operator {
  readonly #parts: JoinParts
  readonly #isLeft: boolean
  /** Keys of which something may be forgotten: that have several versions, or have gone. */
  #unsettled = new Set<number>()

  constructor(join: JoinRelation, on: Extract<JoinBound, { kind: 'lookup' }>, left: Shape, right: Shape) {
    this.#parts = new JoinParts(join, left, right, [[], on.ties])
    this.#isLeft = join.kind === 'left'
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): void {
    this.#parts.probe(batch, rows, count, side)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): ColumnBatch | null {
    if (side === 0) return this.#look(batch, rows, count)
    this.#hold(batch, rows, count, 0)
    return null
  }

  /** Keys have gone from the table: of the rows only the key and the arrival are read. */
  forget(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    this.#hold(batch, rows, count, GONE)
    return null
  }

  #hold(batch: ColumnBatch, rows: Int32Array | null, count: number, flag: 0 | 1): void {
    const { times, groups, columns } = this.#parts.read(batch, rows, count, 1)
    const versions = this.#parts.held[1]
    for (let i = 0; i < count; i++) {
      const group = groups[i]!
      if (group === NONE) continue
      const newest = versions.firstOf(group)
      if (flag === GONE || newest !== NONE) this.#unsettled.add(group)
      // In the order of the log, whatever its clock says: rows of a key are held in the order of their times.
      const timeUs = newest === NONE ? times[i]! : Math.max(times[i]!, versions.times.at(newest))
      versions.add(group, timeUs, columns, i, flag)
    }
  }

  #look(batch: ColumnBatch, rows: Int32Array | null, count: number): ColumnBatch | null {
    const own = this.#parts.read(batch, rows, count, 0)
    const { flags } = this.#parts.held[1]
    const pairs = noPairs()
    for (let i = 0; i < count; i++) {
      const slot = this.#versionAt(own.groups[i]!, own.times[i]!)
      if (slot !== NONE && flags.at(slot) !== GONE) addPair(pairs, i, slot)
    }
    const found = this.#parts.select(pairs, own, 0)
    if (!this.#isLeft) return found
    const slots = new Int32Array(count).fill(NONE)
    for (let i = 0; i < pairs.count; i++) slots[pairs.rows[i]!] = pairs.slots[i]!
    return this.#parts.withOthers(own, slots, 0)
  }

  /** The newest version that came before; lists begin with the newest. */
  #versionAt(group: number, timeUs: number): number {
    const { times, next } = this.#parts.held[1]
    let slot = this.#parts.held[1].firstOf(group)
    while (slot !== NONE && times.at(slot) >= timeUs) slot = next.at(slot)
    return slot
  }

  /** No left row that is still to come came before this, microseconds: of the versions before it, each key needs the newest alone. */
  settle(arrivedUs: number): void {
    const versions = this.#parts.held[1]
    for (const group of this.#unsettled) {
      const newest = this.#versionAt(group, arrivedUs)
      if (newest === NONE) continue
      for (let slot = versions.next.at(newest); slot !== NONE; ) {
        const after = versions.next.at(slot)
        versions.remove(slot)
        slot = after
      }
      if (versions.flags.at(newest) === GONE) versions.remove(newest)
      const first = versions.firstOf(group)
      if (first === NONE || (versions.next.at(first) === NONE && versions.flags.at(first) !== GONE)) this.#unsettled.delete(group)
    }
    if (this.#parts.tidy()) this.#findUnsettled()
  }

  #findUnsettled(): void {
    const versions = this.#parts.held[1]
    this.#unsettled = new Set()
    for (const slot of versions.slots())
      if (versions.flags.at(slot) === GONE || versions.next.at(slot) !== NONE) this.#unsettled.add(versions.groupOf(slot))
  }

  get bytes(): number {
    return this.#parts.bytes
  }

  save(): unknown {
    return this.#parts.save()
  }

  restore(saved: unknown): void {
    this.#parts.restore(saved)
    this.#findUnsettled()
  }
}
