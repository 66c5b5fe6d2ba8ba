// Columns to NDJSON, one line a row: the inverse of the scanner, which reads back every value exactly. Used for streams
// that Millrace writes itself. Nulls are left out. Spelling (CONTRACT.md, Data): decimals, longs beyond 2^53 - 1, NaN and
// the infinities are strings, timestamps are UTC with six decimals.
import type { BytesColumn, Column, ColumnBatch, IntegerColumn } from './batch.ts'
import { DAY_MICROS, isoDate } from './calendar.ts'
import type { Field, Type } from './type.ts'
import { decimalText, doubleText, textOf } from './value-text.ts'

/** What is written so far; `bytes` is replaced when it grows. */
interface Sink {
  bytes: Buffer
  length: number
}

type Write = (sink: Sink, row: number) => void

/** The chosen rows in the given order, or all. Strings must be UTF-8 and json values JSON, as the scanner leaves them. */
export function encodeRows(batch: ColumnBatch, rows?: Int32Array): Buffer {
  const sink: Sink = { bytes: Buffer.allocUnsafe(Math.max(4096, (rows?.length ?? batch.rows) * 64)), length: 0 }
  const writers = batch.columns.map((column, i) => memberWriter(batch.shape.fields[i]!, column))
  const count = rows?.length ?? batch.rows
  for (let i = 0; i < count; i++) writeRow(sink, writers, rows ? rows[i]! : i)
  return sink.bytes.subarray(0, sink.length)
}

function writeRow(sink: Sink, writers: readonly Write[], row: number): void {
  reserve(sink, 3)
  const open = sink.length++
  for (const write of writers) write(sink, row)
  // Each member ends with a comma; the last becomes the closing brace.
  if (sink.length === open + 1) sink.length++
  reserve(sink, 1)
  sink.bytes[open] = 0x7b
  sink.bytes[sink.length - 1] = 0x7d
  sink.bytes[sink.length++] = 0x0a
}

function reserve(sink: Sink, count: number): void {
  if (sink.length + count <= sink.bytes.length) return
  const bytes = Buffer.allocUnsafe((sink.length + count) * 2)
  sink.bytes.copy(bytes, 0, 0, sink.length)
  sink.bytes = bytes
}

/** Writes `"name":value,` unless the value is null. */
function memberWriter(field: Field, column: Column): Write {
  const key = Buffer.from(`${JSON.stringify(field.name)}:`)
  const write = valueWriter(field.type, column)
  const { nulls } = column
  return (sink, row) => {
    if (nulls !== null && nulls[row] === 1) return
    reserve(sink, key.length + 40)
    sink.bytes.set(key, sink.length)
    sink.length += key.length
    write(sink, row)
    reserve(sink, 4)
    sink.bytes[sink.length++] = 0x2c
  }
}

/** Writes one value that is not null; 40 bytes are reserved. */
function valueWriter(type: Type, column: Column): Write {
  if (column.kind === 'bytes') return bytesWriter(type, column)
  if (type.kind === 'boolean' || type.kind === 'int') return (sink, row) => writeAscii(sink, textOf(type, column, row))
  if (type.kind === 'timestamp' && column.kind === 'integer' && !column.big) return timestampWriter(column.values)
  if (column.kind === 'number' && (type.kind === 'float' || type.kind === 'double'))
    return (sink, row) => writeDouble(sink, column.values[row]!)
  if (column.kind === 'integer' && type.kind === 'long') return longWriter(column)
  if (column.kind === 'integer' && type.kind === 'decimal' && !column.big) {
    const { scale } = type
    return (sink, row) => writeAscii(sink, `"${decimalText(column.values[row]!, scale)}"`)
  }
  return (sink, row) => writeAscii(sink, `"${textOf(type, column, row)}"`)
}

function writeAscii(sink: Sink, text: string): void {
  sink.length += sink.bytes.write(text, sink.length, 'latin1')
}

