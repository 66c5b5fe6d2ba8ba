// Columns of a result as typed arrays over DuckDB's own memory: an object a value costs ten times as much. Relies on the
// layout of DuckDB's vectors (fixed widths; string_t: length, then up to 12 bytes inline or a pointer). Views hold as long as
// their chunk does.
import { type DuckDBDataChunk, type DuckDBDecimalType, type DuckDBType, DuckDBTypeId, type DuckDBValue } from '@duckdb/node-api'
import duckdb from '@duckdb/node-bindings'

/** Bit set = not null; null = no nulls. */
type Validity = Uint8Array | null

export interface NumbersVector {
  readonly kind: 'numbers'
  readonly values: Int8Array | Int16Array | Int32Array | Uint8Array | Uint16Array | Uint32Array | Float32Array | Float64Array
  readonly valid: Validity
}

/** 64-bit integers: little-endian halves and the whole. */
export interface LongsVector {
  readonly kind: 'longs'
  readonly low: Uint32Array
  readonly high: Int32Array
  readonly big: BigInt64Array
  readonly valid: Validity
}

/** Texts and blobs: `bytesAt` gives a view. */
export interface BytesVector {
  readonly kind: 'bytes'
  readonly valid: Validity
  bytesAt(row: number): Buffer
}

export interface OtherVector {
  readonly kind: 'other'
  readonly values: readonly DuckDBValue[]
  readonly valid: null
}

export type ResultVector = NumbersVector | LongsVector | BytesVector | OtherVector

type Raw = Parameters<typeof duckdb.vector_get_data>[0]

const NUMBERS: Partial<Record<DuckDBTypeId, NumberArray>> = {
  [DuckDBTypeId.BOOLEAN]: Uint8Array,
  [DuckDBTypeId.TINYINT]: Int8Array,
  [DuckDBTypeId.SMALLINT]: Int16Array,
  [DuckDBTypeId.INTEGER]: Int32Array,
  [DuckDBTypeId.UTINYINT]: Uint8Array,
  [DuckDBTypeId.USMALLINT]: Uint16Array,
  [DuckDBTypeId.UINTEGER]: Uint32Array,
  [DuckDBTypeId.DATE]: Int32Array,
  [DuckDBTypeId.FLOAT]: Float32Array,
  [DuckDBTypeId.DOUBLE]: Float64Array,
}

type NumberArray = {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, offset: number, length: number): NumbersVector['values']
}

const LONGS = new Set([DuckDBTypeId.BIGINT, DuckDBTypeId.TIME, DuckDBTypeId.TIMESTAMP, DuckDBTypeId.TIMESTAMP_TZ])

/** The first `rows` values of a column. */
export function openVector(chunk: DuckDBDataChunk, index: number, type: DuckDBType, rows: number): ResultVector {
  if (rows === 0) return { kind: 'other', values: [], valid: null }
  const raw = duckdb.data_chunk_get_vector(chunk.chunk, index)
  const id = type.typeId
  const numbers = id === DuckDBTypeId.DECIMAL ? decimalNumbers(type as DuckDBDecimalType) : NUMBERS[id]
  if (numbers) return { kind: 'numbers', values: view(raw, numbers, rows), valid: validityOf(raw, rows) }
  if (LONGS.has(id) || (id === DuckDBTypeId.DECIMAL && (type as DuckDBDecimalType).width <= 18)) return longs(raw, rows)
  if (id === DuckDBTypeId.VARCHAR || id === DuckDBTypeId.BLOB) return bytes(raw, rows)
  return { kind: 'other', values: chunk.getColumnValues(index), valid: null }
}

const decimalNumbers = ({ width }: DuckDBDecimalType): NumberArray | undefined =>
  width <= 4 ? Int16Array : width <= 9 ? Int32Array : undefined

function view(raw: Raw, Numbers: NumberArray, rows: number): NumbersVector['values'] {
  const data = duckdb.vector_get_data(raw, rows * Numbers.BYTES_PER_ELEMENT)
  return new Numbers(data.buffer, data.byteOffset, rows)
}

function validityOf(raw: Raw, rows: number): Validity {
  // The binding answers null for a column without nulls, whatever its types say.
  return (duckdb.vector_get_validity(raw, Math.ceil(rows / 64) * 8) as Uint8Array | null) ?? null
}

function longs(raw: Raw, rows: number): LongsVector {
  const { buffer, byteOffset } = duckdb.vector_get_data(raw, rows * 8)
  return {
    kind: 'longs',
    low: new Uint32Array(buffer, byteOffset, rows * 2),
    high: new Int32Array(buffer, byteOffset, rows * 2),
    big: new BigInt64Array(buffer, byteOffset, rows),
    valid: validityOf(raw, rows),
  }
}

const INLINE = 12

/** Pointers so close are read by one native call: what lies between is on a page of one of the two. */
const GAP = 4096

function bytes(raw: Raw, rows: number): BytesVector {
  const { buffer, byteOffset } = duckdb.vector_get_data(raw, rows * 16)
  const valid = validityOf(raw, rows)
  const inline = Buffer.from(buffer as ArrayBuffer, byteOffset, rows * 16)
  const words = new Uint32Array(buffer, byteOffset, rows * 4)
  const spans = gather(words, valid, rows, buffer as ArrayBuffer, byteOffset)
  return {
    kind: 'bytes',
    valid,
    bytesAt(row) {
      const size = words[row * 4]!
      if (size <= INLINE) return inline.subarray(row * 16 + 4, row * 16 + 4 + size)
      const start = spans.start[row]!
      return spans.buffers[spans.buffer[row]!]!.subarray(start, start + size)
    },
  }
}

interface Spans {
  readonly buffers: Buffer[]
  /** By row: which buffer, and where in it. */
  readonly buffer: Uint16Array
  readonly start: Uint32Array
}

/** The memory behind the pointers of long strings, which mostly lie one after the other. */
function gather(words: Uint32Array, valid: Validity, rows: number, memory: ArrayBuffer, offset: number): Spans {
  const spans: Spans = { buffers: [], buffer: new Uint16Array(rows), start: new Uint32Array(rows) }
  let first = -1
  let end = 0
  const close = (): void => {
    if (first < 0) return
    const data = duckdb.get_data_from_pointer(memory, offset + first * 16 + 8, end)
    spans.buffers.push(Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength))
  }
  for (let row = 0; row < rows; row++) {
    const size = words[row * 4]!
    if (size <= INLINE || !isValid(valid, row)) continue
    const ahead = words[row * 4 + 2]! - words[first * 4 + 2]!
    const isSameHalf = first >= 0 && words[row * 4 + 3] === words[first * 4 + 3]
    if (!isSameHalf || ahead < 0 || ahead > end + GAP) {
      close()
      first = row
      end = size
      spans.buffer[row] = spans.buffers.length
      continue
    }
    spans.buffer[row] = spans.buffers.length
    spans.start[row] = ahead
    end = Math.max(end, ahead + size)
  }
  close()
  return spans
}

export const isValid = (valid: Validity, row: number): boolean => valid === null || (valid[row >> 3]! & (1 << (row & 7))) !== 0

const TWO_32 = 4_294_967_296

/** The number of a row while it is exact, otherwise undefined. */
export function safeLong({ low, high }: LongsVector, row: number): number | undefined {
  const top = high[row * 2 + 1]!
  return top >= -2_097_152 && top < 2_097_152 ? top * TWO_32 + low[row * 2]! : undefined
}
