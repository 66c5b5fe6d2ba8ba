// Control records: decisions that depend on a clock or on another stream, written into the log of the stream that they are
// about, so that every reader of its partitions and every replay sees them at one offset. A tick decides nothing: its append
// time says that the clock has come so far, which is what timers by arrival wait for. PROTOCOL rule 11.
import type { Append, LogBatch } from '../log/log.ts'

/** From this offset on the partition counts as if it had seen an event with this watermark. */
export interface Decision {
  /** Microseconds; null in a tick. */
  readonly watermarkUs: number | null
}

export const tickRecord = (partition: number): Append => controlRecord(partition, { watermarkUs: null })

export function controlRecord(partition: number, decision: Decision): Append {
  return { partition, kind: 'control', payload: Buffer.from(`${JSON.stringify(decision)}\n`), count: 1, fingerprint: '' }
}

/** The decisions of a `control` batch, one a line. */
export function decisionsOf(batch: LogBatch): Decision[] {
  const text = Buffer.from(batch.payload.buffer, batch.payload.byteOffset, batch.payload.byteLength).toString('utf8')
  return text
    .split('\n')
    .slice(0, batch.count)
    .map((line) => JSON.parse(line) as Decision)
}
