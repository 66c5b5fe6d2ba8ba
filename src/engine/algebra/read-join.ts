// Joins of a live model: which there are, and what their condition is, of ON, of USING and of the WHERE clause. It is taken apart
// (`join-conditions.ts`), a part of it bounds how long rows are kept (`join-bounds.ts`), and the pairs are rows again (`join-rows.ts`).
import { type Node, walk } from '../ast.ts'
import type { Compared } from './existence.ts'
import { conjuncts, type Expression, isOptional } from './expression.ts'
import { comparison } from './functions.ts'
import { boundJoin, NEAREST_JOIN } from './join-bounds.ts'
import { takeApart } from './join-conditions.ts'
import { leftOf, rowsOfJoin, withArrival } from './join-rows.ts'
import { type Join, prepareSide } from './join-sides.ts'
import { readCondition, readExpression, type Scope } from './read-expression.ts'
import { refuse, unlessRefused } from './refuse.ts'
import type { JoinRelation } from './relation.ts'
import { type NamedColumn, type Rows, type Source, sourceOf } from './source.ts'

/** What the SELECT says about the rows that it reads. */
export interface Wanted {
  /** Names of columns, in lower case, that it reads; null where it reads all of them. */
  readonly used: ReadonlySet<string> | null
  /** Parts of its WHERE clause. A join takes out those that belong to it. */
  readonly where: Node[]
  /** A table is looked up in with them: they tell when they came. */
  readonly isLookup?: boolean | undefined
}

const LOOKUP = 'write FROM stream s JOIN table t ON s.column = t.key, or LEFT JOIN'

/** A row of the left that has no partner is one of a LEFT JOIN whose right is null. */
const KINDS: Readonly<Record<string, JoinRelation['kind']>> = {
  INNER: 'inner',
  LEFT: 'left',
  RIGHT: 'right',
  FULL: 'full',
  SEMI: 'semi',
  ANTI: 'left',
}

export function joinRows(node: Node, leftRows: Rows, rightRows: Rows, wanted: Wanted): Rows {
  const { used, where } = wanted
  const froms = [leftRows, rightRows].map(({ columns }) => new Set(columns.map(({ from }) => from)))
  const ofRight = new Set([...froms[1]!].map((from) => from.toLowerCase()))
  for (const from of froms[0]!)
    if (ofRight.has(from.toLowerCase())) refuse(`"${from}" on both sides of a join`, node, 'give each side an alias of its own')
  const isLatest = node['ref_type'] === 'ASOF'
  const kind = KINDS[String(node['join_type'])] ?? refuse(`${String(node['join_type'])} JOIN`, node, NEAREST_JOIN)
  if (node['ref_type'] !== 'REGULAR' && !isLatest && node['ref_type'] !== 'CROSS')
    refuse(`${String(node['ref_type'])} JOIN`, node, NEAREST_JOIN)
  if (leftRows.table && !rightRows.table && !isLatest && (kind === 'inner' || kind === 'right')) {
    // A lookup is a lookup on whichever side the table is written.
    const swapped = joinRows({ ...node, join_type: kind === 'inner' ? 'INNER' : 'LEFT' }, rightRows, leftRows, wanted)
    const isOfTable = ({ from }: NamedColumn): boolean => froms[0]!.has(from)
    return {
      ...swapped,
      columns: inPlace([...swapped.columns.filter(isOfTable), ...swapped.columns.filter((column) => !isOfTable(column))]),
    }
  }
  checkSides(node, kind, leftRows, rightRows, isLatest)
  const left = prepareSide(leftRows, used, false)
  const right = prepareSide(rightRows, used, isLatest)
  const both = sourceOf({ ...left, columns: [...left.columns, ...right.columns] }, null)
  const own = node['is_subquery'] ? sourceOf(right, null) : null
  const scope: Scope = { column: (path, at) => (own?.knows(path) ? own : both).column(path, at), special: () => undefined }
  const using = (node['using_columns'] as readonly string[] | undefined) ?? []
  if (using.length > 0 && kind === 'full') refuse('USING in a FULL JOIN', node, 'write ON a.key = b.key, and select coalesce(a.key, b.key)')
  const named = using.map((name, i) => usingOf(node, name, [left, right], isLatest && i === using.length - 1 ? '>=' : '='))
  const compared = node['compared'] ? [inOf(node, left, right)] : []
  const on = node['condition'] ? conjuncts(readCondition(node['condition'] as Node, scope)) : named
  const claimed = kind === 'inner' && !isLatest ? claim(where, both, scope).flatMap(conjuncts) : []
  const join: Join = { node, kind, sides: [left, right] }
  const bounded = boundJoin(join, takeApart([...on, ...compared, ...claimed], join), isLatest)
  if (bounded.conditions.keys.length === 0) refuse('a join without equal keys', node, NEAREST_JOIN)
  const joined = rowsOfJoin(join, bounded)
  const rows = wanted.isLookup ? withArrival(join, joined) : joined
  if (node['join_type'] === 'SEMI' || node['join_type'] === 'ANTI') return leftOf(join, bounded, rows)
  return using.length === 0 ? rows : withUsing(rows, using, froms[kind === 'right' ? 0 : 1]!)
}

