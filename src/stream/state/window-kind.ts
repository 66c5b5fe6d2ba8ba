// Count, sum, least and greatest of the last so long. Time is cut into panes, of which a window holds a fixed number, so the
// memory of a key does not grow with its rows.
import { savedFigure } from './saved-figure.ts'
import type { Kind } from './slot.ts'

/** Five numbers a pane, by the number of the pane: it, count, sum, least, greatest. */
type Cell = number[]

const WIDTH = 5

export function windowKind(withinMs: number, panes: number): Kind<Cell> {
  const paneUs = (withinMs * 1_000) / panes
  const paneAt = (us: number): number => Math.floor(us / paneUs)
  const expire = (cell: Cell, floorUs: number): boolean => {
    const last = paneAt(floorUs) - panes
    let gone = 0
    while (gone < cell.length && cell[gone]! <= last) gone += WIDTH
    if (gone > 0) cell.splice(0, gone)
    return cell.length === 0
  }
  return {
    handle: (slot) => {
      /** Adds up a figure of the panes that are in the window, the oldest first: a sum of doubles depends on its order. */
      const total = (figure: 1 | 2): number => {
        const cell = slot.get()
        if (cell === null) return 0
        const now = paneAt(slot.nowUs)
        let sum = 0
        for (let i = 0; i < cell.length; i += WIDTH) if (cell[i]! > now - panes && cell[i]! <= now) sum += cell[i + figure]!
        return sum
      }
      /** Null while the window is empty. */
      const pick = (figure: 3 | 4, better: (a: number, b: number) => number): number | null => {
        const cell = slot.get() ?? []
        const now = paneAt(slot.nowUs)
        let best: number | null = null
        for (let i = 0; i < cell.length; i += WIDTH)
          if (cell[i]! > now - panes && cell[i]! <= now) best = best === null ? cell[i + figure]! : better(best, cell[i + figure]!)
        return best
      }
      return {
        add: (given = 1): void => {
          // JSON has one zero.
          const value = given === 0 ? 0 : given
          const pane = paneAt(slot.nowUs)
          const cell = slot.get()
          if (cell === null) {
            slot.set([pane, 1, value, value, value])
            return
          }
          if (cell.length >= panes * WIDTH) expire(cell, slot.floorUs)
          let at = cell.length
          while (at > 0 && cell[at - WIDTH]! > pane) at -= WIDTH
          if (at > 0 && cell[at - WIDTH] === pane) {
            at -= WIDTH
            slot.onUndo(putFigures, cell, pane, [cell[at + 1], cell[at + 2], cell[at + 3], cell[at + 4]])
            cell[at + 1]!++
            cell[at + 2]! += value
            cell[at + 3] = Math.min(cell[at + 3]!, value)
            cell[at + 4] = Math.max(cell[at + 4]!, value)
            return
          }
          slot.onUndo(removePane, cell, pane, null)
          if (at === cell.length) cell.push(pane, 1, value, value, value)
          else cell.splice(at, 0, pane, 1, value, value, value)
        },
        get count(): number {
          return total(1)
        },
        get sum(): number {
          return total(2)
        },
        get mean(): number | null {
          const count = total(1)
          return count === 0 ? null : total(2) / count
        },
        get min(): number | null {
          return pick(3, Math.min)
        },
        get max(): number | null {
          return pick(4, Math.max)
        },
      }
    },
    encode: (cell) => Array.from({ length: cell.length / WIDTH }, (_, i) => cell.slice(i * WIDTH, (i + 1) * WIDTH).map(savedFigure)),
    decode: (saved) =>
      (saved as (number | string)[][])
        .map((pane) => pane.map(Number))
        .sort(([a], [b]) => a! - b!)
        .flat(),
    expire,
    sizeOf: (cell) => 32 + 8 * cell.length,
  }
}

function placeOf(cell: Cell, pane: number): number {
  let at = 0
  while (cell[at] !== pane) at += WIDTH
  return at
}

function putFigures(cell: Cell, pane: number, figures: readonly number[]): void {
  const at = placeOf(cell, pane)
  for (let i = 1; i < WIDTH; i++) cell[at + i] = figures[i - 1]!
}

const removePane = (cell: Cell, pane: number): void => void cell.splice(placeOf(cell, pane), WIDTH)
