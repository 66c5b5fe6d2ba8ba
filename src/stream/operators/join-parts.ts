// What the joins share: how a side's rows become time, keys and columns, the keys of both sides, and pairs of rows as batches.
import type { Scratch } from '../../core/scratch.ts'
import { columnsIn, type Expression } from '../../engine/algebra/expression.ts'
import type { JoinRelation, JoinSide } from '../../engine/algebra/relation.ts'
import { type Column, type ColumnBatch, laneOf, microsOf, nullColumn, selectColumn } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { compileFilter, compileProjection, type Filter, type Projection } from '../expression/compile.ts'
import { type HeldRows, type KeyedRows, NONE } from '../memory/held-rows.ts'
import { Generations } from '../spill/generations.ts'
import { type JoinLayout, JoinTable } from './join-table.ts'
import { joinShape } from './shape.ts'

export type Side = 0 | 1

/** A batch of one side: rows 0 to `count`. */
export interface SideBatch extends KeyedRows {
  readonly count: number
}

/** Those of which no key is null and which are not `left` out; null when they are all. */
export function rowsWithKey({ groups, count }: SideBatch, left: Uint8Array | null = null): Int32Array | null {
  const rows = new Int32Array(count)
  let kept = 0
  for (let i = 0; i < count; i++) if (groups[i] !== NONE && left?.[i] !== 1) rows[kept++] = i
  return kept === count ? null : rows.subarray(0, kept)
}

/** Pairs of a row of the batch that came and of one that is held. */
export interface Pairs {
  rows: Int32Array
  slots: Int32Array
  count: number
}

export const noPairs = (): Pairs => ({ rows: new Int32Array(64), slots: new Int32Array(64), count: 0 })

export function addPair(pairs: Pairs, row: number, slot: number): void {
  if (pairs.count === pairs.rows.length) {
    const [rows, slots] = [new Int32Array(pairs.count * 2), new Int32Array(pairs.count * 2)]
    rows.set(pairs.rows)
    slots.set(pairs.slots)
    pairs.rows = rows
    pairs.slots = slots
  }
  pairs.rows[pairs.count] = row
  pairs.slots[pairs.count++] = slot
}

export class JoinParts {
  readonly #shape: Shape
  readonly #shapes: readonly [Shape, Shape]
  readonly #timed: boolean
  readonly #projections: readonly [Projection, Projection]
  /** By side: where its columns are among what is held. */
  readonly #fieldsAt: readonly [readonly number[], readonly number[]]
  readonly #where: Filter | null
  /** Columns of the further condition. */
  readonly #read: ReadonlySet<string>
  readonly #rows: Generations<JoinTable>

  /**
   * `extras`: further values that are held of each row of a side, behind its columns; `scratch`: where rows go that have no room, of joins
   * that find them by their keys alone.
   */
  constructor(
    join: JoinRelation,
    left: Shape,
    right: Shape,
    extras: readonly [readonly Expression[], readonly Expression[]] = [[], []],
    scratch: Scratch | null = null,
  ) {
    this.#shape = joinShape(join.kind, left, right)
    this.#shapes = [left, right]
    this.#fieldsAt = [left.fields.map((_, at) => at), right.fields.map((_, at) => at)]
    const projection = (side: JoinSide, shape: Shape, more: readonly Expression[]): Projection =>
      compileProjection([...(side.time ? [side.time] : []), ...side.keys, ...columnsOf(shape), ...more], shape)
    this.#projections = [projection(join.left, left, extras[0]), projection(join.right, right, extras[1])]
    this.#timed = join.left.time !== null
    this.#where = join.where ? compileFilter(join.where, this.#shape) : null
    this.#read = columnsIn(join.where ? [join.where] : [])
    const held = (shape: Shape, more: readonly Expression[]) => [...shape.fields, ...more].map(({ type }) => type)
    const layout: JoinLayout = {
      keys: join.left.keys.map(({ type }) => type),
      rows: [held(left, extras[0]), held(right, extras[1])],
    }
    this.#rows = new Generations(() => new JoinTable(layout), scratch)
  }

  /** Of the keys that were read last and, while nothing is on the disk, of all. */
  get held(): readonly [HeldRows, HeldRows] {
    return this.#rows.table.held
  }

  /** Computes what is computed of each row of a side, and changes nothing. */
  probe(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): void {
    this.#projections[side](batch.columns, rows, count)
  }

