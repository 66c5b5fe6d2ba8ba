// Typed arrays that grow, of what no checkpoint holds; and what checkpoints give back of those that they do.

/** Little-endian bytes. Checkpoints of before had base64 text. */
export type Packed = Uint8Array | string

/** The array, or a longer one with the same content. */
export function grown<A extends Float64Array | Int32Array | Uint8Array | BigInt64Array>(array: A, length: number): A {
  if (array.length >= length) return array
  const larger = new (array.constructor as new (length: number) => A)(Math.max(16, length, array.length * 2))
  larger.set(array as never)
  return larger
}
