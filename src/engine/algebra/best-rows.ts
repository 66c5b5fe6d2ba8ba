// The first rows of rows that are replaced by key, of groups or of a table: whichever stands behind a row takes its place when it goes.
// Each row has the key that it had; it goes by that when it falls out.
import type { Node } from '../ast.ts'
import { type ColumnExpression, type Expression, mapChildren, sameExpression } from './expression.ts'
import { keyNames, type Output, UNSELECTED } from './output-rows.ts'
import { carryKey, Kept } from './over-latest.ts'
import { refuse } from './refuse.ts'
import type { NamedExpression, Relation, TopRelation } from './relation.ts'
import { RANK, type Rank } from './select-calls.ts'
import type { Rows } from './source.ts'

/** `key`: the columns by which rows of the input are replaced. `outputs`: over its columns and the rank. */
export function bestRows(
  input: Relation,
  key: readonly ColumnExpression[],
  { node, function: called, limit, partition, order }: Rank,
  outputs: readonly NamedExpression[],
): Output {
  if (called === 'dense_rank') refuse('dense_rank() over groups or rows that are replaced', node, 'use rank() or row_number()')
  const kept = new Kept(key)
  const read = (value: Expression): Expression => {
    if (value.op !== 'column') return mapChildren(value, read)
    return value.name === RANK ? value : kept.of(value)
  }
  const within = partition.map((value) => kept.of(value))
  const by = order.map((item) => ({ ...item, value: kept.of(item.value) }))
  const known = [...within, ...by.map(({ value }) => value)]
  const top: Omit<TopRelation, 'input'> = {
    op: 'top',
    window: null,
    partition: within,
    order: by,
    function: called,
    limit,
    name: RANK,
    ties: key.filter((column) => !known.some((value) => sameExpression(value, column))),
  }
  const columns = outputs.map(({ name, value }) => ({ name, value: read(value) }))
  const carried = carryKey(columns, key)
  const relation: Relation = { op: 'project', input: { ...top, input: kept.over(input) }, columns: carried.columns }
  return { relation, result: 'keyed', key: keyNames(key, columns), isRetracted: true, rowKey: carried.rowKey }
}

/** The columns by which rows are replaced that can be taken back. @throws MR_PLAN_LIVE_SHAPE where they do not have all of them. */
export function replacedBy({ rowKey, key, columns }: Rows, node: Node): readonly ColumnExpression[] {
  if (rowKey) return rowKey
  if (key.includes(UNSELECTED))
    refuse('QUALIFY over groups whose key is not selected', node, 'select every column of the key in the subquery')
  return columns.map(({ column }) => column).filter(({ name }) => key.includes(name))
}
