// Small batches from plain rows: what operators emit. Exact integers (long, decimal, time, timestamp and datetime in microseconds) are
// bigint or safe numbers, dates are days; decimals of more than 18 digits are given unscaled too; bytes are latin1 text.
import { type Column, type ColumnBatch, laneOf } from '../schema/batch.ts'
import { Decimal } from '../schema/decimal.ts'
import type { Field, Shape } from '../schema/type.ts'

export type Plain = null | boolean | number | bigint | string

/** `rows[i][c]` belongs to `shape.fields[c]`. */
export function batchOf(shape: Shape, rows: readonly (readonly Plain[])[]): ColumnBatch {
  return {
    shape,
    rows: rows.length,
    columns: shape.fields.map((field, index) =>
      columnOf(
        field,
        rows.map((row) => row[index] ?? null),
      ),
    ),
  }
}

function columnOf(field: Field, values: readonly Plain[]): Column {
  const nulls = values.includes(null) ? Uint8Array.from(values, (value) => (value === null ? 1 : 0)) : null
  const lane = laneOf(field.type)
  if (lane === 'number') return { kind: 'number', values: Float64Array.from(values, (value) => Number(value ?? 0)), nulls }
  if (lane === 'integer') return integers(values, nulls)
  const texts = values.map((value) => Buffer.from(textOf(field, value), field.type.kind === 'binary' ? 'latin1' : 'utf8'))
  const length = Int32Array.from(texts, (text) => text.length)
  const start = new Int32Array(texts.length)
  for (let i = 1; i < texts.length; i++) start[i] = start[i - 1]! + length[i - 1]!
  return { kind: 'bytes', bytes: Buffer.concat(texts), start, length, nulls }
}

function integers(values: readonly Plain[], nulls: Uint8Array | null): Column {
  const isExact = values.every((value) => value === null || Number.isSafeInteger(Number(value)))
  if (isExact) return { kind: 'integer', values: Float64Array.from(values, (value) => Number(value ?? 0)), big: null, nulls }
  return { kind: 'integer', values: new Float64Array(0), big: BigInt64Array.from(values, (value) => BigInt(value ?? 0)), nulls }
}

function textOf(field: Field, value: Plain): string {
  if (value === null) return ''
  if (field.type.kind !== 'decimal' || typeof value !== 'bigint') return String(value)
  return new Decimal(value, field.type.scale).toString()
}
