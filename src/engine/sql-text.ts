// Quoting, literals, and constants of SQL text: the only place that turns values into SQL. Text in, text out; no engine.
import { MillraceError } from '../core/errors.ts'
import type { SqlText } from '../define/manifest.ts'

/** An identifier, quoted. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** `namespace.name`, each part quoted. */
export const quoteRelation = (name: string): string => name.split('.').map(quoteName).join('.')

export const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** A constant as SQL. Numbers are printed as they are; NaN and infinities as typed text. */
export function literal(value: string | number | bigint | boolean | null): string {
  if (value === null) return 'NULL'
  if (typeof value === 'string') return quoteText(value)
  if (typeof value === 'number' && !Number.isFinite(value)) return `${quoteText(String(value))}::DOUBLE`
  return String(value)
}

/** Spans of text that hold no parameters: strings, quoted names, comments, dollar quotes. */
const OPAQUE = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|\$\$[\s\S]*?\$\$|\$(\d+)/g

/** Replaces `$n` outside of strings, names and comments. */
export function replaceParameters(text: string, replace: (index: number) => string): string {
  return text.replace(OPAQUE, (whole, index: string | undefined) => (index === undefined ? whole : replace(Number(index))))
}

/** The text with its constants in place. @throws MR_SQL_PARAMETER when it has request parameters. */
export function inlineConstants({ text, params }: SqlText): string {
  return replaceParameters(text, (index) => {
    const param = params[index - 1]
    if (param?.kind !== 'value')
      throw new MillraceError('MR_SQL_PARAMETER', `parameter $${index} has no constant value`, { fix: 'use it only in endpoints' })
    return param.type === 'string' || param.value === null ? literal(param.value) : `CAST(${literal(param.value)} AS ${param.type})`
  })
}
