// Records by key on the disk, for keys that have no place in memory. Few records share a bucket, which is read as a whole and written
// anew, behind all that was written before; linear hashing splits one bucket after another as records come. Memory holds 12 bytes a
// bucket. A cut of the store is where its buckets lie, and holds the files (`segments.ts`) until it was read. Source: Litwin, "Linear hashing" (1980); Rosenblum and
// Ousterhout, "The design and implementation of a log-structured file system" (1992).
import type { Scratch } from '../../core/scratch.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles, Ints } from '../memory/paged.ts'
import { RecordReader, RecordWriter } from '../memory/record.ts'
import type { FrozenLeaf } from '../state-tree.ts'
import { type SavedSegments, Segments } from './segments.ts'

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
  readonly segments: SavedSegments<Leaf>
}

/** Records a bucket. */
const LOAD = 8
const SEGMENT_BYTES = 4 << 20
const NOTHING = new Uint8Array(0)
/** Of a record: its length and its hash, and where there are times its own. */
const HEAD_BYTES = 8
const DUE_BYTES = 8
/** Of a run of groups in one bucket: their places in the list that was given. */
const PLACES = 2 ** 22

export class ColdStore {
  readonly #segments: Segments
  readonly #headBytes: number
  /** By bucket: the earliest time of its records; null in a store without times. */
  readonly #dues: Doubles | null
  /** By bucket: where it lies, counted from 1 over all segments, and its bytes; 0 for an empty one. */
  readonly #positions = new Doubles()
  readonly #sizes = new Ints()
  #buckets = 1
  /** The highest power of two that is not above the number of buckets. */
  #base = 1
  #records = 0
  /** A bucket that was read, and one that is to be written. */
  #read: Uint8Array = NOTHING
  readonly #reader = new RecordReader()
  readonly #out = new RecordWriter()
  readonly #other = new RecordWriter()

  /** With times: a record has one, and is gone once it was found; without, it stays until another is put in its place. */
  constructor(scratch: Scratch, isTimed = false, segmentBytes = SEGMENT_BYTES) {
    this.#segments = new Segments(scratch, segmentBytes)
    this.#dues = isTimed ? new Doubles() : null
    this.#headBytes = isTimed ? HEAD_BYTES + DUE_BYTES : HEAD_BYTES
  }

  get records(): number {
    return this.#records
  }

  /** Of memory. */
  get bytes(): number {
    const { bytes } = this.#segments
    return this.#positions.bytes + this.#sizes.bytes + (this.#dues?.bytes ?? 0) + this.#bufferBytes + bytes
  }

  get #bufferBytes(): number {
    return this.#read.length + this.#out.bytes.length + this.#other.bytes.length
  }

  /** Of records; files hold at most about twice as much. */
  get storedBytes(): number {
    return this.#segments.liveBytes
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
    this.#segments.flush()
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
    this.#segments.flush()
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
    this.#segments.flush()
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
    this.#segments.read(position, this.#read.subarray(0, size))
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
    if (position >= 0) this.#segments.leave(position, this.#sizes.at(bucket))
    this.#positions.put(bucket, length === 0 ? 0 : this.#segments.append(bytes, length) + 1)
    this.#sizes.put(bucket, length)
    this.#dues?.put(bucket, due)
  }

  /** What is left of segments with little goes into the newest one. */
  #collect(): void {
    for (let { sparse } = this.#segments; sparse !== null; sparse = this.#segments.sparse) {
      for (let bucket = 0; bucket < this.#buckets; bucket++) {
        if (!this.#segments.isIn(this.#positions.at(bucket) - 1, sparse)) continue
        const size = this.#load(bucket)
        this.#out.clear()
        this.#out.copy(this.#read, 0, size)
        this.#store(bucket, this.#out, this.#dues?.at(bucket) ?? 0)
      }
    }
  }

  save(): Saved<FrozenLeaf> {
    return {
      records: this.#records,
      buckets: this.#buckets,
      positions: this.#positions.freeze(this.#buckets),
      sizes: this.#sizes.freeze(this.#buckets),
      dues: this.#dues?.freeze(this.#buckets) ?? null,
      segments: this.#segments.save(),
    }
  }

  /** Of a new store. */
  restore(saved: unknown): void {
    const { records, buckets, positions, sizes, dues, segments } = saved as Saved<Packed>
    this.#records = records
    this.#buckets = buckets
    while (this.#base * 2 <= buckets) this.#base *= 2
    this.#positions.restore(positions)
    this.#sizes.restore(sizes)
    if (dues !== null) this.#dues?.restore(dues)
    this.#segments.restore(segments)
    for (let bucket = 0; bucket < buckets; bucket++)
      if (this.#sizes.at(bucket) > 0) this.#segments.hold(this.#positions.at(bucket) - 1, this.#sizes.at(bucket))
  }

  /** It is not used any more: its files go once no cut needs them. */
  close(): void {
    this.#segments.close()
  }
}
