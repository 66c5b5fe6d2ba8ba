// Keys that no row has any more are forgotten, once they are many: the other keys have other numbers then.
import type { Expression } from '../../engine/algebra/expression.ts'
import { indexes } from '../../schema/batch.ts'
import type { HeldRows } from './held-rows.ts'
import { KeyTable } from './key-table.ts'

/** Keys that no row has any more are dropped once they outnumber those in use by this. */
const DEAD_KEYS = 4
const KEYS_MIN = 4_096

/** The keys that rows have, in whose numbers the rows are from now on; null where few are dead, and nothing has changed. */
export function keysInUse(keys: KeyTable, types: readonly Expression['type'][], rows: readonly HeldRows[]): KeyTable | null {
  const count = rows.reduce((sum, held) => sum + held.count, 0)
  if (keys.size < KEYS_MIN || keys.size < count * DEAD_KEYS) return null
  const isUsed = new Uint8Array(keys.size)
  for (const held of rows) for (const slot of held.slots()) if (held.groupOf(slot) >= 0) isUsed[held.groupOf(slot)] = 1
  const groups = indexes(keys.size).filter((group) => isUsed[group] === 1)
  const kept = new KeyTable(types)
  const anew = kept.find(keys.columns(groups, groups.length), null, groups.length)
  const byOld = new Int32Array(keys.size)
  for (let i = 0; i < groups.length; i++) byOld[groups[i]!] = anew[i]!
  for (const held of rows) held.renumber((group) => byOld[group]!)
  return kept
}
