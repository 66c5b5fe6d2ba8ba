// Records by key on the disk, for keys that have no place in memory. Few records share a bucket, which is read as a whole and written
// anew, behind all that was written before; linear hashing splits one bucket after another as records come. Memory holds 12 bytes a
// bucket. Files are segments that are only appended to: a cut of the store is where its buckets lie, and holds those files until it
// was read. Segments of which little is left are copied into the newest one. Source: Litwin, "Linear hashing" (1980); Rosenblum and
// Ousterhout, "The design and implementation of a log-structured file system" (1992).
import type { Scratch, ScratchFile } from '../../core/scratch.ts'
import type { Packed } from '../operators/pack.ts'
import { Doubles, Ints } from '../operators/paged.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import { RecordReader, RecordWriter } from './record.ts'

/** Groups of a table, which a record is made of or is looked for by. */
export interface Keyed {
  hashOf(group: number): number
  /** Whether the record that begins where the reader stands is of the group's key; goes anywhere within it. */
  isKey(group: number, from: RecordReader): boolean
}

export interface Recorded extends Keyed {
  /** The key first. */
  write(group: number, out: RecordWriter): void
  /** Of stores with times: from when on the record is wanted. */
  dueOf(group: number): number
}

interface Saved<Leaf> {
  readonly records: number
  readonly buckets: number
  readonly positions: Leaf
  readonly sizes: Leaf
  /** Of stores with times. */
  readonly dues: Leaf | null
  readonly segments: readonly (readonly [number: number, content: Leaf])[]
}

/** Records a bucket. */
const LOAD = 8
const SEGMENT_BYTES = 4 << 20
/** What is collected before it is appended to its file; the rest is at the end of each call. */
const PENDING_BYTES = 256 << 10
const PENDING_MIN = 1 << 10
const NOTHING = new Uint8Array(0)
/** Of segments: their numbers are above so many bytes. */
const SEGMENT = 2 ** 32
/** Of a record: its length and its hash, and where there are times its own. */
const HEAD_BYTES = 8
const DUE_BYTES = 8
/** Of a run of groups in one bucket: their places in the list that was given. */
const PLACES = 2 ** 22
const SEGMENT_OBJECT_BYTES = 256

class Segment {
  readonly number: number
  readonly file: ScratchFile
  /** In the file. */
  length = 0
  /** Of what was written, also what is not in the file yet, so much is of a bucket. */
  live = 0
  /** Of blocks that checkpoints have read: what they hold never changes. */
  readonly hashes: string[] = []
  #pins = 0
  /** No bucket lies in it any more. */
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

export class ColdStore {
  readonly #scratch: Scratch
  readonly #segmentBytes: number
  readonly #headBytes: number
  /** By bucket: the earliest time of its records; null in a store without times. */
  #dues: Doubles | null
  /** By bucket: where it lies, counted from 1 over all segments, and its bytes; 0 for an empty one. */
  #positions = new Doubles()
  #sizes = new Ints()
  #buckets = 1
  /** The highest power of two that is not above the number of buckets. */
  #base = 1
  #records = 0
  #live = 0
  #segments = new Map<number, Segment>()
  #next = 0
  /** The one that is appended to, and what is not in its file yet. */
  #open: Segment | null = null
  #pending: Uint8Array = NOTHING
  #pendingLength = 0
  /** A bucket that was read, and one that is to be written. */
  #read: Uint8Array = NOTHING
  readonly #reader = new RecordReader()
  readonly #out = new RecordWriter()
  readonly #other = new RecordWriter()

  /** With times: a record has one, and is gone once it was found; without, it stays until another is put in its place. */
  constructor(scratch: Scratch, isTimed = false, segmentBytes = SEGMENT_BYTES) {
    this.#scratch = scratch
    this.#segmentBytes = segmentBytes
    this.#dues = isTimed ? new Doubles() : null
    this.#headBytes = isTimed ? HEAD_BYTES + DUE_BYTES : HEAD_BYTES
  }

