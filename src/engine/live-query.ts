// The algebra of live models and its compiler from DuckDB's syntax tree: one tumbling window over one stream, filters,
// plain group columns and mergeable aggregates. A closed list: anything else is refused with its position and the nearest
// form that works. Printed back to DuckDB, the same query is the batch twin of the live one.
import { MillraceError } from '../core/errors.ts'
import { fieldOf, type Shape } from '../schema/type.ts'
import { type Literal, literalValue } from './literal.ts'

export type LiveValue = string | number | boolean

export type LivePredicate =
  | { readonly kind: 'compare'; readonly column: string; readonly op: '=' | '<>' | '<' | '<=' | '>' | '>='; readonly value: LiveValue }
  | { readonly kind: 'in'; readonly column: string; readonly values: readonly LiveValue[] }
  | { readonly kind: 'null'; readonly column: string; readonly negated: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly LivePredicate[] }
  | { readonly kind: 'not'; readonly of: LivePredicate }

export type LiveOutput =
  | { readonly kind: 'window_start'; readonly name: string }
  | { readonly kind: 'window_end'; readonly name: string }
  | { readonly kind: 'group'; readonly name: string; readonly column: string }
  | {
      readonly kind: 'aggregate'
      readonly name: string
      readonly function: 'count' | 'sum' | 'min' | 'max' | 'avg'
      readonly column: string | null
    }

export interface LiveQuery {
  readonly stream: string
  readonly time: string
  readonly windowMs: number
  readonly where: LivePredicate | null
  readonly outputs: readonly LiveOutput[]
}

/** A node of DuckDB's serialized tree, as far as this compiler looks. */
interface Node {
  readonly class?: string
  readonly type?: string
  readonly alias?: string
  readonly query_location?: number
  readonly [key: string]: unknown
}

const NEAREST =
  'a live model is: SELECT window_start, column, count(*) FROM tumble(stream, stream.time, INTERVAL 1 MINUTE) [WHERE ...] GROUP BY ALL'

function refuse(what: string, node?: Node): never {
  const at = typeof node?.query_location === 'number' && node.query_location < 2 ** 31 ? ` (character ${node.query_location + 1})` : ''
  throw new MillraceError('MR_PLAN_LIVE_SHAPE', `${what}${at} is not supported in a live model`, { fix: NEAREST })
}

