// lag(x, n) OVER (PARTITION BY key ORDER BY time): rows wait until the watermark has passed their time, are put in order, and come
// out with the values of rows before. Of each partition as many last rows are kept as the furthest lies back.
import type { LagRelation } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { NONE } from '../memory/held-rows.ts'
import { Ints } from '../memory/paged.ts'
import type { Operator } from './operator.ts'
import { RowsInOrder } from './rows-in-order.ts'
import { lagShape } from './shape.ts'

export class Lag implements Operator {
  readonly #shape: Shape
  readonly #rows: RowsInOrder
  /** Of each further value how many rows before it is. */
  readonly #offsets: readonly number[]
  readonly #most: number
  /** By partition: slots that hold its last rows, in a ring of so many, and where in it the next one goes; a round more when it is full. */
  #last = new Ints(NONE)
  #next = new Ints(0)

  constructor(lag: LagRelation, input: Shape) {
    this.#shape = lagShape(lag, input)
    this.#offsets = lag.columns.map(({ offset }) => offset)
    this.#most = Math.max(...this.#offsets)
    this.#rows = new RowsInOrder(
      lag,
      lag.columns.map(({ value }) => value),
      input,
    )
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#rows.probe(batch, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    this.#rows.take(batch, rows, count)
    return null
  }

  advance(watermarkUs: number): ColumnBatch | null {
    const slots = this.#rows.due(watermarkUs)
    if (slots.length === 0) return null
    const steps = [...new Set(this.#offsets)]
    // Read once more below, and then given up where nothing asks for it any more. Of one that is not there any row is read.
    const before = steps.map(() => new Int32Array(slots.length))
    const isNone = steps.map(() => new Uint8Array(slots.length))
    const past: number[] = []
    for (let i = 0; i < slots.length; i++) {
      for (const [at, step] of steps.entries()) {
        const slot = this.#before(slots[i]!, step)
        before[at]![i] = slot === NONE ? slots[0]! : slot
        isNone[at]![i] = slot === NONE ? 1 : 0
      }
      const replaced = this.#keep(slots[i]!)
      if (replaced !== NONE) past.push(replaced)
    }
    const { columns } = this.#rows.read(slots)
    const lagged = before.map((rows, at) => this.#rows.valuesOf(rows).map((column) => withNulls(column, isNone[at]!)))
    for (const slot of past) this.#rows.held.remove(slot)
    const own = this.#offsets.map((offset, index) => lagged[steps.indexOf(offset)]![index]!)
    return { shape: this.#shape, rows: slots.length, columns: [...columns, ...own] }
  }

  /** The row of the partition that is so many before the next one. */
  #before(slot: number, step: number): number {
    const group = this.#rows.held.groupOf(slot)
    const next = this.#next.at(group)
    return next < step ? NONE : this.#last.at(group * this.#most + ((next - step) % this.#most))
  }

  /** As the last of its partition. Answers the one that is too far back from now on. */
  #keep(slot: number): number {
    const group = this.#rows.held.groupOf(slot)
    const next = this.#next.at(group)
    const at = group * this.#most + (next % this.#most)
    const replaced = next < this.#most ? NONE : this.#last.at(at)
    this.#last.put(at, slot)
    this.#next.put(group, next + 1 < this.#most * 2 ? next + 1 : this.#most)
    this.#rows.keep(slot)
    return replaced
  }

  get bytes(): number {
    return this.#rows.bytes + this.#last.bytes + this.#next.bytes
  }

  save(): unknown {
    return this.#rows.save()
  }

  restore(saved: unknown): void {
    const kept = this.#rows.restore(saved)
    this.#last = new Ints(NONE)
    this.#next = new Ints(0)
    for (const slot of kept.sort((a, b) => this.#rows.compare(a, b))) this.#keep(slot)
  }
}

const withNulls = (column: Column, isNull: Uint8Array): Column =>
  isNull.includes(1) ? { ...column, nulls: isNull.map((own, i) => own | (column.nulls?.[i] ?? 0)) } : column
