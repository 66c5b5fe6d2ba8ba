// Partition transforms (Iceberg spec, "Partition Transforms"): which types they take, what they give, and their values.
// `truncate` and `void` are understood in tables that others made, so far as the type of their result goes.
import { assert, MillraceError } from '../../core/errors.ts'
import type { PartitionRule } from '../../define/manifest.ts'
import { civilOf } from '../../schema/calendar.ts'
import type { PartitionValue } from '../types.ts'
import { dayOfMicros, hourOfMicros } from './calendar.ts'
import { parseIcebergType } from './iceberg-type.ts'
import { murmur3 } from './murmur3.ts'
import { encodeValue } from './single-value.ts'

export interface Transform {
  readonly kind: 'identity' | 'year' | 'month' | 'day' | 'hour' | 'bucket' | 'truncate' | 'void'
  /** Number of buckets, or width of a truncation. */
  readonly parameter: number
}

/** `bucket[16]` taken apart. @throws MR_LAKE_SPEC for one that the spec does not have. */
export function parseTransform(text: string): Transform {
  const match = /^(identity|year|month|day|hour|void|(bucket|truncate)\[(\d+)\])$/.exec(text)
  if (!match) throw new MillraceError('MR_LAKE_SPEC', `the transform ${text} is not known`)
  return { kind: (match[2] ?? match[1]) as Transform['kind'], parameter: Number(match[3] ?? 0) }
}

/** A rule as Iceberg writes it: `day`, `bucket[16]`. */
export const transformText = (rule: PartitionRule): string =>
  rule.transform === 'bucket' ? `bucket[${rule.buckets ?? 0}]` : rule.transform

const SOURCES: Record<string, RegExp> = {
  identity: /^(boolean|int|long|date|time|timestamp|timestamptz|string|uuid|decimal)$/,
  year: /^(date|timestamp|timestamptz)$/,
  month: /^(date|timestamp|timestamptz)$/,
  day: /^(date|timestamp|timestamptz)$/,
  hour: /^(timestamp|timestamptz)$/,
  bucket: /^(int|long|decimal|date|time|timestamp|timestamptz|string|uuid|binary|fixed)$/,
}

/** @throws MR_LAKE_SPEC when the transform does not take the column's type. */
export function checkTransform(rule: PartitionRule, typeText: string): void {
  const { kind } = parseIcebergType(typeText)
  if (rule.transform === 'bucket' && !((rule.buckets ?? 0) > 0 && (rule.buckets ?? 0) < 2 ** 31)) {
    throw new MillraceError('MR_LAKE_SPEC', `bucket(${rule.column}) needs a number of buckets above 0`)
  }
  if (SOURCES[rule.transform]?.test(kind)) return
  throw new MillraceError('MR_LAKE_SPEC', `${rule.transform}(${rule.column}) is not possible: the column is a ${typeText}`, {
    fix: 'partition by day of a timestamp, by bucket of a key, or by a column of few values',
  })
}

/** Type of the partition value: the column's own for identity, date for day, otherwise int. */
export function resultType(transformOf: string, sourceType: string): string {
  const { kind } = parseTransform(transformOf)
  if (kind === 'identity' || kind === 'truncate' || kind === 'void') return sourceType
  return kind === 'day' ? 'date' : 'int'
}

/** The partition value of a column's value. Null stays null. */
export function applyTransform(transformOf: string, sourceType: string, value: PartitionValue): PartitionValue {
  if (value === null) return null
  const { kind, parameter } = parseTransform(transformOf)
  switch (kind) {
    case 'identity':
      return value
    case 'bucket':
      return bucketOf(parameter, sourceType, value)
    case 'year':
      return civilOf(daysOf(sourceType, value)).year - 1970
    case 'month': {
      const { year, month } = civilOf(daysOf(sourceType, value))
      return (year - 1970) * 12 + month - 1
    }
    case 'day':
      return daysOf(sourceType, value)
    case 'hour':
      return hourOfMicros(BigInt(value))
    default:
      assert(false, `${kind} is never applied, only read`)
  }
}

const daysOf = (sourceType: string, value: Exclude<PartitionValue, null>): number =>
  sourceType === 'date' ? Number(value) : dayOfMicros(BigInt(value))

// Integers of every width and dates hash as long, so that widening a column does not move its rows.
function bucketOf(buckets: number, sourceType: string, value: Exclude<PartitionValue, null>): number {
  const type = sourceType === 'int' || sourceType === 'date' ? 'long' : sourceType
  return (murmur3(encodeValue(type, value)) & 0x7fffffff) % buckets
}
