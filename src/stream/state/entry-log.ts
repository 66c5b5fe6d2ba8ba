// Entries of a part of the keys as they are stored, in memory: lines that are only added, and an index that says where the last line
// of each key begins. What a checkpoint was given is never written over, so it is given the memory itself and not a copy; the memory
// can be read by other threads. Lines are those of `entry-codec.ts`: this reads no more of them than the key.

/** What is added for a checkpoint: all lines, or those since the last one. */
export interface LoggedLines {
  readonly base: readonly Uint8Array[] | null
  readonly added: readonly Uint8Array[]
}

const CHUNK_BITS = 16
const CHUNK = 1 << CHUNK_BITS
const CHUNK_MASK = CHUNK - 1
const CHUNK_MIN = 64
const PLACES_MIN = 2
/** Bytes that may count no more, beside as much as count. */
const DEAD_MIN = 8 << 10
const NEWLINE = 10
const SPACE = 32
const QUOTE = 34
const BACKSLASH = 92
/** In the index: nothing was ever here; something was. */
const NONE = -1
const GONE = -2

const memory = (size: number): Buffer => Buffer.from(new SharedArrayBuffer(size))

export class EntryLog {
  /** A line lies in one chunk; one that is longer than a chunk has its own. */
  #chunks: Buffer[] = []
  #room = 0
  #used = 0
  /** Pairs of a position (chunk and offset) and the hash of the key. */
  #index: Int32Array = new Int32Array(0)
  #entered = 0
  /** Bytes of lines that count, and of all. */
  #live = 0
  #written = 0
  #capacity = 0
  /** Up to here a checkpoint has it. */
  #mark = 0
  /** Keys. */
  size = 0

  get bytes(): number {
    return this.#capacity + this.#index.byteLength
  }

  /** Bytes of lines, also of those that count no more. */
  get written(): number {
    return this.#written
  }

  /** Whether lines that count no more take memory. */
  get hasDead(): boolean {
    return this.#written > this.#live
  }

  get isHalfDead(): boolean {
    return this.#written > DEAD_MIN + this.#live * 2
  }

  /** Where the key's line is; below zero for none. */
  find(key: string, hash: number): number {
    const place = this.#placeOf(key, hash)
    return place < 0 ? NONE : this.#index[place]!
  }

