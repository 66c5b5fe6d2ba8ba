// Rows by the pane of time that they fall into: multiples of a width since 1970.
import { type Column, microsOf } from '../../schema/batch.ts'

export interface PaneRows {
  readonly start: number
  /** Null for all of the first `count`. */
  readonly rows: Int32Array | null
  readonly count: number
}

/** In the order in which they are met. Most batches lie in one pane or two, and a row in that of the row before it. */
export function splitByPane(time: Column, count: number, widthUs: number): PaneRows[] {
  const times = microsOf(time)
  const places = new Map<number, number>()
  const starts: number[] = []
  const sizes: number[] = []
  const panes = new Int32Array(count)
  let last = Number.NaN
  let pane = -1
  for (let i = 0; i < count; i++) {
    const start = Math.floor(times[i]! / widthUs) * widthUs
    if (start !== last) {
      last = start
      pane = places.get(start) ?? starts.length
      if (pane === starts.length) {
        places.set(start, pane)
        starts.push(start)
        sizes.push(0)
      }
    }
    panes[i] = pane
    sizes[pane]!++
  }
  if (starts.length === 1) return [{ start: starts[0]!, rows: null, count }]
  const rows = sizes.map((size) => new Int32Array(size))
  const filled = starts.map(() => 0)
  for (let i = 0; i < count; i++) rows[panes[i]!]![filled[panes[i]!]!++] = i
  return starts.map((start, at) => ({ start, rows: rows[at]!, count: sizes[at]! }))
}
