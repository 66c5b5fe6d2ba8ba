// The text of single values as they stand in JSON, keys and messages: one spelling per value, the one that the scanner
// reads back exactly.
import type { Column } from './batch.ts'
import { isoDate, isoDatetime, isoInstant, isoTime } from './calendar.ts'
import type { Type } from './type.ts'

/** A decimal from its unscaled integer: `scale` digits after the point, at least `wholeDigits` before it, `-` in front, never `-0`. */
export function decimalText(unscaled: number | bigint, scale: number, wholeDigits = 1): string {
  const negative = unscaled < 0
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + wholeDigits, '0')
  const cut = digits.length - scale
  return `${negative ? '-' : ''}${digits.slice(0, cut)}${scale > 0 ? `.${digits.slice(cut)}` : ''}`
}

/** A double as JSON writes it, which keeps the sign of zero; NaN and the infinities by their names. */
export const doubleText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))

/** The text of the value at `row`, which must not be null; of a column that is not held as bytes. */
export function textOf(type: Type, column: Exclude<Column, { kind: 'bytes' }>, row: number): string {
  const value = column.kind === 'integer' && column.big ? column.big[row]! : column.values[row]!
  switch (type.kind) {
    case 'boolean':
      return value === 1 ? 'true' : 'false'
    case 'date':
      return isoDate(Number(value))
    case 'time':
      return isoTime(Number(value))
    case 'timestamp':
      return isoInstant(value)
    case 'datetime':
      return isoDatetime(value)
    case 'decimal':
      return decimalText(value, type.scale)
    case 'float':
    case 'double':
      return doubleText(Number(value))
    default:
      return String(value)
  }
}
