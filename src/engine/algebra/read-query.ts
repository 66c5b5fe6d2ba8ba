// From DuckDB's syntax tree of one statement to the logical operators of a live model: WITH, UNION ALL and the one SELECT or
// several (`read-select.ts`). What is there is a closed list; anything else is refused with its place.
import { type Node, nodes } from '../ast.ts'
import { constant, isOptional, NULL } from './expression.ts'
import { alignAll } from './functions.ts'
import { lowerComputed } from './lower-computed.ts'
import type { Known } from './read-computed.ts'
import { readSelect } from './read-select.ts'
import type { NamedQuery, Reading } from './read-source.ts'
import { refuse } from './refuse.ts'
import type { LiveQuery, NamedExpression, Relation } from './relation.ts'
import { distinctUnion } from './rewrite-select.ts'
import { asFinal, type NamedColumn, type Rows, type ShapeOf } from './source.ts'

export type { ShapeOf, StreamShape } from './source.ts'

/** Queries of live models by name. */
export type Models = ReadonlyMap<string, Node>

/**
 * `tree` is the query node of the statement. `known`: what DuckDB says of expressions that it computes (`read-live.ts`); without it
 * there are none. `models`: other live models, which stand for their queries. @throws MR_PLAN_LIVE_SHAPE naming the construct, MR_PLAN_UNKNOWN.
 */
export function compileLive(tree: unknown, shapeOf: ShapeOf, known: Known | null = null, models: Models = new Map()): LiveQuery {
  const streams = new Set<string>()
  const named = new Map<string, NamedQuery>()
  for (const [name, node] of models) named.set(name.toLowerCase(), { node, named, model: name })
  const reading: Reading = { shapeOf, streams, named, query: readQuery, isModel: true, known }
  const { relation: root, result, key, rowKey, loses: isFiltered } = readQuery(tree as Node, reading)
  const loses = rowKey || isFiltered ? { loses: true as const } : {}
  return { root: known ? lowerComputed(root) : root, streams: [...streams], result, key, ...loses }
}

function readQuery(node: Node, outer: Reading): Rows {
  const reading = { ...outer, named: withNames(node, outer) }
  if (node.type === 'SELECT_NODE') return readSelect(node, reading)
  if (node.type !== 'SET_OPERATION_NODE' || !isUnion(node))
    return refuse('a set operation other than UNION, or a recursive query,', node, 'write UNION, UNION ALL or UNION ALL BY NAME')
  if (nodes(node['modifiers']).length > 0) refuse('ORDER BY or LIMIT over a UNION', node, 'write it over a subquery, SELECT * FROM (...)')
  if (node['setop_all'] !== true) return readSelect(distinctUnion(node), reading)
  const all = [node['left'], node['right']].flatMap((part) => partsOf(part as Node, node['setop_type']))
  const parts = all.map((part) => readQuery(part, { ...reading, isModel: false, isLookup: false, around: undefined }))
  return unite(node, node['setop_type'] === 'UNION' ? parts : byName(parts))
}

const isUnion = (node: Node): boolean => ['UNION', 'UNION_BY_NAME'].includes(String(node['setop_type']))

/** A name means what it meant where its own query stands, whatever hides it later. */
function withNames(node: Node, { named }: Reading): Reading['named'] {
  const all = new Map(named)
  for (const { key, value } of ctesOf(node)) {
    if (nodes(value['aliases']).length > 0) refuse('WITH name(columns)', node, 'name the columns in the query')
    all.set(key.toLowerCase(), { node: (value['query'] as { node: Node }).node, named: new Map(all) })
  }
  return all
}

const ctesOf = (node: Node): readonly { readonly key: string; readonly value: Node }[] =>
  (node['cte_map'] as { map?: readonly { key: string; value: Node }[] } | undefined)?.map ?? []

/** Parts of a UNION ALL of one type, from left to right; one with names of its own is a part by itself. */
function partsOf(node: Node, type: unknown): Node[] {
  const isPart =
    node.type === 'SET_OPERATION_NODE' && node['setop_type'] === type && node['setop_all'] === true && ctesOf(node).length === 0
  return isPart ? [...partsOf(node['left'] as Node, type), ...partsOf(node['right'] as Node, type)] : [node]
}

/** The columns of all, in the order in which they come first; null where a part has none of the name. */
function byName(parts: readonly Rows[]): readonly Rows[] {
  const known = new Map<string, NamedColumn>()
  for (const { columns } of parts)
    for (const column of columns) if (!known.has(column.name.toLowerCase())) known.set(column.name.toLowerCase(), column)
  return parts.map((part) => {
    const own = new Map(part.columns.map((column) => [column.name.toLowerCase(), column.column]))
    const values = [...known].map(([key, { name }]): NamedExpression => ({ name, value: own.get(key) ?? constant(null, NULL) }))
    const columns = values.map(({ name, value }): NamedColumn => {
      return {
        from: '',
        name,
        column: { op: 'column', name, type: value.op === 'column' ? value.type : NULL, optional: isOptional(value) },
      }
    })
    const times = new Map(
      values.flatMap(({ name, value }) => {
        const delay = value.op === 'column' ? part.times.get(value.name) : undefined
        return delay === undefined ? [] : [[name, delay] as const]
      }),
    )
    return { ...part, relation: { op: 'project', input: part.relation, columns: values }, columns, times }
  })
}

function unite(node: Node, given: readonly Rows[]): Rows {
  const parts = given.map(asFinal)
  const [first] = parts
  const canGo = parts.some(({ rowKey }) => rowKey !== undefined)
  if (parts.some(({ result }) => result === 'keyed'))
    refuse(
      'UNION ALL of rows that are replaced',
      node,
      canGo ? 'make a live model of each part, and a view over both' : 'window the subqueries',
    )
  if (parts.some(({ columns }) => columns.length !== first!.columns.length)) refuse('UNION ALL of unlike columns', node)
  const aligned = first!.columns.map((column, index) => {
    const values = alignAll(parts.map(({ columns }) => columns[index]!.column))
    return values ?? refuse(`UNION ALL of several types in "${column.name}"`, node, 'cast them to one type')
  })
  const inputs = parts.map((part, at): Relation => {
    const columns = first!.columns.map(({ column }, index): NamedExpression => ({ name: column.name, value: aligned[index]![at]! }))
    return { op: 'project', input: part.relation, columns }
  })
  const columns = first!.columns.map((column, index): NamedColumn => {
    const optional = parts.some((part) => part.columns[index]!.column.optional)
    return { ...column, column: { ...column.column, type: aligned[index]![0]!.type, optional } }
  })
  const times = first!.columns.flatMap(({ column }, index) => {
    const delays = parts.map((part) => part.times.get(part.columns[index]!.column.name))
    return delays.some((delay) => delay === undefined) ? [] : [[column.name, Math.max(...(delays as number[]))] as const]
  })
  const own = columns.map(({ column }): NamedExpression => ({ name: column.name, value: column }))
  return {
    relation: { op: 'project', input: { op: 'union', inputs }, columns: own },
    columns,
    times: new Map(times),
    result: parts.some(({ result }) => result === 'closing') ? 'closing' : 'append',
    key: [],
    isRetracted: false,
    unique: [],
    isLogged: false,
  }
}
