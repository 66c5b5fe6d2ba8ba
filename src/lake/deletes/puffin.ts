// A Puffin file of deletion vectors (Puffin spec): their blobs one after the other and a footer that says where each lies. Bytes
// only. Manifests say it too, so that Millrace never reads a footer; other tools do.
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