  #placeOf(key: string, hash: number): number {
    const index = this.#index
    if (index.length === 0) return NONE
    const mask = index.length - 1
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const position = index[at]!
      if (position === NONE) return NONE
      if (position >= 0 && index[at + 1] === hash && this.#isOf(position, key)) return at
    }
  }

  #isOf(position: number, key: string): boolean {
    const chunk = this.#chunks[position >>> CHUNK_BITS]!
    const start = this.#keyAt(position)
    for (let i = 0; i < key.length; i++) {
      const unit = key.charCodeAt(i)
      if (unit < SPACE || unit > 126 || unit === QUOTE || unit === BACKSLASH) return isEscaped(chunk, start, key)
      if (chunk[start + 1 + i] !== unit) return false
    }
    return chunk[start + 1 + key.length] === QUOTE
  }

  /** Of the key's first quote. */
  #keyAt(position: number): number {
    const at = position & CHUNK_MASK
    return this.#chunks[position >>> CHUNK_BITS]![at] === SPACE ? at + 2 : at + 1
  }

  text(position: number): string {
    const chunk = this.#chunks[position >>> CHUNK_BITS]!
    const at = position & CHUNK_MASK
    return chunk.toString('utf8', at, chunk.indexOf(NEWLINE, at))
  }

  /** `line` ends with a newline. Takes the place of the one before where no checkpoint has that. */
  put(key: string, hash: number, line: string): void {
    const place = this.#placeOf(key, hash)
    const length = Buffer.byteLength(line)
    const before = place < 0 ? NONE : this.#index[place]!
    if (before >= this.#mark && this.#overwrite(before, line, length)) return
    if (before >= 0) this.#drop(before)
    const position = this.#append(line, length)
    this.#live += length
    if (place >= 0) this.#index[place] = position
    else this.#enter(hash, position)
  }

  #overwrite(position: number, line: string, length: number): boolean {
    const chunk = this.#chunks[position >>> CHUNK_BITS]!
    const at = position & CHUNK_MASK
    const end = chunk.indexOf(NEWLINE, at)
    if (end + 1 - at < length) return false
    chunk.write(line, at, 'utf8')
    // JSON may end with spaces.
    chunk.fill(SPACE, at + length - 1, end)
    chunk[end] = NEWLINE
    return true
  }

  /** The line counts no more; where no checkpoint has it, it is none any more. */
  #drop(position: number): void {
    const chunk = this.#chunks[position >>> CHUNK_BITS]!
    const at = position & CHUNK_MASK
    const end = chunk.indexOf(NEWLINE, at) + 1
    this.#live -= end - at
    if (position >= this.#mark) chunk.fill(NEWLINE, at, end)
  }

  #append(line: string, length: number): number {
    if (this.#room - this.#used < length) this.#addChunk(length)
    const number = this.#chunks.length - 1
    const position = (number << CHUNK_BITS) | this.#used
    this.#chunks[number]!.write(line, this.#used, 'utf8')
    this.#used += length
    this.#written += length
    return position
  }

  /** Of what is left of the chunk before, newlines are made. */
  #addChunk(length: number): void {
    this.#chunks.at(-1)?.fill(NEWLINE, this.#used)
    const size = Math.max(length, Math.min(CHUNK, Math.max(CHUNK_MIN, this.#capacity)))
    this.#chunks.push(memory(size))
    this.#capacity += size
    this.#room = size
    this.#used = 0
  }

  /** The key is no more. */
  remove(key: string, hash: number): boolean {
    const place = this.#placeOf(key, hash)
    if (place < 0) return false
    this.#drop(this.#index[place]!)
    this.#index[place] = GONE
    this.size--
    if (this.#mark > 0) {
      const line = `${JSON.stringify([key])}\n`
      this.#append(line, Buffer.byteLength(line))
    }
    return true
  }

  #enter(hash: number, position: number): void {
    if ((this.#entered + 1) * 2 > this.#index.length * 0.75) this.#rehash()
    enter(this.#index, hash, position)
    this.#entered++
    this.size++
  }

  #rehash(): void {
    const old = this.#index
    let places = PLACES_MIN
    while ((this.size + 1) * 2 > places) places *= 2
    this.#index = new Int32Array(places * 2).fill(NONE)
    for (let at = 0; at < old.length; at += 2) if (old[at]! >= 0) enter(this.#index, old[at + 1]!, old[at]!)
    this.#entered = this.size
  }

  /** Where each line begins; lines that are changed meanwhile may be missed. */
  *positions(): Generator<number> {
    for (let at = 0; at < this.#index.length; at += 2) if (this.#index[at]! >= 0) yield this.#index[at]!
  }

  isMarked(position: number): boolean {
    return this.#chunks[position >>> CHUNK_BITS]![position & CHUNK_MASK] === SPACE
  }

  /** Without the lines that count no more: the next checkpoint takes all. */
  compact(): void {
    const chunks = this.#chunks
    const index = this.#index
    this.#empty()
    for (let at = 0; at < index.length; at += 2) {
      if (index[at]! < 0) continue
      const from = chunks[index[at]! >>> CHUNK_BITS]!
      const start = index[at]! & CHUNK_MASK
      const length = from.indexOf(NEWLINE, start) + 1 - start
      if (this.#room - this.#used < length) this.#addChunk(length)
      from.copy(this.#chunks.at(-1)!, this.#used, start, start + length)
      index[at] = ((this.#chunks.length - 1) << CHUNK_BITS) | this.#used
      this.#used += length
      this.#live += length
    }
    this.#written = this.#live
  }

  #empty(): void {
    this.#chunks = []
    this.#room = 0
    this.#used = 0
    this.#capacity = 0
    this.#live = 0
    this.#written = 0
    this.#mark = 0
  }

  clear(): void {
    this.#empty()
    this.#index = new Int32Array(0)
    this.#entered = 0
    this.size = 0
  }

  /** Bytes of lines that no checkpoint has; of all where none has any. */
  get unsaved(): number {
    if (this.#mark === 0) return this.#written
    return this.#since().reduce((sum, { length }) => sum + length, 0)
  }

  /** From here on a checkpoint has what there is. */
  cut(isWhole: boolean): LoggedLines {
    const lines = isWhole ? { base: this.#from(0, 0), added: [] } : { base: null, added: this.#since() }
    this.#mark = this.#chunks.length === 0 ? 0 : ((this.#chunks.length - 1) << CHUNK_BITS) + Math.min(CHUNK, this.#used)
    return lines
  }

  #since(): Uint8Array[] {
    return this.#from(this.#mark >>> CHUNK_BITS, this.#mark & CHUNK_MASK)
  }

  #from(first: number, offset: number): Uint8Array[] {
    const last = this.#chunks.length - 1
    return this.#chunks
      .slice(first)
      .map((chunk, i) => chunk.subarray(i === 0 ? offset : 0, first + i === last ? this.#used : chunk.length))
      .filter(({ length }) => length > 0)
  }

  /** All lines in one piece. */
  content(): Uint8Array {
    return Buffer.concat(this.#from(0, 0))
  }

  /** Holds what was stored: of several lines of a key the last. `isSaved`: the last checkpoint has all of it. */
  load(parts: readonly Uint8Array[], isSaved: boolean): void {
    this.clear()
    for (const part of parts) this.#loadPart(Buffer.from(part.buffer, part.byteOffset, part.byteLength))
    if (isSaved) this.cut(false)
  }

  #loadPart(part: Buffer): void {
    for (let start = 0; start < part.length; ) {
      // As many lines as offsets reach.
      let end = Math.min(part.length, start + CHUNK)
      if (end < part.length) end = part.lastIndexOf(NEWLINE, end - 1) + 1
      if (end <= start) end = part.indexOf(NEWLINE, start) + 1 || part.length
      this.#loadChunk(part.subarray(start, end))
      start = end
    }
  }

  #loadChunk(chunk: Buffer): void {
    const number = this.#chunks.push(chunk) - 1
    this.#capacity += chunk.length
    this.#written += chunk.length
    this.#room = chunk.length
    this.#used = chunk.length
    for (let at = 0; at < chunk.length; ) {
      const end = chunk.indexOf(NEWLINE, at) + 1
      if (end > at + 1) this.#loadLine(chunk, (number << CHUNK_BITS) | at, end - at)
      at = end
    }
  }

  #loadLine(chunk: Buffer, position: number, length: number): void {
    const start = this.#keyAt(position)
    let end = start + 1
    let isPlain = true
    for (; chunk[end] !== QUOTE; end++) {
      if (chunk[end] === BACKSLASH) end++
      if (chunk[end]! > 126 || chunk[end - 1] === BACKSLASH) isPlain = false
    }
    const hash = isPlain ? hashOfBytes(chunk, start + 1, end) : hashOf(JSON.parse(chunk.toString('utf8', start, end + 1)) as string)
    const place = this.#placeOfLine(position, start, end + 1, hash)
    if (place >= 0) this.#live -= this.#lengthAt(this.#index[place]!)
    // `["key"]`: it is no more.
    if (chunk[end + 1] === 93) {
      if (place < 0) return
      this.#index[place] = GONE
      this.size--
      return
    }
    this.#live += length
    if (place >= 0) this.#index[place] = position
    else this.#enter(hash, position)
  }

  #lengthAt(position: number): number {
    const at = position & CHUNK_MASK
    return this.#chunks[position >>> CHUNK_BITS]!.indexOf(NEWLINE, at) + 1 - at
  }

  #placeOfLine(position: number, start: number, end: number, hash: number): number {
    const index = this.#index
    if (index.length === 0) return NONE
    const own = this.#chunks[position >>> CHUNK_BITS]!
    const mask = index.length - 1
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const other = index[at]!
      if (other === NONE) return NONE
      if (other < 0 || index[at + 1] !== hash) continue
      const chunk = this.#chunks[other >>> CHUNK_BITS]!
      const from = this.#keyAt(other)
      if (from + end - start <= chunk.length && chunk.compare(own, start, end, from, from + end - start) === 0) return at
    }
  }
}

function enter(index: Int32Array, hash: number, position: number): void {
  const mask = index.length - 1
  let at = (hash << 1) & mask
  while (index[at]! !== NONE) at = (at + 2) & mask
  index[at] = position
  index[at + 1] = hash
}

function isEscaped(chunk: Buffer, start: number, key: string): boolean {
  const text = Buffer.from(JSON.stringify(key))
  return start + text.length <= chunk.length && chunk.compare(text, 0, text.length, start, start + text.length) === 0
}

/** Of the key's UTF-16 units: FNV-1a. */
export function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return hash | 0
}

/** The same of text of one byte a unit. */
function hashOfBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash | 0
}
