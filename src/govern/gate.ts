// The gate: a fail-closed walk over DuckDB's syntax tree. A table says for every kind of node which members it may have and
// what each holds; a node, a member, an operator or a function that is not listed is refused, so that whatever an upgrade of
// the engine adds stays outside until somebody has looked at it.
import { MillraceError } from '../core/errors.ts'
import type { Node, Statement } from '../engine/ast.ts'
import { DENIED_FUNCTIONS, SAFE_FUNCTIONS, STRICT_FUNCTIONS } from '../engine/listed-functions.ts'

export interface Passed {
  /** Every table reference, CTE or not. */
  readonly tables: readonly Node[]
  /** Names of all CTEs, in lower case. */
  readonly ctes: ReadonlySet<string>
}

/** What a member of a node holds. `text` is data that is only compared and printed. */
type Holds = 'text' | 'false' | 'query' | 'queries' | 'statement' | 'ctes' | 'from' | 'expression' | 'expressions' | 'modifiers' | Check
type Check = (value: unknown, walk: Walk) => void

interface Walk {
  readonly tables: Node[]
  readonly ctes: Set<string>
}

function refuse(what: string): never {
  throw new MillraceError('MR_SQL_FORBIDDEN', `${what} may not be used here`, { fix: 'ask with SELECT over relations of the project' })
}

/** @throws MR_SQL_FORBIDDEN naming the construct; MR_SQL_UNKNOWN for a function that does not exist. */
export function passGate(statement: Statement): Passed {
  const walk: Walk = { tables: [], ctes: new Set() }
  checkStatement(statement, walk)
  return walk
}

/**
 * What must hold once every relation was replaced: each table reference is a view of ours or the plain name of a CTE.
 * It relies on nothing that scoping could get wrong. @throws MR_SQL_FORBIDDEN.
 */
export function checkReplaced({ tables, ctes }: Passed, views: ReadonlySet<string>): void {
  for (const node of tables) {
    const [name, isPlain] = [String(node['table_name']), !node['schema_name'] && !node['catalog_name'] && !node['at_clause']]
    if (!isPlain || !(views.has(name) || ctes.has(name.toLowerCase()))) refuse(`the table reference "${name}"`)
  }
}

const EXPRESSION = { class: 'text', type: 'text', alias: 'text', query_location: 'text' } as const
const FROM = { type: 'text', alias: 'text', query_location: 'text', sample: checkSample } as const
const QUERY = { type: 'text', modifiers: 'modifiers', cte_map: 'ctes' } as const

type Members = Readonly<Record<string, Holds>>

const QUERIES: Readonly<Record<string, Members>> = {
  SELECT_NODE: {
    ...QUERY,
    select_list: 'expressions',
    from_table: 'from',
    where_clause: 'expression',
    group_expressions: 'expressions',
    group_sets: 'text',
    aggregate_handling: 'text',
    having: 'expression',
    sample: checkSample,
    qualify: 'expression',
  },
  SET_OPERATION_NODE: { ...QUERY, setop_type: 'text', setop_all: 'text', left: 'query', right: 'query', children: 'queries' },
  RECURSIVE_CTE_NODE: {
    ...QUERY,
    cte_name: checkCteName,
    union_all: 'text',
    left: 'query',
    right: 'query',
    aliases: 'text',
    key_targets: 'expressions',
  },
}

const FROMS: Readonly<Record<string, Members>> = {
  EMPTY: FROM,
  BASE_TABLE: { ...FROM, catalog_name: 'text', schema_name: 'text', table_name: 'text', column_name_alias: 'text', at_clause: checkAt },
  SUBQUERY: { ...FROM, subquery: 'statement', column_name_alias: 'text' },
  JOIN: {
    ...FROM,
    left: 'from',
    right: 'from',
    condition: 'expression',
    join_type: 'text',
    ref_type: 'text',
    using_columns: 'text',
    delim_flipped: 'false',
    duplicate_eliminated_columns: 'expressions',
  },
  EXPRESSION_LIST: { ...FROM, expected_names: 'text', expected_types: checkType, values: checkRows },
  TABLE_FUNCTION: { ...FROM, function: checkTableFunction, column_name_alias: 'text', with_ordinality: 'text' },
  PIVOT: {
    ...FROM,
    source: 'from',
    aggregates: 'expressions',
    unpivot_names: 'text',
    pivots: checkPivots,
    groups: 'text',
    column_name_alias: 'text',
    include_nulls: 'text',
  },
}

const CALL = { function_name: 'text', schema: 'text', catalog: 'text', children: 'expressions', distinct: 'text' } as const

