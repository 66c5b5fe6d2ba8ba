// The window that closes over the rows of a SELECT, which are grouped or numbered by it: which one it is, what its bounds are called
// before and after the groups, and how far they lie behind the watermark. What a window call of FROM means is `read-source.ts`.
import type { Node } from '../ast.ts'
import { type Expression, replaceColumns, sameExpression } from './expression.ts'
import { refuse } from './refuse.ts'
import type { Window } from './relation.ts'
import { isBound, isBoundName, type Source, tumbleBounds } from './source.ts'

/**
 * That of FROM. Rows that come when the watermark allows are grouped by their time, where it is among the values: a group is complete
 * when it has passed. Null where nothing closes.
 */
export function closingWindow(values: readonly Expression[], { window, result, times }: Source): Window | null {
  if (window || result !== 'closing') return window
  const delays = values.flatMap((value) => {
    const delayUs = value.op === 'column' ? times.get(value.name) : undefined
    return delayUs === undefined ? [] : [{ time: value, delayUs }]
  })
  const [best] = delays.sort((a, b) => a.delayUs - b.delayUs)
  return best ? { kind: 'instant', time: best.time, delayUs: best.delayUs } : null
}

/** Where the value is a bound of the window: its name, as the group has it. */
export function boundOf(value: Expression, window: Window | null): string | null {
  if (value.op !== 'column' || !window) return null
  if (window.kind === 'instant') return sameExpression(value, window.time) ? 'window_start' : null
  return isBound(value) ? value.name : null
}

/** Over the rows themselves: bounds of a tumbling window by the row's own time. `window`: that of FROM. */
export function beforeGroup(value: Expression, window: Window | null, select: Node): Expression {
  if (!window) return value
  const bounds: Record<string, Expression> | undefined = window.kind === 'tumble' ? tumbleBounds(window) : undefined
  return replaceColumns(value, (name) => {
    if (!isBoundName(name)) return undefined
    return bounds?.[name] ?? refuse(`an expression over ${name} of ${window.kind}(...) before the groups`, select)
  })
}

/** Those of its bounds that follow the watermark, and how far they may lie behind it. Microseconds. */
export function boundTimes(window: Window): readonly (readonly [string, number])[] {
  const delayUs = window.delayUs ?? 0
  if (window.kind === 'instant') return [['window_start', delayUs]]
  const end = ['window_end', delayUs] as const
  return window.kind === 'session' ? [end] : [['window_start', delayUs + window.widthUs], end]
}
