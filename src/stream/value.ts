// Values between column batches, user code and checkpoints: what a processor sees as a row, and what it emits.
import { MillraceError } from '../core/errors.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { isoDate, isoTime } from '../schema/calendar.ts'
import { Decimal } from '../schema/decimal.ts'
import { Instant } from '../schema/instant.ts'
import type { Shape, Type } from '../schema/type.ts'

/** A value in user code; of `json` columns it is any JSON value. */
export type Value = unknown

/**
 * Reads rows as user code sees them: decimals exact, longs bigint, timestamps instants, dates and times ISO text, json parsed;
 * absent fields are null.
 */
export function rowReader(shape: Shape): (batch: ColumnBatch, row: number) => Record<string, Value> {
  const names = shape.fields.map(({ name }) => name)
  const types = shape.fields.map(({ type }) => type)
  return (batch, row) => {
    const values: Record<string, Value> = {}
    for (let index = 0; index < names.length; index++) values[names[index]!] = readValue(types[index]!, batch, index, row)
    return values
  }
}

function readValue(type: Type, batch: ColumnBatch, index: number, row: number): Value {
  const column = batch.columns[index]!
  // The usual timestamp, without a detour by way of bigint.
  if (type.kind === 'timestamp' && column.kind === 'integer' && column.big === null && !column.nulls?.[row])
    return Instant.fromMicros(column.values[row]!)
  return toValue(type, valueAt(batch, index, row))
}

export const rowAt = (batch: ColumnBatch, row: number, shape: Shape): Record<string, Value> => rowReader(shape)(batch, row)

function toValue(type: Type, raw: ReturnType<typeof valueAt>): Value {
  if (raw === null) return null
  switch (type.kind) {
    case 'decimal':
      return typeof raw === 'bigint' ? new Decimal(raw, type.scale) : Decimal.from(String(raw))
    case 'timestamp':
      return Instant.fromMicros(Number(raw))
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
  if (type.kind === 'json') return value
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Decimal || value instanceof Instant) return value.toJSON()
  return value
}

/** Inverse of `encodeValue`, from parsed JSON. */
export function decodeValue(type: Type, raw: unknown): Value {
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
 * Prints emitted rows as JSON lines.
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
      const { name, type, optional } = shape.fields[index]!
      const value = row[name]
      if (value === null || value === undefined) {
        if (optional) continue
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
