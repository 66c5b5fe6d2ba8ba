// The rows of groups: GROUP BY with its aggregates, HAVING and the rank of QUALIFY over them, and DISTINCT, which groups by all columns.
// What is grouped by was read before (`read-groups.ts`).
import type { Node } from '../ast.ts'
import { bestRows } from './best-rows.ts'
import { beforeGroup, boundOf, boundTimes, closingWindow } from './closing-window.ts'
import {
  allOf,
  BOOLEAN,
  type ColumnExpression,
  call,
  constant,
  type Expression,
  isOptional,
  LONG,
  mapChildren,
  sameExpression,
} from './expression.ts'
import { followed, keyNames, type Output } from './output-rows.ts'
import { carryKey } from './over-latest.ts'
import { overReplaced } from './over-replaced.ts'
import type { Selection } from './read-outputs.ts'
import type { Filtered } from './read-where.ts'
import { refuse } from './refuse.ts'
import {
  type Aggregate,
  filtered,
  type GroupRelation,
  groupBelow,
  isLosing,
  type NamedExpression,
  type Relation,
  type Window,
} from './relation.ts'
import type { Rank, SelectCalls } from './select-calls.ts'
import { isDistinct } from './select-clauses.ts'
import { topOf } from './top-rows.ts'

/** Rows of a session that WHERE leaves in it; one without any is none. */
const COUNTED: Aggregate = { name: '#counted', function: 'count', of: [], distinct: false, where: null, type: LONG }
const HAS_ROWS = call('>', [{ op: 'column', name: COUNTED.name, type: LONG, optional: false }, constant('0', LONG)], BOOLEAN, false)

/** What a SELECT says of its groups. */
export interface Grouping extends Pick<Filtered, 'ofWindow' | 'counted'> {
  readonly by: readonly Expression[]
  readonly having: Expression | null
  readonly rank: Rank | null
}

/** @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function groupedRows(selection: Selection, grouping: Grouping, calls: SelectCalls): Output {
  const { select, source } = selection
  const { by, counted, ofWindow, having, rank } = grouping
  if (isDistinct(select)) refuse('DISTINCT beside GROUP BY', select, 'every group is one row already')
  const window = closingWindow(by, source)
  const keys = keysOf(by, window, selection)
  if (window) checkKeys(window, by, keys, select)
  const aggregates = calls.aggregates.map((aggregate) => overRows(aggregate, counted, selection))
  if (!window && keys.length === 0 && aggregates.length === 0) refuse('a group by nothing without an aggregate', select)
  const all = counted ? [...aggregates, { ...COUNTED, where: counted }] : aggregates
  const group: GroupRelation = { op: 'group', input: source.relation, window, keys, aggregates: all }
  const over = (value: Expression): Expression => overGroup(value, group, calls, select)
  let relation: Relation = overReplaced(group, source, select)
  for (const conditions of [counted ? [HAS_ROWS] : [], ofWindow.map(over), having ? [over(having)] : []])
    relation = filtered(relation, conditions)
  if (rank && !window) return bestGroups(relation, group, rank, over, selection)
  if (rank) {
    if (window?.kind === 'session') refuse('QUALIFY over groups of sessions', select['qualify'] as Node)
    relation = { ...topOf(relation, rank, over, window), overGroups: true }
  }
  const rows = rowsOfGroups(relation, group, over, selection)
  return having && !window ? { ...rows, loses: true } : rows
}

/** Every row once. @throws MR_PLAN_LIVE_SHAPE. */
export function distinctRows(selection: Selection, calls: SelectCalls): Output {
  const { select, source, outputs } = selection
  const values = outputs.map(({ value }) => value)
  const window = closingWindow(values, source)
  if (window && (window.kind === 'session' || !values.some((value) => boundOf(value, window) !== null)))
    refuse(`DISTINCT over ${window.kind}(...) without window_start`, select)
  const keys = keysOf(values, window, selection)
  const group: GroupRelation = { op: 'group', input: source.relation, window, keys, aggregates: [] }
  const over = (value: Expression): Expression => overGroup(value, group, calls, select)
  return rowsOfGroups(overReplaced(group, source, select), group, over, selection)
}

