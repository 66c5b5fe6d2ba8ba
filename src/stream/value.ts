// Values between column batches, user code and checkpoints: what a processor sees as a row, and what it emits.
import { MillraceError } from '../core/errors.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { isoDate, isoTime } from '../schema/calendar.ts'
import { Decimal } from '../schema/decimal.ts'
import { Instant } from '../schema/instant.ts'
import type { Field, Shape, Type } from '../schema/type.ts'

/** A value in user code; of `json` columns it is any JSON value. */
export type Value = unknown

/**
 * A row as user code sees it: decimals exact, longs bigint, timestamps instants, dates and times ISO text, json parsed;
 * absent fields are null.
 */
export function rowAt(batch: ColumnBatch, row: number, shape: Shape): Record<string, Value> {
  const values: Record<string, Value> = {}
  for (let index = 0; index < shape.fields.length; index++)
    values[shape.fields[index]!.name] = toValue(shape.fields[index]!.type, valueAt(batch, index, row))
  return values
}

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

/** One emitted row as a JSON line. @throws MR_PROCESSOR for a column that the shape lacks or a required one that is absent. */
export function encodeRow(shape: Shape, row: Readonly<Record<string, unknown>>, processor: string): string {
  const known = new Map<string, Field>(shape.fields.map((field) => [field.name, field]))
  const unknown = Object.keys(row).find((name) => !known.has(name))
  if (unknown)
    throw new MillraceError('MR_PROCESSOR', `${processor} emitted a column "${unknown}" that its shape does not have`, {
      fix: 'add it to the shape, or do not emit it',
    })
  const parts = shape.fields.flatMap((field) => {
    const value = row[field.name]
    if (value === null || value === undefined) {
      if (field.optional) return []
      throw new MillraceError('MR_PROCESSOR', `${processor} emitted a row without "${field.name}"`, {
        fix: 'emit it, or make the field optional',
      })
    }
    return [`${JSON.stringify(field.name)}:${JSON.stringify(encodeValue(field.type, value))}`]
  })
  return `{${parts.join(',')}}`
}
