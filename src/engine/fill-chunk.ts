// Rows of column batches into DuckDB's chunks, without an object or a BigInt a value: fixed widths are copied as bytes, short
// strings are written in DuckDB's own 16-byte form, the long ones of a column by one native call. Nested values come as JSON text
// and are decoded into columns of their parts, which are filled in the same way.
// Relies on the layout of DuckDB's vectors (string_t: length, then up to 12 bytes inline); `batch-table.test.ts` would notice.
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  type DuckDBDataChunk,
  type DuckDBType,
  FLOAT,
  INTEGER,
  LIST,
  MAP,
  STRUCT,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  UUID,
  VARCHAR,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import { copyBytes } from '../core/bytes.ts'
import { grown } from '../core/grown.ts'
import type { BytesColumn, Column, ColumnBatch, IntegerColumn, NumberColumn } from '../schema/batch.ts'
import { type ListVector, type Nested, newNested, type StructVector, type Vector } from '../schema/scan/nested.ts'
import { isNested, type NestedType, type Shape, type StructType, type Type } from '../schema/type.ts'

/** As DuckDB's vectors; to fill one holds the thread for less than a millisecond. */
export const CHUNK_ROWS = 2048
const scratch = new ArrayBuffer(CHUNK_ROWS * 16)
const bytes = new Uint8Array(scratch)
const int32 = new Int32Array(scratch)
const uint32 = new Uint32Array(scratch)
const float64 = new Float64Array(scratch)
const float32 = new Float32Array(scratch)
const int64 = new BigInt64Array(scratch)
const validity = new ArrayBuffer(CHUNK_ROWS / 8)
const validityBytes = new Uint8Array(validity)

/** DuckDB's. */
type Target = Parameters<typeof duckdb.vector_ensure_validity_writable>[0]

const TWO_32 = 4_294_967_296

function duckType(type: Type): DuckDBType {
  switch (type.kind) {
    case 'boolean':
      return BOOLEAN
    case 'int':
      return INTEGER
    case 'long':
      return BIGINT
    case 'float':
      return FLOAT
    case 'double':
      return DOUBLE
    case 'decimal':
      // Up to 18 digits as 64 bits; more come as text and are cast by the table.
      return type.precision <= 18 ? DECIMAL(Math.max(10, type.precision), type.scale) : VARCHAR
    case 'date':
      return DATE
    case 'time':
      return TIME
    case 'timestamp':
      return TIMESTAMPTZ
    case 'datetime':
      return TIMESTAMP
    case 'uuid':
      return UUID
    case 'binary':
      return BLOB
    case 'struct':
      return STRUCT(Object.fromEntries(type.fields.map((field) => [field.name, duckType(field.type)])))
    case 'list':
      return LIST(duckType(type.element.type))
    case 'map':
      return MAP(duckType(type.key), duckType(type.value.type))
    default:
      return VARCHAR
  }
}

/** The types that a table must have to take batches of this shape; wide decimals are text, inside others too. */
export const ingestTypes = (batch: Pick<ColumnBatch, 'shape'>): readonly DuckDBType[] =>
  batch.shape.fields.map((field) => duckType(field.type))

/** Sets the chunk to `count` rows of the batch, from the row `from` on; it has the columns `ingestTypes`. Strings must be valid UTF-8. */
export function fillChunk(chunk: DuckDBDataChunk, batch: ColumnBatch, from: number, count: number): void {
  chunk.rowCount = count
  if (count > 0) fillColumns((index) => duckdb.data_chunk_get_vector(chunk.chunk, index), batch, from, count)
}

/** The type of a row as one value. */
export const structType = (shape: Shape): DuckDBType =>
  STRUCT(Object.fromEntries(ingestTypes({ shape }).map((type, index) => [`c${index}`, type])))

/** Sets `count` places of a vector of `structType` to the rows from `from` on; what is beyond the batch is null. */
export function fillStructs(vector: Target, batch: ColumnBatch, from: number, count: number): void {
  const childOf = (index: number): Target => duckdb.struct_vector_get_child(vector, index)
  const rows = Math.max(0, Math.min(count, batch.rows - from))
  if (rows > 0) fillColumns(childOf, batch, from, rows)
  if (rows === count) return
  const nulls = new Uint8Array(count).fill(1, rows)
  fillNulls(vector, nulls, 0, count, 0)
  // A part of what is null may not be anything.
  for (const [index, { nulls: own }] of batch.columns.entries()) {
    if (own) nulls.set(own.subarray(from, from + rows))
    else nulls.fill(0, 0, rows)
    fillNulls(childOf(index), nulls, 0, count, 0)
  }
}

