// Values between column batches, user code and checkpoints: what a processor sees as a row, and what it emits.
import { isAscii } from 'node:buffer'
import { MillraceError } from '../core/errors.ts'
import { type BytesColumn, type Column, type ColumnBatch, type IntegerColumn, type NumberColumn, valueIn } from '../schema/batch.ts'
import { isoDate, isoDatetime, isoTime } from '../schema/calendar.ts'
import { Decimal } from '../schema/decimal.ts'
import { Instant } from '../schema/instant.ts'
import { newNested, type Vector } from '../schema/scan/nested.ts'
import { isNested, type MapType, type NestedType, type Shape, type StructType, type Type } from '../schema/type.ts'

/** A value in user code; of `json` columns it is any JSON value. */
export type Value = unknown

/**
 * Reads rows as user code sees them: decimals exact, longs bigint, timestamps instants, dates, times and datetimes ISO text, json parsed, structs
 * and maps objects, lists arrays;
 * absent fields are null, also inside.
 */
export function rowReader(shape: Shape): (batch: ColumnBatch, row: number) => Record<string, Value> {
  const texts = new Texts()
  const readers = shape.fields.map(({ type }) => (isNested(type) ? nestedReader(type) : valueReader(type, texts)))
  // A literal with all columns, which V8 makes in one piece.
  const members = shape.fields.map(
    ({ name }, i) => `${name === '__proto__' ? '["__proto__"]' : JSON.stringify(name)}: r[${i}](c[${i}], row, rows)`,
  )
  const make = new Function('r', 'c', 'row', 'rows', `return { ${members.join(', ')} }`) as (
    readers: readonly ColumnReader[],
    columns: readonly Column[],
    row: number,
    rows: number,
  ) => Record<string, Value>
  return (batch, row) => make(readers, batch.columns, row, batch.rows)
}

export const rowAt = (batch: ColumnBatch, row: number, shape: Shape): Record<string, Value> => rowReader(shape)(batch, row)

/** `rows`: of the batch. */
type ColumnReader = (column: Column, row: number, rows: number) => Value

function valueReader(type: Type, texts: Texts): ColumnReader {
  const textAt = texts.reader()
  const isThere = (column: Column, row: number): boolean => column.nulls === null || column.nulls[row] === 0
  switch (type.kind) {
    case 'boolean':
      return (column, row) => (isThere(column, row) ? (column as NumberColumn).values[row] === 1 : null)
    case 'int':
    case 'float':
    case 'double':
      return (column, row) => (isThere(column, row) ? (column as NumberColumn).values[row]! : null)
    case 'date':
      return (column, row) => (isThere(column, row) ? isoDate((column as NumberColumn).values[row]!) : null)
    case 'long':
      return (column, row) => (isThere(column, row) ? longAt(column as IntegerColumn, row) : null)
    case 'time':
      return (column, row) => (isThere(column, row) ? isoTime(Number(longAt(column as IntegerColumn, row))) : null)
    case 'timestamp':
      return (column, row) => {
        if (!isThere(column, row)) return null
        const { big, values } = column as IntegerColumn
        return Instant.fromMicros(big === null ? values[row]! : big[row]!)
      }
    case 'datetime':
      return (column, row) => {
        if (!isThere(column, row)) return null
        const { big, values } = column as IntegerColumn
        return isoDatetime(big === null ? values[row]! : big[row]!)
      }
    case 'decimal':
      return (column, row) => {
        if (!isThere(column, row)) return null
        return column.kind === 'bytes' ? Decimal.from(textAt(column, row)) : new Decimal(longAt(column as IntegerColumn, row), type.scale)
      }
    case 'binary':
      return (column, row) => {
        const { bytes, start, length } = column as BytesColumn
        return isThere(column, row) ? bytes.subarray(start[row]!, start[row]! + length[row]!) : null
      }
    case 'json':
      return (column, row) => (isThere(column, row) ? JSON.parse(textAt(column as BytesColumn, row)) : null)
    default:
      return (column, row) => (isThere(column, row) ? textAt(column as BytesColumn, row) : null)
  }
}

const longAt = ({ big, values }: IntegerColumn, row: number): bigint => (big === null ? BigInt(values[row]!) : big[row]!)

/** Bytes of a batch as text of which those of the rows are parts, where they are ASCII, as nearly all are. */
interface Text {
  readonly bytes: Uint8Array
  readonly buffer: Buffer
  readonly all: string | null
}

function textOfBytes(bytes: Uint8Array): Text {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { bytes, buffer, all: isAscii(bytes) ? buffer.latin1Slice(0, bytes.length) : null }
}

/** The texts of a row's columns: several may share their bytes. */
class Texts {
  readonly #recent: Text[] = []

  reader(): (column: BytesColumn, row: number) => string {
    let text = textOfBytes(new Uint8Array(0))
    return ({ bytes, start, length }, row) => {
      if (bytes !== text.bytes) text = this.#of(bytes)
      const from = start[row]!
      const until = from + length[row]!
      return text.all === null ? text.buffer.utf8Slice(from, until) : text.all.substring(from, until)
    }
  }

  #of(bytes: Uint8Array): Text {
    const known = this.#recent.find((text) => text.bytes === bytes)
    if (known) return known
    const made = textOfBytes(bytes)
    this.#recent.unshift(made)
    if (this.#recent.length > 4) this.#recent.pop()
    return made
  }
}

