// A Puffin file of deletion vectors (Puffin spec): their blobs one after the other and a footer that says where each lies. Bytes
// only. Manifests say it too, so that Millrace reads a footer only to write another one; other tools do.
import { MillraceError } from '../../core/errors.ts'
import { toUri } from '../location.ts'
import type { DeletedRows } from '../types.ts'
import { writeDeletionVector } from './deletion-vector.ts'

const MAGIC = Buffer.from('PFA1')
/** The field by which a vector is about positions (reserved by the format). */
const ROW_POSITION_ID = 2147483645

export interface Placed extends DeletedRows {
  readonly offset: number
  readonly lengthBytes: number
}

/** The bytes of the file, and where the vector of each data file lies in it. */
export function writePuffin(vectors: readonly DeletedRows[]): { bytes: Buffer; placed: Placed[] } {
  const blobs = vectors.map(({ positions }) => writeDeletionVector(positions))
  let offset = MAGIC.length
  const placed = vectors.map((vector, i): Placed => {
    const at = offset
    offset += blobs[i]!.length
    return { ...vector, offset: at, lengthBytes: blobs[i]!.length }
  })
  const footer = Buffer.from(JSON.stringify({ blobs: placed.map(blobJson), properties: { 'created-by': 'Millrace' } }))
  const [size, flags] = [Buffer.alloc(4), Buffer.alloc(4)]
  size.writeUInt32LE(footer.length)
  return { bytes: Buffer.concat([MAGIC, ...blobs, MAGIC, footer, size, flags, MAGIC]), placed }
}

const blobJson = ({ path, positions, offset, lengthBytes }: Placed) => ({
  type: 'deletion-vector-v1',
  fields: [ROW_POSITION_ID],
  // Known only when the snapshot is: what reads the manifest knows them from there.
  'snapshot-id': -1,
  'sequence-number': -1,
  offset,
  length: lengthBytes,
  properties: { 'referenced-data-file': toUri(path), cardinality: String(positions.length) },
})

/** The same blobs under another footer. @throws MR_LAKE_CORRUPT for another file, and for a footer that is compressed. */
export function rewriteFooter(file: Buffer, name: string, change: (footer: unknown) => unknown): Buffer {
  const end = file.length - MAGIC.length
  const isWhole = end > 12 && file.subarray(0, 4).equals(MAGIC) && file.subarray(end).equals(MAGIC)
  const size = isWhole ? file.readUInt32LE(end - 8) : 0
  const start = end - 8 - size
  if (!isWhole || start < 8 || !file.subarray(start - 4, start).equals(MAGIC) || file.readUInt32LE(end - 4) !== 0)
    throw new MillraceError('MR_LAKE_CORRUPT', `${name} is no Puffin file with a plain footer`, { fix: 'restore the file from a backup' })
  const footer = Buffer.from(JSON.stringify(change(JSON.parse(file.toString('utf8', start, start + size)))))
  const length = Buffer.alloc(4)
  length.writeUInt32LE(footer.length)
  return Buffer.concat([file.subarray(0, start), footer, length, file.subarray(end - 4)])
}
