// Where each column of a SELECT comes from: the columns that it passes on unchanged, those that it is computed from, and
// whether it can be null. From the syntax tree and the inputs' shapes alone; what cannot be followed is undefined.
import type { Shape } from '../../schema/type.ts'
import type { ColumnUse } from '../binder.ts'
import { AGGREGATES, ctesOf, isNode, type Node, nodesOf, tableName, windowCall } from './tree.ts'

/** What is known of one column or expression. */
export interface Lineage {
  readonly name: string
  /** Columns whose values it passes on unchanged. */
  readonly origins: readonly ColumnUse[]
  /** Columns that it is computed from in another way. */
  readonly uses: readonly ColumnUse[]
  /** Every value is one of the origin's: nothing else is mixed in. */
  readonly exact: boolean
  readonly optional: boolean
}

/** A relation in a FROM clause; columns are undefined where they cannot be known. */
interface Source {
  readonly name: string
  readonly columns: readonly Lineage[] | undefined
}

interface Scope {
  readonly shapes: ReadonlyMap<string, Shape>
  readonly ctes: ReadonlyMap<string, readonly Lineage[] | undefined>
  readonly sources: readonly Source[]
  /** Columns of the select list so far, which later ones may name. */
  readonly before: readonly Lineage[]
  /** Every group has a row: an aggregate sees at least one value. */
  readonly grouped: boolean
}

type Value = Omit<Lineage, 'name'>

const CONSTANT: Value = { origins: [], uses: [], exact: false, optional: false }
const UNKNOWN: Value = { ...CONSTANT, optional: true }

/** Lineage of the columns of a query node, in order; undefined when a part cannot be followed. */
export function lineageOf(node: Node, shapes: ReadonlyMap<string, Shape>): readonly Lineage[] | undefined {
  return ofQuery(node, { shapes, ctes: new Map(), sources: [], before: [], grouped: false })
}

function ofQuery(node: Node, outer: Scope): readonly Lineage[] | undefined {
  const ctes = new Map(outer.ctes)
  for (const { key, value } of ctesOf(node))
    ctes.set(key.toLowerCase(), rename(ofQuery(value.query.node, { ...outer, ctes }), value.aliases))
  const scope = { ...outer, ctes }
  if (node.type === 'SELECT_NODE') return ofSelect(node, scope)
  if (node.type === 'SET_OPERATION_NODE' && isNode(node['left']) && isNode(node['right']))
    return ofSetOperation(node, ofQuery(node['left'], scope), ofQuery(node['right'], scope))
  return undefined
}

function ofSelect(node: Node, outer: Scope): readonly Lineage[] | undefined {
  const sources = narrow(node['where_clause'], isNode(node['from_table']) ? sourcesOf(node['from_table'], outer) : [])
  const grouped = nodesOf(node['group_expressions']).length > 0 || isGroupedByAll(node)
  const columns: Lineage[] = []
  for (const item of nodesOf(node['select_list'])) {
    const scope = { ...outer, sources: [...sources, ...outer.sources], before: columns, grouped }
    if (item.class === 'STAR') {
      const all = item['columns'] === true ? undefined : ofStar(item, sources, scope)
      if (!all) return undefined
      columns.push(...all)
    } else columns.push({ ...valueOfNode(item, scope), name: item.alias || nameOf(item) })
  }
  return columns
}

/** GROUP BY ALL with something to group by: without, it is one group, which may have no row. */
const isGroupedByAll = (node: Node): boolean =>
  node['aggregate_handling'] === 'FORCE_AGGREGATES' && nodesOf(node['select_list']).some((item) => !hasAggregate(item))

const isAggregate = (node: Node): boolean => {
  const name = String(node['function_name'])
  return node.class === 'FUNCTION' && (COUNTS.has(name) || CHOOSES.has(name) || AGGREGATES.has(name))
}

const hasAggregate = (node: Node): boolean => isAggregate(node) || operandsOf(node).some(hasAggregate)

const nameOf = (node: Node): string => (node['column_names'] as string[] | undefined)?.at(-1) ?? ''