/** Decodes a column when its first row is asked for. */
function nestedReader(type: NestedType): ColumnReader {
  const nested = newNested(type, true)
  const decoded = new WeakMap<Column, Vector>()
  return (column, row, rows) => {
    const vector = decoded.get(column) ?? nested.decode(column as BytesColumn, rows)
    decoded.set(column, vector)
    return readVector(type, vector, row)
  }
}

function readVector(type: Type, vector: Vector, row: number): Value {
  if (vector.nulls?.[row]) return null
  if (vector.kind === 'struct')
    return Object.fromEntries(
      (type as StructType).fields.map((field, index) => [field.name, readVector(field.type, vector.members[index]!, row)]),
    )
  if (vector.kind !== 'list') return readValue(type, vector, row)
  const places = Array.from({ length: vector.length[row]! }, (_, i) => vector.start[row]! + i)
  const [first, second] = vector.parts as [Vector, Vector]
  if (type.kind === 'list') return places.map((place) => readVector(type.element.type, first, place))
  const { key, value } = type as MapType
  return Object.fromEntries(places.map((place) => [String(readVector(key, first, place)), readVector(value.type, second, place)]))
}

const readValue = (type: Type, column: Column, row: number): Value => toValue(type, valueIn(type, column, row))

function toValue(type: Type, raw: ReturnType<typeof valueIn>): Value {
  if (raw === null) return null
  switch (type.kind) {
    case 'decimal':
      return typeof raw === 'bigint' ? new Decimal(raw, type.scale) : Decimal.from(String(raw))
    case 'timestamp':
      return Instant.fromMicros(Number(raw))
    case 'datetime':
      return isoDatetime(raw as bigint)
    case 'date':
      return isoDate(Number(raw))
    case 'time':
      return isoTime(Number(raw))
    case 'json':
      return JSON.parse(raw as string)
    default:
      return raw
  }
}

/** JSON form of a value, as the scanner reads it back. */
export function encodeValue(type: Type, value: Value): unknown {
  if (type.kind === 'json' || value === null || value === undefined) return value
  if (isNested(type)) return encodeNested(type, value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Decimal || value instanceof Instant) return value.toJSON()
  return value
}

/** Equal values are equal text: members stand in the order of the type, keys of maps in their own. What has no place is refused later. */
function encodeNested(type: NestedType, value: Value): unknown {
  if (type.kind === 'list') return Array.isArray(value) ? value.map((element) => encodeValue(type.element.type, element) ?? null) : value
  if (typeof value !== 'object' || Array.isArray(value)) return value
  const entries = Object.entries(value as Record<string, Value>)
  if (type.kind === 'map')
    return Object.fromEntries(
      entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, encodeValue(type.value.type, inner) ?? null]),
    )
  const members = type.fields.map((field) => [field.name, encodeValue(field.type, (value as Record<string, Value>)[field.name])] as const)
  const others = entries.filter(([name]) => !type.fields.some((field) => field.name === name))
  return Object.fromEntries([...members, ...others])
}

function decodeNested(type: NestedType, raw: unknown): Value {
  const inner = (of: Type, value: unknown): Value => (value === null || value === undefined ? null : decodeValue(of, value))
  if (type.kind === 'list') return (raw as unknown[]).map((element) => inner(type.element.type, element))
  const values = raw as Record<string, unknown>
  if (type.kind === 'map') return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, inner(type.value.type, value)]))
  return Object.fromEntries(type.fields.map((field) => [field.name, inner(field.type, values[field.name])]))
}

/** Inverse of `encodeValue`, from parsed JSON. */
export function decodeValue(type: Type, raw: unknown): Value {
  if (isNested(type)) return decodeNested(type, raw)
  switch (type.kind) {
    case 'long':
      return BigInt(raw as string)
    case 'decimal':
      return Decimal.from(raw as string)
    case 'timestamp':
      return Instant.fromIso(raw as string)
    case 'binary':
      return new Uint8Array(Buffer.from(raw as string, 'base64'))
    case 'float':
    case 'double':
      return Number(raw)
    default:
      return raw
  }
}

/**
 * Prints emitted rows as JSON lines; what has a default may be left out.
 * @throws MR_PROCESSOR (when called) for a column that the shape lacks or a required one that is absent.
 */
export function rowEncoder(shape: Shape, processor: string): (row: Readonly<Record<string, unknown>>) => string {
  const known = new Set(shape.fields.map(({ name }) => name))
  const heads = shape.fields.map(({ name }) => `${JSON.stringify(name)}:`)
  return (row) => {
    for (const name in row)
      if (!known.has(name))
        throw new MillraceError('MR_PROCESSOR', `${processor} emitted a column "${name}" that its shape does not have`, {
          fix: 'add it to the shape, or do not emit it',
        })
    let line = ''
    for (let index = 0; index < heads.length; index++) {
      const { name, type, optional, default: text } = shape.fields[index]!
      const value = row[name]
      if (value === null || value === undefined) {
        if (value === undefined ? optional || text !== undefined : optional && text === undefined) continue
        if (optional) {
          line += `${line === '' ? '' : ','}${heads[index]}null` // said, and so not the default
          continue
        }
        throw new MillraceError('MR_PROCESSOR', `${processor} emitted a row without "${name}"`, {
          fix: 'emit it, or make the field optional',
        })
      }
      line += `${line === '' ? '' : ','}${heads[index]}${JSON.stringify(encodeValue(type, value))}`
    }
    return `{${line}}`
  }
}

export const encodeRow = (shape: Shape, row: Readonly<Record<string, unknown>>, processor: string): string =>
  rowEncoder(shape, processor)(row)