function keysOf(by: readonly Expression[], window: Window | null, { select, source }: Selection): readonly NamedExpression[] {
  const free = by.filter((value) => boundOf(value, window) === null)
  return free.map((value, i) => ({ name: `#k${i}`, value: beforeGroup(value, source.window, select) }))
}

/** Groups of a window stay apart by its start; those of a session by its key and nothing else. */
function checkKeys(window: Window, by: readonly Expression[], keys: readonly NamedExpression[], select: Node): void {
  if (!by.some((value) => boundOf(value, window) !== null)) refuse(`${window.kind}(...) without grouping by window_start`, select)
  if (window.kind !== 'session') return
  if (keys.length !== 1 || !sameExpression(keys[0]!.value, window.by))
    refuse('a session that is not grouped by its key, window_start and window_end', select, 'group by these and nothing else')
}

/** The aggregate as it reads the rows below the group. */
function overRows(aggregate: Aggregate, counted: Expression | null, { select, source }: Selection): Aggregate {
  const below = (value: Expression): Expression => beforeGroup(value, source.window, select)
  const conditions = [counted, aggregate.where].flatMap((where) => (where ? [below(where)] : []))
  return { ...aggregate, of: aggregate.of.map(below), where: allOf(conditions) }
}

/** Over the result of the group: keys and aggregates are its columns. */
function overGroup(value: Expression, group: GroupRelation, calls: SelectCalls, select: Node): Expression {
  const key = group.keys.find((candidate) => sameExpression(candidate.value, value))
  if (key) return { op: 'column', name: key.name, type: value.type, optional: isOptional(key.value) }
  const bound = boundOf(value, group.window)
  if (bound !== null) return { op: 'column', name: bound, type: value.type, optional: false }
  if (value.op !== 'column') return mapChildren(value, (inner) => overGroup(inner, group, calls, select))
  if (calls.has(value.name)) return value
  return refuse(`"${value.name}", which is neither grouped by nor in an aggregate,`, select, 'GROUP BY ALL groups by every plain column')
}

/** `relation`: the groups that are left, which no window closes. */
function bestGroups(
  relation: Relation,
  { keys }: GroupRelation,
  rank: Rank,
  over: (value: Expression) => Expression,
  { outputs }: Selection,
): Output {
  const order = rank.order.map((item) => ({ ...item, value: over(item.value) }))
  const columns = outputs.map(({ name, value }) => ({ name, value: over(value) }))
  return bestRows(relation, unlikeKeys(keys).map(keyColumn), { ...rank, partition: rank.partition.map(over), order }, columns)
}

/** What is grouped by several times makes rows one as it does once. */
const unlikeKeys = (keys: readonly NamedExpression[]): readonly NamedExpression[] =>
  keys.filter(({ value }, at) => keys.findIndex((other) => sameExpression(other.value, value)) === at)

/** As the rows of the group have it. */
const keyColumn = ({ name, value }: NamedExpression): ColumnExpression => ({
  op: 'column',
  name,
  type: value.type,
  optional: isOptional(value),
})

/** The columns over groups, and what becomes of them. `relation`: the groups that are left. */
function rowsOfGroups(
  relation: Relation,
  { keys, window }: GroupRelation,
  over: (value: Expression) => Expression,
  { outputs }: Selection,
): Output {
  const columns = outputs.map(({ name, value }) => ({ name, value: over(value) }))
  const project = (of: readonly NamedExpression[]): Relation => ({ op: 'project', input: relation, columns: of })
  if (window) return { relation: project(columns), result: 'closing', key: [], times: followed(columns, new Map(boundTimes(window))) }
  const canGo = isLosing(groupBelow(relation))
  const own = canGo ? unlikeKeys(keys) : keys
  const values = own.map(({ value }) => value)
  const rows = { result: 'keyed', key: keyNames(values, outputs), isRetracted: true } as const
  if (!canGo) return { ...rows, relation: project(columns) }
  const carried = carryKey(columns, own.map(keyColumn))
  return { ...rows, relation: project(carried.columns), rowKey: carried.rowKey }
}