const EXPRESSIONS: Readonly<Record<string, Members>> = {
  BETWEEN: { ...EXPRESSION, input: 'expression', lower: 'expression', upper: 'expression' },
  CASE: { ...EXPRESSION, case_checks: checkCases, else_expr: 'expression' },
  CAST: { ...EXPRESSION, child: 'expression', cast_type: checkType, try_cast: 'text' },
  COLLATE: { ...EXPRESSION, child: 'expression', collation: 'text' },
  COLUMN_REF: { ...EXPRESSION, column_names: 'text' },
  COMPARISON: { ...EXPRESSION, left: 'expression', right: 'expression' },
  CONJUNCTION: { ...EXPRESSION, children: 'expressions' },
  CONSTANT: { ...EXPRESSION, value: checkType },
  FUNCTION: { ...EXPRESSION, ...CALL, filter: 'expression', order_bys: checkModifier, is_operator: 'text', export_state: 'false' },
  LAMBDA: { ...EXPRESSION, lhs: 'expression', expr: 'expression', syntax_type: 'text' },
  OPERATOR: { ...EXPRESSION, children: 'expressions' },
  PARAMETER: { ...EXPRESSION, identifier: 'text' },
  POSITIONAL_REFERENCE: { ...EXPRESSION, index: 'text' },
  STAR: {
    ...EXPRESSION,
    relation_name: 'text',
    exclude_list: 'text',
    replace_list: checkReplacements,
    columns: 'text',
    expr: 'expression',
    qualified_exclude_list: 'text',
    rename_list: 'text',
  },
  SUBQUERY: { ...EXPRESSION, subquery_type: 'text', subquery: 'statement', child: 'expression', comparison_type: 'text' },
  WINDOW: {
    ...EXPRESSION,
    ...CALL,
    partitions: 'expressions',
    orders: checkOrders,
    start: 'text',
    end: 'text',
    start_expr: 'expression',
    end_expr: 'expression',
    offset_expr: 'expression',
    default_expr: 'expression',
    ignore_nulls: 'text',
    filter_expr: 'expression',
    exclude_clause: 'text',
    arg_orders: checkOrders,
  },
}

const MODIFIERS: Readonly<Record<string, Members>> = {
  ORDER_MODIFIER: { type: 'text', orders: checkOrders },
  LIMIT_MODIFIER: { type: 'text', limit: 'expression', offset: 'expression' },
  LIMIT_PERCENT_MODIFIER: { type: 'text', limit: 'expression', offset: 'expression' },
  DISTINCT_MODIFIER: { type: 'text', distinct_on_targets: 'expressions' },
}

const OPERATOR_TYPES = new Set([
  'ARRAY_CONSTRUCTOR',
  'ARRAY_EXTRACT',
  'ARRAY_SLICE',
  'STRUCT_EXTRACT',
  'COMPARE_IN',
  'COMPARE_NOT_IN',
  'GROUPING_FUNCTION',
  'OPERATOR_COALESCE',
  'OPERATOR_IS_NOT_NULL',
  'OPERATOR_IS_NULL',
  'OPERATOR_NOT',
  'OPERATOR_NULLIF',
  'OPERATOR_TRY',
  'OPERATOR_UNPACK',
])

/** The tree shows these as functions; the catalog of functions does not list them. */
const CONSTRUCTS = new Set([
  '!',
  '!~',
  'ceil',
  'count_star',
  'exists',
  'grouping',
  'grouping_id',
  'columns',
  'row',
  'coalesce',
  'unnest',
  '!~~~',
])
const TABLE_FUNCTIONS = new Set(['unnest', 'range', 'generate_series'])

const isNode = (value: unknown): value is Node => value !== null && typeof value === 'object' && !JSON.isRawJSON(value)
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : value === null || value === undefined ? [] : [value])

function checkMembers(what: string, node: Node, members: Members, walk: Walk): void {
  for (const [name, value] of Object.entries(node)) {
    const holds = Object.hasOwn(members, name) ? members[name]! : refuse(`${what} with "${name}"`)
    if (holds === 'text') checkText(value, `${what}, ${name}`)
    else if (holds === 'false') value && refuse(`${what} with "${name}"`)
    else if (typeof holds === 'function') holds(value, walk)
    else for (const inner of listOf(value)) CHECKS[holds](inner, walk)
  }
}

const CHECKS: Readonly<Record<Exclude<Holds, 'text' | 'false' | Check>, Check>> = {
  query: checkQuery,
  queries: checkQuery,
  statement: checkStatement,
  ctes: checkCtes,
  from: checkFrom,
  expression: checkExpression,
  expressions: checkExpression,
  modifiers: checkModifier,
}

/** Data without nodes in it. */
function checkText(value: unknown, what: string): void {
  if (!isNode(value)) return
  if (value.class !== undefined || 'from_table' in value || 'table_name' in value || 'function_name' in value) refuse(what)
  for (const inner of Object.values(value)) checkText(inner, what)
}

function checkStatement(value: unknown, walk: Walk): void {
  checkMembers('a statement', value as Node, { node: 'query', named_param_map: 'text' }, walk)
}

function membersOf(kinds: Readonly<Record<string, Members>>, kind: unknown, what: string): Members {
  return Object.hasOwn(kinds, String(kind)) ? kinds[String(kind)]! : refuse(`${what} ${String(kind)}`)
}

function checkQuery(value: unknown, walk: Walk): void {
  const node = value as Node
  checkMembers(String(node.type), node, membersOf(QUERIES, node.type, 'a query of type'), walk)
}

