// A value of a prune term, as a range that certainly holds whatever the engine compares a column with. Engines cast both
// sides (a literal to float, a big integer to double), so where a cast may round, the range is wider than the value.
import type { PartitionValue } from './types.ts'
import { parseDecimal } from './value/decimal.ts'
import { type IcebergType, parseIcebergType } from './value/iceberg-type.ts'
import { valueFromText } from './value/text-value.ts'

/** Ordered within a column: numbers and bigint compare by value, text and uuid by bytes. */
export type Comparable = number | bigint | Buffer

export interface Literal {
  readonly low: Comparable
  readonly high: Comparable
  /** The value as a column of this type holds it, when it is exactly one: then transforms apply to it. */
  readonly exact: Exclude<PartitionValue, null> | undefined
}

/** Negative, zero or positive, as a is below, equal to or above b. */
export function compare(a: Comparable, b: Comparable): number {
  if (typeof a === 'object' && typeof b === 'object') return Buffer.compare(a, b)
  return a < b ? -1 : a > b ? 1 : 0
}

/** A stored value in its order. */
export function comparableOf(value: Exclude<PartitionValue, null>): Comparable {
  if (typeof value === 'string') return Buffer.from(value)
  if (typeof value === 'bigint') return quick(value)
  return typeof value === 'boolean' ? Number(value) : value
}

/** The same value as a number when it is one exactly: planning compares thousands of them. */
const quick = (value: bigint): number | bigint =>
  value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value

/** Undefined when the value is not of the column's domain: then it prunes nothing. */
export function literalOf(typeText: string, value: string | number | bigint | boolean): Literal | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined
  const type = parseIcebergType(typeText)
  switch (type.kind) {
    case 'boolean':
      return typeof value === 'boolean' ? exactly(value) : undefined
    case 'int':
    case 'long':
      return wholeLiteral(type.kind, value)
    case 'float':
    case 'double':
      return floatLiteral(value)
    case 'decimal':
      return decimalLiteral(type, value)
    case 'string':
      return typeof value === 'string' ? exactly(value) : undefined
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
    case 'uuid':
      return temporalOrUuid(typeText, type.kind, value)
    default:
      return undefined
  }
}

const exactly = (value: Exclude<PartitionValue, null>): Literal => {
  const key = comparableOf(value)
  return { low: key, high: key, exact: value }
}

const INT_MIN = -(2n ** 31n)
const INT_MAX = 2n ** 31n - 1n
const LONG_MIN = -(2n ** 63n)
const LONG_MAX = 2n ** 63n - 1n

function wholeLiteral(kind: 'int' | 'long', value: string | number | bigint | boolean): Literal | undefined {
  // Beyond 2^53 a number stands for its neighbours too: the engine compares as double.
  if (typeof value === 'number' && Math.abs(value) >= 2 ** 53) return undefined
  if (typeof value === 'number' && !Number.isInteger(value)) return { low: value, high: value, exact: undefined }
  if (typeof value === 'boolean' || (typeof value === 'string' && !/^-?\d{1,40}$/.test(value))) return undefined
  const whole = BigInt(value)
  const [least, most] = kind === 'int' ? [INT_MIN, INT_MAX] : [LONG_MIN, LONG_MAX]
  const fits = whole >= least && whole <= most
  return { low: quick(whole), high: quick(whole), exact: fits ? (kind === 'int' ? Number(whole) : whole) : undefined }
}

function floatLiteral(value: string | number | bigint | boolean): Literal | undefined {
  if (typeof value === 'boolean' || (typeof value === 'string' && !parseDecimal(value))) return undefined
  const double = Number(value)
  const candidates = [typeof value === 'bigint' ? value : double, double, Math.fround(double)]
  if (!Number.isFinite(double) || !Number.isFinite(candidates[2] as number)) return undefined
  const sorted = candidates.sort(compare)
  return { low: sorted[0]!, high: sorted[2]!, exact: undefined }
}

function decimalLiteral(type: Extract<IcebergType, { kind: 'decimal' }>, value: string | number | bigint | boolean): Literal | undefined {
  const number = typeof value === 'boolean' ? undefined : parseDecimal(String(value))
  if (!number || number.scale > 100 || number.unscaled.toString().length > 400) return undefined
  const by = 10n ** BigInt(Math.max(0, number.scale - type.scale))
  const scaled = number.unscaled * 10n ** BigInt(Math.max(0, type.scale - number.scale))
  const floor = scaled >= 0n ? scaled / by : -((-scaled + by - 1n) / by)
  const isExact = scaled % by === 0n
  // A number may be a double in the engine: it then equals every decimal that rounds to it.
  const slack = typeof value === 'number' && type.precision > 15 ? (floor < 0n ? -floor : floor) / 2n ** 50n + 1n : 0n
  const high = isExact ? floor : floor + 1n
  return { low: quick(floor - slack), high: quick(high + slack), exact: isExact && slack === 0n ? floor : undefined }
}

function temporalOrUuid(typeText: string, kind: string, value: string | number | bigint | boolean): Literal | undefined {
  if (typeof value === 'boolean' || (typeof value === 'number' && !Number.isSafeInteger(value))) return undefined
  if (typeof value === 'string') {
    // Digits alone would be read as a count of days or microseconds, which no literal means.
    const parsed = /^-?\d+$/.test(value) ? undefined : valueFromText(typeText, value)
    return parsed === undefined ? undefined : exactly(parsed)
  }
  if (kind === 'uuid') return undefined
  return exactly(kind === 'date' ? Number(value) : BigInt(value))
}
