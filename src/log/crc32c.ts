// CRC-32C (Castagnoli), the checksum of Kafka's record batches. Native when the optional package @node-rs/crc32 loads
// (13 GB a CPU-second on 250 KB blocks), otherwise tables in TypeScript, which cap a core at about 1.7 M events a second.
import { maybe } from '../core/optional.ts'

/** The checksum of `bytes`, continuing from that of what stood before them (default: nothing). */
export type Crc32c = (bytes: Uint8Array, previous?: number) => number

const POLYNOMIAL = 0x82f63b78

/** `TABLES[n * 256 + byte]`: the effect of `byte` that is followed by `n` zero bytes ("slicing by 8"). */
const TABLES = makeTables()

function makeTables(): Uint32Array {
  const tables = new Uint32Array(8 * 256)
  for (let byte = 0; byte < 256; byte++) {
    let value = byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1
    tables[byte] = value
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256]!
    tables[at] = (before >>> 8) ^ tables[before & 0xff]!
  }
  return tables
}

/** The checksum without native code. */
export const tableCrc32c: Crc32c = (bytes, previous = 0) => {
  const t = TABLES
  let crc = ~previous
  let at = 0
  for (const end = bytes.length - 7; at < end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    crc =
      t[1792 + (crc & 0xff)]! ^
      t[1536 + ((crc >>> 8) & 0xff)]! ^
      t[1280 + ((crc >>> 16) & 0xff)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!
  }
  for (; at < bytes.length; at++) crc = (crc >>> 8) ^ t[(crc ^ bytes[at]!) & 0xff]!
  return ~crc >>> 0
}

/** The fastest implementation that loads on this machine. */
export async function loadCrc32c(): Promise<Crc32c> {
  const native = await maybe<{ crc32c(bytes: Uint8Array, previous?: number): number }>('@node-rs/crc32')
  return native ? native.crc32c : tableCrc32c
}
