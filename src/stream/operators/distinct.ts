// count(DISTINCT x), sum(DISTINCT x) and avg(DISTINCT x), exact: the pairs of group and value that occurred are groups of a table of their
// own. Aggregates over the same x that differ in their filters or functions share the pairs, each of which notes who has met it.
import { INT, type ValueType } from '../../engine/algebra/expression.ts'
import { type Column, indexes, type NumberColumn, selectColumn } from '../../schema/batch.ts'
import { KeyTable } from '../memory/key-table.ts'
import { makeLane } from '../memory/make-lane.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles, Ints } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { AggregateState } from './aggregate-state.ts'

/** A member is a bit of 32. */
export const MEMBERS_MAX = 31

export interface DistinctMember {
  /** Which of the columns, behind the values, says whether it takes a row; -1 where it takes each. */
  readonly filter: number
  /** What is aggregated of the values; null where they are counted. */
  readonly makeOver: () => AggregateState | null
}

interface Member {
  /** By id: how many values it has, and what is aggregated of them beside their number. */
  counts: Doubles
  over: AggregateState | null
}

interface SavedMember<Leaf> {
  readonly counts: Leaf
  readonly over?: unknown
}

interface Saved<Leaf> {
  readonly pairs: unknown
  readonly ids: Leaf
  readonly next: number
  readonly dead?: number
  readonly sizes: Leaf
  readonly met: Leaf | null
  readonly members: readonly SavedMember<Leaf>[]
}

export class Distinct implements AggregateState {
  readonly #type: ValueType
  readonly #kinds: readonly DistinctMember[]
  #pairs: KeyTable
  /** By pair: the bits of the members that have met it. With one member it has met each. */
  #met: Ints | null
  /** The number that stands for a group in the pairs; a group that was cleared gets another, -1 until it has rows again. */
  readonly #ids = new Ints(-1)
  #nextId = 0
  /** By id: how many pairs it has. */
  #sizes = new Doubles()
  #members: readonly Member[]
  #dead = 0
  /** Pairs by their ids, and where those of an id begin; null since there were others. */
  #byId: readonly [pairs: Int32Array, starts: Int32Array] | null = null

  constructor(type: ValueType, members: readonly DistinctMember[]) {
    this.#type = type
    this.#kinds = members
    this.#pairs = this.#noPairs()
    this.#met = this.#nobody()
    this.#members = this.#noMembers()
  }

  #noPairs(): KeyTable {
    return new KeyTable([INT, this.#type])
  }

  #nobody(): Ints | null {
    return this.#kinds.length > 1 ? new Ints() : null
  }

