// min and max of values that may be taken away again: each group has its distinct values with how often they are there, and the
// extreme is looked for among them when it is asked for.
import { INT, type ValueType } from '../../engine/algebra/expression.ts'
import type { Column, NumberColumn } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import { HeldRows, NONE } from './held-rows.ts'
import { KeyTable } from './key-table.ts'
import { makeLane } from './make-lane.ts'
import type { Packed } from './pack.ts'
import { Doubles } from './paged.ts'

/** Values that are not there any more are forgotten once they are this many and most of all. */
const DEAD_MIN = 4_096

export class CountedExtreme {
  readonly #sign: 1 | -1
  readonly #type: ValueType
  /** By group and value; the row of the same number holds the value and is listed under the group. */
  #values: KeyTable
  #rows: HeldRows
  #counts = new Doubles()
  #dead = 0

  constructor(name: 'min' | 'max', type: ValueType) {
    this.#sign = name === 'max' ? 1 : -1
    this.#type = type
    this.#values = new KeyTable([INT, type])
    this.#rows = new HeldRows([type])
  }

  add(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#count(groups, column!, rows, count, 1)
  }

  remove(groups: Int32Array, [column]: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#count(groups, column!, rows, count, -1)
    if (this.#dead > DEAD_MIN && this.#dead * 2 > this.#values.size) this.#forget()
  }

  #count(groups: Int32Array, column: Column, rows: Int32Array | null, count: number, by: 1 | -1): void {
    const own = rows === null ? Int32Array.from({ length: count }, (_, i) => i) : rows
    let most = 0
    for (let i = 0; i < count; i++) most = Math.max(most, own[i]! + 1)
    const groupOf: NumberColumn = { kind: 'number', values: new Float64Array(most), nulls: null }
    for (let i = 0; i < count; i++) groupOf.values[own[i]!] = groups[i]!
    const known = this.#values.size
    const slots = this.#values.find([groupOf, column], own, count)
    let next = known
    for (let i = 0; i < count; i++) {
      const slot = slots[i]!
      if (slot === next) {
        next++
        this.#rows.add(groups[i]!, 0, [column], own[i]!, 0)
        this.#dead++
      }
      const now = this.#counts.at(slot) + by
      if (now === by) this.#dead--
      this.#counts.put(slot, now)
      if (now === 0) this.#dead++
    }
  }

  column(groups: Int32Array, count: number): Column {
    const best = new Int32Array(count)
    const lane = this.#rows.lane(0)
    for (let i = 0; i < count; i++) {
      best[i] = NONE
      for (let slot = this.#rows.firstOf(groups[i]!); slot !== NONE; slot = this.#rows.next.at(slot)) {
        if (this.#counts.at(slot) === 0 || lane.isNull(slot)) continue
        if (best[i] === NONE || lane.compareSlot(best[i]!, lane, slot) * this.#sign > 0) best[i] = slot
      }
    }
    const column = lane.column(
      best.map((slot) => Math.max(0, slot)),
      count,
    )
    return { ...column, nulls: Uint8Array.from(best, (slot) => (slot === NONE ? 1 : 0)) }
  }

  #forget(): void {
    const [values, rows, counts] = [this.#values, this.#rows, this.#counts]
    const live = Int32Array.from({ length: values.size }, (_, slot) => slot).filter((slot) => counts.at(slot) !== 0)
    this.#values = new KeyTable([INT, this.#type])
    this.#rows = new HeldRows([this.#type])
    const columns = values.columns(live, live.length)
    this.#values.find(columns, null, live.length)
    for (const [i, slot] of live.entries()) this.#rows.add(rows.groupOf(slot), 0, [columns[1]!], i, 0)
    this.#counts = new Doubles()
    for (const [i, slot] of live.entries()) this.#counts.put(i, counts.at(slot))
    this.#dead = 0
  }

  write(group: number, out: RecordWriter): void {
    const lane = this.#rows.lane(0)
    const live: number[] = []
    for (let slot = this.#rows.firstOf(group); slot !== NONE; slot = this.#rows.next.at(slot))
      if (this.#counts.at(slot) !== 0) live.push(slot)
    out.int(live.length)
    for (const slot of live) {
      out.number(this.#counts.at(slot))
      lane.write(slot, out)
    }
  }

  read(group: number, from: RecordReader): void {
    const count = from.int()
    if (count === 0) return
    const values = makeLane(this.#type)
    const counts = new Float64Array(count)
    for (let i = 0; i < count; i++) {
      counts[i] = from.number()
      values.read(i, from)
    }
    const all = Int32Array.from({ length: count }, (_, i) => i)
    const column = values.column(all, count)
    const groups: NumberColumn = { kind: 'number', values: new Float64Array(count).fill(group), nulls: null }
    const slots = this.#values.find([groups, column], null, count)
    for (let i = 0; i < count; i++) {
      this.#rows.add(group, 0, [column], i, 0)
      this.#counts.put(slots[i]!, counts[i]!)
    }
  }

  get bytes(): number {
    return this.#values.bytes + this.#rows.bytes
  }

  save(): unknown {
    return { values: this.#values.save(), rows: this.#rows.save(), counts: this.#counts.freeze(this.#values.size), dead: this.#dead }
  }

  restore(saved: unknown): void {
    const { values, rows, counts, dead } = saved as { values: unknown; rows: unknown; counts: Packed; dead: number }
    this.#values.restore(values)
    this.#rows.restore(rows)
    this.#counts.restore(counts)
    this.#dead = dead
  }
}
