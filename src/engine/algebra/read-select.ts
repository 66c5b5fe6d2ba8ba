// One SELECT of a live model. Its clauses are read in their order: WHERE (`read-where.ts`), the output columns (`read-outputs.ts`),
// HAVING, QUALIFY and GROUP BY (`read-groups.ts`); what they call is collected on the way (`select-calls.ts`). Then its rows are
// those of groups (`group-rows.ts`), the first by a rank (`top-rows.ts`), or rows as they come (`plain-rows.ts`), with values of rows
// before (`with-rows-before.ts`). Where they come from is `read-source.ts`, expressions are `read-expression.ts`.
import type { Node } from '../ast.ts'
import { withExistence } from './existence.ts'
import { distinctRows, groupedRows } from './group-rows.ts'
import { type Output, outputRows } from './output-rows.ts'
import { plainRows } from './plain-rows.ts'
import { readComputed } from './read-computed.ts'
import { readCondition } from './read-expression.ts'
import { readGroups } from './read-groups.ts'
import { readOutputs, type Selection } from './read-outputs.ts'
import { type Reading, readSource, rowByRow } from './read-source.ts'
import { readWhere } from './read-where.ts'
import { refuse, unlessRefused } from './refuse.ts'
import { filtered } from './relation.ts'
import { withoutAliases, withoutDistinctOn, withoutLimit, withRankLimit } from './rewrite-select.ts'
import { SelectCalls } from './select-calls.ts'
import { checkClauses, isDistinct, isPlain, joined, namesIn, partsOf } from './select-clauses.ts'
import { knownColumns, type Rows, type Source, sourceOf } from './source.ts'
import { topRows } from './top-rows.ts'
import { withUnnest } from './unnest.ts'
import { withRowsBefore } from './with-rows-before.ts'

const AS_QUALIFIED =
  'write QUALIFY row_number() OVER (PARTITION BY ... ORDER BY ...) <= 3, or a condition on lag(...) or sum(...) OVER (...)'

/** @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function readSelect(given: Node, { around, ...reading }: Reading): Rows {
  const select = withUnnest(withRankLimit(withoutLimit(withoutDistinctOn(given)), around))
  checkClauses(select)
  const clause = select['where_clause'] as Node | null
  // A join takes its own conditions out of the WHERE clause, and so does a subquery with a rank.
  const where = clause ? partsOf(clause) : []
  const from = withExistence(select['from_table'] as Node, where)
  const used = namesIn({ ...select, from_table: from, where_clause: joined(where) })
  const read = rowsOfTable(readSource(from, reading, { used, where }))
  const over = (source: Source): Rows => {
    const named = withoutAliases({ ...select, where_clause: joined(where) }, source.has)
    return outputRows(readClauses(named, source, knownColumns(clause, source.column), reading), source, named, reading.isModel)
  }
  const source = read.window?.kind === 'hop' && isPlain(select) ? sourceOf(rowByRow(read, from), null) : read
  if (!source.final) return over(source)
  const settled = sourceOf(source.final, null)
  const rows = unlessRefused(() => over(source)) ?? over(settled)
  if (rows.result !== 'keyed' || reading.isModel) return rows
  const final = unlessRefused(() => over(settled))
  return final?.result === 'keyed' ? rows : { ...rows, final }
}

/** A table that is read by itself, not looked up in: its rows are replaced, and go, by its key. */
function rowsOfTable(source: Source): Source {
  const { table, columns } = source
  if (!table) return source
  const { name, key } = table
  const rowKey = key.map((column) => columns.find((known) => known.name === column)!.column)
  const rows = { relation: { op: 'scan', stream: name, key } as const, result: 'keyed' as const, key, rowKey, isRetracted: true }
  return { ...source, ...rows, table: undefined }
}

/** `known`: columns that are not null in the rows that WHERE leaves. */
function readClauses(select: Node, source: Source, known: ReadonlySet<string>, reading: Omit<Reading, 'around'>): Output {
  const { isModel, known: computed } = reading
  const calls = new SelectCalls(select, source, {
    column: (names, node) => source.column(names, node, known),
    ...(computed ? { compute: (node: Node) => readComputed(node, source, computed) } : {}),
  })
  const { source: left, ofWindow, counted } = readWhere(select, source, calls)
  const outputs = readOutputs(select, source, calls.scope, isModel)
  const selection: Selection = { select, source: left, outputs }
  const having = select['having'] ? readCondition(select['having'] as Node, calls.scope) : null
  const rank = calls.readRank()
  const qualify = select['qualify'] as Node | null
  // A condition on values of rows before holds for rows that have them.
  const kept = qualify && !rank ? readCondition(qualify, calls.scope) : null
  const by = readGroups(selection, calls)
  const { before } = calls
  if (kept && before.length === 0) refuse('this QUALIFY', qualify!, AS_QUALIFIED)
  const beside = by ? 'GROUP BY' : rank ? 'QUALIFY' : isDistinct(select) ? 'DISTINCT' : null
  if (before.length > 0 && beside) refuse(`OVER (...) beside ${beside}`, select, 'write one of them in a subquery')
  if (by) return groupedRows(selection, { by, having, rank, ofWindow, counted }, calls)
  if (having) refuse('HAVING without GROUP BY', select)
  if (ofWindow.length > 0)
    refuse(
      'WHERE over the bounds of this window',
      select['where_clause'] as Node,
      'write the condition over the time column, or GROUP BY window_start',
    )
  if (rank) return topRows(selection, rank)
  if (isDistinct(select)) return distinctRows(selection, calls)
  if (before.length === 0) return plainRows(selection, reading)
  const numbered = withRowsBefore(selection, before)
  const relation = filtered(numbered.source.relation, kept ? [kept] : [])
  return plainRows({ ...numbered, source: { ...numbered.source, relation } }, reading)
}
