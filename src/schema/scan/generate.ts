// Writes the JavaScript of a scan loop for one layout: the keys of a shape in one order and spacing, some of which may be
// absent. The loop compares key bytes as 32-bit words and reads the common spelling of each value; at the
// first row that differs in any way it stops before that row and leaves it to the exact path, so it never has to decide
// what is wrong. Names enter the text as numbers only: a shape cannot inject code.
// (Speculative scanning: Li et al., Mison, VLDB 2017; Bonetta and Brantner, FAD.js, VLDB 2017.)
import type { Plan, ScanState, Slot } from './plan.ts'
import { putFallback } from './put-fallback.ts'
import { uuidForm } from './read-text.ts'
import { readDate, readDatetime, readTime, readTimestamp } from './read-time.ts'
import { readValue } from './read-value.ts'
import { newFault, skipValue } from './syntax.ts'

/** A key at its place in a layout. */
export interface Entry {
  readonly slot: number
  /** The key as it stands in the text, quotes included. */
  readonly key: Uint8Array
}

export interface Layout {
  readonly entries: readonly Entry[]
  readonly spaced: boolean
}

/** Scans rows from position `at` on while they match and end before `safe`; returns where it stopped. Counts in `state`. */
export type Loop = (state: ScanState, at: number, safe: number) => number

/** The farthest that the loop looks beyond the end of a line, for a plan with keys of at most `longestKey` bytes. */
export const lookAhead = (longestKey: number): number => longestKey + 64

interface Kit {
  readonly exact: (state: ScanState, slot: number, at: number, row: number) => number
  readonly put: (state: ScanState, slot: number, row: number) => void
  readonly skip: (state: ScanState, at: number) => number
  readonly readDate: typeof readDate
  readonly readTime: typeof readTime
  readonly readTimestamp: typeof readTimestamp
  readonly readDatetime: typeof readDatetime
  readonly uuidForm: typeof uuidForm
  readonly powers: Float64Array
}

