// Reads a segment from end to end, checking every batch: what recovery does with the last segment, and with an older one
// whose `.idx` is missing or damaged. Also tells a torn tail, which a crash may leave, from damage to durable bytes.
import type { DiskFile } from '../core/disk.ts'
import type { Crc32c } from './crc32c.ts'
import { Memory, scopedKey } from './memory.ts'
import { type BatchHeader, decodeMemory, isIntact, parseHeader } from './record-batch.ts'
import { addToIndex, emptySegment, type Segment } from './segment.ts'
import { readChunk } from './segment-reader.ts'

const CHUNK_BYTES = 4 << 20

export interface Scan {
  /** The good part of the segment. */
  readonly segment: Segment
  /** Keys, origins and emission numbers of the good part. */
  readonly memory: Memory
  /** Where the last group of the good part begins: all before it was durable when it was written. */
  readonly groupPosition: number
  /** Why the good part ends before the file does. */
  readonly damage: string | undefined
}

/** @throws nothing but the disk's own errors: damage is an answer. */
export async function scanSegment(file: DiskFile, base: number, sizeBytes: number, crc32c: Crc32c): Promise<Scan> {
  const segment = emptySegment(base)
  const memory = new Memory()
  let groupPosition = 0
  const upTo = (damage: string | undefined): Scan => ({ segment, memory, groupPosition, damage })
  while (segment.sizeBytes < sizeBytes) {
    const chunk = await readChunk(file, segment.sizeBytes, sizeBytes, CHUNK_BYTES)
    if (chunk.batches.length === 0) return upTo('no whole batch begins there')
    for (const { header, at } of chunk.batches) {
      if (header.baseOffset !== segment.next) return upTo(`offset ${header.baseOffset} stands where ${segment.next} belongs`)
      if (!isIntact(chunk.bytes, at, header, crc32c)) return upTo('the checksum does not fit')
      take(segment, memory, chunk.bytes, at, header)
      groupPosition = header.groupPosition
    }
  }
  return upTo(undefined)
}

function take(segment: Segment, memory: Memory, bytes: Buffer, at: number, header: BatchHeader): void {
  if (segment.index) addToIndex(segment.index, header.baseOffset, segment.sizeBytes, header.appendTimeMs)
  if (segment.sizeBytes === 0) segment.firstMs = header.appendTimeMs
  segment.lastMs = header.appendTimeMs
  segment.sizeBytes += header.sizeBytes
  segment.next += header.count
  const { label, keys } = decodeMemory(bytes, at)
  for (const { key, hash, delta, count } of keys)
    memory.remember(scopedKey(header.kind, key), hash, header.baseOffset + delta, count, header.appendTimeMs)
  if (label.redriveOf !== undefined) memory.redrives.set(label.redriveOf, { first: header.baseOffset, count: header.count })
  for (const [pipeline, last] of label.emissions ?? []) memory.emitted(pipeline, last)
}

/**
 * Whether bytes at `position` had been made durable before they were damaged. A group is written only after the one
 * before it is durable, so an intact batch whose group begins after `position` proves it; batches of the same group prove
 * nothing, since a crash may keep the end of a write and lose its start.
 */
export async function wasDurable(file: DiskFile, position: number, sizeBytes: number, crc32c: Crc32c): Promise<boolean> {
  const bytes = await file.read(position, sizeBytes - position)
  for (let at = 1; at < bytes.length; at++) {
    // Every offset has fewer than 56 bits: skip at once what cannot be a header.
    if (bytes[at] !== 0) continue
    const header = parseHeader(bytes, at)
    if (!header || header.groupPosition <= position || at + header.sizeBytes > bytes.length) continue
    if (header.groupPosition <= position + at && isIntact(bytes, at, header, crc32c)) return true
  }
  return false
}
