// count(DISTINCT x), sum(DISTINCT x) and avg(DISTINCT x), exact: the pairs of group and value that occurred are groups of a table of their own.
import { INT, type ValueType } from '../../engine/algebra/expression.ts'
import { type Column, type NumberColumn, selectColumn } from '../../schema/batch.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { KeyTable } from './key-table.ts'
import { makeLane } from './make-lane.ts'
import type { Packed } from './pack.ts'
import { Doubles, Ints } from './paged.ts'

const everyPair = (pairs: KeyTable): Int32Array => Int32Array.from({ length: pairs.size }, (_, pair) => pair)

export class Distinct implements AggregateState {
  readonly #type: ValueType
  readonly #makeOver: () => AggregateState | null
  #pairs: KeyTable
  /** The number that stands for a group in the pairs; a group that was cleared gets another, -1 until it has rows again. */
  readonly #ids = new Ints(-1)
  #nextId = 0
  /** By id: how many values it has, and what is aggregated of them beside their number. */
  #counts = new Doubles()
  #over: AggregateState | null
  #dead = 0
  /** Pairs by their ids, and where those of an id begin; null since there were others. */
  #byId: readonly [pairs: Int32Array, starts: Int32Array] | null = null

  /** `makeOver`: what is aggregated of the values; null where they are counted. */
  constructor(type: ValueType, makeOver: () => AggregateState | null = () => null) {
    this.#type = type
    this.#makeOver = makeOver
    this.#pairs = new KeyTable([INT, type])
    this.#over = makeOver()
  }

  #idOf(group: number): number {
    if (this.#ids.at(group) === -1) this.#ids.put(group, this.#nextId++)
    return this.#ids.at(group)
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const values = rows === null ? columns[0]! : selectColumn(columns[0]!, rows, count)
    const ids = new Float64Array(count)
    for (let i = 0; i < count; i++) ids[i] = this.#idOf(groups[i]!)
    this.#addPairs(ids, values, count)
  }

