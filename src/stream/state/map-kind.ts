// Values by key, each forgotten some time after it was set where the map says so. Kept as copies: user code holds none of them.
import type { Type } from '../../schema/type.ts'
import type { Value } from '../value.ts'
import { byText, codecOf, ownText } from './codec.ts'
import type { Kind } from './slot.ts'
import { SmallMap } from './small-map.ts'
import { sizeOfValue } from './value-kind.ts'

interface Entry {
  readonly kept: Value
  readonly atUs: number
}

type Cell = SmallMap<Entry>

export function mapKind(keyType: Type, type: Type, withinMs: number | undefined): Kind<Cell> {
  const keys = codecOf(keyType)
  const values = codecOf(type)
  const withinUs = withinMs === undefined ? Number.POSITIVE_INFINITY : withinMs * 1_000
  const isLive = (entry: Entry | undefined, nowUs: number): entry is Entry => entry !== undefined && nowUs - entry.atUs < withinUs
  return {
    handle: (slot) => {
      const found = (key: string): Entry | null => {
        const entry = slot.get()?.get(key)
        return isLive(entry, slot.nowUs) ? entry : null
      }
      return {
        get: (key: Value): Value => {
          const entry = found(keys.textOf(key))
          return entry && values.give(entry.kept)
        },
        has: (key: Value): boolean => found(keys.textOf(key)) !== null,
        set: (key: Value, value: Value): void => {
          const text = keys.textOf(key)
          const kept = values.keep(value)
          let cell = slot.get()
          if (cell === null) {
            cell = new SmallMap()
            slot.set(cell)
          }
          const { nowUs } = slot
          const member = cell.find(text)
          const before = member?.value
          slot.onUndo(put, cell, text, before)
          // Rows may come out of order: one that is older does not shorten an entry's life.
          const entry = { kept, atUs: isLive(before, nowUs) ? Math.max(before.atUs, nowUs) : nowUs }
          if (member) member.value = entry
          else cell.add(ownText(text), entry)
        },
        delete: (key: Value): void => {
          const cell = slot.get()
          const text = keys.textOf(key)
          const member = cell?.find(text)
          if (!cell || !member) return
          slot.onUndo(put, cell, text, member.value)
          cell.remove(member)
        },
        clear: (): void => slot.set(null),
        get size(): number {
          let size = 0
          for (let at = slot.get()?.first ?? null; at !== null; at = at.next) if (isLive(at.value, slot.nowUs)) size++
          return size
        },
        entries: (): [Value, Value][] => {
          const cell = slot.get()
          if (cell === null) return []
          const live = cell.entries().filter(([, entry]) => isLive(entry, slot.nowUs))
          if (live.length > 1) live.sort(([a], [b]) => byText(a, b))
          return live.map(([key, { kept }]) => [keys.valueOf(key), values.give(kept)])
        },
      }
    },
    encode: (cell) =>
      cell.entries().map(([key, { kept, atUs }]) => {
        const text = values.textOf(kept)
        return withinMs === undefined ? [key, text] : [key, text, atUs]
      }),
    decode: (saved) =>
      SmallMap.from((saved as [string, string, number?][]).map(([key, text, atUs = 0]) => [key, { kept: values.valueOf(text), atUs }])),
    expire: (cell, floorUs) => {
      for (let at = cell.first; at !== null; at = at.next) if (!isLive(at.value, floorUs)) cell.remove(at)
      return cell.size === 0
    },
    sizeOf: (cell) => {
      let bytes = cell.sizeBytes
      for (let at = cell.first; at !== null; at = at.next) bytes += 40 + sizeOfValue(at.value.kept)
      return bytes
    },
  }
}

function put(cell: Cell, text: string, before: Entry | undefined): void {
  if (before) cell.set(text, before)
  else cell.delete(text)
}