function fillColumns(vectorOf: (index: number) => Target, batch: ColumnBatch, from: number, count: number): void {
  for (const [index, { type }] of batch.shape.fields.entries()) {
    const [vector, column] = [vectorOf(index), batch.columns[index]!]
    if (isNested(type) && column.kind === 'bytes') fill(vector, partsOf(type, column, from, count), type, 0, count)
    else fill(vector, column, type, from, count)
  }
}

const readers = new WeakMap<Type, Nested>()

/** Rows of a nested column with their parts, until the next are read. What a log holds was taken by a scanner, which may have passed over unknown members. */
function partsOf(type: NestedType, { bytes: texts, start, length, nulls }: BytesColumn, from: number, count: number): Vector {
  const reader = readers.get(type) ?? newNested(type, true)
  readers.set(type, reader)
  const end = from + count
  const some: BytesColumn = {
    kind: 'bytes',
    bytes: texts,
    start: start.subarray(from, end),
    length: length.subarray(from, end),
    nulls: nulls?.subarray(from, end) ?? null,
  }
  return reader.decode(some, count)
}

/** Fills the first `count` places of the vector with the rows from `from` on. */
function fill(vector: Target, column: Vector, type: Type, from: number, count: number): void {
  if (column.kind === 'struct') fillStruct(vector, column, type as StructType, from, count)
  if (column.kind === 'list') fillList(vector, column, type, from, count)
  for (let done = 0; done < count; done += CHUNK_ROWS) {
    const some = Math.min(CHUNK_ROWS, count - done)
    if (column.kind !== 'struct' && column.kind !== 'list') fillFlat(vector, column, type, from + done, some, done)
    if (column.nulls) fillNulls(vector, column.nulls, from + done, some, done)
  }
}

function fillStruct(vector: Target, { members }: StructVector, { fields }: StructType, from: number, count: number): void {
  for (const [index, member] of members.entries())
    fill(duckdb.struct_vector_get_child(vector, index), member, fields[index]!.type, from, count)
}

/** A list is (where, how many) in a vector of all elements; a map is a list of structs of key and value. */
function fillList(vector: Target, { parts, start, length }: ListVector, type: Type, from: number, count: number): void {
  const first = count === 0 ? 0 : start[from]!
  const total = count === 0 ? 0 : start[from + count - 1]! + length[from + count - 1]! - first
  duckdb.list_vector_reserve(vector, total)
  duckdb.list_vector_set_size(vector, total)
  for (let done = 0; done < count; done += CHUNK_ROWS) {
    const some = Math.min(CHUNK_ROWS, count - done)
    uint32.fill(0, 0, some * 4)
    for (let row = 0; row < some; row++) {
      uint32[row * 4] = start[from + done + row]! - first
      uint32[row * 4 + 2] = length[from + done + row]!
    }
    duckdb.copy_data_to_vector(vector, done * 16, scratch, 0, some * 16)
  }
  const inner = duckdb.list_vector_get_child(vector)
  if (type.kind === 'list') fill(inner, parts[0]!, type.element.type, first, total)
  if (type.kind !== 'map') return
  fill(duckdb.struct_vector_get_child(inner, 0), parts[0]!, type.key, first, total)
  fill(duckdb.struct_vector_get_child(inner, 1), parts[1]!, type.value.type, first, total)
}

function fillNulls(vector: Target, nulls: Uint8Array, from: number, count: number, to: number): void {
  duckdb.vector_ensure_validity_writable(vector)
  validityBytes.fill(0)
  for (let row = 0; row < count; row++) if (nulls[from + row] === 0) validityBytes[row >> 3]! |= 1 << (row & 7)
  duckdb.copy_data_to_vector_validity(vector, to / 8, validity, 0, Math.ceil(count / 64) * 8)
}

