// Writes values of a result column as JSON or CSV text, straight from DuckDB's vectors. The forms are those of CONTRACT, as
// `cell.ts` gives them: the two are compared by a test.
import { type DuckDBDecimalType, type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { cellOf, decimalText, isoDate, isoMicros, isoSafeMicros, isoTime, plainOf, shortestFloat, zoneOf } from '../cell.ts'
import { type BytesVector, isValid, type LongsVector, type NumbersVector, type ResultVector, safeLong } from '../result-vector.ts'
import type { ByteSink } from './byte-sink.ts'

export type Style = 'json' | 'csv'

export type WriteCell = (row: number) => void

export interface CellStyle {
  readonly style: Style
  readonly numbersAsText: boolean
}

/** A function that writes the value of a row of `vector`. */
export function cellWriter(sink: ByteSink, vector: ResultVector, type: DuckDBType, options: CellStyle): WriteCell {
  const write = valueWriter(sink, vector, type, options)
  if (vector.valid === null) return write
  const { valid } = vector
  return (row) => {
    if (isValid(valid, row)) write(row)
    else if (options.style === 'json') sink.ascii('null')
  }
}

function valueWriter(sink: ByteSink, vector: ResultVector, type: DuckDBType, options: CellStyle): WriteCell {
  switch (vector.kind) {
    case 'numbers':
      return numberWriter(sink, vector, type, options)
    case 'longs':
      return longWriter(sink, vector, type, options)
    case 'bytes':
      return bytesWriter(sink, vector, type, options.style)
    case 'other':
      return (row) => writeOther(sink, vector.values[row], type, options)
  }
}

const quotedAscii = (sink: ByteSink, text: string, { style }: CellStyle): void => sink.ascii(style === 'json' ? `"${text}"` : text)

function numberWriter(sink: ByteSink, { values }: NumbersVector, type: DuckDBType, options: CellStyle): WriteCell {
  const number = (value: number): void => {
    if (options.style === 'json' && (options.numbersAsText || !Number.isFinite(value))) sink.ascii(`"${value}"`)
    else sink.ascii(String(value))
  }
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return (row) => sink.ascii(values[row] === 0 ? 'false' : 'true')
    case DuckDBTypeId.DATE:
      return (row) => quotedAscii(sink, isoDate(values[row]!), options)
    case DuckDBTypeId.DECIMAL:
      return (row) => quotedAscii(sink, decimalText(String(values[row]), (type as DuckDBDecimalType).scale), options)
    case DuckDBTypeId.FLOAT:
      return (row) => number(shortestFloat(values[row]!))
    case DuckDBTypeId.DOUBLE:
      return (row) => number(values[row]!)
    default:
      return options.numbersAsText && options.style === 'json' ? (row) => sink.ascii(`"${values[row]}"`) : (row) => sink.whole(values[row]!)
  }
}

function longWriter(sink: ByteSink, vector: LongsVector, type: DuckDBType, options: CellStyle): WriteCell {
  switch (type.typeId) {
    case DuckDBTypeId.DECIMAL:
      return (row) => {
        const value = safeLong(vector, row) ?? vector.big[row]!
        quotedAscii(sink, decimalText(String(value), (type as DuckDBDecimalType).scale), options)
      }
    case DuckDBTypeId.TIME:
      return (row) => quotedAscii(sink, isoTime(safeLong(vector, row)!), options)
    case DuckDBTypeId.BIGINT:
      return (row) => {
        const value = safeLong(vector, row)
        if (value === undefined || options.numbersAsText || !Number.isSafeInteger(value))
          quotedAscii(sink, String(vector.big[row]), options)
        else sink.whole(value)
      }
    default: {
      const zone = zoneOf(type)
      return (row) => {
        const micros = safeLong(vector, row)
        quotedAscii(sink, micros === undefined ? isoMicros(vector.big[row]!, zone) : isoSafeMicros(micros, zone), options)
      }
    }
  }
}

function bytesWriter(sink: ByteSink, vector: BytesVector, type: DuckDBType, style: Style): WriteCell {
  if (type.typeId === DuckDBTypeId.BLOB) {
    return (row) => quotedAscii(sink, vector.bytesAt(row).toString('base64'), { style, numbersAsText: false })
  }
  return style === 'json' ? (row) => writeJsonText(sink, vector.bytesAt(row)) : (row) => writeCsvText(sink, vector.bytesAt(row))
}

function writeOther(sink: ByteSink, value: Parameters<typeof plainOf>[0] | undefined, type: DuckDBType, options: CellStyle): void {
  const cell = value === undefined ? null : cellOf(plainOf(value, type), type.toString(), options)
  if (options.style === 'json') sink.text(JSON.stringify(cell))
  else if (cell !== null) writeCsvText(sink, Buffer.from(typeof cell === 'object' ? JSON.stringify(cell) : String(cell)))
}

const QUOTE = 34
const BACKSLASH = 92

/** Bytes of UTF-8 as a JSON string. */
export function writeJsonText(sink: ByteSink, bytes: Uint8Array): void {
  const size = bytes.length
  sink.reserve(size * 6 + 2)
  const target = sink.buffer
  let at = sink.length
  target[at++] = QUOTE
  for (let i = 0; i < size; i++) {
    const byte = bytes[i]!
    if (byte >= 32 && byte !== QUOTE && byte !== BACKSLASH) target[at++] = byte
    else at += target.write(escaped(byte), at, 'latin1')
  }
  target[at++] = QUOTE
  sink.length = at
}

const SHORT: Readonly<Record<number, string>> = { 8: '\\b', 9: '\\t', 10: '\\n', 12: '\\f', 13: '\\r', 34: '\\"', 92: '\\\\' }
const escaped = (byte: number): string => SHORT[byte] ?? `\\u${byte.toString(16).padStart(4, '0')}`

/** RFC 4180: quotes where needed. An empty text is quoted, so that it differs from null. */
export function writeCsvText(sink: ByteSink, bytes: Uint8Array): void {
  if (bytes.length > 0 && !needsQuotes(bytes)) sink.bytes(bytes)
  else writeQuoted(sink, bytes)
}

function writeQuoted(sink: ByteSink, bytes: Uint8Array): void {
  sink.reserve(bytes.length * 2 + 2)
  const target = sink.buffer
  let at = sink.length
  target[at++] = QUOTE
  for (const byte of bytes) {
    if (byte === QUOTE) target[at++] = QUOTE
    target[at++] = byte
  }
  target[at++] = QUOTE
  sink.length = at
}

/** A comma, a quote, or a line break. */
function needsQuotes(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte === 44 || byte === QUOTE || byte === 10 || byte === 13) return true
  return false
}
