// What a parsed question refers to: its columns, its parameters, its moments in time. Pure, over the syntax tree.
import { MillraceError } from '../core/errors.ts'
import { utcMs } from '../core/utc-ms.ts'
import { type Node, type RelationRef, type SqlParser, type Statement, someNode, walk } from '../engine/ast.ts'

export type Params = readonly unknown[] | Readonly<Record<string, unknown>>

export interface At {
  readonly version?: string
  readonly timestampMs?: number
}

/**
 * Lower-case names of the columns that a question can touch, or null for all of them. May name too many, never too few:
 * used to copy no more than needed, and for the audit trail.
 */
export function columnsOf(statement: Statement): ReadonlySet<string> | null {
  const names = new Set<string>()
  const sources = new Set<string>()
  let isAll = false
  walk(statement.node, (node) => {
    if (node.class === 'COLUMN_REF') for (const name of node['column_names'] as string[]) names.add(name.toLowerCase())
    else if (node.type === 'JOIN') {
      if (node['ref_type'] === 'NATURAL') isAll = true
      for (const name of node['using_columns'] as string[]) names.add(name.toLowerCase())
    } else if (node.type === 'BASE_TABLE') {
      sources.add((node.alias || String(node['table_name'])).toLowerCase())
      if ((node['column_name_alias'] as unknown[]).length > 0) isAll = true
    } else if (node.class === 'STAR' || node.class === 'POSITIONAL_REFERENCE' || node.type === 'PIVOT') isAll = true
  })
  const isWholeRow = [...sources].some((source) => hasLoneReference(statement, source))
  return isAll || isWholeRow ? null : names
}

/** `SELECT o FROM orders o`: the row as a struct. */
const hasLoneReference = (statement: Statement, source: string): boolean =>
  someNode(statement.node, (node) => node.class === 'COLUMN_REF' && (node['column_names'] as string[]).at(-1)!.toLowerCase() === source)

/** Names of the parameters that the tree still has. */
export function parametersOf(statement: Statement): ReadonlySet<string> {
  const names = new Set<string>()
  walk(statement.node, (node) => {
    if (node.class === 'PARAMETER') names.add(String(node['identifier']))
  })
  return names
}

/** The value of a parameter; a list is numbered from 1. @throws MR_SQL_PARAMETER when there is none. */
function parameterValue(params: Params | undefined, name: string): unknown {
  const value = Array.isArray(params)
    ? (params as readonly unknown[])[Number(name) - 1]
    : params !== undefined && Object.hasOwn(params, name)
      ? (params as Readonly<Record<string, unknown>>)[name]
      : undefined
  if (value !== undefined) return value
  throw new MillraceError('MR_SQL_PARAMETER', `parameter $${name} has no value`, { fix: 'send it in params' })
}

/**
 * Values for the parameters that the tree has, which fit it exactly. When AT clauses took some (`taken`), the others get
 * names of ours, since a list could not be numbered any more.
 * @throws MR_SQL_PARAMETER when one is missing, or one too many was sent.
 */
export function bindParameters(statement: Statement, params: Params | undefined, taken: ReadonlySet<string>): Params | undefined {
  const names = [...parametersOf(statement)]
  const values = Object.fromEntries(names.map((name, index) => [`rest_${index}`, parameterValue(params, name)]))
  const sent = Array.isArray(params) ? params.map((_, index) => String(index + 1)) : Object.keys(params ?? {})
  const extra = sent.find((name) => !names.includes(name) && !taken.has(name))
  if (extra !== undefined)
    throw new MillraceError('MR_SQL_PARAMETER', `the SQL has no parameter $${extra}`, { fix: 'send only those that it uses' })
  if (taken.size === 0) return names.length === 0 ? undefined : params
  walk(statement.node, (node) => {
    if (node.class === 'PARAMETER') node['identifier'] = `rest_${names.indexOf(String(node['identifier']))}`
  })
  return names.length === 0 ? undefined : values
}

type Kind = 'NULL' | 'BOOLEAN' | 'INTEGER' | 'BIGINT' | 'DOUBLE' | 'VARCHAR'

