// Values one behind the other in bytes: what is kept of one key while it lies on the disk. Little-endian; who reads knows what was written.

const NOTHING = new Uint8Array(0)
const encoder = new TextEncoder()

export class RecordWriter {
  bytes: Uint8Array = NOTHING
  length = 0
  #view: DataView = new DataView(NOTHING.buffer)

  clear(): void {
    this.length = 0
  }

  #room(size: number): number {
    const at = this.length
    this.length += size
    if (this.length > this.bytes.length) {
      const larger = new Uint8Array(this.length * 2)
      larger.set(this.bytes)
      this.bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return at
  }

  byte(value: number): void {
    const at = this.#room(1)
    this.bytes[at] = value
  }

  int(value: number): void {
    const at = this.#room(4)
    this.#view.setInt32(at, value, true)
  }

  /** In the place of an int that was written. */
  setInt(at: number, value: number): void {
    this.#view.setInt32(at, value, true)
  }

  number(value: number): void {
    const at = this.#room(8)
    this.#view.setFloat64(at, value, true)
  }

  long(value: bigint): void {
    const at = this.#room(8)
    this.#view.setBigInt64(at, value, true)
  }

  /** Its length, then itself. */
  text(bytes: Uint8Array, start: number, length: number): void {
    this.int(length)
    this.copy(bytes, start, length)
  }

  string(value: string): void {
    const bytes = encoder.encode(value)
    this.text(bytes, 0, bytes.length)
  }

  copy(bytes: Uint8Array, start: number, length: number): void {
    const at = this.#room(length)
    const { bytes: to } = this
    for (let i = 0; i < length; i++) to[at + i] = bytes[start + i]!
  }
}

export class RecordReader {
  bytes: Uint8Array = NOTHING
  at = 0
  #view: DataView = new DataView(NOTHING.buffer)

  /** From here on it reads these, from `at` on. */
  open(bytes: Uint8Array, at: number): void {
    if (bytes !== this.bytes) {
      this.bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.at = at
  }

  byte(): number {
    return this.bytes[this.at++]!
  }

  int(): number {
    this.at += 4
    return this.#view.getInt32(this.at - 4, true)
  }

  number(): number {
    this.at += 8
    return this.#view.getFloat64(this.at - 8, true)
  }

  long(): bigint {
    this.at += 8
    return this.#view.getBigInt64(this.at - 8, true)
  }

  /** Where a text begins that has so many bytes, which it goes past; its length was read before. */
  skip(length: number): number {
    this.at += length
    return this.at - length
  }

  string(): string {
    const length = this.int()
    const start = this.skip(length)
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, length).toString()
  }
}
