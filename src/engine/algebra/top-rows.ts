// The first rows of each partition, which QUALIFY leaves of a SELECT by their rank: of each window, or for good. Of rows that are
// replaced they are `best-rows.ts`.
import type { Node } from '../ast.ts'
import { bestRows, replacedBy } from './best-rows.ts'
import { beforeGroup, boundOf, boundTimes, closingWindow } from './closing-window.ts'
import type { Expression } from './expression.ts'
import { finalRows } from './final-rows.ts'
import { followed, keyNames, type Output } from './output-rows.ts'
import type { Selection } from './read-outputs.ts'
import { refuse, unlessRefused } from './refuse.ts'
import type { Relation, TopRelation, Window } from './relation.ts'
import { boundsOf } from './result-window.ts'
import { RANK, type Rank } from './select-calls.ts'
import { isDistinct } from './select-clauses.ts'
import { isBound, tiesOf } from './source.ts'

/** Rows themselves, not groups. @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export function topRows({ select, source, outputs }: Selection, rank: Rank): Output {
  const qualify = select['qualify'] as Node
  if (isDistinct(select)) refuse('DISTINCT beside QUALIFY', select)
  if (source.result === 'keyed' && !source.isRetracted)
    refuse('QUALIFY over rows that are replaced by QUALIFY', qualify, 'number the rows of the stream, of windows, or of groups')
  if (source.result === 'keyed') return bestRows(source.relation, replacedBy(source, qualify), rank, outputs)
  const window = closingWindow(rank.partition, source)
  if (window?.kind === 'session') return refuse('QUALIFY over sessions', qualify)
  // Rows of one window have the same bounds, and only behind it.
  const ties = source.isLogged ? {} : { ties: tiesOf(source).filter((value) => !source.window || !isBound(value)) }
  const over = (value: Expression): Expression => beforeGroup(value, source.window, select)
  const partition = rank.partition.filter((value) => !isTold(value, window, source.relation))
  const top: TopRelation = { ...topOf(source.relation, { ...rank, partition }, over, window), window, ...ties }
  const relation = { op: 'project', input: top, columns: outputs } as const
  if (window) return { relation, result: 'closing', key: [], times: followed(outputs, timesOf(window)) }
  if (top.function !== 'row_number')
    refuse(`${top.function}() without a window, where rows would have to leave the table again`, qualify, 'use row_number()')
  const own = outputs.find(({ value }) => value.op === 'column' && value.name === RANK)
  if (top.limit > 1 && !own)
    refuse(
      'a top of several rows without its rank as a column',
      qualify,
      'write QUALIFY row_number() OVER (ORDER BY ...) <= 3 and select row_number() OVER (ORDER BY ...) AS rank',
    )
  const key = keyNames(top.partition, outputs)
  const final = source.window ? null : unlessRefused(() => finalRows({ select, source, outputs }, rank))
  return { relation, result: 'keyed', key: top.limit > 1 ? [...key, own!.name] : key, final }
}

/** `over`: an expression as it reads the rows of the input. `window`: what these are of, where they are. */
export function topOf(input: Relation, rank: Rank, over: (value: Expression) => Expression, window: Window | null): TopRelation {
  const { node, function: called, limit } = rank
  const free = rank.partition.filter((value) => boundOf(value, window) === null)
  if (window && free.length === rank.partition.length)
    refuse(
      'QUALIFY of a window that is not partitioned by window_start',
      node,
      'write QUALIFY row_number() OVER (PARTITION BY window_start ORDER BY ...) <= 3',
    )
  const order = rank.order.map((item) => ({ ...item, value: over(item.value) }))
  return { op: 'top', input, window: null, partition: free.map(over), order, function: called, limit, name: RANK }
}

/** Of rows of one time: the start that follows from it, which is the end of windows of one length. Under other names it stays, as in checkpoints. */
function isTold(value: Expression, window: Window | null, relation: Relation): boolean {
  if (window?.kind !== 'instant' || window.time.op !== 'column' || value.op !== 'column' || value.name !== 'window_start') return false
  const { start, end, widthUs = null } = boundsOf(relation) ?? {}
  return widthUs !== null && end === window.time.name && start === value.name
}

/** Of the rows that a window gives: their own time, and its bounds where they are columns. */
function timesOf(window: Exclude<Window, { kind: 'session' }>): ReadonlyMap<string, number> {
  const isInstant = window.kind === 'instant'
  const delayUs = (window.delayUs ?? 0) + (isInstant ? 0 : window.widthUs)
  const own = window.time.op === 'column' ? [[window.time.name, delayUs] as const] : []
  return new Map([...own, ...(isInstant ? [] : boundTimes(window))])
}
