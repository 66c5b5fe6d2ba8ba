// Can the intervals or keys that changed input rows touch be found by running a model's own SQL over those rows alone? It can
// when the SQL is linear in the input: selections, joins and unions, and one grouping on top whose groups the units are. A
// closed list: for anything else, or a change of an input that it is not linear in, the model is rebuilt. Pure.
import { type Node, walk } from '../engine/ast.ts'

export interface UnitTrace {
  /** Inputs whose changed rows lead to the units that they touch. */
  readonly traceable: ReadonlySet<string>
  /** True when filters over groups (HAVING, QUALIFY) were taken out of the tree: few changed rows would not pass them. */
  readonly isStripped: boolean
  /** What is not linear, in words; null when the whole is. */
  readonly why: string | null
}

interface Context {
  readonly units: readonly string[]
  readonly aggregates: ReadonlySet<string>
  readonly views: ReadonlyMap<string, Node>
  /** Every occurrence of a relation; false = on the side of an outer join that may be null. */
  readonly seen: Map<string, boolean[]>
  isStripped: boolean
  why: string | null
}

type Ctes = ReadonlyMap<string, Node>

const JOINS = ['INNER', 'LEFT', 'RIGHT', 'OUTER', 'FULL', 'SEMI', 'ANTI']

/**
 * `node` is changed in place: what it gives afterwards are at least the units that its rows touch. `units`: columns of the
 * model; `views`: trees of inputs that are views; `aggregates`: names of the engine's aggregate functions.
 */
export function traceUnits(
  node: Node,
  units: readonly string[],
  views: ReadonlyMap<string, Node>,
  aggregates: ReadonlySet<string>,
): UnitTrace {
  const context: Context = { units: units.map(fold), aggregates, views, seen: new Map(), isStripped: false, why: null }
  traceTop(context, node, new Map(), unitPositions(node, context.units))
  const single = [...context.seen].filter(([, sides]) => sides.length === 1 && sides[0])
  const traceable = context.why === null ? new Set(single.map(([name]) => name)) : new Set<string>()
  return { traceable, isStripped: context.isStripped, why: context.why }
}

const fold = (name: string): string => name.toLowerCase()

function refuse(context: Context, what: string): void {
  context.why ??= what
}

/** Where the units stand in the SELECT lists of a union; null when they are found by name. */
function unitPositions(node: Node, units: readonly string[]): readonly number[] | null {
  if (node.type !== 'SET_OPERATION_NODE') return null
  let first = node
  while (first.type === 'SET_OPERATION_NODE') first = first['left'] as Node
  const list = (first['select_list'] as Node[] | undefined) ?? []
  return units.map((unit) => list.findIndex((item) => nameOf(item) === unit))
}

const nameOf = (item: Node): string => fold(item.alias || (item.class === 'COLUMN_REF' ? (item['column_names'] as string[]).at(-1)! : ''))

/** A query whose rows are rows of the model. */
function traceTop(context: Context, node: Node, outer: Ctes, positions: readonly number[] | null): void {
  const ctes = withCtes(node, outer)
  checkModifiers(context, node)
  if (isUnion(node)) {
    for (const side of ['left', 'right'] as const) traceTop(context, node[side] as Node, ctes, positions)
    return
  }
  if (node.type !== 'SELECT_NODE') {
    refuse(context, `a ${node['setop_type'] ?? node.type}`)
    return
  }
  const list = node['select_list'] as Node[]
  if (positions && list.some((item) => item.class === 'STAR')) refuse(context, 'a union with *')
  const expressions = context.units.map((unit, index) => (positions ? list[positions[index]!] : list.find((item) => nameOf(item) === unit)))
  for (const expression of expressions) if (expression) checkUnit(context, expression, list)
  checkWindows(context, [list, node['qualify']], expressions)
  checkSubqueries(context, [list, node['where_clause'], node['group_expressions'], node['having'], node['qualify']])
  if (node['having'] || node['qualify']) context.isStripped = true
  node['having'] = null
  node['qualify'] = null
  traceFrom(context, node['from_table'] as Node, ctes, true)
}

/** A query below the top: each of its rows must come from one combination of input rows. */
function traceRows(context: Context, node: Node, outer: Ctes, isKept: boolean): void {
  const ctes = withCtes(node, outer)
  checkModifiers(context, node)
  if (isUnion(node)) {
    for (const side of ['left', 'right'] as const) traceRows(context, node[side] as Node, ctes, isKept)
    return
  }
  if (node.type !== 'SELECT_NODE') {
    refuse(context, `a ${node['setop_type'] ?? node.type} below the top`)
    return
  }
  const isGrouped = (node['group_expressions'] as Node[]).length > 0 || node['aggregate_handling'] !== 'STANDARD_HANDLING'
  if (isGrouped || node['having'] || node['qualify']) refuse(context, 'a grouping below the top')
  checkSubqueries(context, [node['select_list'], node['where_clause']])
  if (!isRowLevel(context, node['select_list'])) refuse(context, 'an aggregate or window below the top')
  traceFrom(context, node['from_table'] as Node, ctes, isKept)
}

