// What `lag` and frames share: rows of partitions wait until the watermark has passed their time, and come in order, those of one time
// by ties. The rows that an operator keeps after they came are flagged, so that a checkpoint tells them from those that wait.
import { type Expression, sameExpression } from '../../engine/algebra/expression.ts'
import type { LagRelation } from '../../engine/algebra/relation.ts'
import { type Column, type ColumnBatch, microsOf } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { HeldRows } from '../memory/held-rows.ts'
import { KeyTable } from '../memory/key-table.ts'
import { keysInUse } from '../memory/keys-in-use.ts'
import { TimeBuckets } from '../memory/time-buckets.ts'

type Over = Pick<LagRelation, 'partition' | 'time' | 'delayUs' | 'ties'>

/** Of some rows: the columns of the input, and the further values. */
export interface OrderedRows {
  readonly columns: readonly Column[]
  readonly values: readonly Column[]
}

export class RowsInOrder {
  readonly #over: Over
  readonly #project: Projection
  /** Of a row, without equal ones. */
  readonly #types: readonly Expression['type'][]
  /** Where the columns of the input, the further values and the ties are among those. */
  readonly #columnsAt: readonly number[]
  readonly #valuesAt: readonly number[]
  readonly #tiesAt: readonly number[]
  /** The first two of them, each once. */
  readonly #readAt: readonly number[]
  #held: HeldRows
  #keys: KeyTable
  #waiting = new TimeBuckets()

  /** `values`: of each row, beside the columns of the input. */
  constructor(over: Over, values: readonly Expression[], input: Shape) {
    const columns = input.fields.map(({ name, type }): Expression => ({ op: 'column', name, type, optional: true }))
    const wanted = [...columns, ...values, ...over.ties]
    const held = wanted.filter((value, index) => wanted.findIndex((other) => sameExpression(other, value)) === index)
    const placesOf = (of: readonly Expression[]): number[] => of.map((value) => held.findIndex((other) => sameExpression(other, value)))
    this.#over = over
    this.#project = compileProjection([over.time, ...over.partition, ...held], input)
    this.#columnsAt = placesOf(columns)
    this.#valuesAt = placesOf(values)
    this.#tiesAt = placesOf(over.ties)
    this.#readAt = [...new Set([...this.#columnsAt, ...this.#valuesAt])]
    this.#types = held.map(({ type }) => type)
    this.#held = this.#makeHeld()
    this.#keys = this.#makeKeys()
  }

  #makeHeld(): HeldRows {
    return new HeldRows(this.#types, { isListed: false })
  }

  #makeKeys(): KeyTable {
    return new KeyTable(this.#over.partition.map(({ type }) => type))
  }

  get held(): HeldRows {
    return this.#held
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    const [time, ...projected] = this.#project(batch.columns, rows, count)
    const size = this.#over.partition.length
    const groups = this.#keys.find(projected.slice(0, size), null, count)
    const times = microsOf(time!)
    const slots = this.#held.addAll({ groups, times, columns: projected.slice(size) }, null, count)
    for (let i = 0; i < count; i++) this.#waiting.add(times[i]!, slots[i]!)
  }

  /** Slots of the rows that the watermark has passed, in order. */
  due(watermarkUs: number): Int32Array {
    return new Int32Array(this.#waiting.take(watermarkUs - this.#over.delayUs, this.#held.times).sort((a, b) => this.compare(a, b)))
  }

  compare(a: number, b: number): number {
    return this.#held.times.at(a) - this.#held.times.at(b) || this.#held.compare(a, b, this.#tiesAt)
  }

  read(slots: Int32Array): OrderedRows {
    const columns = this.#held.columns(slots, slots.length, this.#readAt)
    const columnAt = (at: number): Column => columns[this.#readAt.indexOf(at)]!
    return { columns: this.#columnsAt.map(columnAt), values: this.#valuesAt.map(columnAt) }
  }

  valuesOf(slots: Int32Array): Column[] {
    return this.#held.columns(slots, slots.length, this.#valuesAt)
  }

  /** The row stays, though it came. */
  keep(slot: number): void {
    this.#held.flags.put(slot, 1)
  }

  /** How many partitions there are; the newest has the highest number. */
  get partitions(): number {
    return this.#keys.size
  }

  /** Forgets partitions of which no row waits, nor is among `kept`, once they are many. True when it did: the others have other numbers now. */
  tidy(kept: readonly HeldRows[]): boolean {
    const keys = keysInUse(
      this.#keys,
      this.#over.partition.map(({ type }) => type),
      [this.#held, ...kept],
    )
    if (keys) this.#keys = keys
    return keys !== null
  }

  get bytes(): number {
    return this.#held.bytes + this.#keys.bytes
  }

  save(): unknown {
    return { keys: this.#keys.save(), held: this.#held.save() }
  }

  /** Checkpoints of before held equal values each by itself. */
  #withoutEqual(lanes: readonly unknown[]): readonly unknown[] {
    const places = [...this.#columnsAt, ...this.#valuesAt, ...this.#tiesAt]
    return lanes.length === places.length ? this.#types.map((_, lane) => lanes[places.indexOf(lane)]) : lanes
  }

  /** Answers the slots of the rows that were kept, in no order. */
  restore(saved: unknown): number[] {
    this.#keys = this.#makeKeys()
    this.#held = this.#makeHeld()
    this.#waiting = new TimeBuckets()
    if (saved === null) return []
    const { keys, held } = saved as { keys: unknown; held: { readonly lanes: readonly unknown[] } }
    this.#keys.restore(keys)
    this.#held.restore({ ...held, lanes: this.#withoutEqual(held.lanes) })
    const kept: number[] = []
    for (const slot of this.#held.slots()) {
      if (this.#held.flags.at(slot) === 1) kept.push(slot)
      else this.#waiting.add(this.#held.times.at(slot), slot)
    }
    return kept
  }
}