function checkCtes(value: unknown, walk: Walk): void {
  checkMembers('WITH', value as Node, { map: checkCteEntries }, walk)
}

function checkCteEntries(value: unknown, walk: Walk): void {
  for (const entry of listOf(value)) checkMembers('WITH', entry as Node, { key: checkCteName, value: checkCte }, walk)
}

function checkCte(value: unknown, walk: Walk): void {
  checkMembers('a CTE', value as Node, { aliases: 'text', query: 'statement', materialized: 'text', key_targets: 'expressions' }, walk)
}

/** A CTE may not be called like a file or like a view of ours: then a reference that is none can at most fail. */
function checkCteName(value: unknown, walk: Walk): void {
  const name = String(value)
  if (/[#./\\:*?]/.test(name)) refuse(`the CTE name "${name}"`)
  walk.ctes.add(name.toLowerCase())
}

function checkFrom(value: unknown, walk: Walk): void {
  const node = value as Node
  checkMembers(`FROM ${String(node.type)}`, node, membersOf(FROMS, node.type, 'FROM'), walk)
  if (node.type === 'BASE_TABLE') walk.tables.push(node)
}

function checkSample(value: unknown): void {
  if (value !== null) checkText(value, 'a sample')
}

function checkAt(value: unknown, walk: Walk): void {
  if (value !== null) checkMembers('AT', value as Node, { unit: 'text', expr: 'expression' }, walk)
}

function checkRows(value: unknown, walk: Walk): void {
  for (const row of listOf(value)) for (const cell of listOf(row)) checkExpression(cell, walk)
}

function checkTableFunction(value: unknown, walk: Walk): void {
  const call = value as Node
  const name = String(call['function_name']).toLowerCase()
  if (call.class !== 'FUNCTION' || !TABLE_FUNCTIONS.has(name) || call['schema'] || call['catalog']) refuse(`the table function ${name}`)
  checkMembers(`the table function ${name}`, call, EXPRESSIONS['FUNCTION']!, walk)
}

function checkPivots(value: unknown, walk: Walk): void {
  const members: Members = { pivot_expressions: 'expressions', unpivot_names: 'text', entries: checkEntries, pivot_enum: 'text' }
  for (const pivot of listOf(value)) checkMembers('a pivot', pivot as Node, members, walk)
}

function checkEntries(value: unknown, walk: Walk): void {
  for (const entry of listOf(value))
    checkMembers('a pivot entry', entry as Node, { values: checkType, star_expr: 'expression', alias: 'text' }, walk)
}

function checkCases(value: unknown, walk: Walk): void {
  for (const branch of listOf(value)) checkMembers('CASE', branch as Node, { when_expr: 'expression', then_expr: 'expression' }, walk)
}

function checkReplacements(value: unknown, walk: Walk): void {
  for (const item of listOf(value)) checkMembers('REPLACE', item as Node, { key: 'text', value: 'expression' }, walk)
}

function checkOrders(value: unknown, walk: Walk): void {
  for (const order of listOf(value))
    checkMembers('ORDER BY', order as Node, { type: 'text', null_order: 'text', expression: 'expression' }, walk)
}

function checkModifier(value: unknown, walk: Walk): void {
  for (const modifier of listOf(value)) {
    const node = modifier as Node
    checkMembers(String(node.type), node, membersOf(MODIFIERS, node.type, 'the clause'), walk)
  }
}

/** A type or a value with its type: no names that lead into a catalog. */
function checkType(value: unknown): void {
  if (!isNode(value)) return
  if (value.class !== undefined || value['catalog'] || value['schema']) refuse('a type with a qualified name')
  for (const inner of Object.values(value)) checkType(inner)
}

function checkExpression(value: unknown, walk: Walk): void {
  const node = value as Node
  if (node === null) return
  if (node.class === 'OPERATOR' && !OPERATOR_TYPES.has(String(node.type))) refuse(`the operator ${String(node.type)}`)
  if (node.class === 'FUNCTION' || node.class === 'WINDOW') checkFunction(node)
  checkMembers(`an expression of class ${String(node.class)}`, node, membersOf(EXPRESSIONS, node.class, 'an expression of class'), walk)
}

function checkFunction(node: Node): void {
  const name = String(node['function_name']).toLowerCase()
  const [schema, catalog] = [String(node['schema'] ?? '').toLowerCase(), String(node['catalog'] ?? '').toLowerCase()]
  if (!['', 'main', 'pg_catalog'].includes(schema) || !['', 'system'].includes(catalog)) refuse(`the function ${catalog}.${schema}.${name}`)
  if (DENIED_FUNCTIONS.has(name)) refuse(TABLE_FUNCTIONS.has(name) ? `the function ${name} outside of FROM` : `the function ${name}`)
  if (!SAFE_FUNCTIONS.has(name) && !STRICT_FUNCTIONS.has(name) && !CONSTRUCTS.has(name))
    throw new MillraceError('MR_SQL_UNKNOWN', `there is no function ${name}`, { fix: 'check its name' })
}
