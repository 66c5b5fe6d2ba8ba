// Values by key, each perhaps forgotten some time after it was last set. Entries are texts, so user code holds none of them.
import type { Type } from '../../schema/type.ts'
import type { Value } from '../value.ts'
import { byText, codecOf } from './codec.ts'
import type { Kind } from './slot.ts'

interface Entry {
  readonly text: string
  readonly atUs: number
}

type Cell = Map<string, Entry>

export function mapKind(keyType: Type, type: Type, withinMs: number | undefined): Kind<Cell> {
  const keys = codecOf(keyType)
  const values = codecOf(type)
  const withinUs = withinMs === undefined ? Number.POSITIVE_INFINITY : withinMs * 1_000
  const isLive = (entry: Entry | undefined, nowUs: number): entry is Entry => entry !== undefined && nowUs - entry.atUs < withinUs
  return {
    handle: (slot) => {
      const found = (key: Value): Entry | null => {
        const entry = slot.get()?.get(keys.textOf(key))
        return isLive(entry, slot.nowUs) ? entry : null
      }
      const put = (key: string, entry: Entry | undefined): void => {
        const cell: Cell = slot.get() ?? new Map()
        if (slot.get() === null) slot.set(cell)
        const before = cell.get(key)
        slot.onUndo(() => (before ? cell.set(key, before) : cell.delete(key)))
        if (entry) cell.set(key, entry)
        else cell.delete(key)
      }
      return {
        get: (key: Value): Value => {
          const entry = found(key)
          return entry && values.valueOf(entry.text)
        },
        has: (key: Value): boolean => found(key) !== null,
        set: (key: Value, value: Value): void => {
          const lastUs = found(key)?.atUs ?? slot.nowUs
          // Rows may come out of order: one that is older does not shorten an entry's life.
          put(keys.textOf(key), { text: values.textOf(value), atUs: Math.max(lastUs, slot.nowUs) })
        },
        delete: (key: Value): void => {
          if (slot.get()?.has(keys.textOf(key))) put(keys.textOf(key), undefined)
        },
        clear: (): void => slot.set(null),
        get size(): number {
          let size = 0
          for (const entry of slot.get()?.values() ?? []) if (isLive(entry, slot.nowUs)) size++
          return size
        },
        entries: (): [Value, Value][] =>
          [...(slot.get() ?? [])]
            .filter(([, entry]) => isLive(entry, slot.nowUs))
            .sort(([a], [b]) => byText(a, b))
            .map(([key, entry]) => [keys.valueOf(key), values.valueOf(entry.text)]),
      }
    },
    encode: (cell) => [...cell].map(([key, { text, atUs }]) => (withinMs === undefined ? [key, text] : [key, text, atUs])),
    decode: (saved) => new Map((saved as [string, string, number?][]).map(([key, text, atUs = 0]) => [key, { text, atUs }])),
    expire: (cell, floorUs) => {
      for (const [key, entry] of cell) if (!isLive(entry, floorUs)) cell.delete(key)
      return cell.size === 0
    },
  }
}
