// Defaults of columns: from what a definition says to the one text that the manifest holds, and from that to JSON. A default is
// read like a value that is sent, so whatever a row may say can be a default, and nothing else.
import { valueIn } from './batch.ts'
import { Decimal } from './decimal.ts'
import { Instant } from './instant.ts'
import { jsonOfText, readFallback } from './scan/fallback.ts'
import { isNested, type Type } from './type.ts'
import { textOf } from './value-text.ts'

/** The text of a default (binary: base64; JSON: its text), or `why` it is none of this type. */
export function readDefault(name: string, type: Type, given: unknown): { readonly text: string } | { readonly why: string } {
  if (isNested(type)) return { why: 'only columns of single values have defaults' }
  const json = jsonOf(type, given)
  if (json === undefined) return { why: `${String(given)} is no value of a row` }
  const column = readFallback(name, type, json)
  if ('code' in column) return { why: column.message }
  if (column.kind !== 'bytes') return { text: textOf(type, column, 0) }
  const value = valueIn(type, column, 0)
  return { text: value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value) }
}

function jsonOf(type: Type, given: unknown): string | undefined {
  if (given === null || given === undefined || (typeof given === 'number' && !Number.isFinite(given))) return undefined
  if (type.kind === 'json') return JSON.stringify(given)
  if (typeof given === 'bigint') return String(given)
  if (given instanceof Uint8Array) return JSON.stringify(Buffer.from(given).toString('base64'))
  if (given instanceof Decimal || given instanceof Instant) return JSON.stringify(given.toString())
  return typeof given === 'object' ? undefined : JSON.stringify(given)
}

/** A default as JSON has it in answers. */
export function jsonOfDefault(type: Type, text: string): unknown {
  if (type.kind === 'long') return Number.isSafeInteger(Number(text)) ? Number(text) : text
  return type.kind === 'decimal' ? text : JSON.parse(jsonOfText(type, text))
}

/** A default as a reader writes it: `'new'`, `0`, `12.50`. */
export const printDefault = (type: Type, text: string): string =>
  jsonOfText(type, text) === text ? text : `'${text.replaceAll("'", "''")}'`
