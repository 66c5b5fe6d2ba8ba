// Rows by the pane of time that they fall into: multiples of a width since 1970.
import type { Column } from '../../schema/batch.ts'
import { microsOf } from '../classify.ts'

export interface PaneRows {
  readonly start: number
  /** Null for all of the first `count`. */
  readonly rows: Int32Array | null
  readonly count: number
}

/** Most batches lie in one pane or two. */
export function splitByPane(time: Column, count: number, widthUs: number): PaneRows[] {
  const times = microsOf(time)
  const rows = new Map<number, Int32Array>()
  const counts = new Map<number, number>()
  const starts = new Float64Array(count)
  let isOne = true
  for (let i = 0; i < count; i++) {
    starts[i] = Math.floor(times[i]! / widthUs) * widthUs
    isOne &&= starts[i] === starts[0]
  }
  if (count === 0) return []
  if (isOne) return [{ start: starts[0]!, rows: null, count }]
  for (let i = 0; i < count; i++) counts.set(starts[i]!, (counts.get(starts[i]!) ?? 0) + 1)
  for (const [start, size] of counts) {
    rows.set(start, new Int32Array(size))
    counts.set(start, 0)
  }
  for (let i = 0; i < count; i++) {
    const at = counts.get(starts[i]!)!
    rows.get(starts[i]!)![at] = i
    counts.set(starts[i]!, at + 1)
  }
  return [...rows].map(([start, own]) => ({ start, rows: own, count: own.length }))
}