  get records(): number {
    return this.#records
  }

  /** Of memory. */
  get bytes(): number {
    return (
      this.#positions.bytes + this.#sizes.bytes + (this.#dues?.bytes ?? 0) + this.#bufferBytes + SEGMENT_OBJECT_BYTES * this.#segments.size
    )
  }

  get #bufferBytes(): number {
    return this.#read.length + this.#out.bytes.length + this.#other.bytes.length
  }

  /** Of records; files hold at most about twice as much. */
  get storedBytes(): number {
    return this.#live
  }

  #bucketOf(hash: number): number {
    const at = hash & (2 * this.#base - 1)
    return at < this.#buckets ? at : at & (this.#base - 1)
  }

  /** Places in the list, those of one bucket behind each other; each with its bucket in the high bits. */
  #byBucket(groups: Int32Array, of: Keyed): Float64Array {
    return Float64Array.from(groups, (group, i) => this.#bucketOf(of.hashOf(group)) * PLACES + i).sort()
  }

  /** Calls with the groups of each bucket. */
  #eachBucket(groups: Int32Array, of: Keyed, then: (bucket: number, own: readonly number[]) => void): void {
    const order = this.#byBucket(groups, of)
    for (let i = 0; i < order.length; ) {
      const bucket = Math.floor(order[i]! / PLACES)
      const own: number[] = []
      for (; i < order.length && Math.floor(order[i]! / PLACES) === bucket; i++) own.push(groups[order[i]! % PLACES]!)
      then(bucket, own)
    }
  }

  /** Writes a record of each of these groups, in the place of one of its key. No two are of one key. @throws what the scratch files throw. */
  put(groups: Int32Array, of: Recorded): void {
    while (this.#records + groups.length > LOAD * this.#buckets) this.#split()
    this.#eachBucket(groups, of, (bucket, own) => this.#rewrite(bucket, own, of))
    this.#collect()
    this.#end()
  }

  /** Calls with each group whose key has a record, and a reader that stands where the record begins. */
  find(groups: Int32Array, of: Keyed, onFound: (group: number, from: RecordReader) => void): void {
    if (this.#records === 0) return
    const then = (hash: number, at: number, own: readonly number[]): boolean => {
      const group = this.#keyOf(hash, at, own, of)
      if (group === null) return false
      this.#reader.open(this.#read, at)
      onFound(group, this.#reader)
      return true
    }
    this.#eachBucket(groups, of, (bucket, own) => {
      if (this.#dues) this.#remove(bucket, (hash, at) => then(hash, at, own))
      else this.#each(bucket, (hash, at) => void then(hash, at, own))
    })
    this.#end()
  }

  /** Of a store with times: calls with each record whose time is not after this, which is gone then. */
  takeDue(until: number, onRecord: (hash: number, from: RecordReader) => void): void {
    for (let bucket = 0; bucket < this.#buckets; bucket++) {
      if (this.#sizes.at(bucket) === 0 || this.#dues!.at(bucket) > until) continue
      this.#remove(bucket, (hash, at, due) => {
        if (due > until) return false
        this.#reader.open(this.#read, at)
        onRecord(hash, this.#reader)
        return true
      })
    }
    this.#end()
  }

  /** Of a call: nothing is left out of the files. */
  #end(): void {
    this.#flush()
    this.#pending = NOTHING
  }

  /** Which of these groups the record at hand is of; null for none. */
  #keyOf(hash: number, at: number, groups: readonly number[], of: Keyed): number | null {
    for (const group of groups) {
      if (of.hashOf(group) !== hash) continue
      this.#reader.open(this.#read, at)
      if (of.isKey(group, this.#reader)) return group
    }
    return null
  }

  /** Leaves out the records for which it is answered that they go. */
  #remove(bucket: number, goes: (hash: number, at: number, due: number) => boolean): void {
    const out = this.#out
    const before = this.#records
    let least = Number.POSITIVE_INFINITY
    out.clear()
    this.#each(bucket, (hash, at, end, due) => {
      if (goes(hash, at, due)) this.#records--
      else {
        this.#copy(out, at, end)
        least = Math.min(least, due)
      }
    })
    if (this.#records < before) this.#store(bucket, out, least)
  }

  #copy(out: RecordWriter, at: number, end: number): void {
    out.copy(this.#read, at - this.#headBytes, end - at + this.#headBytes)
  }

  /** Every record of some buckets: from the first on, `from` and what was answered before say where; null behind the last. */
  visit(from: number, most: number, onRecord: (hash: number, from: RecordReader) => void): number | null {
    const reader = this.#reader
    let seen = 0
    let bucket = from
    for (; bucket < this.#buckets && seen < most; bucket++)
      this.#each(bucket, (hash, at) => {
        seen++
        reader.open(this.#read, at)
        onRecord(hash, reader)
      })
    return bucket < this.#buckets ? bucket : null
  }

  #each(bucket: number, then: (hash: number, at: number, end: number, due: number) => void): void {
    const size = this.#load(bucket)
    const reader = this.#reader
    for (let at = 0; at < size; ) {
      reader.open(this.#read, at)
      const length = reader.int()
      const hash = reader.int()
      const due = this.#dues ? reader.number() : 0
      at += this.#headBytes
      then(hash, at, at + length, due)
      at += length
    }
  }

  /** Into `#read`; answers its bytes. */
  #load(bucket: number): number {
    const position = this.#positions.at(bucket) - 1
    if (position < 0) return 0
    const size = this.#sizes.at(bucket)
    if (this.#read.length < size) this.#read = new Uint8Array(size * 2)
    const segment = this.#segments.get(Math.floor(position / SEGMENT))!
    const start = position % SEGMENT
    if (start < segment.length) segment.file.read(start, this.#read.subarray(0, size))
    else this.#read.set(this.#pending.subarray(start - segment.length, start - segment.length + size))
    return size
  }

  #rewrite(bucket: number, groups: readonly number[], of: Recorded): void {
    const out = this.#out
    let least = Number.POSITIVE_INFINITY
    out.clear()
    this.#records += groups.length
    this.#each(bucket, (hash, at, end, due) => {
      if (this.#keyOf(hash, at, groups, of) !== null) this.#records--
      else {
        this.#copy(out, at, end)
        least = Math.min(least, due)
      }
    })
    for (const group of groups) {
      const start = out.length
      out.int(0)
      out.int(of.hashOf(group))
      if (this.#dues) {
        const due = of.dueOf(group)
        out.number(due)
        least = Math.min(least, due)
      }
      of.write(group, out)
      out.setInt(start, out.length - start - this.#headBytes)
    }
    this.#store(bucket, out, least)
  }

  #split(): void {
    const from = this.#buckets - this.#base
    const to = this.#buckets++
    const [stay, go] = [this.#out, this.#other]
    let [leastStay, leastGo] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
    stay.clear()
    go.clear()
    this.#each(from, (hash, at, end, due) => {
      if (this.#bucketOf(hash) === from) {
        this.#copy(stay, at, end)
        leastStay = Math.min(leastStay, due)
      } else {
        this.#copy(go, at, end)
        leastGo = Math.min(leastGo, due)
      }
    })
    if (this.#buckets === 2 * this.#base) this.#base *= 2
    this.#store(from, stay, leastStay)
    this.#store(to, go, leastGo)
  }

  #store(bucket: number, { bytes, length }: RecordWriter, due: number): void {
    const position = this.#positions.at(bucket) - 1
    if (position >= 0) this.#leave(this.#segments.get(Math.floor(position / SEGMENT))!, this.#sizes.at(bucket))
    this.#positions.put(bucket, length === 0 ? 0 : this.#append(bytes, length) + 1)
    this.#sizes.put(bucket, length)
    this.#dues?.put(bucket, due)
  }

  #leave(segment: Segment, size: number): void {
    segment.live -= size
    this.#live -= size
    if (segment.live === 0 && segment !== this.#open) this.#drop(segment)
  }

  #drop(segment: Segment): void {
    this.#segments.delete(segment.number)
    segment.leave()
  }

  /** Answers where it begins. */
  #append(bytes: Uint8Array, length: number): number {
    if (this.#pendingLength > 0 && this.#pendingLength + length > PENDING_BYTES) this.#flush()
    this.#open ??= this.#begin()
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

  #begin(): Segment {
    const segment = new Segment(this.#next++, this.#scratch.create())
    this.#segments.set(segment.number, segment)
    return segment
  }

  #flush(): void {
    const segment = this.#open
    if (segment === null || this.#pendingLength === 0) return
    segment.file.append(this.#pending.subarray(0, this.#pendingLength))
    segment.length += this.#pendingLength
    this.#pendingLength = 0
    if (segment.length < this.#segmentBytes) return
    this.#open = null
    if (segment.live === 0) this.#drop(segment)
  }

  /** Half of what is written is of buckets, or more. */
  #collect(): void {
    for (let written = this.#written; written > 2 * (this.#live + this.#segmentBytes); written = this.#written) {
      let least: Segment | null = null
      for (const segment of this.#segments.values())
        if (segment !== this.#open && (least === null || segment.live < least.live)) least = segment
      if (least === null) return
      const { number } = least
      for (let bucket = 0; bucket < this.#buckets; bucket++) {
        if (Math.floor((this.#positions.at(bucket) - 1) / SEGMENT) !== number) continue
        const out = this.#out
        const size = this.#load(bucket)
        out.clear()
        out.copy(this.#read, 0, size)
        this.#store(bucket, out, this.#dues?.at(bucket) ?? 0)
      }
    }
  }

  get #written(): number {
    let bytes = this.#pendingLength
    for (const { length } of this.#segments.values()) bytes += length
    return bytes
  }

  save(): Saved<FrozenLeaf> {
    return {
      records: this.#records,
      buckets: this.#buckets,
      positions: this.#positions.freeze(this.#buckets),
      sizes: this.#sizes.freeze(this.#buckets),
      dues: this.#dues?.freeze(this.#buckets) ?? null,
      segments: Array.from(this.#segments.values(), (segment) => [segment.number, segment.freeze()]),
    }
  }

  restore(saved: unknown): void {
    const { records, buckets, positions, sizes, dues, segments } = saved as Saved<Packed>
    this.clear()
    this.#records = records
    this.#buckets = buckets
    while (this.#base * 2 <= buckets) this.#base *= 2
    this.#positions.restore(positions)
    this.#sizes.restore(sizes)
    if (dues !== null) this.#dues?.restore(dues)
    for (const [number, content] of segments) {
      const segment = new Segment(number, this.#scratch.create())
      const bytes = typeof content === 'string' ? Buffer.from(content, 'base64') : content
      segment.file.append(bytes)
      segment.length = bytes.length
      this.#segments.set(number, segment)
      this.#next = Math.max(this.#next, number + 1)
    }
    for (let bucket = 0; bucket < buckets; bucket++) {
      const size = this.#sizes.at(bucket)
      if (size === 0) continue
      this.#segments.get(Math.floor((this.#positions.at(bucket) - 1) / SEGMENT))!.live += size
      this.#live += size
    }
  }

  /** Its files are gone, once no cut needs them. */
  clear(): void {
    for (const segment of this.#segments.values()) segment.leave()
    this.#segments.clear()
    this.#positions = new Doubles()
    this.#sizes = new Ints()
    if (this.#dues) this.#dues = new Doubles()
    this.#buckets = 1
    this.#base = 1
    this.#records = 0
    this.#live = 0
    this.#next = 0
    this.#open = null
  }
}