/** UNION passes on both sides; EXCEPT and INTERSECT the left one. */
function ofSetOperation(
  node: Node,
  left: readonly Lineage[] | undefined,
  right: readonly Lineage[] | undefined,
): readonly Lineage[] | undefined {
  if (!left || !right) return undefined
  if (node['setop_type'] === 'UNION_BY_NAME') {
    const extra = right.filter((column) => !left.some((other) => same(other.name, column.name)))
    const both = left.map((column) =>
      merge(
        column,
        right.find((other) => same(other.name, column.name)),
      ),
    )
    return [...both, ...extra.map((column) => ({ ...column, optional: true }))]
  }
  if (node['setop_type'] !== 'UNION') return left
  return left.length === right.length ? left.map((column, i) => merge(column, right[i])) : undefined
}

const merge = (a: Lineage, b: Lineage | undefined): Lineage =>
  b ? { ...union([a, b]), name: a.name, optional: a.optional || b.optional } : { ...a, optional: true }

/** `WHERE x IS NOT NULL AND ...` leaves no null in x. */
function narrow(where: unknown, sources: readonly Source[]): readonly Source[] {
  if (!isNode(where)) return sources
  if (where.type === 'CONJUNCTION_AND') return nodesOf(where['children']).reduce((all, child) => narrow(child, all), sources)
  const child = nodesOf(where['children'])[0]
  if (where.type !== 'OPERATOR_IS_NOT_NULL' || child?.class !== 'COLUMN_REF') return sources
  const names = child['column_names'] as string[]
  const relation = names.length > 1 ? names.at(-2) : undefined
  return sources.map((source) => ({
    ...source,
    columns:
      relation !== undefined && !same(relation, source.name)
        ? source.columns
        : source.columns?.map((column) => (same(column.name, names.at(-1)!) ? { ...column, optional: false } : column)),
  }))
}

function sourcesOf(from: Node, scope: Scope): readonly Source[] {
  switch (from.type) {
    case 'EMPTY':
      return []
    case 'BASE_TABLE': {
      const name = tableName(from)
      const columns = scope.ctes.has(name.toLowerCase()) ? scope.ctes.get(name.toLowerCase()) : ofRelation(name, scope)
      return [{ name: from.alias || name.split('.').at(-1)!, columns: rename(columns, from['column_name_alias']) }]
    }
    case 'SUBQUERY': {
      const inner = (from['subquery'] as { readonly node?: Node }).node
      return [{ name: from.alias ?? '', columns: inner && rename(ofQuery(inner, scope), from['column_name_alias']) }]
    }
    case 'JOIN':
      return ofJoin(from, scope)
    case 'TABLE_FUNCTION': {
      const call = windowCall(from)
      const columns =
        call &&
        (scope.ctes.has(call.relation.toLowerCase()) ? scope.ctes.get(call.relation.toLowerCase()) : ofRelation(call.relation, scope))
      const windows = ['window_start', 'window_end'].map((name) => ({ name, ...CONSTANT }))
      return [{ name: from.alias || (call?.relation.split('.').at(-1) ?? ''), columns: columns && [...columns, ...windows] }]
    }
    default:
      return [{ name: from.alias ?? '', columns: undefined }]
  }
}

const ofRelation = (name: string, scope: Scope): readonly Lineage[] | undefined =>
  scope.shapes.get(name)?.fields.map((field) => ({
    name: field.name,
    origins: [{ relation: name, column: field.name }],
    uses: [],
    exact: true,
    optional: field.optional,
  }))

function ofJoin(from: Node, scope: Scope): readonly Source[] {
  if (!isNode(from['left']) || !isNode(from['right'])) return []
  const left = sourcesOf(from['left'], scope)
  const right = sourcesOf(from['right'], { ...scope, sources: [...left, ...scope.sources] })
  const type = from['join_type']
  if (type === 'SEMI' || type === 'ANTI') return left
  const loose = (sources: readonly Source[]): readonly Source[] =>
    sources.map((source) => ({ ...source, columns: source.columns?.map((column) => ({ ...column, optional: true })) }))
  const used = (from['using_columns'] as readonly string[] | undefined) ?? []
  // A column of USING stands once; the left side's value stands for both.
  const rest = right.map((source) => ({
    ...source,
    columns: source.columns?.filter((column) => !used.some((name) => same(name, column.name))),
  }))
  return [...(type === 'RIGHT' || type === 'FULL' ? loose(left) : left), ...(type === 'LEFT' || type === 'FULL' ? loose(rest) : rest)]
}