const writeDouble = (sink: Sink, value: number): void => writeAscii(sink, Number.isFinite(value) ? doubleText(value) : `"${value}"`)

function longWriter({ values, big }: IntegerColumn): Write {
  return (sink, row) => {
    const value = big ? big[row]! : values[row]!
    const exact = value <= Number.MAX_SAFE_INTEGER && value >= Number.MIN_SAFE_INTEGER
    writeAscii(sink, exact ? String(value) : `"${value}"`)
  }
}

/** Digit by digit; the date of the last row is kept, since rows come in order of time. */
function timestampWriter(values: Float64Array): Write {
  let lastDay = Number.NaN
  let date = ''
  return (sink, row) => {
    const day = Math.floor(values[row]! / DAY_MICROS)
    if (day !== lastDay) date = `"${isoDate(day)}T`
    lastDay = day
    writeAscii(sink, date)
    const micros = values[row]! - day * DAY_MICROS
    const seconds = Math.floor(micros / 1e6)
    const minutes = Math.floor(seconds / 60)
    writeDigits(sink, Math.floor(minutes / 60), 2, 0x3a)
    writeDigits(sink, minutes % 60, 2, 0x3a)
    writeDigits(sink, seconds % 60, 2, 0x2e)
    writeDigits(sink, micros - seconds * 1e6, 6, 0x5a)
    sink.bytes[sink.length++] = 0x22
  }
}

/** `count` digits and one more byte. */
function writeDigits(sink: Sink, value: number, count: number, then: number): void {
  let rest = value
  for (let at = sink.length + count - 1; at >= sink.length; at--) {
    sink.bytes[at] = 0x30 + (rest % 10)
    rest = Math.floor(rest / 10)
  }
  sink.length += count
  sink.bytes[sink.length++] = then
}

function bytesWriter(type: Type, column: BytesColumn): Write {
  if (type.kind === 'json') return (sink, row) => writeJson(sink, column, row)
  if (type.kind === 'binary') return (sink, row) => writeBase64(sink, column, row)
  return (sink, row) => writeString(sink, column, row)
}

/** Line breaks can only be space between tokens here. */
function writeJson(sink: Sink, { bytes, start, length }: BytesColumn, row: number): void {
  const from = start[row]!
  const count = length[row]!
  reserve(sink, count)
  for (let i = 0; i < count; i++) {
    const c = bytes[from + i]!
    sink.bytes[sink.length++] = c === 0x0a || c === 0x0d ? 0x20 : c
  }
}

function writeBase64(sink: Sink, { bytes, start, length }: BytesColumn, row: number): void {
  const from = bytes.byteOffset + start[row]!
  reserve(sink, Math.ceil(length[row]! / 3) * 4 + 2)
  writeAscii(sink, `"${Buffer.from(bytes.buffer, from, length[row]!).toString('base64')}"`)
}

/** The letter behind the backslash for a byte that must be escaped; 1 where only \u00XX will do; 0 for all other bytes. */
const ESCAPES = new Uint8Array(256)
ESCAPES.fill(1, 0, 0x20)
for (const [code, letter] of Object.entries({ 8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r', 34: '"', 92: '\\' })) {
  ESCAPES[Number(code)] = letter.charCodeAt(0)
}

const HEX = '0123456789abcdef'

function writeString(sink: Sink, { bytes, start, length }: BytesColumn, row: number): void {
  const from = start[row]!
  const end = from + length[row]!
  reserve(sink, (end - from) * 6 + 2)
  const out = sink.bytes
  let next = sink.length
  out[next++] = 0x22
  for (let at = from; at < end; at++) {
    const c = bytes[at]!
    const letter = ESCAPES[c]!
    if (letter !== 0) out[next++] = 0x5c
    if (letter !== 1) out[next++] = letter === 0 ? c : letter
    else {
      out.write(`u00${HEX[c >> 4]}${HEX[c & 15]}`, next, 'latin1')
      next += 5
    }
  }
  out[next++] = 0x22
  sink.length = next
}
