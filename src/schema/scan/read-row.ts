// Reads one line in any order, spacing and spelling: the exact path. The first thing that does not fit is the row's
// problem, unless the line turns out to be no JSON at all, which comes before everything else.
import { clearWide } from './lanes.ts'
import { findSlot, type Plan, type Problem, type ScanState } from './plan.ts'
import { putFallback } from './put-fallback.ts'
import { delimitText, excerpt, MALFORMED, missing, readValue, UNFIT } from './read-value.ts'
import { skipSpace, skipValue, stop } from './syntax.ts'

/** Reads the line [start, end) into the next row; null when it is good (the row is not counted yet). */
export function readRow(plan: Plan, state: ScanState, start: number, end: number): Problem | null {
  const mark = state.side.length
  state.problem = null
  state.fault.lone = -1
  if (++state.stamp === 0x7fffffff) restartStamps(state)
  state.orderLength = 0
  state.style = 'compact'
  clearWide(state.lanes, state.row)
  const at = readObject(plan, state, start, end)
  let problem: Problem | null = state.problem
  if (at < 0) problem = malformed(state, start, end)
  else if (state.fault.lone >= 0) problem = notText(state, start, end)
  else if (problem === null) problem = checkMissing(plan, state)
  if (problem === null) return null
  clearWide(state.lanes, state.row)
  state.side.length = mark
  return problem
}

function restartStamps(state: ScanState): void {
  state.seen.fill(0)
  state.stamp = 1
}

/** The position after the object and the space behind it, or MALFORMED. */
function readObject(plan: Plan, state: ScanState, start: number, end: number): number {
  const { bytes, fault } = state
  let at = skipSpace(bytes, start, end)
  if (at > start) state.style = 'other'
  if (at >= end || bytes[at] !== 0x7b) {
    at = skipValue(bytes, at, end, fault, 0)
    if (at >= 0) note(state, 'MR_ROW_NOT_OBJECT', `expected a JSON object, got ${excerpt(bytes, start, at)}`, null)
  } else {
    const inside = at + 1
    at = skipSpace(bytes, inside, end)
    if (at > inside) state.style = 'other'
    at = at < end && bytes[at] === 0x7d ? at + 1 : readMembers(plan, state, at, end)
  }
  if (at < 0) return MALFORMED
  const after = skipSpace(bytes, at, end)
  if (after === end) return after
  return stop(fault, after, 'the line goes on after the value')
}

/** From the first key to the position after the closing brace. */
function readMembers(plan: Plan, state: ScanState, first: number, end: number): number {
  const { bytes, fault } = state
  let at = first
  let guess = 0
  let loose = 0
  let gaps = 0
  for (;;) {
    if (at >= end || bytes[at] !== 0x22) return stop(fault, at, 'a key in quotes must stand here')
    const mark = state.side.length
    const keyEnd = delimitText(state, at, end)
    if (keyEnd < 0) return MALFORMED
    const escaped = state.text !== bytes
    const found = findSlot(plan, state.text, state.from, state.to, guess)
    if (escaped) state.style = 'other'
    const problem = checkKey(plan, state, found)
    state.side.length = mark
    const colon = skipSpace(bytes, keyEnd, end)
    if (colon >= end || bytes[colon] !== 0x3a) return stop(fault, colon, 'a colon must stand here')
    const value = skipSpace(bytes, colon + 1, end)
    gaps += value - colon - 1
    if (colon > keyEnd || (value === colon + 2 && bytes[colon + 1] !== 0x20)) loose++
    let next = problem || found < 0 ? UNFIT : readValue(state, plan.slots[found]!, value, end, state.row)
    if (next === UNFIT) next = skipValue(bytes, value, end, fault, 1)
    if (next < 0) return MALFORMED
    if (found >= 0) guess = found + 1
    at = skipSpace(bytes, next, end)
    if (at > next) loose++
    if (at < end && bytes[at] === 0x7d) {
      noteStyle(state, loose, gaps)
      return at + 1
    }
    if (at >= end || bytes[at] !== 0x2c) return stop(fault, at, 'a comma or } must stand here')
    const comma = at
    at = skipSpace(bytes, comma + 1, end)
    gaps += at - comma - 1
    if (at === comma + 2 && bytes[comma + 1] !== 0x20) loose++
  }
}

/** Compact has no gap after a comma or colon, spaced has one space after each. */
function noteStyle(state: ScanState, loose: number, gaps: number): void {
  if (loose > 0 || (gaps !== 0 && gaps !== state.orderLength * 2 - 1)) state.style = 'other'
  else if (gaps > 0 && state.style === 'compact') state.style = 'spaced'
}

/** Registers the key just read (`state.text`); true when it may not stand here. */
function checkKey(plan: Plan, state: ScanState, found: number): boolean {
  if (state.orderLength < state.order.length) state.order[state.orderLength] = found
  state.orderLength++
  if (found < 0) {
    if (plan.ignoreUnknown) return false
    const name = excerpt(state.text as Buffer, state.from, state.to)
    note(state, 'MR_ROW_UNKNOWN_FIELD', `field ${name} is not part of the shape (${listNames(plan)})`, name)
    return true
  }
  const again = state.seen[found] === state.stamp
  state.seen[found] = state.stamp
  const slot = plan.slots[found]!
  if (again) note(state, 'MR_ROW_DUPLICATE_FIELD', `field ${slot.name} occurs twice`, slot.name)
  return again
}

function listNames(plan: Plan): string {
  const names = plan.slots.slice(0, 20).map((slot) => slot.name)
  return plan.slots.length > 20 ? `${names.join(', ')}, ...` : names.join(', ')
}

/** Every field that is not there: its default, or null where that is allowed. */
function checkMissing(plan: Plan, state: ScanState): Problem | null {
  for (const slot of plan.slots) {
    if (state.seen[slot.index] === state.stamp) continue
    if (!slot.mayLack && (slot.lane >= 0 || !plan.trusted)) return missing(slot, 'missing')
  }
  // Only now: the text of a default stays for the rows to come.
  for (const slot of plan.slots) {
    if (slot.lane < 0 || state.seen[slot.index] === state.stamp) continue
    if (slot.fallback) putFallback(state, slot, state.row)
    else state.lanes[slot.lane]!.nulls[state.row] = 1
  }
  return null
}

function note(state: ScanState, code: Problem['code'], message: string, field: string | null): void {
  state.problem ??= { code, message, field }
}

function malformed(state: ScanState, start: number, end: number): Problem {
  const { at, why } = state.fault
  const near = at < end ? `near ${excerpt(state.bytes, at, end)}` : 'at its end'
  const bom = state.bytes[start] === 0xef && state.bytes[start + 1] === 0xbb ? ' (the line starts with a byte order mark)' : ''
  return { code: 'MR_ROW_JSON', field: null, message: `byte ${at - start} of the line, ${near}: ${why}${bom}` }
}

function notText(state: ScanState, start: number, end: number): Problem {
  const at = state.fault.lone
  const message = `byte ${at - start} of the line, near ${excerpt(state.bytes, at, end)}: half of a surrogate pair, which is no text`
  return { code: 'MR_ROW_UTF8', field: null, message }
}