/** Gives columns new names where aliases are listed. */
function rename(columns: readonly Lineage[] | undefined, aliases: unknown): readonly Lineage[] | undefined {
  const names = Array.isArray(aliases) ? (aliases as readonly string[]) : []
  return columns?.map((column, i) => (names[i] === undefined ? column : { ...column, name: names[i] }))
}

function ofStar(star: Node, sources: readonly Source[], scope: Scope): readonly Lineage[] | undefined {
  const relation = String(star['relation_name'] ?? '')
  const chosen = relation === '' ? sources : sources.filter((source) => same(source.name, relation))
  if (chosen.length === 0 || chosen.some((source) => !source.columns)) return undefined
  if (nodesOf(star['qualified_exclude_list']).length > 0 || nodesOf(star['rename_list']).length > 0) return undefined
  const excluded = (star['exclude_list'] as readonly string[]) ?? []
  const replaced = new Map(nodesOf(star['replace_list']).map((entry) => [String(entry['key']).toLowerCase(), entry['value']]))
  return chosen
    .flatMap((source) => source.columns ?? [])
    .filter((column) => !excluded.some((name) => same(String(name), column.name)))
    .map((column) => {
      const value = replaced.get(column.name.toLowerCase())
      return isNode(value) ? { ...valueOfNode(value, scope), name: column.name } : column
    })
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

function ofColumn(names: readonly string[], scope: Scope): Value {
  const column = names.at(-1)!
  const relation = names.at(-2)
  for (const source of scope.sources) {
    if (relation !== undefined && !same(source.name, relation)) continue
    const found = source.columns?.find((candidate) => same(candidate.name, column))
    if (found) return found
  }
  if (relation === undefined) return scope.before.find((candidate) => same(candidate.name, column)) ?? UNKNOWN
  // `a.b` may also be the field b of a struct in column a.
  const struct = ofColumn(names.slice(0, -1), { ...scope, before: [] })
  return { ...UNKNOWN, uses: [...struct.origins, ...struct.uses] }
}

/** Functions that give null only for null. */
const TOTAL = new Set(
  '+ - * || lower upper trim ltrim rtrim length strlen replace round floor ceil ceiling abs sign year month day hour minute second quarter week weekofyear isodow dayofweek dayofyear dayname monthname date_trunc date_part time_bucket strftime epoch epoch_ms epoch_us make_date md5 sha256 hash substring substr left right greatest least like !~~ ~~ regexp_matches regexp_replace contains starts_with ends_with to_json to_days to_hours to_minutes to_seconds'.split(
    ' ',
  ),
)
const ALWAYS = new Set([
  'now',
  'current_date',
  'current_timestamp',
  'today',
  'concat',
  'concat_ws',
  'uuid',
  'row_number',
  'rank',
  'dense_rank',
  'ntile',
])
/** Counting says nothing about a value. */
const COUNTS = new Set([
  'count',
  'count_star',
  'approx_count_distinct',
  'row_number',
  'rank',
  'dense_rank',
  'ntile',
  'percent_rank',
  'cume_dist',
])
/** Their result is one of the values. */
const CHOOSES = new Set([
  'min',
  'max',
  'any_value',
  'first',
  'last',
  'mode',
  'arg_min',
  'arg_max',
  'first_value',
  'last_value',
  'lag',
  'lead',
  'nth_value',
])

function valueOfNode(node: Node, scope: Scope): Value {
  const children = nodesOf(node['children'])
  switch (node.class) {
    case 'COLUMN_REF':
      return ofColumn(node['column_names'] as readonly string[], scope)
    case 'CONSTANT':
      return { ...CONSTANT, optional: (node['value'] as { readonly is_null?: boolean }).is_null === true }
    case 'CAST': {
      const child = valueOfNode(node['child'] as Node, scope)
      return { ...computed([child]), optional: child.optional || node['try_cast'] === true }
    }
    case 'FUNCTION':
      return ofFunction(node, children, scope)
    case 'WINDOW':
      return ofWindow(node, children, scope)
    case 'OPERATOR':
      return ofOperator(node, children, scope)
    case 'CASE':
      return ofCase(node, scope)
    case 'COMPARISON':
    case 'CONJUNCTION':
    case 'BETWEEN':
      return computed(operandsOf(node).map((operand) => valueOfNode(operand, scope)))
    case 'SUBQUERY':
      return ofSubquery(node, scope)
    default:
      return { ...computed(operandsOf(node).map((operand) => valueOfNode(operand, scope))), optional: true }
  }
}

/** Computed from all of these: nothing is passed on unchanged; null when any is. */
function computed(values: readonly Value[]): Value {
  return {
    origins: [],
    uses: values.flatMap((value) => [...value.origins, ...value.uses]),
    exact: false,
    optional: values.some((value) => value.optional),
  }
}

/** One of these. */
const union = (values: readonly Value[]): Omit<Value, 'optional'> => ({
  origins: distinct(values.flatMap((value) => value.origins)),
  uses: distinct(values.flatMap((value) => value.uses)),
  exact: values.every((value) => value.exact),
})

const distinct = (uses: readonly ColumnUse[]): readonly ColumnUse[] =>
  uses.filter((use, i) => uses.findIndex((other) => other.relation === use.relation && other.column === use.column) === i)

const operandsOf = (node: Node): readonly Node[] =>
  Object.values(node).flatMap((value) =>
    isNode(value) && value.class !== undefined ? [value] : nodesOf(value).filter((child) => child.class !== undefined),
  )

function ofFunction(node: Node, children: readonly Node[], scope: Scope): Value {
  const name = String(node['function_name'])
  if (COUNTS.has(name)) return CONSTANT
  const values = children.map((child) => valueOfNode(child, scope))
  const all = computed(values)
  if (CHOOSES.has(name) && values[0]) return { ...values[0], optional: isLoose(node, all, scope) }
  if (AGGREGATES.has(name)) return { ...all, optional: isLoose(node, all, scope) }
  return { ...all, optional: ALWAYS.has(name) ? false : TOTAL.has(name) ? all.optional : true }
}

/** An aggregate is null over no values, or over nulls only. */
const isLoose = (node: Node, all: Value, scope: Scope): boolean => all.optional || !scope.grouped || isNode(node['filter'])

function ofWindow(node: Node, children: readonly Node[], scope: Scope): Value {
  const name = String(node['function_name'])
  if (COUNTS.has(name)) return CONSTANT
  const values = children.map((child) => valueOfNode(child, scope))
  if (CHOOSES.has(name) && values[0]) return { ...values[0], optional: true }
  return { ...computed(values), optional: true }
}

function ofOperator(node: Node, children: readonly Node[], scope: Scope): Value {
  if (node.type === 'OPERATOR_IS_NULL' || node.type === 'OPERATOR_IS_NOT_NULL') return CONSTANT
  const values = children.map((child) => valueOfNode(child, scope))
  if (node.type === 'OPERATOR_COALESCE') return { ...union(values), optional: values.every((value) => value.optional) }
  const known = node.type === 'OPERATOR_NOT' || node.type === 'COMPARE_IN' || node.type === 'COMPARE_NOT_IN'
  return { ...computed(values), optional: !known || values.some((value) => value.optional) }
}

/** What the branches give; the conditions only choose. */
function ofCase(node: Node, scope: Scope): Value {
  const branches = [...nodesOf(node['case_checks']).map((check) => check['then_expr'] as Node), node['else_expr'] as Node]
  const values = branches.map((branch) => valueOfNode(branch, scope))
  return { ...union(values), optional: values.some((value) => value.optional) }
}

function ofSubquery(node: Node, scope: Scope): Value {
  if (node['subquery_type'] !== 'SCALAR') return CONSTANT
  const inner = (node['subquery'] as { readonly node?: Node }).node
  const column = inner && ofQuery(inner, { ...scope, before: [] })?.[0]
  return column ? { ...column, optional: true } : UNKNOWN
}
