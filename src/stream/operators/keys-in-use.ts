// Keys that no row has any more are forgotten, once they are many: the other keys have other numbers then.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { HeldRows } from './held-rows.ts'
import { KeyTable } from './key-table.ts'

/** Keys that no row has any more are dropped once they outnumber those in use by this. */
const DEAD_KEYS = 4
const KEYS_MIN = 4_096

/** The keys that rows have, in whose numbers the rows are from now on; null where few are dead, and nothing has changed. */
export function keysInUse(keys: KeyTable, types: readonly Expression['type'][], rows: readonly HeldRows[]): KeyTable | null {
  const count = rows.reduce((sum, held) => sum + held.count, 0)
  if (keys.size < KEYS_MIN || keys.size < count * DEAD_KEYS) return null
  const used = new Set<number>()
  for (const held of rows) for (const slot of held.slots()) if (held.groupOf(slot) >= 0) used.add(held.groupOf(slot))
  const groups = Int32Array.from(used)
  const kept = new KeyTable(types)
  const anew = kept.find(keys.columns(groups, groups.length), null, groups.length)
  const byOld = new Map([...groups].map((group, i) => [group, anew[i]!]))
  for (const held of rows) held.renumber((group) => byOld.get(group)!)
  return kept
}