/** Without a qualifier the name of USING is the column of the side whose rows are all there. `other`: the relations of the other side. */
function withUsing(rows: Rows, using: readonly string[], other: ReadonlySet<string>): Rows {
  const isSecond = ({ from, name }: NamedColumn): boolean =>
    other.has(from) && using.some((one) => one.toLowerCase() === name.toLowerCase())
  const columns = rows.columns.map((column) => (isSecond(column) ? { ...column, isQualified: true as const } : column))
  return { ...rows, columns: inPlace(columns) }
}

/** In `*` the column that a name of USING means stands where the first of the two does. */
function inPlace(columns: readonly NamedColumn[]): readonly NamedColumn[] {
  const placed = [...columns]
  for (const [at, { name, isQualified }] of columns.entries()) {
    const other = placed.findIndex((column) => !column.isQualified && column.name.toLowerCase() === name.toLowerCase())
    if (isQualified && other > at) [placed[at], placed[other]] = [placed[other]!, placed[at]!]
  }
  return placed
}

/** `x IN (SELECT y ...)` as a comparison; NOT IN is its opposite where neither can be null. */
function inOf(node: Node, left: Rows, right: Rows): Expression {
  const { around, within } = node['compared'] as Compared
  const sides = [
    [left, around],
    [right, within],
  ] as const
  const values = sides.map(([rows, value]) => {
    const source = sourceOf(rows, null)
    return readExpression(value, { column: (path, at) => source.column(path, at), special: () => undefined })
  })
  if (node['join_type'] === 'ANTI' && values.some(isOptional))
    refuse('NOT IN of values that may be null', node, 'write NOT EXISTS (SELECT 1 FROM b WHERE b.key = a.key)')
  const compared = comparison('=')(values)
  return typeof compared === 'string' ? refuse(`IN ${compared}`, node, 'write x IN (SELECT CAST(y AS ...) FROM ...)') : compared
}

/** One column of USING as a comparison. */
function usingOf(node: Node, name: string, sides: readonly Rows[], sign: '=' | '>='): Expression {
  const compared = comparison(sign)(sides.map((rows) => sourceOf(rows, null).column([name], node)))
  return typeof compared === 'string' ? refuse(`USING (${name}) ${compared}`, node, 'write ON a.key = CAST(b.key AS ...)') : compared
}

function checkSides(node: Node, kind: JoinRelation['kind'], left: Rows, right: Rows, isLatest: boolean): void {
  if (left.result === 'keyed' || right.result === 'keyed')
    refuse(
      'a join with rows that are replaced',
      node,
      left.rowKey || right.rowKey ? `look up in the table itself: ${LOOKUP}` : 'join the stream, or window the subquery',
    )
  if (left.table && right.table)
    refuse(`a join of the tables "${left.table.name}" and "${right.table.name}"`, node, 'join them in a model that is not live')
  if (left.table) refuse(`the table "${left.table.name}" on the left of a join`, node, LOOKUP)
  if (right.table && (isLatest || kind === 'right' || kind === 'full'))
    refuse(`${isLatest ? 'an ASOF' : `a ${kind}`} join with the table "${right.table.name}"`, node, LOOKUP)
}

/** Takes out the conditions that read nothing but these columns; what DuckDB must compute stays where it is. */
function claim(where: Node[], both: Source, scope: Scope): Expression[] {
  const isOwn = (part: Node): boolean => {
    let reads = true
    walk(part, (node) => {
      const path = node['column_names'] as string[] | undefined
      if (node.class === 'COLUMN_REF' && path) reads &&= both.knows(path)
    })
    return reads
  }
  const own = where.filter(isOwn).flatMap((part) => {
    // What is refused is refused again by who reads it after the join, who may have DuckDB compute it.
    const condition = unlessRefused(() => readCondition(part, scope))
    return condition ? [{ part, condition }] : []
  })
  where.splice(0, where.length, ...where.filter((part) => !own.some((one) => one.part === part)))
  return own.map(({ condition }) => condition)
}
