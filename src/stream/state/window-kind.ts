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
      const live = function* (): Generator<Pane> {
        const now = paneAt(slot.nowUs)
        for (const [pane, figures] of slot.get() ?? []) if (pane > now - panes && pane <= now) yield figures
      }
      const count = (): number => {
        let total = 0
        for (const pane of live()) total += pane[0]
        return total
      }
      /** By the number of the pane: a sum of doubles depends on its order, which must not depend on what was taken back. */
      const sum = (): number => {
        const now = paneAt(slot.nowUs)
        const numbers = [...(slot.get()?.keys() ?? [])].filter((pane) => pane > now - panes && pane <= now).sort((a, b) => a - b)
        return numbers.reduce((total, pane) => total + slot.get()!.get(pane)![1], 0)
      }
      /** Null while the window is empty. */
      const pick = (index: 2 | 3, better: (a: number, b: number) => number): number | null => {
        let best: number | null = null
        for (const pane of live()) best = best === null ? pane[index] : better(best, pane[index])
        return best
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
          return count()
        },
        get sum(): number {
          return sum()
        },
        get mean(): number | null {
          const of = count()
          return of === 0 ? null : sum() / of
        },
        get min(): number | null {
          return pick(2, Math.min)
        },
        get max(): number | null {
          return pick(3, Math.max)
        },
      }
    },
    encode: (cell) => [...cell].map(([pane, figures]) => [pane, ...figures]),
    decode: (saved) => new Map((saved as [number, number, number, number, number][]).map(([pane, ...figures]) => [pane, figures])),
    expire,
  }
}
