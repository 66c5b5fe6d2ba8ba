// Values between column batches, user code and checkpoints: what a processor sees as a row, and what it emits.
import { MillraceError } from '../core/errors.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { Decimal } from '../schema/decimal.ts'
import { Instant } from '../schema/instant.ts'
import type { Field, Shape, Type } from '../schema/type.ts'

export type Value = boolean | number | bigint | string | Decimal | Instant | Uint8Array

const DAY_MS = 86_400_000

/** A row as user code sees it: decimals exact, longs bigint, timestamps instants, dates ISO text; absent fields are null. */
export function rowAt(batch: ColumnBatch, row: number, shape: Shape): Record<string, Value | null> {
  const values: Record<string, Value | null> = {}
  for (let index = 0; index < shape.fields.length; index++)
    values[shape.fields[index]!.name] = toValue(shape.fields[index]!.type, valueAt(batch, index, row))
  return values
}

function toValue(type: Type, raw: ReturnType<typeof valueAt>): Value | null {
  if (raw === null) return null
  switch (type.kind) {
    case 'decimal':
      return typeof raw === 'bigint' ? new Decimal(raw, type.scale) : Decimal.from(String(raw))
    case 'timestamp':
      return Instant.fromMicros(Number(raw))
    case 'date':
      return new Date(Number(raw) * DAY_MS).toISOString().slice(0, 10)
    case 'time':
      return timeText(Number(raw))
    default:
      return raw
  }
}

function timeText(micros: number): string {
  const text = new Date(Math.floor(micros / 1_000)).toISOString().slice(11, 19)
  const fraction = micros % 1_000_000
  return fraction === 0 ? text : `${text}.${String(fraction).padStart(6, '0')}`
}

/** JSON form of a value, as the scanner reads it back. */
export function encodeValue(type: Type, value: Value): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (value instanceof Decimal) return value.toString()
  if (value instanceof Instant) return value.toIso()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (type.kind === 'json') return JSON.parse(value as string)
  return value
}

/** Inverse of `encodeValue`. */
export function decodeValue(type: Type, raw: unknown): Value {
  switch (type.kind) {
    case 'long':
      return BigInt(raw as string)
    case 'decimal':
      return Decimal.from(raw as string)
    case 'timestamp':
      return Instant.fromIso(raw as string)
    case 'binary':
      return Buffer.from(raw as string, 'base64')
    case 'json':
      return JSON.stringify(raw)
    default:
      return raw as Value
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
    const value = row[field.name] as Value | null | undefined
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
