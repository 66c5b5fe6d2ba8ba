// Reads one value of any spelling that JSON allows into the lane of its field: the exact path, which the generated one
// calls for whatever it does not decide itself. Each kind of the type system has one case in `readKind`.
import { printType } from '../type.ts'
import { setWide } from './lanes.ts'
import { type Problem, type ScanState, type Slot, sameBytes } from './plan.ts'
import { measureNumber, scaleNumber, writeDecimal } from './read-number.ts'
import { decodeBase64, decodeString, uuidForm, writeLowerUuid } from './read-text.ts'
import { readDate, readDatetime, readTime, readTimestamp } from './read-time.ts'
import { skipNumber, skipString, skipValue, startsWith } from './syntax.ts'

/** In place of a position: the JSON is malformed; `state.fault` says where. */
export const MALFORMED = -1
/** In place of a position: the value does not fit its field; `state.problem` says why. */
export const UNFIT = -2

/** Why a text was not stored. */
const WRONG_FORM = 1
const OUT_OF_RANGE = 2

const TRUE = Buffer.from('true')
const FALSE = Buffer.from('false')
const NULL = Buffer.from('null')

/** Reads the value at `at` into row `row`. Returns the position after it, MALFORMED or UNFIT. */
export function readValue(state: ScanState, slot: Slot, at: number, end: number, row: number): number {
  if (slot.lane < 0) return skipValue(state.bytes, at, end, state.fault, 1)
  const lane = state.lanes[slot.lane]!
  if (state.bytes[at] === 0x6e && startsWith(state.bytes, at, end, NULL)) {
    if (!slot.optional) return unfit(state, missing(slot, 'null'))
    lane.nulls[row] = 1
    return at + 4
  }
  if (slot.optional) lane.nulls[row] = 0
  return readKind(state, slot, at, end, row)
}

/**
 * What each type takes (everything else is MR_ROW_TYPE, or MR_ROW_RANGE where only the value is the matter):
 * - boolean: true, false. int: a number in any spelling of an integer, such as `1.0` or `1e3`.
 * - long: as int, or a string of digits. decimal: a number or a string with one; zeros beyond the scale are no loss.
 * - float, double: a number (rounded to the nearest; an overflow is MR_ROW_RANGE), or "NaN", "Infinity", "-Infinity".
 * - date, time, timestamp, datetime: strings, see `read-time.ts`; never a number of milliseconds, whose unit one would have to guess.
 * - string: any text, U+0000 included. uuid: the 36 characters, kept in lower case. enum: one of its values (MR_ROW_ENUM).
 * - binary: base64 with padding. json: any value; its text is kept as written.
 * - struct, list, map: an object, an array, an object, whose parts are taken as above; see `nested.ts`.
 */
export function readKind(state: ScanState, slot: Slot, at: number, end: number, row: number): number {
  const type = slot.type
  switch (type.kind) {
    case 'boolean':
      return readBoolean(state, slot, at, end, row)
    case 'int':
      return isNumber(state, at) ? readInteger(state, slot, at, end, row, 10, 0) : wrongType(state, slot, at, end)
    case 'long':
      return isNumber(state, at) || isQuote(state, at) ? readInteger(state, slot, at, end, row, 19, 0) : wrongType(state, slot, at, end)
    case 'decimal':
      if (!isNumber(state, at) && !isQuote(state, at)) return wrongType(state, slot, at, end)
      if (type.precision > 18) return readLongDecimal(state, slot, at, end, row, type.precision, type.scale)
      return readInteger(state, slot, at, end, row, type.precision, type.scale)
    case 'float':
    case 'double':
      return readDouble(state, slot, at, end, row, type.kind === 'float')
    case 'json':
      return readJson(state, slot, at, end, row)
    case 'struct':
    case 'list':
    case 'map':
      return readNested(state, slot, at, end, row)
    default:
      return isQuote(state, at) ? readText(state, slot, at, end, row) : wrongType(state, slot, at, end)
  }
}

const isQuote = (state: ScanState, at: number): boolean => state.bytes[at] === 0x22

