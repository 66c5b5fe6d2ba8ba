// Values of results: from DuckDB's own to plain ones, and from those to JSON as CONTRACT prints it. Plain: null, boolean,
// number (32 bits and doubles), bigint (64 bits and more), text for everything else (decimals, dates, ISO timestamps in UTC
// with six digits and Z, uuid, base64 of blobs), arrays and objects for nested types.
import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from '@duckdb/node-api'

export type Plain = null | boolean | number | bigint | string | readonly Plain[] | { readonly [name: string]: Plain }
export type Cell = null | boolean | number | string | readonly Cell[] | { readonly [name: string]: Cell }

const DAY_MS = 86_400_000

export function plainOf(value: DuckDBValue): Plain {
  if (value === null || typeof value !== 'object') return value
  if (value instanceof DuckDBTimestampTZValue || value instanceof DuckDBTimestampValue) return isoMicros(value.micros)
  if (value instanceof DuckDBDecimalValue) return value.toString()
  if (value instanceof DuckDBDateValue) return isoDate(value.days)
  if (value instanceof DuckDBTimestampMillisecondsValue) return isoMicros(value.millis * 1_000n)
  if (value instanceof DuckDBTimestampSecondsValue) return isoMicros(value.seconds * 1_000_000n)
  if (value instanceof DuckDBTimestampNanosecondsValue) return isoMicros(value.nanos / 1_000n)
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64')
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(plainOf)
  if (value instanceof DuckDBStructValue)
    return Object.fromEntries(Object.entries(value.entries).map(([name, inner]) => [name, plainOf(inner)]))
  if (value instanceof DuckDBMapValue) return value.entries.map(({ key, value: inner }) => ({ key: plainOf(key), value: plainOf(inner) }))
  return String(value)
}

const INFINITE_MICROS = 9_223_372_036_854_775_807n

/** `2026-01-02T03:04:05.000006Z`; 'infinity' and '-infinity' as PostgreSQL prints them. */
export function isoMicros(micros: bigint): string {
  if (micros === INFINITE_MICROS) return 'infinity'
  if (micros === -INFINITE_MICROS) return '-infinity'
  const ms = micros / 1_000n - (micros % 1_000n < 0n ? 1n : 0n)
  const rest = Number(micros - ms * 1_000n)
  const date = new Date(Number(ms))
  if (Number.isNaN(date.getTime())) return `${micros} us`
  return `${date.toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}Z`
}

function isoDate(days: number): string {
  const date = new Date(days * DAY_MS)
  return Number.isNaN(date.getTime()) ? (days > 0 ? 'infinity' : '-infinity') : date.toISOString().slice(0, 10)
}

export interface CellOptions {
  /** `numbers=string`: every number as text. */
  readonly numbersAsText?: boolean
}

/** JSON form: integers as numbers up to 2^53 - 1 and as text beyond; NaN and infinities as text. */
export function cellOf(value: Plain | unknown, type: string, options: CellOptions = {}): Cell {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return !options.numbersAsText && Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  if (typeof value === 'number') return options.numbersAsText || !Number.isFinite(value) ? String(value) : value
  if (Array.isArray(value)) return value.map((inner) => cellOf(inner, type, options))
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value as Record<string, Plain>).map(([name, inner]) => [name, cellOf(inner, type, options)]))
  return value as Cell
}

/** JSON form with nested values as their JSON text: for tables of plain cells. */
export function flatCell(value: Plain | unknown, type: string): string | number | boolean | null {
  const cell = cellOf(value, type)
  return cell !== null && typeof cell === 'object' ? JSON.stringify(cell) : cell
}
