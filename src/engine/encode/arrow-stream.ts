// Pages of a result as an Arrow IPC stream, through the optional package apache-arrow: fixed widths are copied as they lie in
// DuckDB's vectors. What Arrow's JavaScript has no exact counterpart for (nested types, intervals, ...) becomes text.
import { type DuckDBDecimalType, type DuckDBType, DuckDBTypeId } from '@duckdb/node-api'
import { optional } from '../../core/optional.ts'
import { cellOf, plainOf } from '../cell.ts'
import type { Page } from '../duckdb.ts'
import { isValid, openVector, type ResultVector } from '../result-vector.ts'

type Arrow = typeof import('apache-arrow')
type ArrowType = InstanceType<Arrow['DataType']>

/** @throws MR_PACKAGE_MISSING */
export async function* encodeArrow(pages: AsyncIterable<Page>): AsyncGenerator<Uint8Array> {
  const arrow = await optional<Arrow>('apache-arrow', 'the Arrow format')
  const parts: Uint8Array[] = []
  class Collected extends arrow.AsyncByteQueue {
    override write(value: ArrayBufferLike | ArrayBufferView | string): void {
      // The writer uses its buffers again.
      parts.push(Buffer.from(value as Uint8Array))
    }
  }
  const writer = new arrow.RecordBatchStreamWriter()
  let schema: InstanceType<Arrow['Schema']> | undefined
  for await (const page of pages) {
    const kinds = page.columns.map((_, index) => kindOf(arrow, page.types[index]!))
    if (!schema) {
      schema = new arrow.Schema(page.columns.map(({ name }, index) => new arrow.Field(name, kinds[index]!.type, true)))
      writer.reset(new Collected(), schema)
    }
    if (page.rowCount > 0) writer.write(batchOf(arrow, schema, page, kinds))
    yield* parts.splice(0)
  }
  writer.finish()
  yield* parts.splice(0)
}

interface ArrowKind {
  readonly type: ArrowType
  /** Null when values pass as text. */
  readonly width: number | null
}

function kindOf(arrow: Arrow, type: DuckDBType): ArrowKind {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return { type: new arrow.Bool(), width: 0 }
    case DuckDBTypeId.TINYINT:
      return { type: new arrow.Int8(), width: 1 }
    case DuckDBTypeId.SMALLINT:
      return { type: new arrow.Int16(), width: 2 }
    case DuckDBTypeId.INTEGER:
      return { type: new arrow.Int32(), width: 4 }
    case DuckDBTypeId.UTINYINT:
      return { type: new arrow.Uint8(), width: 1 }
    case DuckDBTypeId.USMALLINT:
      return { type: new arrow.Uint16(), width: 2 }
    case DuckDBTypeId.UINTEGER:
      return { type: new arrow.Uint32(), width: 4 }
    case DuckDBTypeId.BIGINT:
      return { type: new arrow.Int64(), width: 8 }
    case DuckDBTypeId.FLOAT:
      return { type: new arrow.Float32(), width: 4 }
    case DuckDBTypeId.DOUBLE:
      return { type: new arrow.Float64(), width: 8 }
    case DuckDBTypeId.DATE:
      return { type: new arrow.DateDay(), width: 4 }
    case DuckDBTypeId.TIME:
      return { type: new arrow.TimeMicrosecond(), width: 8 }
    case DuckDBTypeId.TIMESTAMP:
      return { type: new arrow.TimestampMicrosecond(), width: 8 }
    case DuckDBTypeId.TIMESTAMP_TZ:
      return { type: new arrow.TimestampMicrosecond('UTC'), width: 8 }
    case DuckDBTypeId.DECIMAL:
      return { type: new arrow.Decimal((type as DuckDBDecimalType).scale, (type as DuckDBDecimalType).width, 128), width: 16 }
    case DuckDBTypeId.BLOB:
      return { type: new arrow.Binary(), width: null }
    default:
      return { type: new arrow.Utf8(), width: null }
  }
}

