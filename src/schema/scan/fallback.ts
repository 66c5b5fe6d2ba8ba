// What a field has in rows that leave it out: its default, read once by the exact path as if it had been sent, so that a default
// is held to the rules of its column. `put-fallback.ts` puts it into rows.
import type { Column } from '../batch.ts'
import type { Field, Type } from '../type.ts'
import { finishLanes } from './lanes.ts'
import { makePlan, newArrays, newState, type Problem } from './plan.ts'
import { readRow } from './read-row.ts'

/** `json` as the only value of a column of this type, or why it is none. */
export function readFallback(name: string, type: Type, json: string): Column | Problem {
  const plan = makePlan(
    { fields: [{ name, type, optional: false }] },
    { trusted: false, ignoreUnknown: false, maxRowBytes: Number.MAX_SAFE_INTEGER },
  )
  const bytes = Buffer.from(`{${JSON.stringify(name)}:${json}}`)
  const state = newState(plan, bytes, newArrays(plan, 1), 0)
  const problem = readRow(plan, state, 0, bytes.length)
  if (problem) return problem
  const all = Buffer.concat([bytes, state.side.bytes.subarray(0, state.side.length)])
  return finishLanes(plan.wanted, state.lanes, 1, all).columns[0]!
}

/** The JSON of a default, whose text has the one spelling of `default-value.ts`. */
export function jsonOfText(type: Type, text: string): string {
  const isRaw = ['boolean', 'int', 'long', 'float', 'double', 'decimal', 'json'].includes(type.kind)
  return isRaw ? text : JSON.stringify(text)
}

/** The default of a field as a column of one row; null when it has none. */
export function fallbackOf({ name, type, default: text }: Field): Column | null {
  if (text === undefined) return null
  const column = readFallback(name, type, jsonOfText(type, text))
  if ('code' in column) throw new TypeError(column.message) // `check` refuses it before
  return column
}