  #noMembers(): readonly Member[] {
    return this.#kinds.map(({ makeOver }) => ({ counts: new Doubles(), over: makeOver() }))
  }

  #idOf(group: number): number {
    if (this.#ids.at(group) === -1) this.#ids.put(group, this.#nextId++)
    return this.#ids.at(group)
  }

  /** `columns`: the values, then the filters of members that have one. */
  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const values = rows === null ? columns[0]! : selectColumn(columns[0]!, rows, count)
    const bits = new Int32Array(count)
    for (const [member, { filter }] of this.#kinds.entries())
      addBits(bits, 1 << member, filter < 0 ? null : (columns[filter] as NumberColumn), rows, count)
    const ids = new Float64Array(count)
    for (let i = 0; i < count; i++) if (bits[i] !== 0) ids[i] = this.#idOf(groups[i]!)
    this.#addPairs(ids, values, bits, count)
  }

  /** `bits`: of the members that meet the value of a row. */
  #addPairs(ids: Float64Array, values: Column, bits: Int32Array, count: number): void {
    const kept = new Int32Array(count)
    let n = 0
    for (let i = 0; i < count; i++) if (bits[i] !== 0 && (values.nulls === null || values.nulls[i] === 0)) kept[n++] = i
    let next = this.#pairs.size
    this.#byId = null
    const found = this.#pairs.find([{ kind: 'number', values: ids, nulls: null }, values], kept, n)
    const counts = this.#members.map((member) => member.counts)
    const fresh = new Int32Array(n)
    let some = 0
    for (let i = 0; i < n; i++) {
      const pair = found[i]!
      const row = kept[i]!
      const id = ids[row]!
      // A new pair has the next number when it is met first.
      const isNew = pair === next
      if (isNew) {
        next++
        this.#sizes.put(id, this.#sizes.at(id) + 1)
      } else if (this.#met === null) continue
      const met = isNew || this.#met === null ? 0 : this.#met.at(pair)
      const own = bits[row]! & ~met
      if (own === 0) continue
      this.#met?.put(pair, met | own)
      for (let left = own; left !== 0; left &= left - 1) {
        const of = counts[31 - Math.clz32(left & -left)]!
        of.put(id, of.at(id) + 1)
      }
      fresh[some] = own
      kept[some++] = row
    }
    for (const [member, { over }] of this.#members.entries()) if (over) addFresh(over, 1 << member, { ids, values, fresh, kept, some })
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    const other = from as Distinct
    const groupOf = new Int32Array(other.#nextId).fill(-1)
    for (let group = 0; group < count; group++) if (other.#ids.at(group) >= 0) groupOf[other.#ids.at(group)] = target[group]!
    this.#take(other, (id) => groupOf[id]!, 0)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const other = from as Distinct
    const own = other.#ids.at(group)
    if (own !== -1) this.#take(other, (id) => (id === own ? to : -1), 0)
  }

  /** The pairs of another whose ids have a group here, -1 for none; its first member is this one's `member`. */
  #take(other: Distinct, groupOf: (id: number) => number, member: number): void {
    const [ids, values] = other.#columns()
    const taken = indexes(other.#pairs.size).filter((pair) => groupOf(ids.values[pair]!) >= 0)
    const own = new Float64Array(taken.map((pair) => this.#idOf(groupOf(ids.values[pair]!))))
    const bits = taken.map((pair) => other.#bitsOf(pair) << member)
    this.#addPairs(own, selectColumn(values, taken, taken.length), bits, taken.length)
  }

  #bitsOf(pair: number): number {
    return this.#met === null ? 1 : this.#met.at(pair)
  }

  #columns(): [NumberColumn, Column] {
    const all = indexes(this.#pairs.size)
    return this.#pairs.columns(all, all.length) as [NumberColumn, Column]
  }

  column(groups: Int32Array, count: number, member: number): Column {
    const { counts, over } = this.#members[member]!
    const ids = new Int32Array(count)
    // No group has the next number yet.
    for (let i = 0; i < count; i++) ids[i] = this.#ids.at(groups[i]!) === -1 ? this.#nextId : this.#ids.at(groups[i]!)
    if (over) return over.column(ids, count, 0)
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = counts.at(ids[i]!)
    return { kind: 'integer', values, big: null, nulls: null }
  }

  /** Its pairs stay until half of all are of nobody. */
  clear(group: number): void {
    const id = this.#ids.at(group)
    if (id === -1) return
    this.#ids.put(group, -1)
    this.#dead += this.#sizes.at(id)
    this.#sizes.put(id, 0)
    for (const { counts, over } of this.#members) {
      counts.put(id, 0)
      over?.clear(id)
    }
    if (this.#dead > 64 && this.#dead * 2 > this.#pairs.size) this.#sweep()
  }

  /** Pairs of nobody go, and ids are given anew, so that neither grows with groups that were cleared. */
  #sweep(): void {
    const again = new Map<number, number>()
    for (let group = 0; group < this.#ids.length; group++) {
      const id = this.#ids.at(group)
      if (id === -1) continue
      this.#ids.put(group, again.size)
      again.set(id, again.size)
    }
    const [ids, values] = this.#columns()
    const kept = indexes(this.#pairs.size).filter((pair) => again.has(ids.values[pair]!))
    const bits = kept.map((pair) => this.#bitsOf(pair))
    this.#pairs = this.#noPairs()
    this.#met = this.#nobody()
    this.#sizes = new Doubles()
    this.#members = this.#noMembers()
    this.#nextId = again.size
    this.#dead = 0
    const own = new Float64Array(kept.map((pair) => again.get(ids.values[pair]!)!))
    this.#addPairs(own, selectColumn(values, kept, kept.length), bits, kept.length)
  }

  write(group: number, out: RecordWriter, member: number): void {
    const id = this.#ids.at(group)
    this.#byId ??= this.#sortById()
    const [pairs, starts] = this.#byId
    const all = id === -1 ? [] : pairs.subarray(starts[id]!, starts[id + 1]!)
    const own = all.filter((pair) => (this.#bitsOf(pair) & (1 << member)) !== 0)
    out.int(own.length)
    for (const pair of own) this.#pairs.lane(1).write(pair, out)
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

  read(group: number, from: RecordReader, member: number): void {
    const count = from.int()
    if (count === 0) return
    const values = makeLane(this.#type)
    for (let i = 0; i < count; i++) values.read(i, from)
    const all = indexes(count)
    const ids = new Float64Array(count).fill(this.#idOf(group))
    this.#addPairs(ids, values.column(all, count), new Int32Array(count).fill(1 << member), count)
  }

  get bytes(): number {
    const own = this.#pairs.bytes + (this.#met?.bytes ?? 0) + this.#ids.bytes + this.#sizes.bytes
    return this.#members.reduce((sum, { counts, over }) => sum + counts.bytes + (over?.bytes ?? 0), own)
  }

  save(size: number): unknown {
    return {
      pairs: this.#pairs.save(),
      ids: this.#ids.freeze(size),
      next: this.#nextId,
      dead: this.#dead,
      sizes: this.#sizes.freeze(this.#nextId),
      met: this.#met?.freeze(this.#pairs.size) ?? null,
      members: this.#members.map(({ counts, over }) => ({
        counts: counts.freeze(this.#nextId),
        over: over?.save(this.#nextId) ?? null,
      })),
    }
  }

  restore(saved: unknown): void {
    const { pairs, ids, next, dead, sizes, met, members } = asSaved(saved as Saved<Packed> | SavedAlone)
    this.#pairs = this.#noPairs()
    this.#pairs.restore(pairs)
    this.#met = this.#nobody()
    if (met !== null) this.#met?.restore(met)
    this.#byId = null
    this.#ids.restore(ids)
    this.#nextId = next
    this.#sizes.restore(sizes)
    this.#members = this.#noMembers()
    for (const [index, { counts, over }] of this.#members.entries()) {
      counts.restore(members[index]!.counts)
      over?.restore(members[index]!.over)
    }
    this.#dead = dead ?? 0
  }

  /** Into one that is new: of each member what it kept alone. */
  restoreApart(saved: readonly unknown[]): void {
    for (const [member, one] of saved.entries()) {
      const alone = new Distinct(this.#type, [this.#kinds[member]!])
      alone.restore(one)
      const groupOf = new Int32Array(alone.#nextId).fill(-1)
      for (let group = 0; group < alone.#ids.length; group++) if (alone.#ids.at(group) >= 0) groupOf[alone.#ids.at(group)] = group
      this.#take(alone, (id) => groupOf[id]!, member)
    }
  }
}

/** As checkpoints of before had one member. */
type SavedAlone = Pick<Saved<Packed>, 'pairs' | 'ids' | 'next' | 'dead'> & SavedMember<Packed>

const asSaved = (saved: Saved<Packed> | SavedAlone): Saved<Packed> =>
  'members' in saved ? saved : { ...saved, sizes: saved.counts, met: null, members: [saved] }

/** Rows with the bits of the members that have met their values now. */
interface Fresh {
  readonly ids: Float64Array
  readonly values: Column
  readonly fresh: Int32Array
  readonly kept: Int32Array
  readonly some: number
}

function addFresh(over: AggregateState, bit: number, { ids, values, fresh, kept, some }: Fresh): void {
  const [rows, groups] = [new Int32Array(some), new Int32Array(some)]
  let met = 0
  for (let i = 0; i < some; i++) {
    if ((fresh[i]! & bit) === 0) continue
    rows[met] = kept[i]!
    groups[met++] = ids[kept[i]!]!
  }
  over.add(groups, [values], rows, met)
}

/** Gives the bit to each row that the filter is true for. */
function addBits(bits: Int32Array, bit: number, filter: NumberColumn | null, rows: Int32Array | null, count: number): void {
  if (filter === null) {
    for (let i = 0; i < count; i++) bits[i]! |= bit
    return
  }
  const { values, nulls } = filter
  for (let i = 0; i < count; i++) {
    const row = rows === null ? i : rows[i]!
    if (values[row] === 1 && (nulls === null || nulls[row] === 0)) bits[i]! |= bit
  }
}