/** At most CHUNK_ROWS rows, into the places from `to` on. */
function fillFlat(vector: Target, column: Column, type: Type, from: number, count: number, to: number): void {
  if (column.kind === 'integer') fillIntegers(vector, column, from, count, to)
  else if (column.kind === 'number') fillNumbers(vector, column, type, from, count, to)
  else if (type.kind === 'uuid') fillUuids(vector, column, from, count, to)
  else fillStrings(vector, column, from, count, to)
}

function fillNumbers(vector: Target, { values }: NumberColumn, type: Type, from: number, count: number, to: number): void {
  const [target, width] =
    type.kind === 'boolean' ? [bytes, 1] : type.kind === 'float' ? [float32, 4] : type.kind === 'double' ? [float64, 8] : [int32, 4]
  for (let row = 0; row < count; row++) target[row] = values[from + row]!
  duckdb.copy_data_to_vector(vector, to * width, scratch, 0, count * width)
}

/** 64-bit integers from doubles as two halves: a BigInt a value would cost ten times as much. */
function fillIntegers(vector: Target, { values, big }: IntegerColumn, from: number, count: number, to: number): void {
  if (big) int64.set(big.subarray(from, from + count))
  else {
    for (let row = 0; row < count; row++) {
      const value = values[from + row]!
      const high = Math.floor(value / TWO_32)
      uint32[row * 2] = value - high * TWO_32
      int32[row * 2 + 1] = high
    }
  }
  duckdb.copy_data_to_vector(vector, to * 8, scratch, 0, count * 8)
}

const INLINE = 12

/** Grows to the long strings of one chunk of one column. */
let heap = new Uint8Array(256 * 1024)

/**
 * Short strings are written in place. Long ones go to the vector's heap as one string, by one native call; each row then
 * points into it. (One call a string costs a microsecond each.)
 */
function fillStrings(vector: Target, column: BytesColumn, from: number, count: number, to: number): void {
  const { start, length, nulls } = column
  const source = column.bytes
  int32.fill(0, 0, count * 4)
  let used = 0
  for (let row = 0; row < count; row++) {
    if (nulls?.[from + row]) continue
    const size = length[from + row]!
    const at = start[from + row]!
    const slot = row * 16
    int32[slot >> 2] = size
    if (size <= INLINE) {
      for (let i = 0; i < size; i++) bytes[slot + 4 + i] = source[at + i]!
      continue
    }
    for (let i = 0; i < 4; i++) bytes[slot + 4 + i] = source[at + i]!
    uint32[(slot >> 2) + 2] = used
    if (used + size > heap.length) heap = grown(heap, used + size)
    copyBytes(source, at, size, heap, used)
    used += size
  }
  if (used > 0) pointInto(vector, heap.subarray(0, used), count, to)
  duckdb.copy_data_to_vector(vector, to * 16, scratch, 0, count * 16)
}

/** Turns the offsets of long strings in the scratch into addresses, where the vector keeps `content`. */
function pointInto(vector: Target, content: Uint8Array, count: number, to: number): void {
  duckdb.vector_assign_string_element_len(vector, to, content)
  const data = duckdb.vector_get_data(vector, (to + 1) * 16)
  const pointer = new Uint32Array(data.buffer, data.byteOffset + to * 16 + 8, 2)
  const [low, high] = [pointer[0]!, pointer[1]!]
  for (let row = 0; row < count; row++) {
    if (int32[row * 4]! <= INLINE) continue
    const sum = low + uint32[row * 4 + 2]!
    uint32[row * 4 + 2] = sum
    uint32[row * 4 + 3] = high + (sum >= TWO_32 ? 1 : 0)
  }
}

/** Value of each hexadecimal digit by its character. */
const HEX = new Uint8Array(128)
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit

/** Where the sixteen bytes stand in the 36 characters. */
const UUID_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

/** A UUID is a 128-bit integer with its highest bit flipped, little-endian. */
function fillUuids(vector: Target, { start, nulls, bytes: source }: BytesColumn, from: number, count: number, to: number): void {
  for (let row = 0; row < count; row++) {
    if (nulls?.[from + row]) continue
    const at = start[from + row]!
    for (let i = 0; i < 16; i++) {
      const place = at + UUID_AT[i]!
      bytes[row * 16 + 15 - i] = (HEX[source[place]!]! << 4) | HEX[source[place + 1]!]!
    }
    bytes[row * 16 + 15]! ^= 0x80
  }
  duckdb.copy_data_to_vector(vector, to * 16, scratch, 0, count * 16)
}
