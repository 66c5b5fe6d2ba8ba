// Iceberg's primitive types, as text in metadata and taken apart here. Nested types are refused for now, with their name.
import { MillraceError } from '../../core/errors.ts'

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
        | 'string'
        | 'uuid'
        | 'binary'
    }
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | { readonly kind: 'fixed'; readonly length: number }

const PLAIN = /^(boolean|int|long|float|double|date|time|timestamp|timestamptz|string|uuid|binary)$/
const DECIMAL = /^decimal\((\d+),\s*(\d+)\)$/
const FIXED = /^fixed\[(\d+)\]$/
const parsed = new Map<string, IcebergType>()

/** Whether `parseIcebergType` takes it. */
export const isIcebergType = (text: string): boolean => PLAIN.test(text) || DECIMAL.test(text) || FIXED.test(text)

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
    fix: 'use a table of primitive columns; nested and newer types are not read yet',
  })
}
