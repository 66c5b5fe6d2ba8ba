// Distinct values, each forgotten some time after it was last added.
import type { Type } from '../../schema/type.ts'
import type { Value } from '../value.ts'
import { byText, codecOf, ownText } from './codec.ts'
import type { Kind } from './slot.ts'
import { SmallMap } from './small-map.ts'

/** By text; when it was last added, microseconds. */
type Cell = SmallMap<number>

export function expiringSetKind(type: Type, withinMs: number): Kind<Cell> {
  const codec = codecOf(type)
  const withinUs = withinMs * 1_000
  return {
    handle: (slot) => ({
      add: (value: Value): void => {
        const text = codec.textOf(value)
        const { nowUs } = slot
        let cell = slot.get()
        if (cell === null) {
          cell = new SmallMap()
          slot.set(cell)
        }
        const member = cell.find(text)
        if (member === null) {
          slot.onUndo(remove, cell, text, null)
          cell.add(ownText(text), nowUs)
          return
        }
        // Rows may come out of order: one that is older does not shorten a member's life.
        if (member.value >= nowUs) return
        slot.onUndo(put, cell, text, member.value)
        member.value = nowUs
      },
      has: (value: Value): boolean => {
        const atUs = slot.get()?.get(codec.textOf(value))
        return atUs !== undefined && slot.nowUs - atUs < withinUs
      },
      get size(): number {
        const cell = slot.get()
        if (cell === null) return 0
        const { nowUs } = slot
        let size = 0
        for (let at = cell.first; at !== null; at = at.next) if (nowUs - at.value < withinUs) size++
        return size
      },
      values: (): Value[] =>
        (slot.get()?.entries() ?? [])
          .filter(([, atUs]) => slot.nowUs - atUs < withinUs)
          .sort(([a, aUs], [b, bUs]) => aUs - bUs || byText(a, b))
          .map(([text]) => codec.valueOf(text)),
    }),
    encode: (cell) => cell.entries(),
    decode: (saved) => SmallMap.from(saved as [string, number][]),
    expire: (cell, floorUs) => {
      for (let at = cell.first; at !== null; at = at.next) if (floorUs - at.value >= withinUs) cell.remove(at)
      return cell.size === 0
    },
    sizeOf: (cell) => cell.sizeBytes + 16 * cell.size,
  }
}

const remove = (cell: Cell, text: string): void => cell.delete(text)
const put = (cell: Cell, text: string, beforeUs: number): void => cell.set(text, beforeUs)
