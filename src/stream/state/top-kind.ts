// The heaviest values with a fixed number of counters: Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005). A value that
// has no counter takes over the lightest one, whose count is then the most by which its own may be too high.
import type { Type } from '../../schema/type.ts'
import type { Value } from '../value.ts'
import { byText, codecOf, ownText } from './codec.ts'
import type { Kind } from './slot.ts'

interface Counter {
  readonly count: number
  readonly error: number
}

type Cell = Map<string, Counter>

export function topKind(type: Type, size: number, counters: number): Kind<Cell> {
  const codec = codecOf(type)
  return {
    handle: (slot) => ({
      add: (value: Value, weight = 1): void => {
        const text = codec.textOf(value)
        const cell: Cell = slot.get() ?? new Map()
        if (slot.get() === null) slot.set(cell)
        const own = cell.get(text)
        const taken = own === undefined && cell.size >= counters ? lightest(cell) : null
        slot.onUndo(putBack, cell, text, [own, taken])
        if (taken) cell.delete(taken[0])
        const from = own ?? (taken ? { count: taken[1].count, error: taken[1].count } : { count: 0, error: 0 })
        cell.set(own ? text : ownText(text), { count: from.count + weight, error: from.error })
      },
      values: (): { value: Value; count: number; error: number }[] =>
        [...(slot.get() ?? [])]
          .sort(([a, { count }], [b, other]) => other.count - count || byText(a, b))
          .slice(0, size)
          .map(([text, counter]) => ({ value: codec.valueOf(text), ...counter })),
    }),
    encode: (cell) => [...cell].map(([text, { count, error }]) => [text, count, error]),
    decode: (saved) => new Map((saved as [string, number, number][]).map(([text, count, error]) => [text, { count, error }])),
    sizeOf: (cell) => {
      let bytes = 160
      for (const text of cell.keys()) bytes += 120 + text.length
      return bytes
    },
  }
}

function putBack(cell: Cell, text: string, [own, taken]: readonly [Counter | undefined, [string, Counter] | null]): void {
  if (own) cell.set(text, own)
  else cell.delete(text)
  if (taken) cell.set(...taken)
}

/** Of equal ones the first by text: which it is must not depend on the order of the map, which undo changes. */
function lightest(cell: Cell): [string, Counter] {
  let least: [string, Counter] | null = null
  for (const [text, counter] of cell)
    if (!least || counter.count < least[1].count || (counter.count === least[1].count && text < least[0])) least = [text, counter]
  return least!
}
