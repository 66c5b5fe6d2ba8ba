// Reads a partition: finds offsets and times in its segments, checks what it reads. Sees only what was published, since
// the sizes in `segments` move on when a group is. Readers that go on where they stopped need no search.
import type { DiskFile } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { BatchSeal } from './batch-seal.ts'
import type { LogBatch } from './log.ts'
import type { Published } from './published.ts'
import { decodeBatch, isIntact } from './record-batch.ts'
import { decodeSummary, emptyIndex, indexPath, logPath, positionBefore, type Segment, type SparseIndex, throwCorrupt } from './segment.ts'
import { type Readable, readChunk } from './segment-reader.ts'
import type { LogSettings } from './settings.ts'
import type { SharedFile } from './shared-file.ts'

const READ_BYTES_MIN = 64 * 1024
const CURSORS_MAX = 16

interface Place {
  readonly base: number
  readonly position: number
}

/** What the reader looks at: the segments, of which the last is written, and the open file of that one. */
export interface ReadableSegments {
  readonly segments: readonly Segment[]
  readonly file: SharedFile
  readonly published: Published
}

export class PartitionReader {
  readonly #settings: LogSettings
  /** `topic/partition`, for messages. */
  readonly #name: string
  readonly #number: number
  readonly #directory: string
  readonly #source: ReadableSegments
  readonly #seal: BatchSeal | null
  /** Where an offset stands at which a reader stopped. */
  readonly #cursors = new Map<number, Place>()
  #loaded: { readonly base: number; readonly index: SparseIndex } | undefined

  constructor(
    settings: LogSettings,
    topic: string,
    number: number,
    directory: string,
    source: ReadableSegments,
    seal: BatchSeal | null = null,
  ) {
    this.#settings = settings
    this.#name = `${topic}/${number}`
    this.#number = number
    this.#directory = directory
    this.#source = source
    this.#seal = seal
  }

  /** See `Log.read`. Batches of one segment. @throws MR_LOG_RANGE, MR_LOG_CORRUPT naming file and position. */
  async read(from: number, maxBytes: number): Promise<LogBatch[]> {
    const segment = this.#segmentOf(from)
    if (from >= segment.next) return []
    const batches: LogBatch[] = []
    // What is appended meanwhile is for the next read: this one would go on for as long as somebody writes.
    const { sizeBytes } = segment
    await this.#use(segment, async (file) => {
      let { position, offset } = await this.#locate(segment, from)
      for (let bytes = 0; position < sizeBytes && bytes < maxBytes; ) {
        const chunk = await readChunk(file, position, sizeBytes, Math.max(READ_BYTES_MIN, maxBytes - bytes))
        if (chunk.batches.length === 0) throwCorrupt(file.path, position, 'no whole batch begins there')
        for (const { header, at } of chunk.batches) {
          if (header.baseOffset !== offset) throwCorrupt(file.path, chunk.position + at, `offset ${header.baseOffset} instead of ${offset}`)
          if (offset + header.count > from) {
            if (!isIntact(chunk.bytes, at, header, this.#settings.crc32c))
              throwCorrupt(file.path, chunk.position + at, 'the checksum does not fit')
            const batch = decodeBatch(chunk.bytes, at, header, this.#number, this.#seal)
            bytes += batch.payload.byteLength
            if (batches.length > 0 && bytes > maxBytes)
              return this.#keepCursor(offset, { base: segment.base, position: chunk.position + at })
            const readableMs = this.#source.published.timeOf(batch.baseOffset)
            batches.push(readableMs === undefined ? batch : { ...batch, readableMs })
          }
          offset += header.count
        }
        position = chunk.next
      }
      this.#keepCursor(offset, { base: segment.base, position })
    })
    return batches
  }

  /** First offset whose append time is at or after `timeMs`. */
  async offsetAt(timeMs: number): Promise<number> {
    const { segments } = this.#source
    const segment = segments.find((candidate) => candidate.next > candidate.base && candidate.lastMs >= timeMs)
    if (!segment) return segments.at(-1)!.next
    if (segment.firstMs >= timeMs) return segment.base
    return this.#use(segment, async (file) => {
      const index = await this.#indexOf(segment)
      for (let position = positionBefore(index, index.times, timeMs - 1); position < segment.sizeBytes; ) {
        const chunk = await readChunk(file, position, segment.sizeBytes, READ_BYTES_MIN)
        const found = chunk.batches.find(({ header }) => header.appendTimeMs >= timeMs)
        if (found) return found.header.baseOffset
        if (chunk.batches.length === 0) throwCorrupt(file.path, position, 'no whole batch begins there')
        position = chunk.next
      }
      return segment.next
    })
  }

  #segmentOf(offset: number): Segment {
    const { segments } = this.#source
    const [start, end] = [segments[0]!.base, segments.at(-1)!.next]
    const segment = offset <= end ? segments.findLast((candidate) => candidate.base <= offset) : undefined
    if (segment) return segment
    throw new MillraceError('MR_LOG_RANGE', `offset ${offset} of ${this.#name} is outside ${start} to ${end}`, {
      fix:
        offset < start ? `read from ${start} on; retention removed what was before` : 'check that the log and the offsets belong together',
    })
  }

  #withRecent(file: DiskFile): Readable {
    const { recent } = this.#settings
    return { path: file.path, read: async (position, length) => recent.read(file, position, length) ?? file.read(position, length) }
  }

  async #use<T>(segment: Segment, action: (file: Readable) => Promise<T>): Promise<T> {
    const { segments, file } = this.#source
    if (segment.base === segments.at(-1)!.base) return file.use((open) => action(this.#withRecent(open)))
    const opened = await this.#openClosed(segment)
    try {
      return await action(opened)
    } finally {
      await opened.close()
    }
  }

  async #openClosed(segment: Segment): Promise<DiskFile> {
    try {
      return await this.#settings.disk.open(logPath(this.#directory, segment.base), 'read')
    } catch (error) {
      this.#segmentOf(segment.base) // says so when retention removed the segment in between
      throw error
    }
  }

  async #locate(segment: Segment, offset: number): Promise<{ position: number; offset: number }> {
    const cursor = this.#cursors.get(offset)
    if (cursor?.base === segment.base) return { position: cursor.position, offset }
    const index = await this.#indexOf(segment)
    const position = positionBefore(index, index.offsets, offset)
    return { position, offset: index.offsets[index.positions.indexOf(position)] ?? segment.base }
  }

  async #indexOf(segment: Segment): Promise<SparseIndex> {
    if (segment.index) return segment.index
    if (this.#loaded?.base !== segment.base) {
      const bytes = await this.#settings.disk.readFile(indexPath(this.#directory, segment.base))
      // Damaged since the start: read the segment from its beginning.
      this.#loaded = { base: segment.base, index: decodeSummary(bytes, this.#settings.crc32c)?.index ?? emptyIndex() }
    }
    return this.#loaded.index
  }

  #keepCursor(offset: number, place: Place): void {
    this.#cursors.set(offset, place)
    if (this.#cursors.size > CURSORS_MAX) this.#cursors.delete(this.#cursors.keys().next().value!)
  }
}
