// Keys of a table that have gone, as its log says it: the rows of a `deletes` batch as columns of the table, of which only the key
// and the system's are known.
import { SYSTEM_FIELDS } from '../define/system-columns.ts'
import type { LogBatch } from '../log/log.ts'
import { type Column, type ColumnBatch, laneOf, nullColumn, selectRows } from '../schema/batch.ts'
import { compileScanner, type Scanner } from '../schema/scan/scanner.ts'
import type { Field, Shape } from '../schema/type.ts'

/** Keys of a table, with its shape less the system's columns. */
export class DeletedKeys {
  readonly #shape: Shape
  readonly #fields: readonly Field[]
  /** Compiled at the first batch: most relations have none. */
  #scanner: Scanner | null = null

  constructor(shape: Shape, key: readonly string[]) {
    this.#shape = shape
    this.#fields = shape.fields.filter(({ name }) => key.includes(name))
  }

  /** Those of the offsets [from, until), scanned as the door did, which took only sound keys. */
  read(batch: LogBatch, from: number, until: number): ColumnBatch {
    this.#scanner ??= compileScanner({ fields: this.#fields }, { unknown: 'ignore' })
    const { batch: keys } = this.#scanner.scan(batch.payload)
    const lines = Array.from({ length: keys.rows }, (_, row) => row)
    const wanted = Int32Array.from(lines.filter((row) => batch.baseOffset + row >= from && batch.baseOffset + row < until))
    const { rows, columns } = selectRows(keys, wanted)
    const { fields } = this.#shape
    const columnOf = (field: Field): Column => columns[this.#fields.indexOf(field)] ?? nullColumn(laneOf(field.type), rows)
    const system: Column[] = [
      { kind: 'number', values: new Float64Array(rows).fill(batch.partition), nulls: null },
      { kind: 'integer', values: Float64Array.from(wanted, (row) => batch.baseOffset + row), big: null, nulls: null },
      { kind: 'integer', values: new Float64Array(rows).fill(batch.appendTimeMs * 1_000), big: null, nulls: null },
    ]
    return { shape: { fields: [...fields, ...SYSTEM_FIELDS] }, rows, columns: [...fields.map(columnOf), ...system] }
  }
}
