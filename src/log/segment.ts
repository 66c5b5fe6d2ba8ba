// A segment: one file of batches, named by its first offset, and the `.idx` beside it, written when the segment is closed.
// The `.idx` is a summary that recovery trusts instead of reading the segment: where to find offsets and times, the keys
// and origins in the segment, and the emission numbers at its end. It can always be made again from the segment.
import { join } from 'node:path'
import type { Disk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { Crc32c } from './crc32c.ts'
import type { KeyEntry } from './key-table.ts'
import type { Known } from './memory.ts'

/** Offset, position and append time of one batch in every 64 KB or so. */
export interface SparseIndex {
  readonly offsets: number[]
  readonly positions: number[]
  readonly times: number[]
}

export interface Segment {
  readonly base: number
  /** Next offset, file size and times as of what is durable. */
  next: number
  sizeBytes: number
  firstMs: number
  lastMs: number
  /** Kept in memory for the segment that is written; read from the `.idx` for others. */
  readonly index: SparseIndex | undefined
}

export interface Summary {
  readonly base: number
  readonly next: number
  readonly sizeBytes: number
  readonly firstMs: number
  readonly lastMs: number
  readonly index: SparseIndex
  /** At the end of the segment, over all of the partition. */
  readonly emissions: readonly (readonly [pipeline: string, last: number])[]
  readonly redrives: readonly (readonly [origin: string, known: Known])[]
  readonly keys: readonly KeyEntry[]
}

const INDEX_BYTES = 64 * 1024

export const emptyIndex = (): SparseIndex => ({ offsets: [], positions: [], times: [] })

export const emptySegment = (base: number): Segment => ({ base, next: base, sizeBytes: 0, firstMs: 0, lastMs: 0, index: emptyIndex() })

/** Adds a batch unless one within the last 64 KB is in the index. */
export function addToIndex(index: SparseIndex, offset: number, position: number, timeMs: number): void {
  if (position - (index.positions.at(-1) ?? -INDEX_BYTES) < INDEX_BYTES) return
  index.offsets.push(offset)
  index.positions.push(position)
  index.times.push(timeMs)
}

/** Position of the last indexed batch for which `value <= wanted`; 0 when there is none. `values` ascend. */
export function positionBefore(index: SparseIndex, values: readonly number[], wanted: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (values[middle]! <= wanted) low = middle + 1
    else high = middle
  }
  return index.positions[low - 1] ?? 0
}

const digits = (base: number): string => String(base).padStart(20, '0')
export const logPath = (directory: string, base: number): string => join(directory, `${digits(base)}.log`)
export const indexPath = (directory: string, base: number): string => join(directory, `${digits(base)}.idx`)

/** Base offsets of the files with this ending, ascending. */
export function basesOf(names: readonly string[], ending: 'log' | 'idx'): number[] {
  return names.filter((name) => /^\d{20}\.(log|idx)$/.test(name) && name.endsWith(ending)).map((name) => Number(name.slice(0, 20)))
}

type KeyLine = [key: string, body: string, first: number, count: number, timeMs: number]

const toLine = ({ key, body, first, count, timeMs }: KeyEntry): KeyLine => [key, body, first, count, timeMs]
const fromLine = ([key, body, first, count, timeMs]: KeyLine): KeyEntry => ({ key, body, first, count, timeMs })

/** Checksum in hexadecimal, a newline, then JSON. */
export function encodeSummary(summary: Summary, crc32c: Crc32c): Buffer {
  const json = JSON.stringify({ ...summary, keys: summary.keys.map(toLine) })
  const body = Buffer.from(json)
  return Buffer.concat([Buffer.from(`${crc32c(body).toString(16).padStart(8, '0')}\n`), body])
}

/** The summary, undefined when it is damaged. */
export function decodeSummary(bytes: Buffer, crc32c: Crc32c): Summary | undefined {
  const body = bytes.subarray(9)
  if (bytes.length < 9 || bytes.toString('latin1', 0, 9) !== `${crc32c(body).toString(16).padStart(8, '0')}\n`) return undefined
  const read = JSON.parse(body.toString()) as Omit<Summary, 'keys'> & { keys: KeyLine[] }
  return { ...read, keys: read.keys.map(fromLine) }
}

/** Replaces the `.idx` of a segment, durably. */
export async function writeSummary(disk: Disk, directory: string, base: number, bytes: Buffer): Promise<void> {
  const path = indexPath(directory, base)
  await disk.remove(`${path}.tmp`)
  await disk.writeNew(`${path}.tmp`, bytes)
  await disk.rename(`${path}.tmp`, path)
  await disk.syncDirectory(directory)
}

/** @throws always: MR_LOG_CORRUPT naming file and position. */
export function throwCorrupt(path: string, position: number, reason: string): never {
  throw new MillraceError('MR_LOG_CORRUPT', `${path} is damaged at byte ${position}: ${reason}`, {
    fix: 'restore the data directory from a backup, or move the topic aside and load it again from its source',
  })
}