/** Compiles the loop. */
export function generateLoop(plan: Plan, layout: Layout): Loop {
  const kit: Kit = {
    exact: (state, slot, at, row) => {
      state.fault.lone = -1
      const next = readValue(state, plan.slots[slot]!, at, lineEnd(state, at), row)
      return state.fault.lone < 0 ? next : -1
    },
    put: (state, slot, row) => putFallback(state, plan.slots[slot]!, row),
    skip: (state, at) => skipValue(state.bytes, at, lineEnd(state, at), fault, 1),
    readDate,
    readTime,
    readTimestamp,
    readDatetime,
    uuidForm,
    powers: Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`)),
  }
  const fault = newFault()
  return new Function('kit', loopText(plan, layout))(kit) as Loop
}

/** The exact path needs to know where the line ends. */
function lineEnd(state: ScanState, at: number): number {
  const end = state.bytes.indexOf(10, at)
  return end < 0 ? state.bytes.length : end
}

function loopText(plan: Plan, layout: Layout): string {
  const lanes = plan.slots.filter((slot) => slot.lane >= 0)
  return `'use strict'
const { exact, put, skip, readDate, readTime, readTimestamp, readDatetime, uuidForm, powers } = kit
${lanes
  .filter(({ type }) => type.kind === 'timestamp')
  .map(minuteText)
  .join('\n')}
return function scanRows(state, p, safe) {
  const b = state.bytes, view = state.view, out = state.out, capacity = state.capacity
  const lines = state.lines, lineStart = state.lineStart, lineEnd = state.lineEnd
  ${lanes.map(bindLane).join('\n  ')}
  let n = state.row, line = state.line, q = 0, c = 0, s = 0, v = 0, d = 0, f = 0, w = 0, rest = 0
  rows: while (p < safe && n < capacity) {
    q = p
    ${rowText(plan, layout)}
    if (q - p > ${plan.maxRowBytes}) break
    lines[n] = line++
    lineStart[n] = p
    lineEnd[n] = b[q - 1] === 13 ? q - 1 : q
    n++
    p = q + 1
  }
  state.row = n
  state.line = line
  return p
}`
}

/** The minute of the last timestamp of a lane: its text in four words, and its microseconds. */
const minuteText = ({ lane }: Slot): string => `let ${[0, 1, 2, 3].map((i) => `minute${lane}_${i} = 0`).join(', ')}, minute${lane} = 0`

function bindLane(slot: Slot): string {
  const lane = `state.lanes[${slot.lane}]`
  const arrays = usesBytes(slot)
    ? `const start${slot.lane} = ${lane}.start, length${slot.lane} = ${lane}.length`
    : `const values${slot.lane} = ${lane}.values`
  return slot.optional ? `${arrays}, nulls${slot.lane} = ${lane}.nulls` : arrays
}

const usesBytes = ({ type }: Slot): boolean =>
  ['string', 'uuid', 'binary', 'json', 'enum', 'struct', 'list', 'map'].includes(type.kind) ||
  (type.kind === 'decimal' && type.precision > 18)

/** Moves `q` from the start of the line to its line feed, or breaks `rows`. */
function rowText(plan: Plan, { entries, spaced }: Layout): string {
  const slots = entries.map((entry) => plan.slots[entry.slot]!)
  const separator = spaced ? ', ' : ','
  const colon = spaced ? ': ' : ':'
  const lastWanted = slots.findLastIndex((slot) => slot.lane >= 0)
  const unlisted = plan.slots.filter((slot) => slot.lane >= 0 && !entries.some((entry) => entry.slot === slot.index))
  // A wanted key that was passed over may still come later; only then must a trusted row be read to its end.
  const unsure = plan.trusted && (unlisted.length > 0 || slots.some((slot) => slot.lane >= 0 && slot.mayLack))
  const parts: string[] = ['if (b[q] !== 123) break', 'q++']
  if (unsure) parts.push(`let absent = ${unlisted.length > 0}`)
  for (const slot of unlisted) parts.push(absentText(slot))
  const tail: string[] = []
  let certain = false
  const dynamic = slots[0]?.mayLack === true
  if (dynamic) parts.push('let some = false')
  for (const [i, entry] of entries.entries()) {
    const slot = slots[i]!
    const into = plan.trusted && i > lastWanted ? tail : parts
    const key = Buffer.concat([entry.key, Buffer.from(colon)])
    const value = valueText(slot, plan.trusted)
    const lead = certain || (i > 0 && !dynamic) ? Buffer.from(separator) : i === 0 ? Buffer.alloc(0) : null
    const match = lead
      ? matches(Buffer.concat([lead, key]), 'q')
      : `(some ? ${matches(Buffer.from(separator), 'q')} && ${matches(key, `q + ${separator.length}`)} : ${matches(key, 'q')})`
    const step = lead ? `q += ${lead.length + key.length}` : `q += some ? ${separator.length + key.length} : ${key.length}`
    if (!slot.mayLack) {
      into.push(`if (!(${match})) break`, step, value)
      certain = true
    } else {
      const found = dynamic && !certain ? `${step}; some = true; ${value}` : `${step}; ${value}`
      const otherwise = slot.lane >= 0 ? ` else { ${absentText(slot)}${unsure ? '; absent = true' : ''} }` : ''
      into.push(`if (${match}) { ${found} }${otherwise}`)
    }
  }
  const close = ['if (b[q] !== 125) break', 'q++', 'if (b[q] === 13) q++', 'if (b[q] !== 10) break']
  const end = plan.trusted ? endOfTrusted(tail, close, unsure) : close
  return [...parts, ...end].join('\n    ')
}

/** What a row has that leaves it out. */
const absentText = ({ fallback, index, lane }: Slot): string => (fallback ? `put(state, ${index}, n)` : `nulls${lane}[n] = 1`)

function endOfTrusted(tail: readonly string[], close: readonly string[], unsure: boolean): string[] {
  return unsure ? [`if (absent) { ${[...tail, ...close].join('\n')} } else { ${LINE_END} }`] : [LINE_END]
}

/** An expression: the bytes stand at `at`. */
function matches(bytes: Uint8Array, at: string): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const terms: string[] = []
  let i = 0
  for (; i + 4 <= bytes.length; i += 4) terms.push(word(view, i, at))
  // The last word may overlap the one before.
  if (i < bytes.length && bytes.length >= 4) terms.push(word(view, bytes.length - 4, at))
  else for (; i < bytes.length; i++) terms.push(`b[${at} + ${i}] === ${bytes[i]}`)
  return terms.length > 0 ? terms.join(' && ') : 'true'
}

const word = (view: DataView, i: number, at: string): string => `view.getInt32(${at} + ${i}, true) === ${view.getInt32(i, true)}`

const NULL = Buffer.from('null')

function valueText(slot: Slot, trusted: boolean): string {
  if (slot.lane < 0) return skipText(slot)
  const read = kindText(slot, trusted)
  if (!slot.optional) return read
  return `if (b[q] === 110 && ${matches(NULL, 'q')}) { nulls${slot.lane}[n] = 1; q += 4 } else { nulls${slot.lane}[n] = 0; ${read} }`
}

/** Leaves the value at `at` to the exact path, or the row, when that refuses it. */
const exactly = (slot: Slot, at: string): string => `q = exact(state, ${slot.index}, ${at}, n); if (q < 0) break rows`

function kindText(slot: Slot, trusted: boolean): string {
  const { type, lane } = slot
  switch (type.kind) {
    case 'boolean':
      return `if (${matches(Buffer.from('true'), 'q')}) { values${lane}[n] = 1; q += 4 }
      else if (${matches(Buffer.from('false'), 'q')}) { values${lane}[n] = 0; q += 5 } else break rows`
    case 'int':
    case 'long':
      return integerText(slot, type.kind === 'int')
    case 'decimal':
      return type.precision > 18 ? exactly(slot, 'q') : decimalText(slot, type.precision, type.scale)
    case 'float':
    case 'double':
      return doubleText(slot, type.kind === 'float')
    case 'date':
      return timeText(slot, 'readDate')
    case 'time':
      return timeText(slot, 'readTime')
    case 'timestamp':
      return timestampText(slot)
    case 'datetime':
      return timeText(slot, 'readDatetime')
    case 'uuid':
      return `if (b[q] === 34 && b[q + 37] === 34 && uuidForm(b, q + 1) === 1) { start${lane}[n] = q + 1; length${lane}[n] = 36; q += 38 }
      else { ${exactly(slot, 'q')} }`
    case 'string':
      return stringText(slot, trusted, `start${lane}[n] = s; length${lane}[n] = q - s`)
    case 'enum': {
      const found = trusted ? '' : `if (!(${enumText(slot)})) break rows; `
      return stringText(slot, trusted, `${found}start${lane}[n] = s; length${lane}[n] = q - s`)
    }
    case 'binary':
      return exactly(slot, 'q')
    case 'json':
    case 'struct':
    case 'list':
    case 'map':
      // Any value is taken by its form: a null after space is not for them to see.
      return `if (b[q] < 33) break rows
      ${exactly(slot, 'q')}`
  }
}

function stringText(slot: Slot, trusted: boolean, store: string): string {
  return `if (b[q] !== 34) break rows
    s = ++q
    ${wordsText(trusted)}
    if ((c = b[q]) === 34) { ${store}; q++ } else { ${exactly(slot, 's - 1')} }`
}

/**
 * Moves `q` to the first quote, backslash or, in bytes not known to be good, control character, by eight bytes: of each what is looked for
 * becomes zero, and one less has its highest bit. Bytes of 128 and more may have it too, and are looked at again by four; then the lowest
 * such bit is that of the first byte. (Warren, Hacker's Delight, 2nd edition, section 6-1.)
 */
function wordsText(trusted: boolean): string {
  // Of words: what is zero where a byte is one of those.
  const zeros = (x: string): string[] => [`(${x} ^ 0x22222222)`, `(${x} ^ 0x5c5c5c5c)`]
  const below = trusted ? [] : ['x0', 'x1'].map((x) => `(${x} - 0x20202020)`)
  const near = [...[...zeros('x0'), ...zeros('x1')].map((zero) => `(${zero} - 0x01010101)`), ...below].join(' | ')
  const found = (x: string): string =>
    [...zeros(x).map((zero) => `((${zero} - 0x01010101) & ~${zero})`), ...(trusted ? [] : [`((${x} - 0x20202020) & ~${x})`])].join(' | ')
  return `while (true) {
      const x0 = view.getInt32(q, true), x1 = view.getInt32(q + 4, true)
      if (((${near}) & 0x80808080) === 0) { q += 8; continue }
      let found = (${found('x0')}) & 0x80808080
      if (found === 0) {
        q += 4
        found = (${found('x1')}) & 0x80808080
        if (found === 0) { q += 4; continue }
      }
      q += ${FIRST}
      break
    }`
}

/** An expression: the place of the lowest bit of `found` among four bytes. */
const FIRST = '(31 - Math.clz32(found & (~found + 1))) >> 3'

/**
 * Moves `q` to the end of a line: by four bytes while none of them is a line feed, or by a call out of JavaScript where as much was left of
 * the line before that this is faster.
 */
const LINE_END = `s = q
    if (rest > 128) { q = b.indexOf(10, q); if (q < 0) break rows }
    else while (q < safe) {
      const x = view.getInt32(q, true) ^ 0x0a0a0a0a
      const found = (x - 0x01010101) & ~x & 0x80808080
      if (found !== 0) { q += ${FIRST}; break }
      q += 4
    }
    if (q >= safe) break rows
    rest = q - s`

/** An expression: the bytes from s to q are one of the values. */
function enumText(slot: Slot): string {
  const choices = slot.values.map((value) => `(q - s === ${value.length} && ${matches(value, 's')})`)
  return choices.length > 0 ? choices.join(' || ') : 'false'
}

/** Up to nine digits in 32 bits, which is faster, and what comes behind them in doubles. */
function integerText(slot: Slot, int: boolean): string {
  const range = int ? ' && v <= 2147483647' : ''
  return `s = q
    c = b[q]
    if (c === 45) c = b[++q]
    w = 0
    f = q
    while ((d = b[q] - 48) >= 0 && d <= 9 && q - f < 9) { w = (Math.imul(w, 10) + d) | 0; q++ }
    v = w
    while (d >= 0 && d <= 9) { v = v * 10 + d; d = b[++q] - 48 }
    d = b[q]
    if (q > f && q - f < 16 && (c !== 48 || q === f + 1) && d !== 46 && d !== 101 && d !== 69${range}) values${slot.lane}[n] = f > s ? 0 - v : v
    else { ${exactly(slot, 's')} }`
}

/** Digits and at most one point into v, their number into d (without a leading zero's worth), those after the point into f. */
const DIGITS = `v = 0
    d = q
    c = b[q]
    while (b[q] >= 48 && b[q] <= 57) v = v * 10 + b[q++] - 48
    d = c === 48 && q - d > 1 ? 99 : q > d ? q - d : 99
    f = 0
    if (b[q] === 46) {
      f = ++q
      while (b[q] >= 48 && b[q] <= 57) v = v * 10 + b[q++] - 48
      f = q - f
      d = f === 0 ? 99 : d + f
    }`

function decimalText(slot: Slot, precision: number, scale: number): string {
  const limit = Math.min(10 ** precision, 9_007_199_254_740_992)
  return `s = q
    if (b[q] === 34) q++
    let negative${slot.lane} = b[q] === 45
    if (negative${slot.lane}) q++
    ${DIGITS}
    c = b[q]
    if (b[s] === 34) { q = c === 34 ? q + 1 : -1 } else if (c === 101 || c === 69) q = -1
    if (d <= 15 && f <= ${scale} && q > 0 && (v *= powers[${scale} - f]) < ${limit}) values${slot.lane}[n] = negative${slot.lane} ? 0 - v : v
    else { ${exactly(slot, 's')} }`
}

function doubleText(slot: Slot, single: boolean): string {
  const value = `negative${slot.lane} ? -(v / powers[f]) : v / powers[f]`
  return `s = q
    let negative${slot.lane} = b[q] === 45
    if (negative${slot.lane}) q++
    ${DIGITS}
    c = b[q]
    if (d <= 15 && c !== 101 && c !== 69) values${slot.lane}[n] = ${single ? `Math.fround(${value})` : value}
    else { ${exactly(slot, 's')} }`
}

/** `found`: what is done where the common form was read. */
const timeText = (slot: Slot, reader: string, found = ''): string => `if (b[q] !== 34) break rows
    s = ${reader}(b, q + 1, out)
    if (s > 0 && b[s] === 34 && (values${slot.lane}[n] = out[0]) === out[0]) { ${found}; q = s + 1 } else { ${exactly(slot, 'q')} }`

/**
 * Times of a stream follow each other: where date, hour and minute are those of the value before, in UTC, only the seconds are
 * read, without a fraction or with one of three digits.
 */
function timestampText(slot: Slot): string {
  const m = `minute${slot.lane}`
  const same = [0, 1, 2, 3].map((i) => `view.getInt32(q + ${1 + i * 4}, true) === ${m}_${i}`).join(' && ')
  return `d = -1
    if (${same} && b[q] === 34 && b[q + 17] === 58 && (c = b[q + 18] - 48) >= 0 && c < 6 && (f = b[q + 19] - 48) >= 0 && f < 10) {
      v = ${m} + (c * 10 + f) * 1e6
      if (b[q + 20] === 90) d = 21
      else if (b[q + 20] === 46 && (c = b[q + 21] - 48) >= 0 && c < 10 && (f = b[q + 22] - 48) >= 0 && f < 10 && (s = b[q + 23] - 48) >= 0 && s < 10 && b[q + 24] === 90) {
        v += (c * 100 + f * 10 + s) * 1e3
        d = 25
      }
    }
    if (d > 0 && b[q + d] === 34) { values${slot.lane}[n] = v; q += d + 1 }
    else {
      ${timeText(slot, 'readTimestamp', `if (b[s - 1] === 90) { ${[0, 1, 2, 3].map((i) => `${m}_${i} = view.getInt32(q + ${1 + i * 4}, true)`).join('; ')}; ${m} = Math.floor(out[0] / 60e6) * 60e6 }`)}
    }`
}

/** Passes a value that is not wanted, in bytes known to be good. */
function skipText({ type }: Slot): string {
  const text = `q++
      ${QUOTE}`
  const quoted = type.kind === 'uuid' ? `if (q + 37 < safe && b[q + 37] === 34) q += 38; else { ${text} }` : text
  return `if (b[q] === 34) { ${quoted} }
    else if (b[q] === 123 || b[q] === 91) { q = skip(state, q); if (q < 0) break rows }
    else while ((c = b[q]) !== 44 && c !== 125 && c > 32) q++`
}

/** Moves `q` behind the quote that ends a text in bytes known to be good, by eight bytes: the first that an even number of backslashes precedes. */
const QUOTE = `while (true) {
        const x = view.getInt32(q, true) ^ 0x22222222, y = view.getInt32(q + 4, true) ^ 0x22222222
        if ((((x - 0x01010101) | (y - 0x01010101)) & 0x80808080) === 0) { q += 8; continue }
        let found = (x - 0x01010101) & ~x & 0x80808080
        if (found === 0) {
          q += 4
          found = (y - 0x01010101) & ~y & 0x80808080
          if (found === 0) { q += 4; continue }
        }
        q += ${FIRST}
        s = q++
        while (b[s - 1] === 92) s--
        if (((q - s) & 1) === 1) break
      }`
