// Expressions that DuckDB computes become columns of their own, below the operator that reads them: one round trip to DuckDB for all
// of an operator, over the rows that it sees. Conditions that need none are looked at before. It is for rows as they come: below
// the side of a join, a top or a row before that the columns are of; above windows and groups there is no place for it.
import { MillraceError } from '../../core/errors.ts'
import { quoteName } from '../sql-text.ts'
import { type ComputedExpression, childrenOf, columnsIn, type Expression, mapChildren, sameExpression } from './expression.ts'
import { printExpression } from './print-expression.ts'
import { type Aggregate, inputsOf, type NamedExpression, type Relation } from './relation.ts'

type Column = NamedExpression & { readonly value: ComputedExpression }

/** Rows of streams, nothing that is kept, below the relation. */
const isOfRows = (relation: Relation): boolean =>
  ['scan', 'filter', 'project', 'union', 'expand', 'unnest', 'compute'].includes(relation.op) && inputsOf(relation).every(isOfRows)

/** The input in which the columns are found as they are; null where the relation makes new ones. */
function inputWith(relation: Relation, columns: ReadonlySet<string>): Relation | null {
  switch (relation.op) {
    case 'filter':
      return relation.input
    case 'top':
      return columns.has(relation.name) || columns.has('window_start') || columns.has('window_end') ? null : relation.input
    case 'lag':
      return relation.columns.some(({ name }) => columns.has(name)) ? null : relation.input
    case 'frame':
      return relation.aggregates.some(({ name }) => columns.has(name)) ? null : relation.input
    case 'join': {
      const { kind, left, right } = relation
      const isOf = (side: Relation): boolean => [...columns].every((name) => namesOf(side).has(name))
      if ((kind === 'inner' || kind === 'left') && isOf(left.input)) return left.input
      return (kind === 'inner' || kind === 'right') && relation.on.kind !== 'lookup' && isOf(right.input) ? right.input : null
    }
    default:
      return null
  }
}

/** Of a side of a join, whose columns are named. */
function namesOf(relation: Relation): ReadonlySet<string> {
  if (relation.op === 'project') return new Set(relation.columns.map(({ name }) => name))
  if (relation.op === 'join') return new Set([...namesOf(relation.left.input), ...namesOf(relation.right.input)])
  if (relation.op === 'filter') return namesOf(relation.input)
  return new Set(relation.op === 'compute' ? [...namesOf(relation.input), ...relation.columns.map(({ name }) => name)] : [])
}

/** Whether what DuckDB computes of these columns can be computed at or below the relation. */
export function canCompute(relation: Relation, columns: ReadonlySet<string>): boolean {
  if (isOfRows(relation)) return true
  const input = inputWith(relation, columns)
  return input !== null && canCompute(input, columns)
}

/** SQL for people: columns without their relation. */
export const computedText = (value: ComputedExpression): string =>
  printExpression(value, (name) => quoteName(name.replace(/^.*\./, '')).replace(/^"(\w+)"$/, '$1')).slice(1, -1)

/** Of a whole query: the SQL of each expression that DuckDB computes, for people. */
export function computedIn(relation: Relation): readonly string[] {
  const own = relation.op === 'compute' ? relation.columns.map(({ value }) => computedText(value)) : []
  return [...new Set([...inputsOf(relation).flatMap(computedIn), ...own])]
}

const hasComputed = (expression: Expression): boolean => expression.op === 'computed' || childrenOf(expression).some(hasComputed)

