// Nothing moves by itself (DESIGN section 6): cells change in place, but rows that would come, go or change places wait
// until the reader asks for them.
import { useState } from 'react'

export interface Held<T> {
  /** The rows in the order the reader saw, with today's values. */
  readonly rows: readonly T[]
  /** Rows that wait. */
  readonly waiting: number
  readonly apply: () => void
}

/** `scope` is what was asked: when the reader asks for something else, the new order shows at once. */
export function useHeld<T>(fresh: readonly T[], idOf: (row: T) => string, scope: string): Held<T> {
  const ids = fresh.map(idOf)
  const [shown, setShown] = useState({ scope, ids })
  const apply = (): void => setShown({ scope, ids })
  if (shown.scope !== scope || (shown.ids.length === 0 && ids.length > 0)) {
    setShown({ scope, ids })
    return { rows: fresh, waiting: 0, apply }
  }
  const byId = new Map(fresh.map((row) => [idOf(row), row]))
  const rows = shown.ids.flatMap((id) => byId.get(id) ?? [])
  const known = new Set(shown.ids)
  return { rows, waiting: ids.filter((id) => !known.has(id)).length, apply }
}
