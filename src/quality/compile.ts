// Checks as SQL: every check that can be counted in one pass over its relation becomes an aggregate of one shared scan;
// the others (uniqueness, references, free SQL) become a query each. Pure: text from definitions.
import { MillraceError } from '../core/errors.ts'
import type { CheckManifest } from '../define/manifest.ts'
import { inlineConstants, quoteName, quoteRelation, quoteText } from '../engine/sql-text.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { fieldOf, type Shape, type Type } from '../schema/type.ts'

export interface CompiledCheck {
  readonly check: CheckManifest
  /** Counts failing rows inside the shared scan; null when it needs a query of its own. */
  readonly aggregate: string | null
  /** A query that answers one number: the failing rows. */
  readonly query: string | null
  /** True for rows that fail, for row checks; what quarantine filters by. Never NULL. */
  readonly failing: string | null
}

const typed = (value: string, type: Type): string => `CAST(${quoteText(value)} AS ${toDuckType(type)})`

const typeOf = (shape: Shape, column: string): Type => {
  const type = fieldOf(shape, column)?.type
  if (!type) throw new MillraceError('MR_DEFINE_COLUMN', `a check names the column "${column}", which its relation does not have`)
  return type
}

/** Compiles one check over `relation` (its name in the session). */
export function compileCheck(check: CheckManifest, shape: Shape, relation: string): CompiledCheck {
  const { rule } = check
  const row = (failing: string): CompiledCheck => ({ check, aggregate: `count(*) FILTER (WHERE ${failing})`, query: null, failing })
  const own = (query: string): CompiledCheck => ({ check, aggregate: null, query, failing: null })
  const from = quoteRelation(relation)
  switch (rule.kind) {
    case 'not_null':
      return row(`${quoteName(rule.column)} IS NULL`)
    case 'between': {
      const type = typeOf(shape, rule.column)
      const column = quoteName(rule.column)
      const bounds = [
        ...(rule.min === undefined ? [] : [`${column} < ${typed(rule.min, type)}`]),
        ...(rule.max === undefined ? [] : [`${column} > ${typed(rule.max, type)}`]),
      ]
      return row(`coalesce(${bounds.join(' OR ')}, false)`)
    }
    case 'in': {
      const type = typeOf(shape, rule.column)
      return row(`coalesce(${quoteName(rule.column)} NOT IN (${rule.values.map((value) => typed(value, type)).join(', ')}), false)`)
    }
    case 'matches':
      return row(`coalesce(NOT regexp_matches(CAST(${quoteName(rule.column)} AS VARCHAR), ${quoteText(rule.pattern)}), false)`)
    case 'unique': {
      const columns = rule.columns.map(quoteName)
      const present = columns.map((column) => `${column} IS NOT NULL`).join(' AND ')
      return own(
        `SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM ${from} WHERE ${present} GROUP BY ${columns.join(', ')} HAVING count(*) > 1)`,
      )
    }
    case 'references':
      return own(
        `SELECT count(*) FROM ${from} AS a WHERE a.${quoteName(rule.column)} IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${quoteRelation(rule.to.relation)} AS b WHERE b.${quoteName(rule.to.column)} = a.${quoteName(rule.column)})`,
      )
    case 'sql':
      return own(`SELECT count(*) FROM (${inlineConstants(rule.sql)})`)
    case 'fresh':
      return { check, aggregate: `epoch_ms(max(${quoteName(rule.column)}))`, query: null, failing: null }
    case 'row_count':
    case 'row_count_anomaly':
      return { check, aggregate: 'count(*)', query: null, failing: null }
  }
}

/** One statement for all checks that share the scan: the number of rows, then one value for each. */
export function sharedScan(compiled: readonly CompiledCheck[], relation: string): string {
  const aggregates = compiled.flatMap(({ aggregate }, index) => (aggregate === null ? [] : [`${aggregate} AS c${index}`]))
  return `SELECT count(*) AS total${aggregates.map((text) => `, ${text}`).join('')} FROM ${quoteRelation(relation)}`
}
