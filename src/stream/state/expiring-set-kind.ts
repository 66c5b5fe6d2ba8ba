// Distinct values, each forgotten some time after it was last added.
import type { Type } from '../../schema/type.ts'
import type { Value } from '../value.ts'
import { byText, codecOf } from './codec.ts'
import type { Kind } from './slot.ts'

/** By text; when it was last added, microseconds. */
type Cell = Map<string, number>

export function expiringSetKind(type: Type, withinMs: number): Kind<Cell> {
  const codec = codecOf(type)
  const withinUs = withinMs * 1_000
  return {
    handle: (slot) => ({
      add: (value: Value): void => {
        const text = codec.textOf(value)
        const cell: Cell = slot.get() ?? new Map()
        if (slot.get() === null) slot.set(cell)
        const beforeUs = cell.get(text)
        slot.onUndo(() => (beforeUs === undefined ? cell.delete(text) : cell.set(text, beforeUs)))
        // Rows may come out of order: one that is older does not shorten a member's life.
        cell.set(text, Math.max(beforeUs ?? slot.nowUs, slot.nowUs))
      },
      has: (value: Value): boolean => {
        const atUs = slot.get()?.get(codec.textOf(value))
        return atUs !== undefined && slot.nowUs - atUs < withinUs
      },
      get size(): number {
        let size = 0
        for (const atUs of slot.get()?.values() ?? []) if (slot.nowUs - atUs < withinUs) size++
        return size
      },
      values: (): Value[] =>
        [...(slot.get() ?? [])]
          .filter(([, atUs]) => slot.nowUs - atUs < withinUs)
          .sort(([a, aUs], [b, bUs]) => aUs - bUs || byText(a, b))
          .map(([text]) => codec.valueOf(text)),
    }),
    encode: (cell) => [...cell],
    decode: (saved) => new Map(saved as [string, number][]),
    expire: (cell, floorUs) => {
      for (const [text, atUs] of cell) if (floorUs - atUs >= withinUs) cell.delete(text)
      return cell.size === 0
    },
  }
}
