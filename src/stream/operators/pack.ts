// Typed arrays for a checkpoint, and back: little-endian bytes, a copy as of now. A checkpoint writes those blocks of them that
// have changed, so what has not changed should lie where it lay.

/** Checkpoints of before had base64 text. */
export type Packed = Uint8Array | string

export const pack = (array: Float64Array | Int32Array | Uint8Array | BigInt64Array, length: number): Packed =>
  new Uint8Array(array.buffer, array.byteOffset, length * array.BYTES_PER_ELEMENT).slice()

/** A copy of its own, aligned. */
function bytesOf(packed: Packed): ArrayBuffer {
  const bytes = typeof packed === 'string' ? Buffer.from(packed, 'base64') : packed
  const buffer = new ArrayBuffer(bytes.length)
  new Uint8Array(buffer).set(bytes)
  return buffer
}

export const unpackDoubles = (packed: Packed): Float64Array => new Float64Array(bytesOf(packed))
export const unpackInts = (packed: Packed): Int32Array => new Int32Array(bytesOf(packed))
export const unpackBytes = (packed: Packed): Uint8Array => new Uint8Array(bytesOf(packed))
export const unpackLongs = (packed: Packed): BigInt64Array => new BigInt64Array(bytesOf(packed))

/** The array, or a longer one with the same content. */
export function grown<A extends Float64Array | Int32Array | Uint8Array | BigInt64Array>(array: A, length: number): A {
  if (array.length >= length) return array
  const larger = new (array.constructor as new (length: number) => A)(Math.max(16, length, array.length * 2))
  larger.set(array as never)
  return larger
}
