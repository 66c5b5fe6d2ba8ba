// Pieces of bytes in files that are only appended to. A piece that is not needed any more is left; a file of which all pieces were left
// goes, once no cut needs it. What is appended is collected first, and is in the file when `flush` was called.
import type { Scratch, ScratchFile } from '../../core/scratch.ts'
import type { Packed } from '../memory/pack.ts'
import type { FrozenLeaf } from '../state-tree.ts'

/** What is collected before it is appended to its file. */
const PENDING_BYTES = 256 << 10
const PENDING_MIN = 1 << 10
const NOTHING = new Uint8Array(0)
/** Of a position: the segment's number is above so many bytes. */
const SEGMENT = 2 ** 32
const SEGMENT_OBJECT_BYTES = 256

class Segment {
  readonly number: number
  readonly file: ScratchFile
  /** In the file. */
  length = 0
  /** Of what was written, also what is not in the file yet, so much is needed. */
  live = 0
  /** Of blocks that checkpoints have read: what they hold never changes. */
  readonly hashes: string[] = []
  #pins = 0
  #isDead = false

  constructor(number: number, file: ScratchFile) {
    this.number = number
    this.file = file
  }

  /** What the file holds now; it stays until that was read. */
  freeze(): FrozenLeaf {
    this.#pins++
    const { file, length, hashes } = this
    return {
      $frozen: true,
      length,
      hashes,
      block: (start, size) => {
        const block = new Uint8Array(size)
        file.read(start, block)
        return block
      },
      release: () => {
        this.#pins--
        if (this.#isDead) this.leave()
      },
    }
  }

  /** The file goes once no cut needs it. */
  leave(): void {
    this.#isDead = true
    if (this.#pins === 0) this.file.remove()
  }
}

export type SavedSegments<Leaf> = readonly (readonly [number: number, content: Leaf])[]

export class Segments {
  readonly #scratch: Scratch
  readonly #sizeBytes: number
  readonly #segments = new Map<number, Segment>()
  #next = 0
  #live = 0
  /** The one that is appended to, and what is not in its file yet. */
  #open: Segment | null = null
  #pending: Uint8Array = NOTHING
  #pendingLength = 0

  /** `sizeBytes`: a file that has reached it is appended to no more. */
  constructor(scratch: Scratch, sizeBytes: number) {
    this.#scratch = scratch
    this.#sizeBytes = sizeBytes
  }

  /** Of memory. */
  get bytes(): number {
    return this.#pending.length + SEGMENT_OBJECT_BYTES * this.#segments.size
  }

  /** Of pieces that are needed. */
  get liveBytes(): number {
    return this.#live
  }

  /** Answers its position. @throws what the scratch file throws. */
  append(bytes: Uint8Array, length: number): number {
    if (this.#pendingLength > 0 && this.#pendingLength + length > PENDING_BYTES) this.#write()
    this.#open ??= this.#begin(this.#next)
    const segment = this.#open
    const end = this.#pendingLength + length
    if (this.#pending.length < end) {
      const larger = new Uint8Array(Math.max(PENDING_MIN, Math.min(PENDING_BYTES, end * 2), end))
      larger.set(this.#pending.subarray(0, this.#pendingLength))
      this.#pending = larger
    }
    this.#pending.set(bytes.subarray(0, length), this.#pendingLength)
    const position = segment.number * SEGMENT + segment.length + this.#pendingLength
    this.#pendingLength = end
    segment.live += length
    this.#live += length
    return position
  }

  #begin(number: number): Segment {
    const segment = new Segment(number, this.#scratch.create())
    this.#segments.set(number, segment)
    this.#next = Math.max(this.#next, number + 1)
    return segment
  }

  #of(position: number): Segment {
    return this.#segments.get(Math.floor(position / SEGMENT))!
  }

  /** Fills `into` from a position. */
  read(position: number, into: Uint8Array): void {
    const segment = this.#of(position)
    const start = position % SEGMENT
    if (start < segment.length) segment.file.read(start, into)
    else into.set(this.#pending.subarray(start - segment.length, start - segment.length + into.length))
  }

  /** The piece is not needed any more. */
  leave(position: number, size: number): void {
    const segment = this.#of(position)
    segment.live -= size
    this.#live -= size
    if (segment.live === 0 && segment !== this.#open) this.#drop(segment)
  }

  #drop(segment: Segment): void {
    this.#segments.delete(segment.number)
    segment.leave()
  }

  /** All is in the files. */
  flush(): void {
    this.#write()
    this.#pending = NOTHING
  }

  #write(): void {
    const segment = this.#open
    if (segment === null || this.#pendingLength === 0) return
    segment.file.append(this.#pending.subarray(0, this.#pendingLength))
    segment.length += this.#pendingLength
    this.#pendingLength = 0
    if (segment.length < this.#sizeBytes) return
    this.#open = null
    if (segment.live === 0) this.#drop(segment)
  }

  /** The segment whose pieces are to be appended anew, so that files hold no more than about twice what is needed; null for none. */
  get sparse(): number | null {
    let written = this.#pendingLength
    let least: Segment | null = null
    for (const segment of this.#segments.values()) {
      written += segment.length
      if (segment !== this.#open && (least === null || segment.live < least.live)) least = segment
    }
    return least !== null && written > 2 * (this.#live + this.#sizeBytes) ? least.number : null
  }

  isIn(position: number, segment: number): boolean {
    return Math.floor(position / SEGMENT) === segment
  }

  /** After `flush`. */
  save(): SavedSegments<FrozenLeaf> {
    return Array.from(this.#segments.values(), (segment) => [segment.number, segment.freeze()])
  }

  /** Into a new one: pieces are at their positions, and needed once they were named by `hold`. */
  restore(saved: SavedSegments<Packed>): void {
    for (const [number, content] of saved) {
      const segment = this.#begin(number)
      const bytes = typeof content === 'string' ? Buffer.from(content, 'base64') : content
      segment.file.append(bytes)
      segment.length = bytes.length
    }
  }

  hold(position: number, size: number): void {
    this.#of(position).live += size
    this.#live += size
  }

  /** It is not used any more: its files go once no cut needs them. */
  close(): void {
    for (const segment of this.#segments.values()) segment.leave()
  }
}