const isUnion = (node: Node): boolean => node.type === 'SET_OPERATION_NODE' && node['setop_type'] === 'UNION'

function withCtes(node: Node, outer: Ctes): Ctes {
  const own = (node['cte_map'] as { map: { key: string; value: { query: { node: Node } } }[] } | undefined)?.map ?? []
  return own.length === 0 ? outer : new Map([...outer, ...own.map(({ key, value }) => [fold(key), value.query.node] as const)])
}

function checkModifiers(context: Context, node: Node): void {
  for (const modifier of (node['modifiers'] as Node[] | undefined) ?? []) {
    const isDistinctOn = modifier.type === 'DISTINCT_MODIFIER' && ((modifier['distinct_on_targets'] as Node[]) ?? []).length > 0
    if (modifier.type?.startsWith('LIMIT') || isDistinctOn) refuse(context, 'LIMIT or DISTINCT ON')
  }
  if (node['sample']) refuse(context, 'a sample')
}

function traceFrom(context: Context, from: Node, ctes: Ctes, isKept: boolean): void {
  if (from['sample']) refuse(context, 'a sample')
  switch (from.type) {
    case 'BASE_TABLE':
      traceRelation(context, from, ctes, isKept)
      return
    case 'SUBQUERY':
      traceRows(context, (from['subquery'] as { node: Node }).node, ctes, isKept)
      return
    case 'JOIN':
      traceJoin(context, from, ctes, isKept)
      return
    case 'TABLE_FUNCTION':
    case 'EXPRESSION_LIST':
    case 'EMPTY':
      checkSubqueries(context, from)
      return
    default:
      refuse(context, `a ${from.type}`)
  }
}

function traceRelation(context: Context, from: Node, ctes: Ctes, isKept: boolean): void {
  const schema = fold(String(from['schema_name'] ?? ''))
  const name = `${schema === '' || schema === 'main' ? '' : `${schema}.`}${fold(String(from['table_name']))}`
  const inner = ctes.get(name) ?? context.views.get(name)
  // A CTE does not see itself: a relation of its own name is meant then.
  if (inner) traceRows(context, inner, new Map([...ctes].filter(([key]) => key !== name)), isKept)
  else context.seen.set(name, [...(context.seen.get(name) ?? []), isKept])
}

function traceJoin(context: Context, from: Node, ctes: Ctes, isKept: boolean): void {
  const kind = String(from['join_type'])
  if (from['ref_type'] === 'ASOF' || from['ref_type'] === 'POSITIONAL') refuse(context, `a join ${from['ref_type']}`)
  if (!JOINS.includes(kind)) refuse(context, `a join ${kind}`)
  checkSubqueries(context, from['condition'])
  const isFull = kind === 'OUTER' || kind === 'FULL'
  traceFrom(context, from['left'] as Node, ctes, isKept && kind !== 'RIGHT' && !isFull)
  traceFrom(context, from['right'] as Node, ctes, isKept && kind !== 'LEFT' && kind !== 'ANTI' && !isFull)
}

function checkSubqueries(context: Context, value: unknown): void {
  walk(value, (node) => {
    if (node.class === 'SUBQUERY') refuse(context, 'a subquery in an expression')
  })
}

function isRowLevel(context: Context, value: unknown): boolean {
  let isPlain = true
  walk(value, (node) => {
    if (node.class === 'WINDOW' || (node.class === 'FUNCTION' && context.aggregates.has(String(node['function_name'])))) isPlain = false
  })
  return isPlain
}

/** A unit is computed from one row, also where it goes by the name of another column of the list. */
function checkUnit(context: Context, unit: Node, list: readonly Node[], visited: ReadonlySet<Node> = new Set()): void {
  if (!isRowLevel(context, unit)) refuse(context, 'an interval or key that is computed over rows')
  walk(unit, (node) => {
    const names = node.class === 'COLUMN_REF' ? (node['column_names'] as string[]) : []
    if (names.length !== 1) return
    for (const item of list)
      if (item !== unit && !visited.has(item) && fold(item.alias ?? '') === fold(names[0]!))
        checkUnit(context, item, list, new Set([...visited, unit]))
  })
}

/** A window over rows of several units carries a change from one to the other. */
function checkWindows(context: Context, values: unknown, units: readonly (Node | undefined)[]): void {
  walk(values, (node) => {
    if (node.class !== 'WINDOW') return
    const partitions = new Set((node['partitions'] as Node[]).flatMap((partition) => [meaningOf(partition), nameOf(partition)]))
    if (context.units.some((unit, index) => !partitions.has(units[index] ? meaningOf(units[index]) : unit)))
      refuse(context, 'a window that reaches beyond an interval or key')
  })
}

/** An expression without where it stands and what it is called. */
const meaningOf = (node: Node): string =>
  JSON.stringify(node, (key, value) => (key === 'alias' || key === 'query_location' ? undefined : value))
