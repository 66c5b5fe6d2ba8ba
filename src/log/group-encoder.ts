// From the staged batches of one partition to the parts of one write. Small appends are copied together (one checksum call
// and one entry of the vector for all), large ones are passed on as they are.
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import type { BatchSeal } from './batch-seal.ts'
import type { Crc32c } from './crc32c.ts'
import { encodeBatch, zstdOptions } from './record-batch.ts'
import type { StagedBatch } from './stage.ts'

/** Lines of this size on average are copied together: cheaper than a call and a vector entry for each. */
const COPY_BYTES = 8 * 1024

/** zstd costs about 30 us a call whatever the size, and gains less on little; below this it does not pay. */
const COMPRESS_BYTES_MIN = 4 * 1024

const compressAsync = promisify(zstdCompress)

export interface EncodedGroup {
  readonly parts: Uint8Array[]
  readonly sizeBytes: number
  /** Where each batch begins in the file, in the order of the batches. */
  readonly positions: number[]
}

interface Lines {
  readonly lines: readonly Uint8Array[]
  readonly rawBytes?: number
}

function joinSmall(batch: StagedBatch): readonly Uint8Array[] {
  const isSmall = batch.lines.length > 1 && batch.payloadBytes / batch.lines.length <= COPY_BYTES
  return isSmall ? [Buffer.concat(batch.lines, batch.payloadBytes)] : batch.lines
}

async function compress(batch: StagedBatch): Promise<Lines> {
  const lines = joinSmall(batch)
  if (batch.payloadBytes < COMPRESS_BYTES_MIN) return { lines }
  const whole = lines.length === 1 ? lines[0]! : Buffer.concat(lines, batch.payloadBytes)
  const packed = await compressAsync(whole, zstdOptions(batch.payloadBytes))
  return packed.length < batch.payloadBytes * 0.9 ? { lines: [packed], rawBytes: batch.payloadBytes } : { lines }
}

/** Encodes sealed batches that will be written from `position` on. */
export async function encodeGroup(
  batches: readonly StagedBatch[],
  position: number,
  appendTimeMs: number,
  compression: 'zstd' | 'none',
  crc32c: Crc32c,
  seal: BatchSeal | null = null,
): Promise<EncodedGroup> {
  await seal?.begin()
  const lines =
    compression === 'zstd' ? await Promise.all(batches.map(compress)) : batches.map((batch): Lines => ({ lines: joinSmall(batch) }))
  const parts: Uint8Array[] = []
  const positions: number[] = []
  let sizeBytes = 0
  batches.forEach((batch, number) => {
    positions.push(position + sizeBytes)
    const { lines: plain, ...size } = lines[number]!
    const sealed = seal?.seal(batch, plain)
    const label = {
      fingerprint: batch.fingerprint,
      ...(batch.redriveOf === undefined ? {} : { redriveOf: batch.redriveOf }),
      ...(batch.emissions.size === 0 ? {} : { emissions: [...batch.emissions] }),
      ...(sealed ? { seal: sealed.label } : {}),
    }
    const { baseOffset, count, kind, keys } = batch
    const encoded = encodeBatch(
      { baseOffset, count, kind, appendTimeMs, groupPosition: position, label, keys, ...size, lines: sealed?.lines ?? plain },
      crc32c,
    )
    for (const part of encoded) {
      parts.push(part)
      sizeBytes += part.byteLength
    }
  })
  return { parts, sizeBytes, positions }
}
