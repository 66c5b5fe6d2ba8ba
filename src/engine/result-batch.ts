// Pages of a result as column batches: how committed rows come back to the operators. Relies on `batchSelect` having brought
// every type into the lane that batches keep it in; texts are copied, since a page's memory ends with it.
import type { BytesColumn, Column, ColumnBatch, IntegerColumn, NumberColumn } from '../schema/batch.ts'
import { laneOf } from '../schema/batch.ts'
import { type Field, isNested, type Shape } from '../schema/type.ts'
import type { Page } from './duckdb.ts'
import { type BytesVector, isValid, type LongsVector, type NumbersVector, openVector, safeLong } from './result-vector.ts'
import { quoteName } from './sql-text.ts'

/** The columns of a shape as `batchOfPage` takes them. */
export const batchSelect = (shape: Shape): string => shape.fields.map(expressionOf).join(', ')

function expressionOf(field: Field): string {
  const name = quoteName(field.name)
  if (isNested(field.type)) return `CAST(to_json(${name}) AS VARCHAR) AS ${name}`
  const isText = laneOf(field.type) === 'bytes' && field.type.kind !== 'binary'
  return isText ? `CAST(${name} AS VARCHAR) AS ${name}` : name
}

/** Its rows; the first columns of the page are `batchSelect(shape)`. */
export function batchOfPage(page: Page, shape: Shape): ColumnBatch {
  const { chunk, types, rowCount } = page
  const columns = shape.fields.map((field, index) => {
    const vector = openVector(chunk, index, types[index]!, rowCount)
    if (rowCount === 0) return emptyColumn(field)
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

function texts(vector: BytesVector, rows: number): BytesColumn {
  const nulls = nullsOf(vector.valid, rows)
  const start = new Int32Array(rows)
  const length = new Int32Array(rows)
  const parts: Buffer[] = []
  let at = 0
  for (let row = 0; row < rows; row++) {
    start[row] = at
    if (nulls?.[row]) continue
    const part = vector.bytesAt(row)
    parts.push(part)
    length[row] = part.length
    at += part.length
  }
  return { kind: 'bytes', bytes: Buffer.concat(parts, at), start, length, nulls }
}
