// Reads a segment file in chunks of whole batches. Positions and sizes come from the caller, who knows what is durable.
import type { DiskFile } from '../core/disk.ts'
import { type BatchHeader, HEADER_BYTES, parseHeader } from './record-batch.ts'

export type Readable = Pick<DiskFile, 'path' | 'read'>

export interface Located {
  readonly header: BatchHeader
  /** Where the batch begins in the chunk's bytes. */
  readonly at: number
}

export interface Chunk {
  readonly bytes: Buffer
  /** Position of the first byte in the file. */
  readonly position: number
  readonly batches: readonly Located[]
  /** Position after the last whole batch; equal to `position` when no whole batch begins there. */
  readonly next: number
}

/** Whole batches from `position` on: about `chunkBytes`, at least one batch; none when what is there is not a batch. */
export async function readChunk(file: Readable, position: number, limit: number, chunkBytes: number): Promise<Chunk> {
  const bytes = await file.read(position, Math.min(chunkBytes, limit - position))
  const first = parseHeader(bytes, 0)
  if (first && first.sizeBytes > bytes.length && position + first.sizeBytes <= limit)
    return readChunk(file, position, limit, first.sizeBytes + HEADER_BYTES)
  const batches: Located[] = []
  let at = 0
  for (let header = first; header && at + header.sizeBytes <= bytes.length; header = parseHeader(bytes, at)) {
    batches.push({ header, at })
    at += header.sizeBytes
  }
  return { bytes, position, batches, next: position + at }
}
