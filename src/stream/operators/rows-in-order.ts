// What `lag` and frames share: rows of partitions wait until the watermark has passed their time, and come in order, those of one time
// by ties. The rows that an operator keeps after they came are flagged, so that a checkpoint tells them from those that wait.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { LagRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { microsOf } from '../classify.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { HeldRows } from './held-rows.ts'
import { KeyTable } from './key-table.ts'
import { keysInUse } from './keys-in-use.ts'
import { TimeBuckets } from './time-buckets.ts'

type Over = Pick<LagRelation, 'partition' | 'time' | 'delayUs' | 'ties'>

export class RowsInOrder {
  readonly #over: Over
  readonly #project: Projection
  /** The columns of the input, and with them the further values: ties stand behind. */
  readonly columns: number
  readonly values: number
  readonly #types: readonly Expression['type'][]
  #held: HeldRows
  #keys: KeyTable
  #waiting = new TimeBuckets()

  /** `values`: of each row, beside the columns of the input. */
  constructor(over: Over, values: readonly Expression[], input: Shape) {
    const columns = input.fields.map(({ name, type }): Expression => ({ op: 'column', name, type, optional: true }))
    const held = [...columns, ...values, ...over.ties]
    this.#over = over
    this.#project = compileProjection([over.time, ...over.partition, ...held], input)
    this.columns = columns.length
    this.values = columns.length + values.length
    this.#types = held.map(({ type }) => type)
    this.#held = new HeldRows(this.#types)
    this.#keys = this.#makeKeys()
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
    const [time, ...columns] = this.#project(batch.columns, rows, count)
    const size = this.#over.partition.length
    const groups = this.#keys.find(columns.slice(0, size), null, count)
    const times = microsOf(time!)
    const kept = columns.slice(size)
    for (let i = 0; i < count; i++) this.#waiting.add(times[i]!, this.#held.add(groups[i]!, times[i]!, kept, i, 0))
  }

  /** Slots of the rows that the watermark has passed, in order. */
  due(watermarkUs: number): number[] {
    return this.#waiting.take(watermarkUs - this.#over.delayUs, this.#held.times).sort((a, b) => this.compare(a, b))
  }

  compare(a: number, b: number): number {
    return this.#held.times.at(a) - this.#held.times.at(b) || this.#held.compare(a, b, this.values, this.#types.length)
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
  tidy(kept: HeldRows): boolean {
    const keys = keysInUse(
      this.#keys,
      this.#over.partition.map(({ type }) => type),
      [this.#held, kept],
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

  /** Answers the slots of the rows that were kept, in no order. */
  restore(saved: unknown): number[] {
    this.#keys = this.#makeKeys()
    this.#held = new HeldRows(this.#types)
    this.#waiting = new TimeBuckets()
    if (saved === null) return []
    const { keys, held } = saved as { keys: unknown; held: unknown }
    this.#keys.restore(keys)
    this.#held.restore(held)
    const kept: number[] = []
    for (const slot of this.#held.slots()) {
      if (this.#held.flags.at(slot) === 1) kept.push(slot)
      else this.#waiting.add(this.#held.times.at(slot), slot)
    }
    return kept
  }
}
