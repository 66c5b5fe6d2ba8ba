// A Puffin file of deletion vectors with other places in its footer (Puffin spec, "Footer"): the blobs stay where they lie, so
// that offsets in manifests stay true. Bytes only.
import { MillraceError } from '../../core/errors.ts'
import { parseJson, printJson } from '../../core/json.ts'
import { type Move, movedUri } from './move.ts'

const MAGIC = Buffer.from('PFA1')
const TAIL = 12

interface Footer {
  readonly blobs: readonly { readonly properties?: Readonly<Record<string, string>> }[]
}

/** @throws MR_LAKE_CORRUPT when it is no Puffin file; MR_LAKE_VERSION when its footer is compressed. */
export function movedPuffin(move: Move, bytes: Buffer, path: string): Buffer {
  const end = bytes.length - TAIL
  if (end < 8 || !bytes.subarray(-4).equals(MAGIC))
    throw new MillraceError('MR_LAKE_CORRUPT', `${path} is not a Puffin file`, { fix: 'restore the file from a backup' })
  if (bytes.readUInt32LE(end + 4) !== 0)
    throw new MillraceError('MR_LAKE_VERSION', `${path} has a compressed footer, which is not read`, {
      fix: 'rewrite the deletes of the table with the engine that wrote them',
    })
  const start = end - bytes.readUInt32LE(end)
  const footer = parseJson(bytes.subarray(start, end).toString()) as Footer
  const blobs = footer.blobs.map((blob) => {
    const about = blob.properties?.['referenced-data-file']
    return about === undefined ? blob : { ...blob, properties: { ...blob.properties, 'referenced-data-file': movedUri(move, about) } }
  })
  const payload = Buffer.from(printJson({ ...footer, blobs }))
  const tail = Buffer.alloc(8)
  tail.writeUInt32LE(payload.length)
  return Buffer.concat([bytes.subarray(0, start), payload, tail, MAGIC])
}
