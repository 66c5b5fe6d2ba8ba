// Prints `sql` values: names quoted, values as literals or as parameters, and the way back from a position in the text
// to the line in the user's file.
import { MillraceError } from '../core/errors.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { printType, type Type } from '../schema/type.ts'
import type { SqlParam } from './manifest.ts'
import type { ColumnRef, Relation } from './relation.ts'
import type { Sql, SqlPart, SqlValue } from './sql.ts'

export interface RenderedSql {
  readonly text: string
  readonly params: readonly SqlParam[]
  /** Relations that stand in holes. */
  readonly relations: readonly Relation[]
  /** `path:line` of a position in `text`. */
  at(position: number): string
}

/** `inline`: values become literals, for SQL that is stored (a view takes no parameters). `bind`: they become `$n`. */
export type ValueMode = 'inline' | 'bind'

interface Span {
  readonly start: number
  readonly part: SqlPart & { readonly kind: 'text' }
}

/** The text of `sql`. Parameters of a request are always `$n`, each name once. @throws MR_DEFINE_VALUE for a text with a zero character. */
export function renderSql(sql: Sql, values: ValueMode): RenderedSql {
  const params: SqlParam[] = []
  const relations: Relation[] = []
  const spans: Span[] = []
  let text = ''
  for (const part of sql.$sql) {
    if (part.kind === 'text') spans.push({ start: text.length, part })
    if (part.kind === 'relation') relations.push(part.relation)
    text += print(part, params, values, sql.$at)
  }
  return { text, params, relations, at: (position) => placeAt(spans, position) ?? sql.$at }
}

/** `"name"`, quotes inside doubled. */
export const quoteName = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** `"daily_revenue"`, `"marts"."large"`. */
export const quoteRelation = (name: string): string => name.split('.').map(quoteName).join('.')

/** A literal of SQL; quotes inside doubled. @throws MR_DEFINE_VALUE for a zero character, which SQL text cannot hold. */
export function quoteText(text: string, at = ''): string {
  if (text.includes('\0')) throw new MillraceError('MR_DEFINE_VALUE', 'a text in SQL holds a zero character', { at, fix: 'remove it' })
  return `'${text.replaceAll("'", "''")}'`
}

function print(part: SqlPart, params: SqlParam[], values: ValueMode, at: string): string {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'relation':
      return quoteRelation(part.relation.$name) + (part.relation.$alias === undefined ? '' : ` AS ${quoteName(part.relation.$alias)}`)
    case 'column':
      return printColumn(part.column)
    case 'param':
      return cast(`$${paramIndex(params, part.name)}`, part.type)
    case 'value': {
      const { literal, value, type } = exactValue(part.value, at)
      if (values === 'inline' || value === null) return literal
      params.push({ kind: 'value', value, type: printType(type) })
      return cast(`$${params.length}`, type)
    }
  }
}

const printColumn = (column: ColumnRef): string =>
  `${quoteName(column.alias ?? column.relation.split('.').at(-1)!)}.${quoteName(column.name)}`

function paramIndex(params: SqlParam[], name: string): number {
  const known = params.findIndex((param) => param.kind === 'request' && param.name === name)
  return known >= 0 ? known + 1 : params.push({ kind: 'request', name })
}

/** Typed, because DuckDB compares a date with no untyped text, and infers nothing for a null. */
const cast = (text: string, type: Type): string => `CAST(${text} AS ${toDuckType(type)})`

interface ExactValue {
  readonly literal: string
  readonly value: string | number | boolean | null
  readonly type: Type
}

function exactValue(value: SqlValue, at: string): ExactValue {
  if (value === null) return { literal: 'NULL', value, type: { kind: 'string' } }
  if (typeof value === 'string') return { literal: quoteText(value, at), value, type: { kind: 'string' } }
  if (typeof value === 'boolean') return { literal: value ? 'TRUE' : 'FALSE', value, type: { kind: 'boolean' } }
  if (typeof value === 'bigint') return { literal: `CAST(${value} AS BIGINT)`, value: String(value), type: { kind: 'long' } }
  if (typeof value === 'number') return exactNumber(value)
  const text = value.toString()
  const digits = /^-?(\d+)(?:\.(\d+))?$/.exec(text)
  if (!digits) return { literal: `CAST(${quoteText(text, at)} AS TIMESTAMPTZ)`, value: text, type: { kind: 'timestamp' } }
  const scale = digits[2]?.length ?? 0
  const type: Type = { kind: 'decimal', precision: Math.max(digits[1]!.length + scale, 1), scale }
  return { literal: cast(quoteText(text, at), type), value: text, type }
}

function exactNumber(value: number): ExactValue {
  if (Number.isInteger(value) && Math.abs(value) < 2 ** 31) return { literal: String(value), value, type: { kind: 'int' } }
  if (Number.isSafeInteger(value)) return { literal: `CAST(${value} AS BIGINT)`, value, type: { kind: 'long' } }
  return { literal: `CAST('${value}' AS DOUBLE)`, value, type: { kind: 'double' } }
}

function placeAt(spans: readonly Span[], position: number): string | undefined {
  const span = spans.findLast((candidate) => candidate.start <= position)
  if (!span) return undefined
  const before = span.part.text.slice(0, Math.max(0, position - span.start))
  const at = /^(.*):(\d+)$/.exec(span.part.place)
  return at ? `${at[1]}:${Number(at[2]) + span.part.line + before.split('\n').length - 1}` : undefined
}
