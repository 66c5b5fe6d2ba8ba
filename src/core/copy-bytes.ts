// Bytes of one array into another.

/** Up to here a loop is faster than a call out of JavaScript, which takes as long for some bytes as for some hundreds. */
const SHORT = 32
const { copy } = Buffer.prototype

/** They may lie in the same memory, and each other's way. */
export function copyBytes(from: Uint8Array, start: number, length: number, to: Uint8Array, at: number): void {
  if (length > SHORT) copy.call(from, to, at, start, start + length)
  else for (let i = 0; i < length; i++) to[at + i] = from[start + i]!
}
