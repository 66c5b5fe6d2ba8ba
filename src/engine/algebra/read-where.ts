// The WHERE clause of a SELECT: which rows are left, and what it says of windows that are not known row by row, which is for the
// groups to hold. Joins and ranks have taken their own conditions out before.
import type { Node } from '../ast.ts'
import { beforeGroup } from './closing-window.ts'
import { allOf, columnsIn, conjuncts, type Expression } from './expression.ts'
import { readCondition } from './read-expression.ts'
import { refuse } from './refuse.ts'
import { filtered } from './relation.ts'
import type { SelectCalls } from './select-calls.ts'
import { AS_VIEW } from './select-clauses.ts'
import { isBoundName, type Source } from './source.ts'

export interface Filtered {
  /** The rows that are left. */
  readonly source: Source
  /** Conditions on the bounds of a hop or a session, which hold for groups as they do for their rows. */
  readonly ofWindow: readonly Expression[]
  /** Of sessions: which of their rows the aggregates see; null for all. */
  readonly counted: Expression | null
}

/** @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function readWhere(select: Node, source: Source, calls: SelectCalls): Filtered {
  const { relation, result, key, rowKey, isRetracted, window } = source
  const where = select['where_clause'] as Node | null
  const all: Filtered = { source, ofWindow: [], counted: null }
  if (!where) return all
  const condition = readCondition(where, calls.scope)
  if (calls.aggregates.length > 0) refuse('an aggregate in WHERE', where, 'write it in HAVING')
  const left = (...conditions: readonly Expression[]): Source => ({ ...source, relation: filtered(relation, conditions) })
  if (window?.kind === 'tumble') return { ...all, source: left(beforeGroup(condition, window, select)) }
  if (window) {
    const parts = conjuncts(condition)
    const ofRows = parts.filter((part) => !isOfWindow(part))
    for (const part of ofRows)
      if ([...columnsIn([part])].some(isBoundName))
        refuse('WHERE over window_start', where, 'write the condition over the time column, or in HAVING')
    const ofWindow = parts.filter(isOfWindow)
    if (window.kind !== 'session') return { ...all, source: left(...ofRows), ofWindow }
    // Sessions are of all rows, as FROM stands before WHERE: only what is said of the key alone takes whole sessions out.
    const isOfKey = (part: Expression): boolean => isOnly(part, (name) => window.by.op === 'column' && name === window.by.name)
    return { ...all, source: left(...ofRows.filter(isOfKey)), ofWindow, counted: allOf(ofRows.filter((part) => !isOfKey(part))) }
  }
  const changes = result === 'keyed' && !rowKey && !isOnly(condition, (name) => key.includes(name))
  if (changes && !isRetracted) refuse('WHERE over rows that are replaced, which would have to leave the table again', where, AS_VIEW)
  return { ...all, source: changes ? { ...left(condition), loses: true } : left(condition) }
}

const isOnly = (condition: Expression, test: (name: string) => boolean): boolean => [...columnsIn([condition])].every(test)

/** It reads the bounds of the window and no column of the rows. */
const isOfWindow = (part: Expression): boolean => columnsIn([part]).size > 0 && isOnly(part, isBoundName)
