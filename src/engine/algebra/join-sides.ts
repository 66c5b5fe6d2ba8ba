// The two sides of a join: their rows with columns under names that no other side has, and which of them are read.
import type { Node } from '../ast.ts'
import { columnsIn, type Expression } from './expression.ts'
import type { JoinRelation, NamedExpression, Relation } from './relation.ts'
import { LOG_ORDER, type NamedColumn, type Rows } from './source.ts'

/** A join whose sides are prepared. */
export interface Join {
  /** Where it stands, for what is refused. */
  readonly node: Node
  readonly kind: JoinRelation['kind']
  /** Left and right. */
  readonly sides: readonly [Rows, Rows]
}

/** Rows of the side are given out even without a partner. */
export const isKept = (side: 0 | 1, kind: JoinRelation['kind']): boolean => kind === 'full' || kind === (side === 0 ? 'left' : 'right')

/** 0 for what reads the left alone, 1 for the right alone. */
export function sideOf(expression: Expression, sides: Join['sides']): 0 | 1 | null {
  const read = [...columnsIn([expression])]
  if (read.length === 0) return null
  const isOf = ({ columns }: Rows): boolean => read.every((name) => columns.some(({ column }) => column.name === name))
  if (isOf(sides[0])) return 0
  return isOf(sides[1]) ? 1 : null
}

/** Only those columns that are read. `used`: by the query, in lower case; null for all. `isOrdered`: by the join, to put its rows in order. */
export function prepareSide(rows: Rows, used: ReadonlySet<string> | null, isOrdered: boolean): Rows {
  const reads = readsOf(rows, isOrdered)
  const isUsed = ({ name }: NamedColumn): boolean => used === null || used.has(name.toLowerCase()) || reads.includes(name)
  const isJoined = new Set(rows.columns.map(({ from }) => from)).size > 1
  const nameOf = ({ from, column }: NamedColumn): string => (isJoined ? column.name : `${from}.${column.name}`)
  const kept = rows.columns.filter(isUsed)
  const renamed = new Map(kept.map((column) => [column.column.name, nameOf(column)]))
  const columns = kept.map((column): NamedColumn => ({ ...column, column: { ...column.column, name: nameOf(column) } }))
  const projected = kept.map((column): NamedExpression => ({ name: nameOf(column), value: column.column }))
  const times = new Map([...rows.times].flatMap(([name, delay]) => (renamed.has(name) ? [[renamed.get(name)!, delay] as const] : [])))
  const relation: Relation = { op: 'project', input: rows.relation, columns: projected }
  // A key of which a part is not read cannot be the key of this join.
  const unique = rows.unique.every((name) => renamed.has(name)) ? rows.unique.map((name) => renamed.get(name)!) : []
  const arrival = rows.arrival && renamed.get(rows.arrival)
  const table = rows.table && { name: rows.table.name, key: rows.table.key.flatMap((name) => renamed.get(name) ?? []) }
  return { ...rows, relation, columns, times, unique, arrival, table }
}

/** Columns of a side that a join reads, whoever else does. */
function readsOf(rows: Rows, isOrdered: boolean): readonly string[] {
  const order = isOrdered || rows.unique.length > 0 || rows.table ? LOG_ORDER : []
  const arrival = rows.columns.filter(({ column }) => column.name === rows.arrival).map(({ name }) => name)
  return [...order, ...arrival, ...(rows.table?.key ?? [])]
}
