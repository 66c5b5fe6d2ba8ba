// Reads what stands in JSON strings: decodes escapes, and takes uuids and base64 apart. Decoded bytes are appended to
// the scan's side buffer.
import { reserve, type Side } from './lanes.ts'
import { hexDigit, hexUnit } from './syntax.ts'

const ESCAPES = new Uint8Array(128)
for (const [name, code] of [...'"\\/'].map((c) => [c, c.charCodeAt(0)] as const)) ESCAPES[name.charCodeAt(0)] = code
for (const [name, code] of [...'bfnrt'].map((c, i) => [c, [8, 12, 10, 13, 9][i]!] as const)) ESCAPES[name.charCodeAt(0)] = code

/** Appends the text of the string body [from, to), which `skipString` has accepted. */
export function decodeString(bytes: Uint8Array, from: number, to: number, side: Side): void {
  // An escape never decodes to more bytes than it takes.
  reserve(side, to - from)
  const out = side.bytes
  let next = side.length
  for (let at = from; at < to; ) {
    const c = bytes[at]!
    if (c !== 0x5c) {
      out[next++] = c
      at++
    } else if (bytes[at + 1] !== 0x75) {
      out[next++] = ESCAPES[bytes[at + 1]!]!
      at += 2
    } else {
      let point = hexUnit(bytes, at + 2, to)
      at += 6
      if (point >= 0xd800 && point <= 0xdbff) {
        point = 0x10000 + ((point & 0x3ff) << 10) + (hexUnit(bytes, at + 2, to) & 0x3ff)
        at += 6
      }
      next = writeCodePoint(out, next, point)
    }
  }
  side.length = next
}

function writeCodePoint(out: Uint8Array, next: number, point: number): number {
  if (point < 0x80) {
    out[next] = point
    return next + 1
  }
  if (point < 0x800) {
    out[next] = 0xc0 | (point >> 6)
    out[next + 1] = 0x80 | (point & 0x3f)
    return next + 2
  }
  if (point < 0x10000) {
    out[next] = 0xe0 | (point >> 12)
    out[next + 1] = 0x80 | ((point >> 6) & 0x3f)
    out[next + 2] = 0x80 | (point & 0x3f)
    return next + 3
  }
  out[next] = 0xf0 | (point >> 18)
  out[next + 1] = 0x80 | ((point >> 12) & 0x3f)
  out[next + 2] = 0x80 | ((point >> 6) & 0x3f)
  out[next + 3] = 0x80 | (point & 0x3f)
  return next + 4
}

/** 1 for 0-9 and a-f, 2 for A-F. */
const HEX = new Uint8Array(256)
for (let c = 0; c < 256; c++) if (hexDigit(c) < 16) HEX[c] = c >= 0x41 && c <= 0x46 ? 2 : 1

/** Whether 36 bytes are a uuid in canonical form: 0 no, 1 yes, 2 or more yes with upper-case digits. */
export function uuidForm(bytes: Uint8Array, at: number): number {
  if (bytes[at + 8] !== 0x2d || bytes[at + 13] !== 0x2d || bytes[at + 18] !== 0x2d || bytes[at + 23] !== 0x2d) return 0
  let upper = 0
  for (let i = 0; i < 36; i++) {
    if (i === 8 || i === 13 || i === 18 || i === 23) continue
    const kind = HEX[bytes[at + i]!]!
    if (kind === 0) return 0
    upper |= kind
  }
  return upper & 2 ? 2 : 1
}

/** Appends the uuid in lower case. */
export function writeLowerUuid(bytes: Uint8Array, at: number, side: Side): void {
  reserve(side, 37)
  for (let i = 0; i < 36; i++) side.bytes[side.length + i] = bytes[at + i]! | (bytes[at + i]! === 0x2d ? 0 : 0x20)
  side.length += 36
}

/** Values of the base64 alphabet; 255 for what is not in it. */
const SIXTETS = new Uint8Array(256).fill(255)
for (const [value, c] of [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].entries()) SIXTETS[c.charCodeAt(0)] = value

/** Appends the bytes of RFC 4648 base64 text (section 4: padded, no other characters, spare bits zero); false when it is not that. */
export function decodeBase64(bytes: Uint8Array, from: number, to: number, side: Side): boolean {
  const size = to - from
  if (size % 4 !== 0) return false
  const padding = size === 0 || bytes[to - 1] !== 0x3d ? 0 : bytes[to - 2] === 0x3d ? 2 : 1
  reserve(side, size)
  let next = side.length
  let word = 0
  for (let at = from; at < to - padding; at++) {
    const sixtet = SIXTETS[bytes[at]!]!
    if (sixtet === 255) return false
    word = (word << 6) | sixtet
    if (((at - from) & 3) === 3) {
      side.bytes[next++] = word >> 16
      side.bytes[next++] = word >> 8
      side.bytes[next++] = word
      word = 0
    }
  }
  if (padding === 2 ? word & 15 : padding === 1 ? word & 3 : 0) return false
  if (padding === 2) side.bytes[next++] = word >> 4
  if (padding === 1) {
    side.bytes[next++] = word >> 10
    side.bytes[next++] = word >> 2
  }
  side.length = next
  return true
}