/** @throws MR_PLAN_LIVE_SHAPE naming the construct. `tree` is the SELECT node of the statement. */
export function compileLive(tree: unknown, shapeOf: (stream: string) => Shape | undefined): LiveQuery {
  const select = tree as Node
  if (select.type !== 'SELECT_NODE') refuse('a set operation or recursive query', select)
  if ((select['cte_map'] as { map: unknown[] }).map.length > 0) refuse('WITH', select)
  for (const clause of ['having', 'qualify', 'sample'] as const) if (select[clause]) refuse(clause.toUpperCase(), select[clause] as Node)
  if ((select['modifiers'] as unknown[]).length > 0) refuse('ORDER BY, LIMIT or DISTINCT', select)
  const source = compileSource(select['from_table'] as Node)
  const shape = shapeOf(source.stream)
  if (!shape) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no stream "${source.stream}"`, { fix: 'read a stream of the project' })
  const scope: Scope = { names: new Set([source.alias, source.stream]), shape }
  const time = columnName(source.time, scope)
  if (fieldOf(shape, time)?.type.kind !== 'timestamp') refuse(`the window over "${time}", which is no timestamp`, source.time)
  const where = select['where_clause'] ? compilePredicate(select['where_clause'] as Node, scope) : null
  const outputs = (select['select_list'] as Node[]).map((node) => compileOutput(node, scope))
  checkGroups(select, outputs, scope)
  return { stream: source.stream, time, windowMs: source.windowMs, where, outputs }
}

interface Scope {
  readonly names: ReadonlySet<string>
  readonly shape: Shape
}

function compileSource(from: Node): { stream: string; alias: string; time: Node; windowMs: number } {
  if (from.type !== 'TABLE_FUNCTION') refuse('a relation without tumble(...)', from)
  const call = from['function'] as Node
  const children = call['children'] as Node[]
  if (call['function_name'] !== 'tumble') refuse(`${String(call['function_name'])}(...)`, call)
  if (children.length !== 3) refuse('tumble with other than three arguments', call)
  const stream = (children[0]!['column_names'] as string[] | undefined)?.join('.')
  if (!stream) refuse('the first argument of tumble, which must be a stream', children[0])
  const windowMs = intervalMs(children[2]!)
  if (windowMs <= 0) refuse('an empty interval', children[2])
  return { stream, alias: from.alias || stream, time: children[1]!, windowMs }
}

const UNIT_MS: Record<string, number> = {
  to_milliseconds: 1,
  to_seconds: 1_000,
  to_minutes: 60_000,
  to_hours: 3_600_000,
  to_days: 86_400_000,
  to_weeks: 604_800_000,
}

function intervalMs(node: Node): number {
  const unit = UNIT_MS[String(node['function_name'])]
  if (!unit) refuse('the third argument of tumble, which must be an INTERVAL of fixed length', node)
  const count = Number(constantIn((node['children'] as Node[])[0]!))
  if (Number.isNaN(count)) refuse('an interval that is not constant', node)
  return count * unit
}

/** The constant under casts and truncations. */
function constantIn(node: Node): LiveValue | undefined {
  if (node.class === 'CONSTANT') return constantValue(node)
  if (node.class === 'CAST') return constantIn(node['child'] as Node)
  if (node.class === 'FUNCTION' && node['function_name'] === 'trunc') return constantIn((node['children'] as Node[])[0]!)
  return undefined
}

function constantValue(node: Node): LiveValue {
  const literal = node['value'] as Literal
  if (literal.is_null) refuse('a comparison with NULL; use IS NULL', node)
  const value = literalValue(literal)
  if (value === undefined) refuse(`a constant of type ${literal.type.id}`, node)
  if (typeof value !== 'bigint') return value
  return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
}

function columnName(node: Node, scope: Scope): string {
  if (node.class !== 'COLUMN_REF') refuse('an expression where a plain column is needed', node)
  const names = node['column_names'] as string[]
  const name = names.at(-1)!
  if (names.length > 1 && !scope.names.has(names.slice(0, -1).join('.'))) refuse(`"${names.join('.')}"`, node)
  return name
}

function knownColumn(node: Node, scope: Scope): string {
  const name = columnName(node, scope)
  if (!fieldOf(scope.shape, name))
    throw new MillraceError('MR_PLAN_UNKNOWN', `the stream has no column "${name}"`, {
      fix: `it has ${scope.shape.fields.map((field) => field.name).join(', ')}`,
    })
  return name
}

const OPS: Record<string, '=' | '<>' | '<' | '<=' | '>' | '>='> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '<>',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
}
const FLIP = { '=': '=', '<>': '<>', '<': '>', '<=': '>=', '>': '<', '>=': '<=' } as const

function compilePredicate(node: Node, scope: Scope): LivePredicate {
  if (node.class === 'CONJUNCTION') {
    const kind = node.type === 'CONJUNCTION_AND' ? 'and' : 'or'
    return { kind, of: (node['children'] as Node[]).map((child) => compilePredicate(child, scope)) }
  }
  if (node.class === 'COMPARISON' && OPS[node.type!]) return compileComparison(node, scope)
  if (node.class === 'OPERATOR') {
    const children = node['children'] as Node[]
    if (node.type === 'OPERATOR_IS_NULL' || node.type === 'OPERATOR_IS_NOT_NULL') {
      return { kind: 'null', column: knownColumn(children[0]!, scope), negated: node.type === 'OPERATOR_IS_NOT_NULL' }
    }
    if (node.type === 'OPERATOR_NOT') return { kind: 'not', of: compilePredicate(children[0]!, scope) }
    if (node.type === 'COMPARE_IN')
      return { kind: 'in', column: knownColumn(children[0]!, scope), values: children.slice(1).map((child) => constantOf(child)) }
  }
  return refuse('this condition', node)
}

const constantOf = (node: Node): LiveValue => constantIn(node) ?? refuse('a comparison with something other than a constant', node)

function compileComparison(node: Node, scope: Scope): LivePredicate {
  const left = node['left'] as Node
  const right = node['right'] as Node
  const op = OPS[node.type!]!
  if (left.class === 'COLUMN_REF') return { kind: 'compare', column: knownColumn(left, scope), op, value: constantOf(right) }
  return { kind: 'compare', column: knownColumn(right, scope), op: FLIP[op], value: constantOf(left) }
}

function compileOutput(node: Node, scope: Scope): LiveOutput {
  if (node.class === 'COLUMN_REF') {
    const column = columnName(node, scope)
    const name = node.alias || column
    if (column === 'window_start' || column === 'window_end') return { kind: column, name }
    return { kind: 'group', name, column: knownColumn(node, scope) }
  }
  if (node.class !== 'FUNCTION') refuse('this expression', node)
  return compileAggregate(node, scope)
}

function compileAggregate(node: Node, scope: Scope): LiveOutput {
  const called = String(node['function_name'])
  const children = node['children'] as Node[]
  if (node['distinct']) refuse('DISTINCT', node)
  if (node['filter']) refuse('FILTER', node['filter'] as Node)
  if (called === 'count_star') return { kind: 'aggregate', name: node.alias || 'count_star()', function: 'count', column: null }
  if (called !== 'count' && called !== 'sum' && called !== 'min' && called !== 'max' && called !== 'avg') refuse(`${called}(...)`, node)
  const column = knownColumn(children[0]!, scope)
  return { kind: 'aggregate', name: node.alias || `${called}(${column})`, function: called, column }
}

/** Every plain column must be grouped by: GROUP BY ALL, or exactly the columns listed. */
function checkGroups(select: Node, outputs: readonly LiveOutput[], scope: Scope): void {
  if (!outputs.some((output) => output.kind === 'aggregate')) refuse('a query without an aggregate', select)
  if (select['aggregate_handling'] === 'FORCE_AGGREGATES') return
  const groups = (select['group_expressions'] as Node[]).map((node) => {
    const position = constantIn(node)
    const output = typeof position === 'number' ? outputs[position - 1] : undefined
    return output ? (output.kind === 'group' ? output.column : output.kind) : columnName(node, scope)
  })
  const plain = outputs.flatMap((output) => (output.kind === 'group' ? [output.column] : output.kind === 'aggregate' ? [] : [output.kind]))
  const missing = groups.find((group) => !plain.includes(group) && !(group === 'window_end' || group === 'window_start'))
  if (missing) refuse(`grouping by "${missing}" without selecting it`, select)
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
const literal = (value: LiveValue): string => (typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value))

/** DuckDB SQL of the same query over `relation` (SQL of a table): what a batch run gives, and the oracle of tests. */
export function printLive(query: LiveQuery, relation: string): string {
  const start = `time_bucket(INTERVAL '${query.windowMs} milliseconds', ${quote(query.time)}, TIMESTAMPTZ '1970-01-01 00:00:00+00')`
  const columns = query.outputs.map((output) => `${printOutput(output, start, query.windowMs)} AS ${quote(output.name)}`)
  const where = query.where ? ` WHERE ${printPredicate(query.where)}` : ''
  const groups = [start, ...query.outputs.flatMap((output) => (output.kind === 'group' ? [quote(output.column)] : []))]
  return `SELECT ${columns.join(', ')} FROM ${relation}${where} GROUP BY ${groups.join(', ')}`
}

function printOutput(output: LiveOutput, start: string, windowMs: number): string {
  if (output.kind === 'window_start') return start
  if (output.kind === 'window_end') return `${start} + INTERVAL '${windowMs} milliseconds'`
  if (output.kind === 'group') return quote(output.column)
  return `${output.function}(${output.column === null ? '*' : quote(output.column)})`
}

function printPredicate(predicate: LivePredicate): string {
  switch (predicate.kind) {
    case 'compare':
      return `${quote(predicate.column)} ${predicate.op} ${literal(predicate.value)}`
    case 'in':
      return `${quote(predicate.column)} IN (${predicate.values.map(literal).join(', ')})`
    case 'null':
      return `${quote(predicate.column)} IS ${predicate.negated ? 'NOT ' : ''}NULL`
    case 'not':
      return `NOT (${printPredicate(predicate.of)})`
    default:
      return `(${predicate.of.map(printPredicate).join(predicate.kind === 'and' ? ' AND ' : ' OR ')})`
  }
}
