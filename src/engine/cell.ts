// Values of results: from DuckDB's own to plain ones, and from those to JSON as CONTRACT prints it. Plain: null, boolean,
// number (32 bits and doubles), bigint (64 bits and more), text for everything else (decimals, dates, ISO timestamps in UTC
// with six digits and Z, or without Z where the type has no zone, uuid, base64 of blobs), arrays for lists and objects for structs and maps.
import {
  type DuckDBArrayType,
  DuckDBArrayValue,
  DuckDBBlobValue,
  type DuckDBDataChunk,
  DuckDBDateValue,
  type DuckDBDecimalType,
  DuckDBDecimalValue,
  type DuckDBListType,
  DuckDBListValue,
  type DuckDBMapType,
  DuckDBMapValue,
  type DuckDBStructType,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'
import { civilOf } from '../schema/calendar.ts'
import { isValid, openVector, type ResultVector, safeLong } from './result-vector.ts'

export type Plain = null | boolean | number | bigint | string | readonly Plain[] | { readonly [name: string]: Plain }
export type Cell = null | boolean | number | string | readonly Cell[] | { readonly [name: string]: Cell }

const DAY_MS = 86_400_000

/** The first `rows` rows of a chunk. */
export function rowsOf(chunk: DuckDBDataChunk, columnCount: number, rows: number): Plain[][] {
  const result: Plain[][] = Array.from({ length: rows }, () => new Array<Plain>(columnCount))
  for (let index = 0; index < columnCount; index++) {
    const type = chunk.getColumnVector(index).type
    const vector = openVector(chunk, index, type, rows)
    const read = readerOf(vector, type)
    for (let row = 0; row < rows; row++) result[row]![index] = isValid(vector.valid, row) ? read(row) : null
  }
  return result
}

function readerOf(vector: ResultVector, type: DuckDBType): (row: number) => Plain {
  switch (vector.kind) {
    case 'numbers':
      return numberReader(vector.values, type)
    case 'longs':
      return longReader(vector, type)
    case 'bytes':
      return type.typeId === DuckDBTypeId.BLOB ? (row) => vector.bytesAt(row).toString('base64') : (row) => vector.bytesAt(row).toString()
    case 'other':
      return (row) => plainOf(vector.values[row]!, type)
  }
}

function numberReader(values: { readonly [row: number]: number }, type: DuckDBType): (row: number) => Plain {
  if (type.typeId === DuckDBTypeId.BOOLEAN) return (row) => values[row] !== 0
  if (type.typeId === DuckDBTypeId.DATE) return (row) => isoDate(values[row]!)
  if (type.typeId === DuckDBTypeId.FLOAT) return (row) => shortestFloat(values[row]!)
  if (type.typeId === DuckDBTypeId.DECIMAL) return (row) => decimalText(String(values[row]), (type as DuckDBDecimalType).scale)
  return (row) => values[row]!
}

function longReader(vector: Extract<ResultVector, { kind: 'longs' }>, type: DuckDBType): (row: number) => Plain {
  if (type.typeId === DuckDBTypeId.BIGINT) return (row) => vector.big[row]!
  if (type.typeId === DuckDBTypeId.DECIMAL) return (row) => decimalText(vector.big[row]!.toString(), (type as DuckDBDecimalType).scale)
  if (type.typeId === DuckDBTypeId.TIME) return (row) => isoTime(safeLong(vector, row)!)
  const zone = zoneOf(type)
  return (row) => {
    const micros = safeLong(vector, row)
    return micros === undefined ? isoMicros(vector.big[row]!, zone) : isoSafeMicros(micros, zone)
  }
}

/** What stands behind a time of this type: only an instant has a zone. */
export const zoneOf = ({ typeId }: DuckDBType): Zone => (typeId === DuckDBTypeId.TIMESTAMP_TZ ? 'Z' : '')

export type Zone = 'Z' | ''

/** Digits of an unscaled integer with the point in its place. */
export function decimalText(unscaled: string, scale: number): string {
  if (scale === 0) return unscaled
  const sign = unscaled.startsWith('-') ? '-' : ''
  const digits = unscaled.slice(sign.length).padStart(scale + 1, '0')
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

/** The shortest decimal that is this 32-bit float, as DuckDB prints it: 0.1, not 0.10000000149011612. */
export function shortestFloat(value: number): number {
  if (value === 0) return value
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return short
  }
  return Number.isFinite(value) ? Number(value.toPrecision(9)) : value
}

/** A value that is read as an object: nested, or of a type without a vector of its own. */
export function plainOf(value: DuckDBValue, type: DuckDBType): Plain {
  if (value === null) return null
  if (typeof value === 'number') return type.typeId === DuckDBTypeId.FLOAT ? shortestFloat(value) : value
  if (typeof value !== 'object') return value
  if (value instanceof DuckDBTimestampTZValue) return isoMicros(value.micros, 'Z')
  if (value instanceof DuckDBTimestampValue) return isoMicros(value.micros, '')
  if (value instanceof DuckDBDecimalValue) return value.toString()
  if (value instanceof DuckDBDateValue) return isoDate(value.days)
  if (value instanceof DuckDBTimeValue) return isoTime(Number(value.micros))
  if (value instanceof DuckDBTimestampMillisecondsValue) return isoMicros(value.millis * 1_000n, '')
  if (value instanceof DuckDBTimestampSecondsValue) return isoMicros(value.seconds * 1_000_000n, '')
  if (value instanceof DuckDBTimestampNanosecondsValue) return isoMicros(value.nanos / 1_000n, '')
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64')
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    const element = (type as DuckDBListType | DuckDBArrayType).valueType
    return value.items.map((item) => plainOf(item, element))
  }
  if (value instanceof DuckDBStructValue) {
    const { entryNames, entryTypes } = type as DuckDBStructType
    return Object.fromEntries(entryNames.map((name, index) => [name, plainOf(value.entries[name]!, entryTypes[index]!)]))
  }
  if (value instanceof DuckDBMapValue) {
    const { keyType, valueType } = type as DuckDBMapType
    return Object.fromEntries(value.entries.map((entry) => [keyText(plainOf(entry.key, keyType)), plainOf(entry.value, valueType)]))
  }
  return String(value)
}

