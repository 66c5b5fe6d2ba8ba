// Text as UTF-8 bytes that lie somewhere: compared, counted, cut and trimmed without decoding, since a part that begins where a
// character does ends where one does. Called by generated code.

/** Start and length of the part that was cut last. */
export const found = new Int32Array(2)

function cutAt(from: number, until: number): void {
  found[0] = from
  found[1] = until > from ? until - from : 0
}

export function sameBytes(a: Buffer, aStart: number, aLength: number, b: Buffer, bStart: number, bLength: number): boolean {
  return aLength === bLength && startsWith(a, aStart, aLength, b, bStart, bLength)
}

export function startsWith(a: Buffer, aStart: number, aLength: number, b: Buffer, bStart: number, bLength: number): boolean {
  if (aLength < bLength) return false
  for (let i = 0; i < bLength; i++) if (a[aStart + i] !== b[bStart + i]) return false
  return true
}

export function endsWith(a: Buffer, aStart: number, aLength: number, b: Buffer, bStart: number, bLength: number): boolean {
  return startsWith(a, aStart + aLength - bLength, aLength < bLength ? 0 : bLength, b, bStart, bLength)
}

export { compareBytes } from '../../core/bytes.ts'

/** Bytes that are not the first of a character. */
const isInside = (byte: number): boolean => (byte & 0xc0) === 0x80

/** Characters, which are code points. */
export function length(bytes: Buffer, start: number, size: number): number {
  const end = start + size
  let at = start
  // Four at a time as long as they are ASCII.
  while (at + 4 <= end && ((bytes[at]! | bytes[at + 1]! | bytes[at + 2]! | bytes[at + 3]!) & 0x80) === 0) at += 4
  let count = size
  for (; at < end; at++) if (isInside(bytes[at]!)) count--
  return count
}

/** So many characters further, at most to `end`. */
export function after(bytes: Buffer, from: number, end: number, characters: number): number {
  let at = from
  for (let left = characters; left > 0 && at < end; left--)
    do at++
    while (at < end && isInside(bytes[at]!))
  return at
}

/** So many characters back, at most to `start`. */
export function before(bytes: Buffer, start: number, from: number, characters: number): number {
  let at = from
  for (let left = characters; left > 0 && at > start; left--)
    do at--
    while (at > start && isInside(bytes[at]!))
  return at
}

/** A negative count leaves so many out at the end. */
export function left(bytes: Buffer, start: number, size: number, characters: number): void {
  const end = start + size
  cutAt(start, characters >= 0 ? after(bytes, start, end, characters) : before(bytes, start, end, -characters))
}

/** A negative count leaves so many out at the start. */
export function right(bytes: Buffer, start: number, size: number, characters: number): void {
  const end = start + size
  cutAt(characters >= 0 ? before(bytes, start, end, characters) : after(bytes, start, end, -characters), end)
}

/** From `from`, counted from 1, or from the end when negative; a negative count goes backwards. */
export function substring(bytes: Buffer, start: number, size: number, from: number, characters = Number.POSITIVE_INFINITY): void {
  const end = start + size
  const at = from > 0 ? from - 1 : from < 0 ? length(bytes, start, size) + from : -1
  const first = Math.max(0, characters < 0 ? at + characters : at)
  const last = Math.max(0, characters < 0 ? at : at + characters)
  const begin = after(bytes, start, end, first)
  cutAt(begin, after(bytes, begin, end, last - first))
}

export function ltrim(bytes: Buffer, start: number, size: number): void {
  const end = start + size
  let from = start
  for (let space = spaceAt(bytes, from, end); space > 0; space = spaceAt(bytes, from, end)) from += space
  cutAt(from, end)
}

export function rtrim(bytes: Buffer, start: number, size: number): void {
  let end = start + size
  for (let last = before(bytes, start, end, 1); spaceAt(bytes, last, end) > 0; last = before(bytes, start, end, 1)) end = last
  cutAt(start, end)
}

export function trim(bytes: Buffer, start: number, size: number): void {
  ltrim(bytes, start, size)
  rtrim(bytes, found[0]!, found[1]!)
}

/** Size of the space that stands there, 0 for none: Unicode's category Zs, without tabs and line ends. */
function spaceAt(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return 0
  const byte = bytes[at]!
  if (byte < 0x80) return byte === 0x20 ? 1 : 0
  if (byte === 0xc2) return bytes[at + 1] === 0xa0 ? 2 : 0
  if ((byte & 0xf0) !== 0xe0) return 0
  const code = ((byte & 0x0f) << 12) | ((bytes[at + 1]! & 0x3f) << 6) | (bytes[at + 2]! & 0x3f)
  const isSpace = (code >= 0x2000 && code <= 0x200a) || code === 0x1680 || code === 0x202f || code === 0x205f || code === 0x3000
  return isSpace ? 3 : 0
}
