// A deletion vector: which rows of one data file are gone, as a blob in a Puffin file (Puffin spec, "deletion-vector-v1"). The
// manifest says where the blob lies, so that the file's footer is not needed.
import { crc32 } from 'node:zlib'
import { MillraceError } from '../../core/errors.ts'
import { readRoaring, writeRoaring } from './roaring.ts'

const MAGIC = Buffer.from('d1d33964', 'hex')

/**
 * The positions of a blob, ascending; `count` is how many there must be.
 * @throws MR_LAKE_CORRUPT when length, magic, checksum or count do not fit; `name` is for its message.
 */
export function readDeletionVector(blob: Buffer, count: number, name: string): Float64Array {
  try {
    const length = blob.readUInt32BE(0)
    if (length !== blob.length - 8) throw new RangeError(`it has ${blob.length} bytes and says ${length + 8}`)
    const body = blob.subarray(4, 4 + length)
    if (crc32(body) !== blob.readUInt32BE(4 + length)) throw new RangeError('its checksum is wrong')
    if (!body.subarray(0, 4).equals(MAGIC)) throw new RangeError('it does not begin as a deletion vector')
    const positions = readRoaring(body.subarray(4))
    if (positions.length !== count) throw new RangeError(`it has ${positions.length} positions, its manifest says ${count}`)
    return positions
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MillraceError('MR_LAKE_CORRUPT', `${name} holds a damaged deletion vector: ${why}`, {
      fix: 'restore the file from a backup, or read an earlier snapshot',
      cause,
    })
  }
}

/** The blob of `positions`, which ascend. */
export function writeDeletionVector(positions: Float64Array): Buffer {
  const body = Buffer.concat([MAGIC, writeRoaring(positions)])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}

/** All positions of two vectors, ascending; null when one is in both. */
export function joinPositions(a: Float64Array, b: Float64Array): Float64Array | null {
  const both = new Float64Array(a.length + b.length)
  let [i, j] = [0, 0]
  for (let at = 0; at < both.length; at++) {
    if (i < a.length && j < b.length && a[i] === b[j]) return null
    both[at] = j >= b.length || (i < a.length && a[i]! < b[j]!) ? a[i++]! : b[j++]!
  }
  return both
}
