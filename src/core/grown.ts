// Typed arrays that grow.

/** The array, or one that has room for `length`, at least twice as long, with the same content. */
export function grown<A extends Float64Array | Int32Array | Uint8Array | BigInt64Array>(array: A, length: number): A {
  if (array.length >= length) return array
  const larger = new (array.constructor as new (length: number) => A)(Math.max(16, length, array.length * 2))
  larger.set(array as never)
  return larger
}
