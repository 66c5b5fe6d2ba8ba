// A table of groups of which not all have room in memory. What rows reach is in the young table. When that has grown to its share, it
// becomes the old one: a group that is reached again moves to the young one, the others go to the disk, some with each batch, until
// nothing is left of the old one. So what stays in memory is what was used last, no batch pays for all, and tables are given up as a
// whole. While all has room there is the young table alone.
import { memoryScratch, type Scratch } from '../../core/scratch.ts'
import { type Column, indexes } from '../../schema/batch.ts'
import type { KeyTable } from '../memory/key-table.ts'
import type { Packed } from '../memory/pack.ts'
import { RecordReader, RecordWriter } from '../memory/record.ts'
import { ColdStore, type Recorded } from './cold-store.ts'

export interface KeyedTable {
  readonly keys: KeyTable
  /** What is kept of a group beside its key, into a record. */
  write(group: number, out: RecordWriter): void
  /** Out of one, into a group that has nothing yet. */
  read(group: number, from: RecordReader): void
  /** Where what is kept of a group ends: when that of this group does; infinite for a group of which nothing is kept. */
  dueOf?(group: number): number
  /** Where time ends it: groups of which something ends not after this, some of them several times, maybe with others. */
  due?(untilUs: number): number[]
  /** Of memory, with that of the keys. */
  readonly bytes: number
  save(): unknown
  restore(saved: unknown): void
}

/** Groups that have moved or are on the disk are gone; all before `next` are. */
interface Old<Table> {
  readonly table: Table
  readonly gone: Uint8Array
  next: number
}

interface Saved<Leaf> {
  readonly table: unknown
  readonly old?: { readonly table: unknown; readonly gone: Leaf; readonly next: number }
  readonly cold?: unknown
}

/** How much of its memory the young table has before it becomes the old one: the first time, when all may still have room, and then. */
const FIRST_SHARE = 0.75
const YOUNG_SHARE = 0.5
/** By how much what the old table leaves to the disk is ahead of how the young one grows, which grows in steps. */
const AHEAD = 1.5
/** Groups that are written together, and that are read together where all are. */
const CHUNK = 4_096
const PART_GROUPS = 65_536

export class Generations<Table extends KeyedTable> {
  readonly #make: () => Table
  readonly #scratch: Scratch | null
  #young: Table
  #old: Old<Table> | null = null
  #cold: ColdStore | null = null
  /** Of the rows that were looked for last: the first group that was made for them, and which of those were not new. */
  #made = 0
  readonly #known = new Set<number>()
  readonly #out = new RecordWriter()
  readonly #moved = new RecordReader()

  /** `scratch`: null where nothing spills. */
  constructor(make: () => Table, scratch: Scratch | null) {
    this.#make = make
    this.#scratch = scratch
    this.#young = make()
  }

  /** Whose groups `find` answers. They hold until room is made. */
  get table(): Table {
    return this.#young
  }

