// By which columns the rows of a live model that closes windows tell their window, so that chosen windows can be computed again.
import { quoteName } from '../sql-text.ts'
import type { LiveQuery, Relation } from './relation.ts'

export interface ResultWindow {
  /** Names of result columns that make a window, its start first. */
  readonly units: readonly string[]
  /** SQL over these columns and others: the window's end. */
  readonly end: string
}

/** Names of columns that hold the bounds, and the width where every window has the same. */
export interface Bounds {
  readonly start?: string | undefined
  readonly end?: string | undefined
  readonly widthUs: number | null
}

const BOUNDS = { start: 'window_start', end: 'window_end' }

/** Null where the rows do not tell their window: neither bound is among the columns, or the end cannot be known from them. */
export function resultWindow({ result, root }: LiveQuery): ResultWindow | null {
  const bounds = result === 'closing' ? boundsOf(root) : null
  if (!bounds) return null
  const { start, end, widthUs } = bounds
  if (widthUs === null) return start && end ? { units: [start, end], end: quoteName(end) } : null
  if (start) return { units: [start], end: `${quoteName(start)} + to_microseconds(${widthUs})` }
  return end ? { units: [end], end: quoteName(end) } : null
}

/** Null where rows are not those of windows, or of several kinds of them. */
export function boundsOf(relation: Relation): Bounds | null {
  switch (relation.op) {
    case 'filter':
      return boundsOf(relation.input)
    case 'top': {
      const { window, input } = relation
      return window?.kind === 'tumble' || window?.kind === 'hop' ? { ...BOUNDS, widthUs: window.widthUs } : boundsOf(input)
    }
    case 'project': {
      const inner = boundsOf(relation.input)
      const outer = (name: string | undefined): string | undefined =>
        name && relation.columns.find(({ value }) => value.op === 'column' && value.name === name)?.name
      return inner && { start: outer(inner.start), end: outer(inner.end), widthUs: inner.widthUs }
    }
    case 'group': {
      const { window } = relation
      if (window === null) return null
      if (window.kind === 'session') return { ...BOUNDS, widthUs: null }
      if (window.kind !== 'instant') return { ...BOUNDS, widthUs: window.widthUs }
      // Groups over the windows of others: the time is the start of such a window.
      const inner = boundsOf(relation.input)
      const isStart = inner !== null && window.time.op === 'column' && window.time.name === inner.start
      return isStart && inner.widthUs !== null ? { start: BOUNDS.start, widthUs: inner.widthUs } : null
    }
    default:
      return null
  }
}
