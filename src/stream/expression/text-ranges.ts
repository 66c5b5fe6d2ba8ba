// Text functions over bytes that still lie in a column, in UTF-8: a part that begins where a character does ends where one does, so that
// bytes can be compared without decoding. Called by generated code.

/** Where the bytes of `part` stand first, from `from` on and before `end`; -1 where they do not. `part` is not empty. */
function find(bytes: Uint8Array, from: number, end: number, part: Uint8Array): number {
  const first = part[0]!
  const size = part.length
  for (let at = from; at + size <= end; at++) {
    if (bytes[at] !== first) continue
    let i = 1
    while (i < size && bytes[at + i] === part[i]) i++
    if (i === size) return at
  }
  return -1
}

export const hasPart = (bytes: Uint8Array, start: number, length: number, part: Uint8Array): boolean =>
  find(bytes, start, start + length, part) >= 0

/** `split_part` by a text that is not empty, counted from 1: start and length of the part into `found`; empty where there is none. */
export function splitRange(bytes: Uint8Array, start: number, length: number, by: Uint8Array, index: number, found: Int32Array): void {
  const end = start + length
  let from = start
  for (let i = 1; i < index; i++) {
    const at = find(bytes, from, end, by)
    if (at < 0) {
      found[0] = end
      found[1] = 0
      return
    }
    from = at + by.length
  }
  const until = find(bytes, from, end, by)
  found[0] = from
  found[1] = (until < 0 ? end : until) - from
}