  /** The group of each row, with all that is kept of it. */
  find(columns: readonly Column[], rows: Int32Array | null, count: number): Int32Array {
    const { keys } = this.#young
    this.#made = keys.size
    const groups = keys.find(columns, rows, count)
    if (this.#old !== null || this.#cold !== null) this.#recall(this.#made)
    return groups
  }

  /** No row before those that were looked for last was of the group. */
  isNew(group: number): boolean {
    return group >= this.#made && !this.#known.has(group)
  }

  #recall(from: number): void {
    const { keys } = this.#young
    this.#known.clear()
    let missing: Int32Array = indexes(keys.size - from).map((i) => from + i)
    if (this.#old !== null) missing = this.#move(this.#old, missing)
    if (missing.length > 0) this.#cold?.find(missing, keys, (group, record) => this.#take(group, record))
  }

  /** Answers the groups that are not there. */
  #move({ table, gone }: Old<Table>, groups: Int32Array): Int32Array {
    const from = table.keys.lookup(this.#young.keys.columns(groups, groups.length), null, groups.length)
    const records = recorded(table)
    return groups.filter((group, i) => {
      const other = from[i]!
      if (other < 0 || gone[other] === 1) return true
      gone[other] = 1
      this.#out.clear()
      records.write(other, this.#out)
      this.#moved.open(this.#out.bytes, 0)
      this.#take(group, this.#moved)
      return false
    })
  }

  /** What ends up to this time is in the young table then. */
  wake(untilUs: number): void {
    if (this.#old !== null) {
      const { table, gone } = this.#old
      const records = recorded(table)
      for (const group of table.due!(untilUs)) {
        if (gone[group] === 1) continue
        gone[group] = 1
        this.#out.clear()
        records.write(group, this.#out)
        this.#moved.open(this.#out.bytes, 0)
        this.#enter(table.keys.hashOf(group), this.#moved)
      }
    }
    this.#cold?.takeDue(untilUs, (hash, record) => this.#enter(hash, record))
  }

  /** Of a key that the young table has not. */
  #enter(hash: number, record: RecordReader): void {
    const group = this.#young.keys.addRead(hash, record)
    this.#young.read(group, record)
  }

  #take(group: number, record: RecordReader): void {
    this.#known.add(group)
    this.#young.keys.read(group, record)
    this.#young.read(group, record)
  }

  /** All of it, as tables that share no group; each but the young one is given up after it was looked at. */
  *parts(): Generator<Table> {
    if (this.#young.keys.size > 0) yield this.#young
    let part = this.#make()
    const take = (hash: number, record: RecordReader): void => part.read(part.keys.addRead(hash, record), record)
    for (const [hash, record] of this.#left()) {
      take(hash, record)
      if (part.keys.size < PART_GROUPS) continue
      yield part
      part = this.#make()
    }
    for (let at: number | null = this.#cold === null ? null : 0; at !== null; ) {
      at = this.#cold!.visit(at, PART_GROUPS - part.keys.size, (hash, record) => {
        if (part.dueOf || !this.#hasInMemory(hash, record)) take(hash, record)
      })
      if (at !== null && part.keys.size < PART_GROUPS) continue
      yield part
      part = this.#make()
    }
    if (part.keys.size > 0) yield part
  }

  /** What has not moved of the old table. */
  *#left(): Generator<readonly [hash: number, record: RecordReader]> {
    if (this.#old === null) return
    const { table, gone, next } = this.#old
    const records = recorded(table)
    for (let group = next; group < gone.length; group++) {
      if (gone[group] === 1 || isEmpty(table, group)) continue
      this.#out.clear()
      records.write(group, this.#out)
      this.#moved.open(this.#out.bytes, 0)
      yield [table.keys.hashOf(group), this.#moved]
    }
  }

  /** Then the record on the disk is of before. */
  #hasInMemory(hash: number, record: RecordReader): boolean {
    if (this.#young.keys.groupOf(hash, record) >= 0) return true
    if (this.#old === null) return false
    const other = this.#old.table.keys.groupOf(hash, record)
    return other >= 0 && this.#old.gone[other] === 0
  }

  /** Takes no more memory than this, as far as it can; what `find` answered holds no more. @throws what the scratch files throw. */
  fit(limitBytes: number): void {
    if (this.#scratch === null) return
    if (this.#old !== null) this.#drain(this.#old, this.#partOf(this.#old, limitBytes))
    const share = this.#cold === null ? FIRST_SHARE : YOUNG_SHARE
    if (this.#old === null && this.#young.keys.size > 0 && this.#young.bytes > share * (limitBytes - this.#coldBytes)) this.#age()
    // One batch was too much for it.
    for (let tables = 2; tables > 0 && this.bytes > limitBytes; tables--) this.#drain(this.#old ?? this.#age(), 1)
  }

  /** The young table is the old one now. */
  #age(): Old<Table> {
    const old: Old<Table> = { table: this.#young, gone: new Uint8Array(this.#young.keys.size), next: 0 }
    this.#young = this.#make()
    this.#old = old
    return old
  }

  /** How much of the old table has to have left: as much as the young one has of the room beside it, and something more. */
  #partOf(old: Old<Table>, limitBytes: number): number {
    const { length: groups } = old.gone
    const room = limitBytes - old.table.bytes - groups - this.#coldBytes
    return room <= 0 ? 1 : Math.min(1, (AHEAD * this.#young.keys.size * old.table.bytes) / (groups * room))
  }

  #drain(old: Old<Table>, part: number): void {
    const until = Math.ceil(part * old.gone.length)
    while (old.next < until) {
      this.#cold ??= new ColdStore(this.#scratch!, old.table.dueOf !== undefined)
      const chunk: number[] = []
      for (; old.next < until && chunk.length < CHUNK; old.next++)
        if (old.gone[old.next] === 0 && !isEmpty(old.table, old.next)) chunk.push(old.next)
      this.#cold.put(Int32Array.from(chunk), recorded(old.table))
      old.gone.fill(1, 0, old.next)
    }
    if (old.next === old.gone.length) this.#old = null
  }

  /** Of tables with groups of which nothing is kept: gives those of the young table up. What `find` answered holds no more. */
  prune(): void {
    const old = this.#young
    const records = recorded(old)
    this.#young = this.#make()
    for (let group = 0; group < old.keys.size; group++) {
      if (isEmpty(old, group)) continue
      this.#out.clear()
      records.write(group, this.#out)
      this.#moved.open(this.#out.bytes, 0)
      this.#enter(old.keys.hashOf(group), this.#moved)
    }
  }

  get #coldBytes(): number {
    return this.#cold?.bytes ?? 0
  }

  /** Of memory. */
  get bytes(): number {
    const old = this.#old === null ? 0 : this.#old.table.bytes + this.#old.gone.length
    return this.#young.bytes + old + this.#coldBytes
  }

  /** Of records on the disk. */
  get spilledBytes(): number {
    return this.#cold?.storedBytes ?? 0
  }

  /** What has room alone, as it was saved before anything could be spilled. */
  save(): Saved<unknown> {
    const { table, gone, next } = this.#old ?? {}
    return {
      table: this.#young.save(),
      ...(table ? { old: { table: table.save(), gone: gone!.slice(), next: next! } } : {}),
      ...(this.#cold ? { cold: this.#cold.save() } : {}),
    }
  }

  /** It is not used any more. */
  close(): void {
    this.#cold?.close()
  }

  restore(saved: unknown): void {
    this.#young = this.#make()
    this.#old = null
    this.#cold?.close()
    this.#cold = null
    this.#known.clear()
    this.#made = 0
    const { table, old, cold } = (saved as Saved<Packed> | null) ?? { table: null }
    if (table) this.#young.restore(table)
    if (old) {
      const older = this.#make()
      older.restore(old.table)
      this.#old = { table: older, gone: bytesOf(old.gone), next: old.next }
    }
    if (!cold) return
    this.#cold = new ColdStore(this.#scratch ?? memoryScratch(), this.#young.dueOf !== undefined)
    this.#cold.restore(cold)
  }
}

const bytesOf = (packed: Packed): Uint8Array => (typeof packed === 'string' ? Buffer.from(packed, 'base64') : packed.slice())

const isEmpty = (table: KeyedTable, group: number): boolean => table.dueOf?.(group) === Number.POSITIVE_INFINITY

/** A table's groups as whole records. */
function recorded(table: KeyedTable): Recorded {
  const { keys } = table
  return {
    hashOf: (group) => keys.hashOf(group),
    isKey: (group, from) => keys.isKey(group, from),
    write: (group, out) => {
      keys.write(group, out)
      table.write(group, out)
    },
    dueOf: (group) => table.dueOf?.(group) ?? 0,
  }
}