/** The type that a parameter's value is bound with. */
function kindOf(value: unknown): Kind {
  if (value === null || value === undefined) return 'NULL'
  if (typeof value === 'boolean') return 'BOOLEAN'
  if (typeof value === 'bigint') return 'BIGINT'
  if (typeof value !== 'number') return 'VARCHAR'
  if (!Number.isSafeInteger(value)) return 'DOUBLE'
  return Math.abs(value) < 2 ** 31 ? 'INTEGER' : 'BIGINT'
}

/** The types of what was sent, by name. */
export const kindsOf = (params: Params | undefined): Readonly<Record<string, Kind>> =>
  Object.fromEntries(Object.entries(params ?? {}).map(([name, value]) => [name, kindOf(value)]))

/** The text with a NULL of the right type for each parameter: for looking at, since it binds as the question itself does. */
export async function withoutParameters(parser: SqlParser, text: string, params: Params | undefined): Promise<string> {
  const statement = await parser.parse(text)
  if (parametersOf(statement).size === 0) return text
  walk(statement.node, (node) => {
    if (node.class !== 'PARAMETER') return
    const name = String(node['identifier'])
    const kind = kindOf(parameterValue(params, name))
    delete node['identifier']
    const nothing = {
      class: 'CONSTANT',
      type: 'VALUE_CONSTANT',
      alias: '',
      query_location: 0,
      value: { type: { id: 'NULL', type_info: null }, is_null: true },
    }
    Object.assign(node, { class: 'CAST', type: 'OPERATOR_CAST', child: nothing, cast_type: { id: kind, type_info: null }, try_cast: false })
  })
  statement.named_param_map = []
  return parser.print(statement)
}

/** The moment of `AT (VERSION => ...)` or `AT (TIMESTAMP => ...)`: a constant or a parameter, whose name goes to `used`. */
export function momentOf(node: Node, params: Params | undefined, used: Set<string>): At | undefined {
  const clause = node['at_clause'] as { unit?: string; expr?: Node } | null | undefined
  if (!clause) return undefined
  const value = constantOf(clause.expr!, params, used)
  if (String(clause.unit).toUpperCase() === 'VERSION') return { version: String(value) }
  const timestampMs = typeof value === 'number' ? value : utcMs(String(value))
  if (Number.isNaN(timestampMs))
    throw new MillraceError('MR_SQL_SYNTAX', `"${String(value)}" is not a time`, { fix: "write AT (TIMESTAMP => '2026-01-31 12:00:00')" })
  return { timestampMs }
}

function constantOf(expression: Node, params: Params | undefined, used: Set<string>): unknown {
  if (expression.class === 'CAST') return constantOf(expression['child'] as Node, params, used)
  if (expression.class === 'CONSTANT') return plain((expression['value'] as { value: unknown }).value)
  if (expression.class === 'PARAMETER') {
    const name = String(expression['identifier'])
    used.add(name)
    return parameterValue(params, name)
  }
  throw new MillraceError('MR_SQL_FORBIDDEN', 'an AT clause takes a constant or a parameter', {
    fix: "write AT (VERSION => 123) or AT (TIMESTAMP => '2026-01-31')",
  })
}

/** Numbers of the tree may be verbatim JSON. */
const plain = (value: unknown): unknown => (JSON.isRawJSON(value) ? (value as { rawJSON: string }).rawJSON : value)

/** The schema of a relation without a namespace, by any of its names. */
export const DEFAULT_SCHEMAS: readonly string[] = ['main', 'public']

/** `main.orders.id` becomes `orders.id`: where the question runs, the schema has another name. */
export function dropQualifiers(statement: Statement, refs: readonly Pick<RelationRef, 'schema' | 'name'>[]): void {
  const qualified = new Set(
    refs.flatMap(({ schema, name }) => {
      const own = schema.toLowerCase()
      return (own === '' || DEFAULT_SCHEMAS.includes(own) ? DEFAULT_SCHEMAS : [own]).map((prefix) => `${prefix}.${name.toLowerCase()}`)
    }),
  )
  walk(statement.node, (node) => {
    if (node.class !== 'COLUMN_REF') return
    const names = node['column_names'] as string[]
    if (names.length >= 3 && qualified.has(`${names[0]!.toLowerCase()}.${names[1]!.toLowerCase()}`)) node['column_names'] = names.slice(1)
  })
}
