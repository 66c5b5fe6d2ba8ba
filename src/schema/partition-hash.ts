// The partition of a key: murmur2 as in Kafka's default partitioner, so that a Kafka client and our door agree.
// Source: org.apache.kafka.common.utils.Utils.murmur2 (Kafka), seed 0x9747b28c.
import { type Column, type ColumnBatch, valueAt } from './batch.ts'

const M = 0x5bd1e995

export function murmur2(bytes: Uint8Array, from = 0, length = bytes.length - from): number {
  let h = 0x9747b28c ^ length
  const blocks = length >> 2
  for (let i = 0; i < blocks; i++) {
    const at = from + i * 4
    let k = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    k = Math.imul(k, M)
    k ^= k >>> 24
    h = Math.imul(h, M) ^ Math.imul(k, M)
  }
  const tail = from + blocks * 4
  const rest = length & 3
  if (rest === 3) h ^= bytes[tail + 2]! << 16
  if (rest >= 2) h ^= bytes[tail + 1]! << 8
  if (rest >= 1) h = Math.imul(h ^ bytes[tail]!, M)
  h ^= h >>> 13
  h = Math.imul(h, M)
  return h ^ (h >>> 15)
}

const partitionOfHash = (hash: number, partitions: number): number => (hash & 0x7fffffff) % partitions

/** Partition of a key given as text. */
export const hashPartition = (key: string, partitions: number): number => partitionOfHash(murmur2(Buffer.from(key)), partitions)

/** Fills `target` with the partition of each row; the key is the column's text, and null is the empty text. */
export function partitionRows(batch: ColumnBatch, columnIndex: number, partitions: number, target: Int32Array): void {
  const column: Column = batch.columns[columnIndex]!
  for (let row = 0; row < batch.rows; row++) {
    if (column.nulls?.[row]) target[row] = hashPartition('', partitions)
    else if (column.kind === 'bytes')
      target[row] = partitionOfHash(murmur2(column.bytes, column.start[row]!, column.length[row]!), partitions)
    else target[row] = hashPartition(String(valueAt(batch, columnIndex, row)), partitions)
  }
}
