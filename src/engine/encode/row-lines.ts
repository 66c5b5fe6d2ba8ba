// Rows of a result as lines of JSON that the scanner of a shape reads back as the same values: the way of rows that SQL makes into
// the log. Forms are those that `read-value.ts` takes; what a shape calls json goes in as it is written.
import {
  type DuckDBBlobValue,
  type DuckDBListValue,
  type DuckDBMapValue,
  type DuckDBStructValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api'
import { MillraceError } from '../../core/errors.ts'
import { type Field, isNested, type Type } from '../../schema/type.ts'
import { plainOf, shortestFloat } from '../cell.ts'
import type { Page } from '../duckdb.ts'
import { isValid, openVector } from '../result-vector.ts'
import { ByteSink } from './byte-sink.ts'
import { cellWriter, writeJsonText } from './cell-writer.ts'

/** Writes one value; a null is `null`. */
type WriteValue = (row: number) => void

/** `writeLine` of the rows of one page. */
export interface LinesOf {
  /** An object of the fields but `absent`; what is null and may be absent is. @throws MR_ROW_TYPE for text that is no JSON. */
  writeLine(row: number, absent: ReadonlySet<string>): void
}

/** A field and the column of the page that it is read from, which has the type of its kind (`toDuckType`). */
export interface Placed {
  readonly field: Field
  readonly at: number
}

export function linesOf(sink: ByteSink, page: Page, fields: readonly Placed[]): LinesOf {
  const columns = fields.map(({ field, at }) => {
    const vector = openVector(page.chunk, at, page.types[at]!, page.rowCount)
    const isNull = (row: number): boolean => (vector.kind === 'other' ? (vector.values[row] ?? null) === null : !isValid(vector.valid, row))
    return { field, name: nameBytes(field.name), isNull, write: writerOf(sink, page, field, at) }
  })
  return {
    writeLine(row, absent) {
      let before = OPEN
      for (const { field, name, isNull, write } of columns) {
        if (absent.has(field.name)) continue
        const isEmpty = isNull(row)
        if (isEmpty && field.optional && field.default === undefined) continue
        sink.ascii(before)
        sink.bytes(name)
        if (isEmpty) sink.ascii('null')
        else write(row)
        before = ','
      }
      sink.ascii(before === OPEN ? '{}\n' : '}\n')
    },
  }
}

const OPEN = '{'

function nameBytes(name: string): Uint8Array {
  const sink = new ByteSink()
  writeJsonText(sink, Buffer.from(name))
  sink.ascii(':')
  return Buffer.from(sink.take())
}

function writerOf(sink: ByteSink, page: Page, { name, type }: Field, at: number): WriteValue {
  const vector = openVector(page.chunk, at, page.types[at]!, page.rowCount)
  if (isNested(type) && vector.kind === 'other') {
    const duckType = page.types[at]!
    return (row) => sink.text(printValue(vector.values[row]!, type, duckType, name))
  }
  if (type.kind === 'json' && vector.kind === 'bytes') return (row) => sink.text(jsonText(vector.bytesAt(row).toString(), name))
  if ((type.kind === 'double' || type.kind === 'float') && vector.kind === 'numbers')
    return (row) => sink.ascii(numberText(vector.values[row]!, type))
  return cellWriter(sink, vector, page.types[at]!, { style: 'json', numbersAsText: false })
}

function numberText(value: number, { kind }: Type): string {
  if (!Number.isFinite(value)) return `"${value}"`
  if (Object.is(value, -0)) return '-0'
  return String(kind === 'float' ? shortestFloat(value) : value)
}

/** It must be one value: what is not could otherwise be more fields of its row. Line ends can only stand between its parts. */
function jsonText(text: string, column: string): string {
  try {
    JSON.parse(text)
  } catch (cause) {
    throw new MillraceError('MR_ROW_TYPE', `field ${column}: expected a JSON value, got ${JSON.stringify(text.slice(0, 40))}`, { cause })
  }
  return text.replaceAll(/[\r\n]/g, ' ')
}

function printValue(value: DuckDBValue, type: Type, duckType: DuckDBType, column: string): string {
  if (value === null || value === undefined) return 'null'
  const inner = (part: DuckDBValue, of: Type): string => printValue(part, of, duckType, column)
  switch (type.kind) {
    case 'struct': {
      const { entries } = value as DuckDBStructValue
      return `{${type.fields.map((field) => `${JSON.stringify(field.name)}:${inner(entries[field.name]!, field.type)}`).join(',')}}`
    }
    case 'list':
      return `[${(value as DuckDBListValue).items.map((item) => inner(item, type.element.type)).join(',')}]`
    case 'map':
      return `{${(value as DuckDBMapValue).entries.map((entry) => `${JSON.stringify(flatText(entry.key, type.key))}:${inner(entry.value, type.value.type)}`).join(',')}}`
    case 'json':
      return jsonText(String(value), column)
    case 'boolean':
    case 'int':
    case 'long':
      return String(value)
    case 'float':
    case 'double':
      return numberText(value as number, type)
    default:
      return JSON.stringify(flatText(value, type))
  }
}

function flatText(value: DuckDBValue, type: Type): string {
  if (type.kind === 'binary') return Buffer.from((value as DuckDBBlobValue).bytes).toString('base64')
  if (type.kind === 'float' || type.kind === 'double') return Object.is(value, -0) ? '-0' : String(plainOf(value, FLATS[type.kind]))
  return String(plainOf(value, FLATS.double))
}

const FLATS = { float: { typeId: DuckDBTypeId.FLOAT } as DuckDBType, double: { typeId: DuckDBTypeId.DOUBLE } as DuckDBType }
