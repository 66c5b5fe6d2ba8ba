// A growing buffer that encoders write text into, without a JavaScript string a value where bytes or numbers will do.

const FIRST_SIZE = 64 * 1024

export class ByteSink {
  buffer: Buffer = Buffer.allocUnsafe(FIRST_SIZE)
  length = 0

  /** Makes room for `count` bytes; writers of single bytes call it first. */
  reserve(count: number): void {
    if (this.length + count <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.length + count, this.buffer.length * 2))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }

  /** Characters below 128 only. */
  ascii(text: string): void {
    const size = text.length
    this.reserve(size)
    // A native call costs more than a loop over a short text.
    if (size > 48) this.buffer.write(text, this.length, 'latin1')
    else for (let i = 0; i < size; i++) this.buffer[this.length + i] = text.charCodeAt(i)
    this.length += size
  }

  text(text: string): void {
    this.reserve(text.length * 3)
    this.length += this.buffer.write(text, this.length, 'utf8')
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length)
    if (bytes.length > 24) this.buffer.set(bytes, this.length)
    else for (let i = 0; i < bytes.length; i++) this.buffer[this.length + i] = bytes[i]!
    this.length += bytes.length
  }

  /** A whole number within 2^53. */
  whole(value: number): void {
    if (value >= 0 && value < 10) {
      this.reserve(1)
      this.buffer[this.length++] = 48 + value
    } else this.ascii(String(value))
  }

  /** What was written since the last time. */
  take(): Uint8Array {
    const taken = this.buffer.subarray(0, this.length)
    this.buffer = Buffer.allocUnsafe(Math.max(FIRST_SIZE, taken.length))
    this.length = 0
    return taken
  }
}