/** A key of a map as a key of a JSON object. */
const keyText = (key: Plain): string => (typeof key === 'object' ? JSON.stringify(cellOf(key, '')) : String(key))

const DAY_MICROS = 86_400_000_000
let lastDay = Number.NaN
let lastDayText = ''

/** As `isoMicros`, of a number. Neighbours tend to be of one day, whose text is kept. */
export function isoSafeMicros(micros: number, zone: Zone): string {
  const day = Math.floor(micros / DAY_MICROS)
  if (day !== lastDay) {
    lastDayText = isoDate(day)
    lastDay = day
  }
  return `${lastDayText}T${isoTime(micros - day * DAY_MICROS, true)}${zone}`
}

const two = (value: number): string => (value < 10 ? `0${value}` : String(value))

/** `12:34:56.000789`: six digits, or none when they are zero and `always` is not set. */
export function isoTime(micros: number, always = false): string {
  const seconds = Math.floor(micros / 1_000_000)
  const rest = micros - seconds * 1_000_000
  const text = `${two(Math.floor(seconds / 3_600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
  return rest === 0 && !always ? text : `${text}.${String(rest).padStart(6, '0')}`
}

const INFINITE_MICROS = 9_223_372_036_854_775_807n

/** `2026-01-02T03:04:05.000006` and the zone; 'infinity' and '-infinity' as PostgreSQL prints them. */
export function isoMicros(micros: bigint, zone: Zone): string {
  if (micros === INFINITE_MICROS) return 'infinity'
  if (micros === -INFINITE_MICROS) return '-infinity'
  const ms = micros / 1_000n - (micros % 1_000n < 0n ? 1n : 0n)
  const rest = Number(micros - ms * 1_000n)
  const date = new Date(Number(ms))
  if (Number.isNaN(date.getTime())) return `${micros} us`
  return `${date.toISOString().slice(0, -1)}${String(rest).padStart(3, '0')}${zone}`
}

const FIRST_DAY = -719_528
const LAST_DAY = 2_932_896

/** `2026-01-02`; 'infinity' and '-infinity'. */
export function isoDate(days: number): string {
  if (days < FIRST_DAY || days > LAST_DAY) return farDate(days)
  const { year, month, day } = civilOf(days)
  const yearText = year < 1000 ? String(year).padStart(4, '0') : String(year)
  return `${yearText}-${two(month)}-${two(day)}`
}

/** Beyond the years of four digits. */
function farDate(days: number): string {
  const date = new Date(days * DAY_MS)
  if (Number.isNaN(date.getTime())) return days > 0 ? 'infinity' : '-infinity'
  return date.toISOString().slice(0, -14)
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
