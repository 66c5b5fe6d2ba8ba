// Keys of a table that have gone, as its log says it: the rows of a `deletes` batch as columns of the table, of which only the key
// and the system's are known.
import { SYSTEM_FIELDS } from '../define/system-columns.ts'
import type { Lines } from '../log/changes.ts'
import type { LogBatch } from '../log/log.ts'
import { type Column, type ColumnBatch, laneOf, nullColumn, selectRows } from '../schema/batch.ts'
import type { Scanner } from '../schema/scan/scanner.ts'
import type { Field, Shape } from '../schema/type.ts'

export interface DeletedFrom {
  /** Offsets that are wanted. */
  readonly from: number
  readonly until: number
  /** Of the table, without the system's columns. */
  readonly shape: Shape
  /** By `keyScanner`: the door has taken only sound keys. */
  readonly scanner: Scanner
}

export interface DeletedKeys {
  readonly batch: ColumnBatch
  /** Of each of its rows. */
  readonly offsets: Float64Array
}

export function deletedKeys(
  { payload, offsets }: Lines,
  { partition, appendTimeMs }: Pick<LogBatch, 'partition' | 'appendTimeMs'>,
  { from, until, shape, scanner }: DeletedFrom,
): DeletedKeys {
  const { batch: keys, lines } = scanner.scan(payload)
  const { fields } = scanner.shape
  const offsetOf = (row: number): number => offsets[lines[row]!]!
  const all = Array.from({ length: keys.rows }, (_, row) => row)
  const wanted = Int32Array.from(all.filter((row) => offsetOf(row) >= from && offsetOf(row) < until))
  const { rows, columns } = selectRows(keys, wanted)
  const own = Float64Array.from(wanted, offsetOf)
  const columnOf = ({ name, type }: Field): Column =>
    columns[fields.findIndex((field) => field.name === name)] ?? nullColumn(laneOf(type), rows)
  const system: Column[] = [
    { kind: 'number', values: new Float64Array(rows).fill(partition), nulls: null },
    { kind: 'integer', values: own, big: null, nulls: null },
    { kind: 'integer', values: new Float64Array(rows).fill(appendTimeMs * 1_000), big: null, nulls: null },
  ]
  const batch = { shape: { fields: [...shape.fields, ...SYSTEM_FIELDS] }, rows, columns: [...shape.fields.map(columnOf), ...system] }
  return { batch, offsets: own }
}
