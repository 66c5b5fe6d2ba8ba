// Column batches into DuckDB tables, chunk by chunk, without an object or a BigInt a value: fixed widths are copied as bytes,
// short strings are written in DuckDB's own 16-byte form, long ones by one native call each.
// Relies on the layout of DuckDB's vectors (string_t: length, then up to 12 bytes inline); `ingest.test.ts` would notice.
import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DATE,
  DECIMAL,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  type DuckDBType,
  FLOAT,
  INTEGER,
  TIME,
  TIMESTAMPTZ,
  UUID,
  VARCHAR,
} from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'
import type { BytesColumn, Column, ColumnBatch, IntegerColumn, NumberColumn } from '../schema/batch.ts'
import type { Type } from '../schema/type.ts'

const CHUNK_ROWS = 2048
const scratch = new ArrayBuffer(CHUNK_ROWS * 16)
const bytes = new Uint8Array(scratch)
const int32 = new Int32Array(scratch)
const uint32 = new Uint32Array(scratch)
const float64 = new Float64Array(scratch)
const float32 = new Float32Array(scratch)
const int64 = new BigInt64Array(scratch)
const validity = new ArrayBuffer(CHUNK_ROWS / 8)
const validityBytes = new Uint8Array(validity)

type Vector = Parameters<typeof duckdb.vector_ensure_validity_writable>[0]

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
    case 'uuid':
      return UUID
    case 'binary':
      return BLOB
    default:
      return VARCHAR
  }
}

/** The types that a table must have to take batches of this shape; wide decimals are text. */
export const ingestTypes = (batch: Pick<ColumnBatch, 'shape'>): readonly DuckDBType[] =>
  batch.shape.fields.map((field) => duckType(field.type))

/** Appends all rows to `schema.table`, whose columns are `ingestTypes`. Visible when it resolves; all or nothing. */
export async function appendBatch(connection: DuckDBConnection, schema: string, table: string, batch: ColumnBatch): Promise<void> {
  const appender = await connection.createAppender(table, schema)
  const types = ingestTypes(batch)
  for (let from = 0; from < batch.rows; from += CHUNK_ROWS) {
    const count = Math.min(CHUNK_ROWS, batch.rows - from)
    const chunk = DuckDBDataChunk.create(types, count)
    for (let index = 0; index < batch.columns.length; index++) {
      const vector = duckdb.data_chunk_get_vector(chunk.chunk, index)
      fill(vector, batch.columns[index]!, batch.shape.fields[index]!.type, from, count)
      fillNulls(vector, batch.columns[index]!, from, count)
    }
    appender.appendDataChunk(chunk)
  }
  appender.closeSync()
}

function fillNulls(vector: Vector, column: Column, from: number, count: number): void {
  const { nulls } = column
  if (!nulls) return
  duckdb.vector_ensure_validity_writable(vector)
  validityBytes.fill(0)
  for (let row = 0; row < count; row++) if (nulls[from + row] === 0) validityBytes[row >> 3]! |= 1 << (row & 7)
  duckdb.copy_data_to_vector_validity(vector, 0, validity, 0, Math.ceil(count / 64) * 8)
}

function fill(vector: Vector, column: Column, type: Type, from: number, count: number): void {
  if (column.kind === 'bytes') fillBytes(vector, column, type, from, count)
  else if (column.kind === 'integer') fillIntegers(vector, column, from, count)
  else fillNumbers(vector, column, type, from, count)
}

function fillNumbers(vector: Vector, { values }: NumberColumn, type: Type, from: number, count: number): void {
  switch (type.kind) {
    case 'boolean':
      for (let row = 0; row < count; row++) bytes[row] = values[from + row]!
      return duckdb.copy_data_to_vector(vector, 0, scratch, 0, count)
    case 'float':
      for (let row = 0; row < count; row++) float32[row] = values[from + row]!
      return duckdb.copy_data_to_vector(vector, 0, scratch, 0, count * 4)
    case 'double':
      float64.set(values.subarray(from, from + count))
      return duckdb.copy_data_to_vector(vector, 0, scratch, 0, count * 8)
    default:
      for (let row = 0; row < count; row++) int32[row] = values[from + row]!
      return duckdb.copy_data_to_vector(vector, 0, scratch, 0, count * 4)
  }
}

/** 64-bit integers from doubles as two halves: a BigInt a value would cost ten times as much. */
function fillIntegers(vector: Vector, { values, big }: IntegerColumn, from: number, count: number): void {
  if (big) int64.set(big.subarray(from, from + count))
  else {
    for (let row = 0; row < count; row++) {
      const value = values[from + row]!
      const high = Math.floor(value / TWO_32)
      uint32[row * 2] = value - high * TWO_32
      int32[row * 2 + 1] = high
    }
  }
  duckdb.copy_data_to_vector(vector, 0, scratch, 0, count * 8)
}

function fillBytes(vector: Vector, column: BytesColumn, type: Type, from: number, count: number): void {
  if (type.kind === 'uuid') return fillUuids(vector, column, from, count)
  const { start, length, nulls } = column
  const source = column.bytes
  const long: number[] = []
  int32.fill(0, 0, count * 4)
  for (let row = 0; row < count; row++) {
    if (nulls?.[from + row]) continue
    const size = length[from + row]!
    if (size > 12) {
      long.push(row)
      continue
    }
    int32[row * 4] = size
    const at = start[from + row]!
    const to = row * 16 + 4
    for (let i = 0; i < size; i++) bytes[to + i] = source[at + i]!
  }
  duckdb.copy_data_to_vector(vector, 0, scratch, 0, count * 16)
  for (const row of long) {
    const at = start[from + row]!
    duckdb.vector_assign_string_element_len(vector, row, source.subarray(at, at + length[from + row]!))
  }
}

/** Value of each hexadecimal digit by its character. */
const HEX = new Uint8Array(128)
for (let digit = 0; digit < 16; digit++) HEX[digit.toString(16).charCodeAt(0)] = digit

/** Where the sixteen bytes stand in the 36 characters. */
const UUID_AT = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]

/** A UUID is a 128-bit integer with its highest bit flipped, little-endian. */
function fillUuids(vector: Vector, { start, nulls, bytes: source }: BytesColumn, from: number, count: number): void {
  for (let row = 0; row < count; row++) {
    if (nulls?.[from + row]) continue
    const at = start[from + row]!
    for (let i = 0; i < 16; i++) {
      const place = at + UUID_AT[i]!
      bytes[row * 16 + 15 - i] = (HEX[source[place]!]! << 4) | HEX[source[place + 1]!]!
    }
    bytes[row * 16 + 15]! ^= 0x80
  }
  duckdb.copy_data_to_vector(vector, 0, scratch, 0, count * 16)
}