  #addPairs(ids: Float64Array, values: Column, count: number): void {
    const kept = new Int32Array(count)
    let n = 0
    for (let i = 0; i < count; i++) if (values.nulls === null || values.nulls[i] === 0) kept[n++] = i
    let next = this.#pairs.size
    this.#byId = null
    const found = this.#pairs.find([{ kind: 'number', values: ids, nulls: null }, values], kept, n)
    const newIds = new Int32Array(n)
    let fresh = 0
    // A new pair has the next number when it is met first.
    for (let i = 0; i < n; i++) {
      if (found[i] !== next) continue
      next++
      const id = ids[kept[i]!]!
      this.#counts.put(id, this.#counts.at(id) + 1)
      newIds[fresh] = id
      kept[fresh++] = kept[i]!
    }
    this.#over?.add(newIds, [values], kept, fresh)
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    const other = from as Distinct
    const groupOf = new Int32Array(other.#nextId).fill(-1)
    for (let group = 0; group < count; group++) if (other.#ids.at(group) >= 0) groupOf[other.#ids.at(group)] = group
    const [ids, values] = other.#columns()
    const live = everyPair(other.#pairs).filter((pair) => groupOf[ids.values[pair]!]! >= 0)
    const own = Float64Array.from(live, (pair) => this.#idOf(target[groupOf[ids.values[pair]!]!]!))
    this.#addPairs(own, selectColumn(values, live, live.length), live.length)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const other = from as Distinct
    const id = other.#ids.at(group)
    if (id === -1) return
    const [ids, values] = other.#columns()
    const own = everyPair(other.#pairs).filter((pair) => ids.values[pair] === id)
    this.#addPairs(new Float64Array(own.length).fill(this.#idOf(to)), selectColumn(values, own, own.length), own.length)
  }

  #columns(): [NumberColumn, Column] {
    const all = everyPair(this.#pairs)
    return this.#pairs.columns(all, all.length) as [NumberColumn, Column]
  }

  column(groups: Int32Array, count: number): Column {
    // No group has the next number yet.
    const ids = groups.subarray(0, count).map((group) => (this.#ids.at(group) === -1 ? this.#nextId : this.#ids.at(group)))
    if (this.#over) return this.#over.column(ids, count)
    return { kind: 'integer', values: Float64Array.from(ids, (id) => this.#counts.at(id)), big: null, nulls: null }
  }

  /** Its pairs stay until half of all are of nobody. */
  clear(group: number): void {
    const id = this.#ids.at(group)
    if (id === -1) return
    this.#ids.put(group, -1)
    this.#dead += this.#counts.at(id)
    this.#counts.put(id, 0)
    this.#over?.clear(id)
    if (this.#dead > 64 && this.#dead * 2 > this.#pairs.size) this.#sweep()
  }

  /** Pairs of nobody go, and ids are given anew, so that neither grows with groups that were cleared. */
  #sweep(): void {
    const again = new Map<number, number>()
    const counts = new Doubles()
    for (let group = 0; group < this.#ids.length; group++) {
      const id = this.#ids.at(group)
      if (id === -1) continue
      counts.put(again.size, this.#counts.at(id))
      this.#ids.put(group, again.size)
      again.set(id, again.size)
    }
    const [ids, values] = this.#columns()
    const kept = everyPair(this.#pairs).filter((pair) => again.has(ids.values[pair]!))
    const own = Float64Array.from(kept, (pair) => again.get(ids.values[pair]!)!)
    const left = selectColumn(values, kept, kept.length)
    this.#pairs = new KeyTable([INT, this.#type])
    this.#pairs.find([{ kind: 'number', values: own, nulls: null }, left], null, kept.length)
    this.#counts = counts
    this.#over = this.#makeOver()
    this.#over?.add(Int32Array.from(own), [left], null, kept.length)
    this.#nextId = again.size
    this.#byId = null
    this.#dead = 0
  }

  write(group: number, out: RecordWriter): void {
    const id = this.#ids.at(group)
    this.#byId ??= this.#sortById()
    const [pairs, starts] = this.#byId
    const [from, until] = id === -1 ? [0, 0] : [starts[id]!, starts[id + 1]!]
    out.int(until - from)
    for (let i = from; i < until; i++) this.#pairs.lane(1).write(pairs[i]!, out)
  }

  #sortById(): readonly [Int32Array, Int32Array] {
    const ids = this.#columns()[0].values
    const starts = new Int32Array(this.#nextId + 1)
    for (const id of ids) starts[id + 1]!++
    for (let id = 0; id < this.#nextId; id++) starts[id + 1]! += starts[id]!
    const at = starts.slice()
    const pairs = new Int32Array(ids.length)
    for (let pair = 0; pair < ids.length; pair++) pairs[at[ids[pair]!]!++] = pair
    return [pairs, starts]
  }

  read(group: number, from: RecordReader): void {
    const count = from.int()
    if (count === 0) return
    const values = makeLane(this.#type)
    for (let i = 0; i < count; i++) values.read(i, from)
    const all = Int32Array.from({ length: count }, (_, i) => i)
    this.#addPairs(new Float64Array(count).fill(this.#idOf(group)), values.column(all, count), count)
  }

  get bytes(): number {
    return this.#pairs.bytes + this.#ids.bytes + this.#counts.bytes + (this.#over?.bytes ?? 0)
  }

  save(size: number): unknown {
    return {
      pairs: this.#pairs.save(),
      ids: this.#ids.freeze(size),
      next: this.#nextId,
      counts: this.#counts.freeze(this.#nextId),
      over: this.#over?.save(this.#nextId) ?? null,
      dead: this.#dead,
    }
  }

  restore(saved: unknown): void {
    const { pairs, ids, next, counts, over, dead } = saved as {
      pairs: unknown
      ids: Packed
      next: number
      counts: Packed
      over?: unknown
      dead?: number
    }
    this.#pairs = new KeyTable([INT, this.#type])
    this.#pairs.restore(pairs)
    this.#byId = null
    this.#ids.restore(ids)
    this.#nextId = next
    this.#counts.restore(counts)
    this.#over = this.#makeOver()
    this.#over?.restore(over)
    this.#dead = dead ?? 0
  }
}
