// Count, sum, least and greatest of the last so long. Time is cut into panes, of which a window holds a fixed number, so the
// memory of a key does not grow with its rows.
import type { Kind } from './slot.ts'

type Pane = readonly [count: number, sum: number, min: number, max: number]
/** By the number of the pane. */
type Cell = Map<number, Pane>

export function windowKind(withinMs: number, panes: number): Kind<Cell> {
  const paneUs = (withinMs * 1_000) / panes
  const paneAt = (us: number): number => Math.floor(us / paneUs)
  const expire = (cell: Cell, floorUs: number): boolean => {
    const last = paneAt(floorUs) - panes
    for (const pane of cell.keys()) if (pane <= last) cell.delete(pane)
    return cell.size === 0
  }
  return {
    handle: (slot) => {
      const total = (): Pane => {
        const now = paneAt(slot.nowUs)
        let [count, sum, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
        // By the number of the pane: a sum of doubles depends on its order, which must not depend on what was taken back.
        const live = [...(slot.get() ?? [])].filter(([pane]) => pane > now - panes && pane <= now).sort(([a], [b]) => a - b)
        for (const [, pane] of live) {
          count += pane[0]
          sum += pane[1]
          min = Math.min(min, pane[2])
          max = Math.max(max, pane[3])
        }
        return [count, sum, min, max]
      }
      return {
        add: (value = 1): void => {
          const cell: Cell = slot.get() ?? new Map()
          if (slot.get() === null) slot.set(cell)
          if (cell.size >= panes) expire(cell, slot.floorUs)
          const pane = paneAt(slot.nowUs)
          const before = cell.get(pane)
          slot.onUndo(() => (before ? cell.set(pane, before) : cell.delete(pane)))
          const [count, sum, min, max] = before ?? [0, 0, value, value]
          cell.set(pane, [count + 1, sum + value, Math.min(min, value), Math.max(max, value)])
        },
        get count(): number {
          return total()[0]
        },
        get sum(): number {
          return total()[1]
        },
        get mean(): number | null {
          const [count, sum] = total()
          return count === 0 ? null : sum / count
        },
        get min(): number | null {
          const [count, , min] = total()
          return count === 0 ? null : min
        },
        get max(): number | null {
          const [count, , , max] = total()
          return count === 0 ? null : max
        },
      }
    },
    encode: (cell) => [...cell].map(([pane, figures]) => [pane, ...figures]),
    decode: (saved) => new Map((saved as [number, number, number, number, number][]).map(([pane, ...figures]) => [pane, figures])),
    expire,
  }
}
