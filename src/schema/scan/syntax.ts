// The grammar of RFC 8259 on bytes: skips one string, number or value exactly, without recursion and without building
// anything. It takes for granted that the bytes are valid UTF-8 (checked for a whole batch at once) and does not look
// for duplicate keys.

/** Deepest nesting of arrays and objects, the row itself included: nothing behind the scanner has to fear deep values. */
export const MAX_DEPTH = 64

/** Where and why the functions below stopped, when they return -1. */
export interface Fault {
  at: number
  why: string
  /** Where half of a surrogate pair was escaped alone, or -1: the grammar allows it, but it is no Unicode text. Never reset here. */
  lone: number
}

export const newFault = (): Fault => ({ at: 0, why: '', lone: -1 })

/** Notes the fault and returns -1. */
export function stop(fault: Fault, at: number, why: string): -1 {
  fault.at = at
  fault.why = why
  return -1
}

/** The first position that is not space, tab, line feed or carriage return. */
export function skipSpace(bytes: Uint8Array, at: number, end: number): number {
  while (at < end) {
    const c = bytes[at]!
    if (c > 0x20 || (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09)) return at
    at++
  }
  return at
}

/** From the opening quote to the position after the closing one. */
export function skipString(bytes: Uint8Array, at: number, end: number, fault: Fault): number {
  at++
  while (at < end) {
    const c = bytes[at]!
    if (c === 0x22) return at + 1
    if (c < 0x20) return stop(fault, at, 'a control character in a string')
    if (c !== 0x5c) at++
    else {
      at = skipEscape(bytes, at, end, fault)
      if (at < 0) return -1
    }
  }
  return stop(fault, at, 'a string without end')
}

/** The value of a hexadecimal digit, or 16 and more. */
export function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30
  const lower = c | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : 16
}

/** The 16 bits of four hexadecimal digits, or -1. */
export function hexUnit(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1
  let unit = 0
  for (let i = 0; i < 4; i++) {
    const digit = hexDigit(bytes[at + i]!)
    if (digit > 15) return -1
    unit = unit * 16 + digit
  }
  return unit
}

function skipEscape(bytes: Uint8Array, at: number, end: number, fault: Fault): number {
  const c = at + 1 < end ? bytes[at + 1]! : 0
  // " \ / b f n r t
  if (c === 0x22 || c === 0x5c || c === 0x2f || c === 0x62 || c === 0x66 || c === 0x6e || c === 0x72 || c === 0x74) return at + 2
  if (c !== 0x75) return stop(fault, at, 'an unknown escape')
  const unit = hexUnit(bytes, at + 2, end)
  if (unit < 0) return stop(fault, at, 'an escape that is not \\u and four hexadecimal digits')
  if (unit < 0xd800 || unit > 0xdfff) return at + 6
  const pair = bytes[at + 6] === 0x5c && bytes[at + 7] === 0x75 ? hexUnit(bytes, at + 8, end) : -1
  if (unit <= 0xdbff && pair >= 0xdc00 && pair <= 0xdfff) return at + 12
  fault.lone = at
  return at + 6
}

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39

/** From the sign or first digit to the position after the number; what follows is the caller's concern. */
export function skipNumber(bytes: Uint8Array, at: number, end: number, fault: Fault): number {
  if (bytes[at] === 0x2d) at++
  const first = at < end ? bytes[at]! : 0
  if (!isDigit(first)) return stop(fault, at, 'a digit is missing in a number')
  at++
  if (first !== 0x30) at = skipDigits(bytes, at, end)
  if (at < end && bytes[at] === 0x2e) {
    const from = at + 1
    at = skipDigits(bytes, from, end)
    if (at === from) return stop(fault, at, 'a digit is missing after the decimal point')
  }
  if (at < end && (bytes[at]! | 0x20) === 0x65) {
    const from = at + 1 < end && (bytes[at + 1] === 0x2b || bytes[at + 1] === 0x2d) ? at + 2 : at + 1
    at = skipDigits(bytes, from, end)
    if (at === from) return stop(fault, at, 'a digit is missing in an exponent')
  }
  return at
}

function skipDigits(bytes: Uint8Array, at: number, end: number): number {
  while (at < end && isDigit(bytes[at]!)) at++
  return at
}

const LITERALS = [Buffer.from('true'), Buffer.from('false'), Buffer.from('null')]

function skipLiteral(bytes: Uint8Array, at: number, end: number, fault: Fault): number {
  for (const literal of LITERALS) if (startsWith(bytes, at, end, literal)) return at + literal.length
  return stop(fault, at, 'a value must stand here')
}

/** Whether `text` stands at `at`, before `end`. */
export function startsWith(bytes: Uint8Array, at: number, end: number, text: Uint8Array): boolean {
  if (at + text.length > end) return false
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text[i]) return false
  return true
}

// Scratch: 1 for an open object, 0 for an open array. Shared because the functions here are synchronous.
const open = new Uint8Array(MAX_DEPTH)

/** From the first byte of a value (space before it is skipped) to the position after it. `depth`: levels open around it. */
export function skipValue(bytes: Uint8Array, at: number, end: number, fault: Fault, depth: number): number {
  let level = 0
  for (;;) {
    at = skipSpace(bytes, at, end)
    const c = at < end ? bytes[at]! : 0
    if (c === 0x7b || c === 0x5b) {
      if (depth + level >= MAX_DEPTH) return stop(fault, at, `nested deeper than ${MAX_DEPTH} levels`)
      at = skipSpace(bytes, at + 1, end)
      if (at < end && bytes[at] === c + 2) at++
      else {
        open[level++] = c === 0x7b ? 1 : 0
        if (c === 0x7b) at = skipKey(bytes, at, end, fault)
        if (at < 0) return -1
        continue
      }
    } else if (c === 0x22) at = skipString(bytes, at, end, fault)
    else if (c === 0x2d || isDigit(c)) at = skipNumber(bytes, at, end, fault)
    else at = skipLiteral(bytes, at, end, fault)
    if (at < 0) return -1
    for (;;) {
      if (level === 0) return at
      at = skipSpace(bytes, at, end)
      const object = open[level - 1] === 1
      const next = at < end ? bytes[at]! : 0
      if (next === (object ? 0x7d : 0x5d)) {
        at++
        level--
        continue
      }
      if (next !== 0x2c) return stop(fault, at, `a comma or ${object ? '}' : ']'} must stand here`)
      at = object ? skipKey(bytes, at + 1, end, fault) : at + 1
      if (at < 0) return -1
      break
    }
  }
}

/** From space or the key's quote to the position after the colon. */
function skipKey(bytes: Uint8Array, at: number, end: number, fault: Fault): number {
  at = skipSpace(bytes, at, end)
  if (at >= end || bytes[at] !== 0x22) return stop(fault, at, 'a key in quotes must stand here')
  at = skipString(bytes, at, end, fault)
  if (at < 0) return -1
  at = skipSpace(bytes, at, end)
  if (at >= end || bytes[at] !== 0x3a) return stop(fault, at, 'a colon must stand here')
  return at + 1
}