function isNumber(state: ScanState, at: number): boolean {
  const c = state.bytes[at]!
  return c === 0x2d || (c >= 0x30 && c <= 0x39)
}

function readBoolean(state: ScanState, slot: Slot, at: number, end: number, row: number): number {
  const truth = startsWith(state.bytes, at, end, TRUE)
  if (!truth && !startsWith(state.bytes, at, end, FALSE)) return wrongType(state, slot, at, end)
  state.lanes[slot.lane]!.values[row] = truth ? 1 : 0
  return truth ? at + 4 : at + 5
}

/** Sets `text`, `from` and `to` to the number at `at`, bare or in a string; returns the position after it. */
function delimitNumber(state: ScanState, at: number, end: number): number {
  if (isQuote(state, at)) {
    const next = delimitText(state, at, end)
    if (next < 0) return next
    return skipNumber(state.text, state.from, state.to, state.fault) === state.to ? next : UNFIT
  }
  const next = skipNumber(state.bytes, at, end, state.fault)
  state.text = state.bytes
  state.from = at
  state.to = next
  return next
}

export function readInteger(state: ScanState, slot: Slot, at: number, end: number, row: number, precision: number, scale: number): number {
  const mark = state.side.length
  const next = delimitNumber(state, at, end)
  state.side.length = mark
  if (next === UNFIT || (next > 0 && slot.type.kind !== 'decimal' && isQuote(state, at) && hasFraction(state))) {
    return wrongType(state, slot, at, end)
  }
  if (next < 0) return next
  measureNumber(state.text, state.from, state.to, state.measure)
  const whole = state.whole
  if (!scaleNumber(state.text, state.measure, precision, scale, whole)) return outOfRange(state, slot, at, end)
  const lane = state.lanes[slot.lane]!
  if (slot.type.kind === 'int' && whole.value !== (whole.value | 0)) return outOfRange(state, slot, at, end)
  if (whole.exact) lane.values[row] = whole.value
  else setWide(lane, row, whole.high, whole.low)
  return next
}

/** Longs in strings are digits only: `"1e3"` is not how anybody writes an integer on purpose. */
function hasFraction(state: ScanState): boolean {
  for (let at = state.from; at < state.to; at++) {
    const c = state.text[at]!
    if (c === 0x2e || (c | 0x20) === 0x65) return true
  }
  return false
}

function readLongDecimal(state: ScanState, slot: Slot, at: number, end: number, row: number, precision: number, scale: number): number {
  const mark = state.side.length
  const next = delimitNumber(state, at, end)
  if (next === UNFIT) return wrongType(state, slot, at, end)
  if (next < 0) return next
  const lane = state.lanes[slot.lane]!
  measureNumber(state.text, state.from, state.to, state.measure)
  const start = state.side.length
  if (!writeDecimal(state.text, state.measure, precision, scale, state.side)) return outOfRange(state, slot, at, end)
  lane.length[row] = state.side.length - start
  if (mark === start && sameBytes(state.side.bytes.subarray(start, state.side.length), state.bytes, state.from, state.to)) {
    lane.start[row] = state.from
    state.side.length = start
  } else lane.start[row] = state.bytes.length + start
  return next
}

