// A value from the text that DuckDB prints for it (RETURN_STATS, casts to VARCHAR) with TimeZone = 'UTC'.
import type { PartitionValue } from '../types.ts'
import { parseDate, parseTime, parseTimestamp } from './calendar.ts'
import { unscaledOf } from './decimal.ts'
import { parseIcebergType } from './iceberg-type.ts'

const INTEGER = /^-?\d+$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The value, as `single-value.ts` holds it; undefined for infinities, NaN and whatever is not of the type. */
export function valueFromText(typeText: string, text: string): Exclude<PartitionValue, null> | undefined {
  const type = parseIcebergType(typeText)
  switch (type.kind) {
    case 'boolean':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined
    case 'int':
      return INTEGER.test(text) ? Number(text) : undefined
    case 'long':
      return INTEGER.test(text) ? BigInt(text) : undefined
    case 'float':
    case 'double':
      return doubleFromText(text)
    case 'date':
      return INTEGER.test(text) ? Number(text) : parseDate(text)
    case 'time':
      return INTEGER.test(text) ? BigInt(text) : parseTime(text)
    case 'timestamp':
    case 'timestamptz':
      return INTEGER.test(text) ? BigInt(text) : parseTimestamp(text)
    case 'timestamp_ns':
    case 'timestamptz_ns':
      return undefined
    case 'decimal':
      return unscaledOf(text, type.scale)
    case 'string':
      return text
    case 'uuid':
      return UUID.test(text.toLowerCase()) ? text.toLowerCase() : undefined
    case 'binary':
    case 'fixed':
      return /^([0-9a-f]{2})*$/i.test(text) ? text.toLowerCase() : undefined
  }
}

function doubleFromText(text: string): number | undefined {
  if (text === 'inf') return Number.POSITIVE_INFINITY
  if (text === '-inf') return Number.NEGATIVE_INFINITY
  const value = text === '' ? Number.NaN : Number(text)
  return Number.isNaN(value) ? undefined : value
}
