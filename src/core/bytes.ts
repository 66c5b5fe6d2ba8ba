// Bytes of one array beside those of another: copied, compared.

/** Up to here a loop is faster than a call out of JavaScript, which takes as long for some bytes as for some hundreds. */
const SHORT = 32
const { copy } = Buffer.prototype

/** They may lie in the same memory, and each other's way. */
export function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > SHORT) copy.call(from, to, at, start, start + length)
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
}

/** Below, at or above zero as the first are before, at or behind the others; of UTF-8 that is the order of code points. */
export function compareBytes(a: Uint8Array, aStart: number, aLength: number, b: Uint8Array, bStart: number, bLength: number): number {
  const size = Math.min(aLength, bLength)
  for (let i = 0; i < size; i++) {
    const difference = a[aStart + i]! - b[bStart + i]!
    if (difference !== 0) return difference
  }
  return aLength - bLength
}
