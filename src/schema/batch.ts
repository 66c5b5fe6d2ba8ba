// Column batches: what the scanner fills and operators, the hot tail and encoders read. One typed array a column, no
// object a row. Null is a byte per row; a value at a null row is unspecified.
import { MillraceError } from '../core/errors.ts'
import type { Shape, Type } from './type.ts'

/** boolean (0, 1), int, float, double as they are; date as days since 1970. */
export interface NumberColumn {
  readonly kind: 'number'
  readonly values: Float64Array
  readonly nulls: Uint8Array | null
}

/**
 * long, decimal (unscaled), time, timestamp and datetime (microseconds): exact integers. `values` while all fit in 2^53, and
 * then `big` is null; otherwise `big` holds every value and `values` must not be used.
 */
export interface IntegerColumn {
  readonly kind: 'integer'
  readonly values: Float64Array
  readonly big: BigInt64Array | null
  readonly nulls: Uint8Array | null
}

/**
 * string, enum, json, struct, list and map (JSON text that a scanner took), uuid (36 lower-case characters), binary (bytes), decimals of more than 18 digits (text):
 * row i is `bytes[start[i], start[i] + length[i])`.
 */
export interface BytesColumn {
  readonly kind: 'bytes'
  readonly bytes: Uint8Array
  readonly start: Int32Array
  readonly length: Int32Array
  readonly nulls: Uint8Array | null
}

export type Column = NumberColumn | IntegerColumn | BytesColumn

/** `rows` rows; `columns[i]` belongs to `shape.fields[i]` and its arrays may be longer than `rows`. */
export interface ColumnBatch {
  readonly shape: Shape
  readonly rows: number
  readonly columns: readonly Column[]
}

/** Which lane a type is held in. */
export function laneOf(type: Shape['fields'][number]['type']): Column['kind'] {
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'float':
    case 'double':
    case 'date':
      return 'number'
    case 'long':
    case 'time':
    case 'timestamp':
    case 'datetime':
      return 'integer'
    case 'decimal':
      return type.precision <= 18 ? 'integer' : 'bytes'
    default:
      return 'bytes'
  }
}

// A byte order mark at the start of a value is part of the value.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** One value as processors and tests see it: null, boolean, number, bigint, or text. Slow; not for hot loops. */
export const valueAt = (batch: ColumnBatch, columnIndex: number, row: number): FlatValue =>
  valueIn(batch.shape.fields[columnIndex]!.type, batch.columns[columnIndex]!, row)

/** Nested values as their JSON text. */
export type FlatValue = null | boolean | number | bigint | string | Uint8Array

/** As `valueAt`. */
export function valueIn(type: Type, column: Column, row: number): FlatValue {
  if (column.nulls?.[row]) return null
  if (column.kind === 'number') return type.kind === 'boolean' ? column.values[row] === 1 : column.values[row]!
  if (column.kind === 'integer') return column.big ? column.big[row]! : BigInt(column.values[row]!)
  const start = column.start[row]!
  const bytes = column.bytes.subarray(start, start + column.length[row]!)
  return type.kind === 'binary' ? bytes : decoder.decode(bytes)
}

/** A timestamp column as numbers: the scanner takes no timestamp beyond 2^53 microseconds. @throws MR_ASSERT. */
export function microsOf(column: Column): Float64Array {
  if (column.kind === 'integer' && column.big === null) return column.values
  throw new MillraceError('MR_ASSERT', 'cannot be: an event time beyond 2^53 microseconds')
}

/** Copies the chosen rows, in the given order, into a new batch. Byte buffers are shared, not copied. */
export function selectRows(batch: ColumnBatch, rows: Int32Array, count = rows.length): ColumnBatch {
  return { shape: batch.shape, rows: count, columns: batch.columns.map((column) => selectColumn(column, rows, count)) }
}

/** The first `count` rows, or whatever else is numbered: `Int32Array.from` takes forty times as long. */
export function indexes(count: number): Int32Array {
  const all = new Int32Array(count)
  for (let i = 0; i < count; i++) all[i] = i
  return all
}

/** A column of nulls. */
export function nullColumn(lane: Column['kind'], count: number): Column {
  const nulls = new Uint8Array(count).fill(1)
  if (lane === 'number') return { kind: lane, values: new Float64Array(count), nulls }
  if (lane === 'integer') return { kind: lane, values: new Float64Array(count), big: null, nulls }
  return { kind: lane, bytes: new Uint8Array(0), start: new Int32Array(count), length: new Int32Array(count), nulls }
}

/** One column of `selectRows`. */
export function selectColumn(column: Column, rows: Int32Array, count: number): Column {
  const nulls = column.nulls ? pick(column.nulls, new Uint8Array(count), rows) : null
  if (column.kind === 'number') return { kind: 'number', values: pick(column.values, new Float64Array(count), rows), nulls }
  if (column.kind === 'integer') {
    const big = column.big ? pick(column.big, new BigInt64Array(count), rows) : null
    return { kind: 'integer', values: big ? new Float64Array(0) : pick(column.values, new Float64Array(count), rows), big, nulls }
  }
  const start = pick(column.start, new Int32Array(count), rows)
  return { kind: 'bytes', bytes: column.bytes, start, length: pick(column.length, new Int32Array(count), rows), nulls }
}

function pick<A extends { length: number; [index: number]: number | bigint }>(from: A, to: A, rows: Int32Array): A {
  for (let i = 0; i < to.length; i++) to[i] = from[rows[i]!]!
  return to
}
