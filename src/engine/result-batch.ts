// Pages of a result as column batches: how committed rows come back to the operators. Relies on `batchSelect` having brought
// every type into the lane that batches keep it in; texts are copied, since a page's memory ends with it.
import type {
  DuckDBListType,
  DuckDBListValue,
  DuckDBMapType,
  DuckDBMapValue,
  DuckDBStructType,
  DuckDBStructValue,
  DuckDBType,
  DuckDBValue,
} from '@duckdb/node-api'
import type { BytesColumn, Column, ColumnBatch, IntegerColumn, NumberColumn } from '../schema/batch.ts'
import { laneOf } from '../schema/batch.ts'
import { type Field, isNested, type NestedType, type Shape, type StructType, type Type } from '../schema/type.ts'
import { cellOf, plainOf } from './cell.ts'
import type { Page } from './duckdb.ts'
import { type BytesVector, isValid, type LongsVector, type NumbersVector, type OtherVector, openVector, safeLong } from './result-vector.ts'
import { quoteName } from './sql-text.ts'

/** The columns of a shape as `batchOfPage` takes them. */
export const batchSelect = (shape: Shape): string => shape.fields.map(expressionOf).join(', ')

function expressionOf(field: Field): string {
  const name = quoteName(field.name)
  const isText = laneOf(field.type) === 'bytes' && field.type.kind !== 'binary' && !isNested(field.type)
  return isText ? `CAST(${name} AS VARCHAR) AS ${name}` : name
}

/** Its rows; the first columns of the page are `batchSelect(shape)`. */
export function batchOfPage(page: Page, shape: Shape): ColumnBatch {
  const { chunk, types, rowCount } = page
  const columns = shape.fields.map((field, index) => {
    const vector = openVector(chunk, index, types[index]!, rowCount)
    if (rowCount === 0) return emptyColumn(field)
    if (vector.kind === 'other' && isNested(field.type)) return nestedTexts(vector, types[index]!, field.type)
    if (vector.kind === 'bytes') return texts(vector, rowCount)
    if (vector.kind === 'longs') return integers(vector, rowCount)
    if (vector.kind === 'numbers') return numbers(vector, rowCount, laneOf(field.type))
    throw new TypeError(`cannot be: ${field.name} of a page is ${types[index]}`)
  })
  return { shape, rows: rowCount, columns }
}

function emptyColumn(field: Field): Column {
  const lane = laneOf(field.type)
  if (lane === 'bytes') return { kind: 'bytes', bytes: new Uint8Array(0), start: new Int32Array(0), length: new Int32Array(0), nulls: null }
  const values = new Float64Array(0)
  return lane === 'number' ? { kind: 'number', values, nulls: null } : { kind: 'integer', values, big: null, nulls: null }
}

function nullsOf(valid: NumbersVector['valid'], rows: number): Uint8Array | null {
  if (valid === null) return null
  const nulls = new Uint8Array(rows)
  let count = 0
  for (let row = 0; row < rows; row++) if (!isValid(valid, row)) count += nulls[row] = 1
  return count > 0 ? nulls : null
}

/** Decimals of few digits are kept as numbers by the engine, as integers by batches. */
function numbers({ values, valid }: NumbersVector, rows: number, lane: Column['kind']): NumberColumn | IntegerColumn {
  const column = { values: Float64Array.from(values), nulls: nullsOf(valid, rows) }
  return lane === 'integer' ? { kind: 'integer', big: null, ...column } : { kind: 'number', ...column }
}

function integers(vector: LongsVector, rows: number): IntegerColumn {
  const nulls = nullsOf(vector.valid, rows)
  const values = new Float64Array(rows)
  for (let row = 0; row < rows; row++) {
    if (nulls?.[row]) continue
    const value = safeLong(vector, row)
    if (value === undefined) return { kind: 'integer', values: new Float64Array(0), big: vector.big.slice(0, rows), nulls }
    values[row] = value
  }
  return { kind: 'integer', values, big: null, nulls }
}

/** As a scanner reads them back. */
function nestedTexts({ values }: OtherVector, from: DuckDBType, type: NestedType): BytesColumn {
  const write = writerOf(from, type)
  return bytesOf(values.map((value) => (value === null ? null : Buffer.from(write(value)))))
}

type Write = (value: DuckDBValue) => string

/** JSON of values. Text of JSON inside is its value; entries of maps keep their order; members that the result has not are left out. */
function writerOf(from: DuckDBType, type: Type): Write {
  const write = ((): Write => {
    switch (type.kind) {
      case 'list': {
        const element = writerOf((from as DuckDBListType).valueType, type.element.type)
        return (value) => `[${(value as DuckDBListValue).items.map(element).join(',')}]`
      }
      case 'map': {
        const { keyType, valueType } = from as DuckDBMapType
        const inner = writerOf(valueType, type.value.type)
        return (value) => {
          const { entries } = value as DuckDBMapValue
          return `{${entries.map((entry) => `${JSON.stringify(String(plainOf(entry.key, keyType)))}:${inner(entry.value)}`).join(',')}}`
        }
      }
      case 'struct':
        return structWriter(from as DuckDBStructType, type)
      case 'json':
        return (value) => String(plainOf(value, from))
      default:
        return (value) => {
          const plain = plainOf(value, from)
          return Object.is(plain, -0) ? '-0' : JSON.stringify(cellOf(plain, ''))
        }
    }
  })()
  return (value) => (value === null ? 'null' : write(value))
}

function structWriter({ entryNames, entryTypes }: DuckDBStructType, { fields }: StructType): Write {
  const members = fields.flatMap(({ name, type }) => {
    const at = entryNames.findIndex((other) => other.toLowerCase() === name.toLowerCase())
    return at < 0 ? [] : [{ head: `${JSON.stringify(name)}:`, from: entryNames[at]!, write: writerOf(entryTypes[at]!, type) }]
  })
  return (value) => {
    const { entries } = value as DuckDBStructValue
    return `{${members.map(({ head, from, write }) => head + write(entries[from]!)).join(',')}}`
  }
}

function texts(vector: BytesVector, rows: number): BytesColumn {
  const nulls = nullsOf(vector.valid, rows)
  return bytesOf(Array.from({ length: rows }, (_, row) => (nulls?.[row] ? null : vector.bytesAt(row))))
}

/** One after the other. */
function bytesOf(parts: readonly (Buffer | null)[]): BytesColumn {
  const [start, length] = [new Int32Array(parts.length), new Int32Array(parts.length)]
  const nulls = new Uint8Array(parts.length)
  let at = 0
  for (const [row, part] of parts.entries()) {
    start[row] = at
    if (part === null) nulls[row] = 1
    else at += length[row] = part.length
  }
  const bytes = Buffer.concat(
    parts.filter((part) => part !== null),
    at,
  )
  return { kind: 'bytes', bytes, start, length, nulls: nulls.includes(1) ? nulls : null }
}