const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`))
const SPECIAL: readonly (readonly [Uint8Array, number])[] = [
  [Buffer.from('"NaN"'), Number.NaN],
  [Buffer.from('"Infinity"'), Number.POSITIVE_INFINITY],
  [Buffer.from('"-Infinity"'), Number.NEGATIVE_INFINITY],
]

function readDouble(state: ScanState, slot: Slot, at: number, end: number, row: number, single: boolean): number {
  const lane = state.lanes[slot.lane]!
  if (!isNumber(state, at)) {
    for (const [text, value] of SPECIAL) {
      if (!startsWith(state.bytes, at, end, text)) continue
      lane.values[row] = value
      return at + text.length
    }
    return wrongType(state, slot, at, end)
  }
  const next = skipNumber(state.bytes, at, end, state.fault)
  if (next < 0) return next
  const value = parseDouble(state, at, next)
  const stored = single ? Math.fround(value) : value
  if (!Number.isFinite(stored)) return outOfRange(state, slot, at, end)
  lane.values[row] = stored
  return next
}

/** The nearest double: by one exact division or product where both sides are exact (Clinger), otherwise as JavaScript reads it. */
function parseDouble(state: ScanState, from: number, to: number): number {
  const measure = state.measure
  measureNumber(state.bytes, from, to, measure)
  if (measure.first < 0) return measure.negative ? -0 : 0
  if (measure.significant > 15 || measure.exponent < -22 || measure.exponent > 22) return Number(state.bytes.toString('latin1', from, to))
  let digits = 0
  for (let at = measure.first; at <= measure.last; at++) if (state.bytes[at] !== 0x2e) digits = digits * 10 + (state.bytes[at]! - 0x30)
  const value = measure.exponent < 0 ? digits / POWERS[-measure.exponent]! : digits * POWERS[measure.exponent]!
  return measure.negative ? -value : value
}

/** The text of the value, as it is written. */
function readNested(state: ScanState, slot: Slot, at: number, end: number, row: number): number {
  const next = slot.nested ? slot.nested.check(state, slot, at, end) : at
  return next < 0 ? next : readJson(state, slot, at, end, row)
}

function readJson(state: ScanState, slot: Slot, at: number, end: number, row: number): number {
  const next = skipValue(state.bytes, at, end, state.fault, 1)
  if (next < 0) return MALFORMED
  const lane = state.lanes[slot.lane]!
  lane.start[row] = at
  lane.length[row] = next - at
  return next
}

/** Sets `text`, `from` and `to` to the contents of the string at `at`; a quote follows them. Decoded text stays in `side`. */
export function delimitText(state: ScanState, at: number, end: number): number {
  const { bytes } = state
  let plain = at + 1
  while (plain < end && bytes[plain]! > 0x1f && bytes[plain] !== 0x22 && bytes[plain] !== 0x5c) plain++
  const isPlain = plain < end && bytes[plain] === 0x22
  const next = isPlain ? plain + 1 : skipString(bytes, at, end, state.fault)
  if (next < 0) return MALFORMED
  state.text = bytes
  state.from = at + 1
  state.to = next - 1
  // Lone surrogates have no bytes; whoever reads the row refuses it.
  if (!isPlain && state.fault.lone < 0) decodeToSide(state)
  return next
}

function decodeToSide(state: ScanState): void {
  const start = state.side.length
  decodeString(state.bytes, state.from, state.to, state.side)
  state.text = state.side.bytes
  state.from = start
  state.to = state.side.length
  state.side.bytes[state.to] = 0x22
}

function readText(state: ScanState, slot: Slot, at: number, end: number, row: number): number {
  const mark = state.side.length
  const next = delimitText(state, at, end)
  if (next < 0) return next
  const found = storeText(state, slot, row, mark)
  if (found === 0) return next
  state.side.length = mark
  if (found === OUT_OF_RANGE) return outOfRange(state, slot, at, end)
  return slot.type.kind === 'enum' ? notAllowed(state, slot, at, end) : wrongType(state, slot, at, end)
}

/** Returns 0 when stored, otherwise why not. Side text beyond `mark` is kept only if a column needs it. */
function storeText(state: ScanState, slot: Slot, row: number, mark: number): number {
  const { text, from, to } = state
  switch (slot.type.kind) {
    case 'date':
      return storeNumber(state, slot, row, mark, readDate(text, from, state.out))
    case 'time':
      return storeNumber(state, slot, row, mark, readTime(text, from, state.out))
    case 'timestamp':
      return storeNumber(state, slot, row, mark, readTimestamp(text, from, state.out))
    case 'datetime':
      return storeNumber(state, slot, row, mark, readDatetime(text, from, state.out))
    case 'uuid': {
      const form = to - from === 36 ? uuidForm(text, from) : 0
      if (form === 2) writeLowerUuid(text, from, state.side)
      return form === 0 ? WRONG_FORM : form === 2 ? storeSide(state, slot, row, state.side.length - 36) : storeBytes(state, slot, row)
    }
    case 'binary': {
      const start = state.side.length
      return decodeBase64(text, from, to, state.side) ? storeSide(state, slot, row, start) : WRONG_FORM
    }
    case 'enum':
      for (const value of slot.values) if (sameBytes(value, text, from, to)) return storeBytes(state, slot, row)
      return WRONG_FORM
    default:
      return storeBytes(state, slot, row)
  }
}

function storeNumber(state: ScanState, slot: Slot, row: number, mark: number, next: number): number {
  state.side.length = mark
  if (next !== state.to) return WRONG_FORM
  state.lanes[slot.lane]!.values[row] = state.out[0]!
  return Number.isNaN(state.out[0]) ? OUT_OF_RANGE : 0
}

function storeBytes(state: ScanState, slot: Slot, row: number): number {
  if (state.text !== state.bytes) return storeSide(state, slot, row, state.from)
  const lane = state.lanes[slot.lane]!
  lane.start[row] = state.from
  lane.length[row] = state.to - state.from
  return 0
}

function storeSide(state: ScanState, slot: Slot, row: number, start: number): number {
  const lane = state.lanes[slot.lane]!
  lane.start[row] = state.bytes.length + start
  lane.length[row] = state.side.length - start
  return 0
}

function unfit(state: ScanState, problem: Problem): typeof UNFIT {
  state.problem ??= problem
  return UNFIT
}

/** The problem of a required field that is absent or null. */
export const missing = (slot: Slot, how: 'missing' | 'null'): Problem => ({
  code: 'MR_ROW_MISSING',
  field: slot.name,
  message: `field ${slot.name} is required and ${how}: expected ${describe(slot)}`,
})

const wrongType = (state: ScanState, slot: Slot, at: number, end: number): number => refuse(state, slot, at, end, 'MR_ROW_TYPE')
const outOfRange = (state: ScanState, slot: Slot, at: number, end: number): number => refuse(state, slot, at, end, 'MR_ROW_RANGE')
const notAllowed = (state: ScanState, slot: Slot, at: number, end: number): number => refuse(state, slot, at, end, 'MR_ROW_ENUM')

/** MALFORMED if the value is no JSON at all, which then is the better message. */
export function refuse(state: ScanState, slot: Slot, at: number, end: number, code: Problem['code']): number {
  const next = skipValue(state.bytes, at, end, state.fault, 1)
  if (next < 0) return MALFORMED
  const message = `field ${slot.name}: expected ${describe(slot)}, got ${excerpt(state.bytes, at, next)}`
  return unfit(state, { code, message, field: slot.name })
}

/** At most 40 characters of the bytes [from, to). */
export function excerpt(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, Math.min(to, from + 200))
  const characters = [...text]
  return characters.length <= 40 && to - from <= 200 ? text : `${characters.slice(0, 40).join('')}...`
}

function describe(slot: Slot): string {
  const type = slot.type
  switch (type.kind) {
    case 'boolean':
      return 'true or false'
    case 'int':
      return 'an int, -2147483648 to 2147483647'
    case 'long':
      return 'a long of 64 bits (a number, or digits in a string)'
    case 'float':
      return 'a number within a float'
    case 'double':
      return 'a number within a double'
    case 'decimal':
      return `${printType(type)}, ${type.precision - type.scale} digits before and ${type.scale} after the point`
    case 'date':
      return 'a date YYYY-MM-DD'
    case 'time':
      return 'a time HH:MM:SS with at most 6 decimals'
    case 'timestamp':
      return 'an ISO 8601 timestamp in the years 1684 to 2255 with at most 6 decimals'
    case 'datetime':
      return 'a datetime YYYY-MM-DDTHH:MM:SS without Z or offset, in the years 1684 to 2255 with at most 6 decimals'
    case 'string':
      return 'a string'
    case 'uuid':
      return 'a uuid such as 123e4567-e89b-12d3-a456-426614174000'
    case 'binary':
      return 'base64 with padding'
    case 'json':
      return 'a JSON value'
    case 'enum':
      return `one of ${type.values.map((value) => JSON.stringify(value)).join(', ')}`
    case 'struct':
      return `an object with ${type.fields.map(({ name }) => name).join(', ')}`
    case 'list':
      return 'an array'
    case 'map':
      return 'an object'
  }
}