  read(batch: ColumnBatch, rows: Int32Array | null, count: number, side: Side): SideBatch {
    const projected = this.#projections[side](batch.columns, rows, count)
    const at = this.#timed ? 1 : 0
    const keys = projected.slice(at, at + this.#rows.table.keys.width)
    const groups = this.#rows.find(keys, null, count)
    for (const { nulls } of keys) if (nulls) for (let i = 0; i < count; i++) if (nulls[i] === 1) groups[i] = NONE
    const times = this.#timed ? microsOf(projected[0]!) : new Float64Array(count)
    return { times, groups, columns: projected.slice(at + keys.length), count }
  }

  /** Leaves the pairs that the further condition is true for, and of those the ones that `isWanted` takes; answers their rows. */
  select(pairs: Pairs, batch: SideBatch, side: Side, isWanted: ((row: number, slot: number) => boolean) | null = null): ColumnBatch | null {
    if (pairs.count === 0) return null
    let known: readonly Column[] = []
    if (this.#where) {
      const tested = this.#columns(pairs, batch, side, (name) => (this.#read.has(name) ? null : UNREAD))
      const kept = new Int32Array(pairs.count)
      const passed = this.#where(tested, null, pairs.count, kept)
      const count = isWanted ? keep(pairs, kept, passed, isWanted) : passed
      known = count === pairs.count ? tested : tested.map((column) => (column === UNREAD ? column : selectColumn(column, kept, count)))
      leave(pairs, kept, count)
    } else if (isWanted) {
      const kept = Int32Array.from({ length: pairs.count }, (_, i) => i)
      leave(pairs, kept, keep(pairs, kept, pairs.count, isWanted))
    }
    if (pairs.count === 0) return null
    const columns = this.#columns(pairs, batch, side, (_, index) => (known[index] === UNREAD ? null : (known[index] ?? null)))
    return { shape: this.#shape, rows: pairs.count, columns }
  }

  /** Columns of pairs, but for those that `known` has already. */
  #columns({ rows, slots, count }: Pairs, batch: SideBatch, side: Side, known: (name: string, index: number) => Column | null): Column[] {
    const left = this.#shapes[0].fields.length
    const had = this.#shape.fields.map(({ name }, index) => known(name, index))
    const isOwn = (index: number): boolean => index < left === (side === 0)
    const at = (index: number): number => (index < left ? index : index - left)
    const wanted = had.flatMap((column, index) => (column === null && !isOwn(index) ? [at(index)] : []))
    const others = this.held[1 - side]!.columns(slots, count, wanted)
    return had.map((column, index) => {
      if (column) return column
      return isOwn(index) ? selectColumn(batch.columns[at(index)]!, rows, count) : others[wanted.indexOf(at(index))]!
    })
  }

  /** Held rows of one side with those of the other, -1 for none. */
  rowsOf(slots: Int32Array, others: Int32Array | null, side: Side): ColumnBatch | null {
    const count = slots.length
    if (count === 0) return null
    const own = this.held[side].columns(slots, count, this.#fieldsAt[side])
    const other = others
      ? this.#optional(1 - side, others)
      : this.#shapes[1 - side]!.fields.map(({ type }) => nullColumn(laneOf(type), count))
    return { shape: this.#shape, rows: count, columns: side === 0 ? [...own, ...other] : [...other, ...own] }
  }

  /** Rows of a batch of one side, each with a held row of the other, -1 for none. */
  withOthers(batch: SideBatch, slots: Int32Array, side: Side): ColumnBatch | null {
    if (batch.count === 0) return null
    const own = batch.columns.slice(0, this.#shapes[side].fields.length)
    const other = this.#optional(1 - side, slots)
    return { shape: this.#shape, rows: batch.count, columns: side === 0 ? [...own, ...other] : [...other, ...own] }
  }

  #optional(side: number, slots: Int32Array): Column[] {
    if (this.held[side]!.count === 0 || slots.every((slot) => slot === NONE))
      return this.#shapes[side]!.fields.map(({ type }) => nullColumn(laneOf(type), slots.length))
    const at = slots.map((slot) => (slot === NONE ? 0 : slot))
    const columns = this.held[side]!.columns(at, at.length, this.#fieldsAt[side]!)
    if (!slots.includes(NONE)) return columns
    return columns.map((column) => ({
      ...column,
      nulls: Uint8Array.from(slots, (slot, i) => (slot === NONE ? 1 : (column.nulls?.[i] ?? 0))),
    }))
  }

  /** Forgets keys that no row has, once they are many. True when it did: the other keys have other numbers now. */
  tidy(): boolean {
    return this.#rows.table.tidy()
  }

  fit(limitBytes: number): void {
    this.#rows.fit(limitBytes)
  }

  get bytes(): number {
    return this.#rows.bytes
  }

  get spilledBytes(): number {
    return this.#rows.spilledBytes
  }

  save(): unknown {
    return this.#rows.save()
  }

  restore(saved: unknown): void {
    // Checkpoints of before had the table alone.
    this.#rows.restore(saved === null || 'table' in (saved as object) ? saved : { table: saved })
  }
}

/** Of the pairs that `kept` lists those that are wanted, in their place; answers how many. */
function keep({ rows, slots }: Pairs, kept: Int32Array, count: number, isWanted: (row: number, slot: number) => boolean): number {
  let wanted = 0
  for (let i = 0; i < count; i++) if (isWanted(rows[kept[i]!]!, slots[kept[i]!]!)) kept[wanted++] = kept[i]!
  return wanted
}

function leave(pairs: Pairs, kept: Int32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    pairs.rows[i] = pairs.rows[kept[i]!]!
    pairs.slots[i] = pairs.slots[kept[i]!]!
  }
  pairs.count = count
}

/** Not to be looked at. */
const UNREAD: Column = { kind: 'number', values: new Float64Array(0), nulls: null }

const columnsOf = (shape: Shape): Expression[] => shape.fields.map(({ name, type }) => ({ op: 'column', name, type, optional: true }))
