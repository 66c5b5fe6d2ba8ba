// Constants of a syntax tree as exact values. The tree is read without losing a digit, so numbers beyond 2^53 come as raw JSON
// (core/json.ts), and those of 128 bits as two halves.
import { textOf } from '../core/json.ts'

/** The `value` of a CONSTANT node. */
export interface Literal {
  readonly type: { readonly id: string; readonly type_info: { readonly scale?: number } | null }
  readonly is_null: boolean
  readonly value: unknown
}

/** Whole numbers, decimals as text, doubles, text, truth; undefined for NULL and for other types. */
export function literalValue({ type, is_null: isNull, value }: Literal): bigint | string | number | boolean | undefined {
  if (isNull) return undefined
  switch (type.id) {
    case 'INTEGER':
    case 'BIGINT':
    case 'HUGEINT':
      return wholeOf(value)
    case 'DECIMAL':
      return pointed(wholeOf(value), type.type_info?.scale ?? 0)
    case 'DOUBLE':
      return Number(textOf(value))
    case 'VARCHAR':
      return String(value)
    case 'BOOLEAN':
      return value === true
    default:
      return undefined
  }
}

function wholeOf(value: unknown): bigint {
  if (value === null || typeof value !== 'object' || JSON.isRawJSON(value)) return BigInt(textOf(value))
  const { upper, lower } = value as { upper: unknown; lower: unknown }
  return (BigInt(textOf(upper)) << 64n) + BigInt(textOf(lower))
}

function pointed(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0')
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`
  return unscaled < 0n ? `-${text}` : text
}
