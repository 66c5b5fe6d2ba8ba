// What was written last, of all files of a log together, so that who reads close behind waits for no file: a read of one is a turn of two
// threads, which come late on a machine that is busy.
import type { DiskFile } from '../core/disk.ts'

/** A search is shorter than a read. */
const GROUPS_MAX = 64

interface Group {
  readonly file: DiskFile
  readonly position: number
  readonly bytes: Buffer
}

export class RecentBytes {
  readonly #bytesMax: number
  /** The oldest first. */
  readonly #groups: Group[] = []
  #sizeBytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** What is durable from `position` on. Not copied: must not change any more. */
  note(file: DiskFile, position: number, bytes: Buffer): void {
    this.#groups.push({ file, position, bytes })
    this.#sizeBytes += bytes.length
    while (this.#groups.length > GROUPS_MAX || this.#sizeBytes > this.#bytesMax) this.#sizeBytes -= this.#groups.shift()!.bytes.length
  }

  /** At most `length` bytes from `position` on, to the end of a group; null where they are not there. */
  read(file: DiskFile, position: number, length: number): Buffer | null {
    const group = this.#groups.findLast(
      (candidate) => candidate.file === file && candidate.position <= position && position < candidate.position + candidate.bytes.length,
    )
    if (!group) return null
    const at = position - group.position
    return group.bytes.subarray(at, at + length)
  }
}