/** @throws MR_PLAN_LIVE_SHAPE where one stands above rows as they come. */
export function lowerComputed(root: Relation): Relation {
  let count = 0
  const lower = (relation: Relation): Relation => {
    if (relation.op === 'union') return { ...relation, inputs: relation.inputs.map(lower) }
    if (relation.op === 'join') {
      const { left, right } = relation
      const joined = { ...relation, left: { ...left, input: lower(left.input) }, right: { ...right, input: lower(right.input) } }
      if (expressionsOf(relation).some(hasComputed)) misplaced()
      return joined
    }
    if (relation.op === 'scan' || relation.op === 'compute') return relation
    if (relation.op === 'latest') return { ...relation, input: lower(relation.input) }
    const input = lower(relation.input)
    if (!expressionsOf(relation).some(hasComputed)) return { ...relation, input }
    if (relation.op === 'filter') return lowerFilter(relation.where, input)
    return extract({ ...relation, input })
  }
  const extract = <R extends Exclude<Relation, { op: 'scan' | 'union' | 'join' | 'filter' | 'compute' | 'latest' }>>(relation: R): R => {
    const columns: Column[] = []
    const replaced = mapExpressions(relation, (expression) => replace(expression, columns))
    return { ...replaced, input: place(relation.input, columns) }
  }
  /** Each column as far up as rows are as they come: those of one place together. */
  const place = (relation: Relation, columns: readonly Column[]): Relation => {
    if (columns.length === 0) return relation
    if (isOfRows(relation)) return { op: 'compute', input: relation, columns }
    const of = columns.map(({ value }) => inputWith(relation, columnsIn([value])) ?? misplaced())
    const within = (input: Relation): Relation =>
      place(
        input,
        columns.filter((_, i) => of[i] === input),
      )
    if (relation.op !== 'join') return { ...(relation as Extract<Relation, { op: 'filter' }>), input: within(of[0]!) }
    const { left, right } = relation
    return { ...relation, left: { ...left, input: within(left.input) }, right: { ...right, input: within(right.input) } }
  }
  const replace = (expression: Expression, columns: Column[]): Expression => {
    if (expression.op !== 'computed') return mapChildren(expression, (inner) => replace(inner, columns))
    const same = columns.find(({ value }) => sameExpression(value, expression))
    const name = same?.name ?? `#c${count++}`
    if (!same) columns.push({ name, value: expression })
    return { op: 'column', name, type: expression.type, optional: expression.optional }
  }
  const lowerFilter = (where: Expression, input: Relation): Relation => {
    const parts = where.op === 'call' && where.name === 'and' ? where.of : [where]
    const own = parts.filter((part) => !hasComputed(part))
    const first = own.reduce<Relation>((rows, part) => ({ op: 'filter', input: rows, where: part }), input)
    const columns: Column[] = []
    const rest = parts.filter(hasComputed).map((part) => replace(part, columns))
    return rest.reduce<Relation>((rows, part) => ({ op: 'filter', input: rows, where: part }), place(first, columns))
  }
  return lower(root)
}

function misplaced(): never {
  throw new MillraceError('MR_PLAN_LIVE_SHAPE', 'an expression that DuckDB computes, over groups or joined rows, is not supported', {
    fix: 'compute it in a subquery over the stream, below joins and groups, or in a view over the model',
  })
}

/** Those of the relation itself. */
export function expressionsOf(relation: Relation): Expression[] {
  if (relation.op === 'scan' || relation.op === 'union' || relation.op === 'latest') return []
  if (relation.op === 'filter') return [relation.where]
  if (relation.op === 'compute') return relation.columns.map(({ value }) => value)
  if (relation.op === 'join') return [...relation.left.keys, ...relation.right.keys, ...(relation.where ? [relation.where] : [])]
  const found: Expression[] = []
  mapExpressions(relation, (expression) => {
    found.push(expression)
    return expression
  })
  return found
}

type Change = (expression: Expression) => Expression

function mapExpressions<R extends Exclude<Relation, { op: 'scan' | 'union' | 'join' | 'filter' | 'compute' | 'latest' }>>(
  relation: R,
  change: Change,
): R
function mapExpressions(
  relation: Exclude<Relation, { op: 'scan' | 'union' | 'join' | 'filter' | 'compute' | 'latest' }>,
  change: Change,
): Relation {
  const named = <C extends NamedExpression>(columns: readonly C[]): C[] =>
    columns.map((column) => ({ ...column, value: change(column.value) }))
  const aggregated = (aggregates: readonly Aggregate[]): Aggregate[] =>
    aggregates.map((aggregate) => ({ ...aggregate, of: aggregate.of.map(change), where: aggregate.where && change(aggregate.where) }))
  switch (relation.op) {
    case 'project':
      return { ...relation, columns: named(relation.columns) }
    case 'expand':
      return relation
    case 'unnest':
      return { ...relation, list: change(relation.list) }
    case 'group': {
      const { window } = relation
      const changed = window?.kind === 'session' ? { ...window, by: change(window.by) } : window
      return { ...relation, window: changed, keys: named(relation.keys), aggregates: aggregated(relation.aggregates) }
    }
    case 'top': {
      const order = relation.order.map((item) => ({ ...item, value: change(item.value) }))
      return { ...relation, partition: relation.partition.map(change), order }
    }
    case 'lag':
      return { ...relation, partition: relation.partition.map(change), columns: named(relation.columns) }
    case 'frame':
      return { ...relation, partition: relation.partition.map(change), aggregates: aggregated(relation.aggregates) }
  }
}
