// The gate: a fail-closed walk over DuckDB's syntax tree. Only node types, expression classes and functions that are known to
// be harmless pass; anything new in an engine is refused until somebody has looked at it.
import { MillraceError } from '../core/errors.ts'
import { type Node, type Statement, walk } from '../engine/ast.ts'
import { DENIED_FUNCTIONS, LEAKING_FUNCTIONS, OPERATORS, WINDOW_FUNCTIONS } from './functions.ts'

const QUERY_NODES = new Set(['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE'])
const TABLE_NODES = new Set(['EMPTY', 'BASE_TABLE', 'SUBQUERY', 'JOIN', 'EXPRESSION_LIST', 'TABLE_FUNCTION', 'PIVOT'])
const TABLE_FUNCTIONS = new Set(['unnest', 'range', 'generate_series'])
const CLASSES = new Set([
  'COLUMN_REF',
  'CONSTANT',
  'FUNCTION',
  'COMPARISON',
  'CONJUNCTION',
  'OPERATOR',
  'CASE',
  'CAST',
  'BETWEEN',
  'SUBQUERY',
  'WINDOW',
  'STAR',
  'LAMBDA',
  'LAMBDA_REF',
  'PARAMETER',
  'COLLATE',
  'POSITIONAL_REFERENCE',
  'DEFAULT',
  'TYPE',
])
const SYSTEM_SCHEMAS = new Set(['', 'main', 'pg_catalog'])

export interface Passed {
  /** Functions that may be evaluated on rows that a policy hides, and then tell about them by failing. */
  readonly leaking: readonly string[]
}

function refuse(what: string): never {
  throw new MillraceError('MR_SQL_FORBIDDEN', `${what} may not be used here`, { fix: 'ask with SELECT over relations of the project' })
}

/** @throws MR_SQL_FORBIDDEN naming the construct. `functions`: those that the engine has. */
export function passGate(statement: Statement, functions: ReadonlySet<string>): Passed {
  const leaking = new Set<string>()
  if (!QUERY_NODES.has(String(statement.node.type))) refuse(`a ${String(statement.node.type)}`)
  walk(statement.node, (node) => {
    if (node.class !== undefined) checkExpression(node, functions, leaking)
    else if (typeof node.type === 'string') checkNode(node)
  })
  return { leaking: [...leaking] }
}

/** Nodes without a class are queries, FROM items, modifiers and parts of types. */
function checkNode(node: Node): void {
  const type = node.type!
  if (type.endsWith('_NODE')) {
    if (!QUERY_NODES.has(type)) refuse(`a ${type}`)
    return
  }
  if ('sample' in node || 'alias' in node) {
    if (!TABLE_NODES.has(type)) refuse(`FROM ${type}`)
    if (type === 'TABLE_FUNCTION') checkTableFunction(node['function'] as Node)
  }
}

function checkTableFunction(call: Node): void {
  const name = String(call['function_name']).toLowerCase()
  if (call.class !== 'FUNCTION' || !TABLE_FUNCTIONS.has(name) || call['schema'] || call['catalog']) refuse(`the table function ${name}`)
}

function checkExpression(node: Node, functions: ReadonlySet<string>, leaking: Set<string>): void {
  if (!CLASSES.has(node.class!)) refuse(`an expression of class ${node.class}`)
  if (node.class === 'FUNCTION' || node.class === 'WINDOW') checkFunction(node, functions, leaking)
}

function checkFunction(node: Node, functions: ReadonlySet<string>, leaking: Set<string>): void {
  const name = String(node['function_name']).toLowerCase()
  if (!SYSTEM_SCHEMAS.has(String(node['schema'] ?? '').toLowerCase())) refuse(`the function ${node['schema']}.${name}`)
  const catalog = String(node['catalog'] ?? '').toLowerCase()
  if (catalog !== '' && catalog !== 'system') refuse(`the function ${catalog}.${name}`)
  if (DENIED_FUNCTIONS.has(name)) refuse(`the function ${name}`)
  const isKnown =
    functions.has(name) || OPERATORS.has(name) || TABLE_FUNCTIONS.has(name) || (node.class === 'WINDOW' && WINDOW_FUNCTIONS.has(name))
  if (!isKnown) throw new MillraceError('MR_SQL_UNKNOWN', `there is no function ${name}`, { fix: 'check its name' })
  if (LEAKING_FUNCTIONS.has(name)) leaking.add(name)
}