function batchOf(
  arrow: Arrow,
  schema: InstanceType<Arrow['Schema']>,
  page: Page,
  kinds: readonly ArrowKind[],
): InstanceType<Arrow['RecordBatch']> {
  const children = kinds.map((kind, index) => {
    const type = page.types[index]!
    const vector = openVector(page.chunk, index, type, page.rowCount)
    return dataOf(arrow, kind, vector, type, page.rowCount)
  })
  const rows = arrow.makeData({ type: new arrow.Struct(schema.fields), length: page.rowCount, nullCount: 0, children })
  return new arrow.RecordBatch(schema, rows)
}

type Data = InstanceType<Arrow['Data']>

function dataOf(arrow: Arrow, { type, width }: ArrowKind, vector: ResultVector, duck: DuckDBType, rows: number): Data {
  const valid = validity(vector, rows)
  const common = { type, length: rows, ...(valid ? { nullBitmap: valid } : {}) }
  const make = (buffers: object): Data => arrow.makeData({ ...common, ...buffers } as never) as Data
  if (width === null) return make(texts(vector, duck, rows))
  if (width === 0) return make({ data: bits(vector, rows) })
  if (duck.typeId === DuckDBTypeId.DECIMAL) return make({ data: decimals(vector, rows) })
  return make({
    data:
      vector.kind === 'longs' ? vector.big.slice(0, rows) : (vector as Extract<ResultVector, { kind: 'numbers' }>).values.slice(0, rows),
  })
}

function validity(vector: ResultVector, rows: number): Uint8Array | null {
  if (vector.kind !== 'other') return vector.valid === null ? null : vector.valid.slice(0, Math.ceil(rows / 8))
  return vector.values.includes(null) ? packed(rows, (row) => vector.values[row] !== null) : null
}

function packed(rows: number, isSet: (row: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(rows / 8))
  for (let row = 0; row < rows; row++) if (isSet(row)) bytes[row >> 3]! |= 1 << (row & 7)
  return bytes
}

const bits = (vector: ResultVector, rows: number): Uint8Array =>
  packed(rows, (row) => vector.kind === 'numbers' && vector.values[row] !== 0)

/** 128 bits, little-endian. */
function decimals(vector: ResultVector, rows: number): Uint32Array {
  const words = new BigInt64Array(rows * 2)
  for (let row = 0; row < rows; row++) {
    if (!isValid(vector.valid, row)) continue
    const value = unscaled(vector, row)
    words[row * 2] = BigInt.asIntN(64, value)
    words[row * 2 + 1] = value >> 64n
  }
  return new Uint32Array(words.buffer)
}

function unscaled(vector: ResultVector, row: number): bigint {
  if (vector.kind === 'longs') return vector.big[row]!
  if (vector.kind === 'numbers') return BigInt(vector.values[row]!)
  const value = vector.kind === 'other' ? (vector.values[row] as { value: bigint } | null) : null
  return value?.value ?? 0n
}

/** Offsets and bytes of texts and blobs; other values in their JSON form. */
function texts(vector: ResultVector, type: DuckDBType, rows: number): { valueOffsets: Int32Array; data: Uint8Array } {
  const parts = Array.from({ length: rows }, (_, row) => {
    if (!isValid(vector.valid, row)) return Buffer.alloc(0)
    if (vector.kind === 'bytes') return vector.bytesAt(row)
    const value = vector.kind === 'other' ? vector.values[row]! : null
    const cell = cellOf(plainOf(value, type), type.toString())
    return Buffer.from(cell === null ? '' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell))
  })
  const valueOffsets = new Int32Array(rows + 1)
  for (const [row, part] of parts.entries()) valueOffsets[row + 1] = valueOffsets[row]! + part.length
  return { valueOffsets, data: Buffer.concat(parts) }
}
