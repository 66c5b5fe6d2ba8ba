// Iceberg's primitive types, as text in metadata and taken apart here; nested ones hold such.
import { MillraceError } from '../../core/errors.ts'
import { partsOf } from '../nested-type.ts'
import type { LakeType } from '../types.ts'

export type IcebergType =
  | {
      readonly kind:
        | 'boolean'
        | 'int'
        | 'long'
        | 'float'
        | 'double'
        | 'date'
        | 'time'
        | 'timestamp'
        | 'timestamptz'
        | 'timestamp_ns'
        | 'timestamptz_ns'
        | 'string'
        | 'uuid'
        | 'binary'
    }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'fixed'; readonly length: number }

const PLAIN = /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|timestamp_ns|timestamptz_ns|string|uuid|binary)$/
const NANOSECONDS = /^timestamp(tz)?_ns$/
const DECIMAL = /^decimal\((\d+),\s*(\d+)\)$/
const FIXED = /^fixed\[(\d+)\]$/
const parsed = new Map<string, IcebergType>()

/** Whether it has nanoseconds, of which what is read here keeps the microseconds. */
export const isNanoseconds = (type: LakeType): boolean => typeof type === 'string' && NANOSECONDS.test(type)

/** Whether Millrace holds values of it: `parseIcebergType` takes it, or all that is inside of it. */
export const isIcebergType = (type: LakeType): boolean =>
  typeof type === 'string'
    ? PLAIN.test(type) || DECIMAL.test(type) || FIXED.test(type)
    : partsOf(type).every((part) => isIcebergType(part.type))

/**
 * Whether files that Millrace writes have all of it, as the specification says: DuckDB writes `fixed` as `binary`, which other readers
 * refuse (Iceberg spec, "Parquet").
 */
export const isWritableType = (type: LakeType): boolean =>
  typeof type === 'string'
    ? isIcebergType(type) && !FIXED.test(type) && !isNanoseconds(type)
    : partsOf(type).every((part) => isWritableType(part.type))

/** For those who take single values: of a nested type its name, which `parseIcebergType` refuses. */
export const flatType = (type: LakeType): string => (typeof type === 'string' ? type : type.type)

/** Takes `decimal(12, 2)` apart. @throws MR_SCHEMA_TYPE for a type that Millrace does not hold. */
export function parseIcebergType(text: string): IcebergType {
  const known = parsed.get(text)
  if (known) return known
  const type = readType(text)
  if (parsed.size < 1_000) parsed.set(text, type)
  return type
}

function readType(text: string): IcebergType {
  if (PLAIN.test(text)) return { kind: text } as IcebergType
  const decimal = DECIMAL.exec(text)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  const fixed = FIXED.exec(text)
  if (fixed) return { kind: 'fixed', length: Number(fixed[1]) }
  throw new MillraceError('MR_SCHEMA_TYPE', `the Iceberg type ${text} is not supported`, {
    fix: 'drop the column, or write a copy of the table without it: types that came after version 2 of the format are not read',
  })
}
