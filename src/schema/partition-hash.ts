// Which partition a row goes to: Kafka's default partitioner, so that a topic filled by any Kafka client and one filled
// here agree on where a key lives. (org.apache.kafka.common.utils.Utils.murmur2, and BuiltInPartitioner.)
import type { ColumnBatch } from './batch.ts'
import { textOf } from './value-text.ts'

/** murmur2 with Kafka's seed over `length` bytes from `start`: a signed 32-bit integer. */
export function murmur2(bytes: Uint8Array, start = 0, length = bytes.length - start): number {
  let h = 0x9747b28c ^ length
  const whole = start + (length & ~3)
  let at = start
  for (; at < whole; at += 4) {
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, 0x5bd1e995)
    k ^= k >>> 24
    h = Math.imul(h, 0x5bd1e995) ^ Math.imul(k, 0x5bd1e995)
  }
  const rest = length & 3
  if (rest === 3) h ^= bytes[at + 2]! << 16
  if (rest >= 2) h ^= bytes[at + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ bytes[at]!, 0x5bd1e995)
  h = Math.imul(h ^ (h >>> 13), 0x5bd1e995)
  return h ^ (h >>> 15)
}

/** The partition of a key's bytes. */
export const partitionOf = (bytes: Uint8Array, start: number, length: number, partitions: number): number =>
  (murmur2(bytes, start, length) & 0x7fffffff) % partitions

/**
 * The partition of each row by the UTF-8 text of its key column (for binary the bytes; other types as `textOf` spells
 * them), into `into[0, batch.rows)`. Rows without a key share one partition, that of the empty key.
 */
export function fillPartitions(batch: ColumnBatch, keyColumn: number, partitions: number, into: Int32Array): Int32Array {
  const column = batch.columns[keyColumn]!
  const { type } = batch.shape.fields[keyColumn]!
  const empty = partitionOf(new Uint8Array(0), 0, 0, partitions)
  for (let row = 0; row < batch.rows; row++) {
    if (column.nulls !== null && column.nulls[row] === 1) into[row] = empty
    else if (column.kind === 'bytes') into[row] = partitionOf(column.bytes, column.start[row]!, column.length[row]!, partitions)
    else {
      const text = Buffer.from(textOf(type, column, row))
      into[row] = partitionOf(text, 0, text.length, partitions)
    }
  }
  return into
}
