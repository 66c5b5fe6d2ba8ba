// What the log's thread and the process say to each other.
import type { MessagePort } from 'node:worker_threads'
import type { SentError } from '../../core/sent-error.ts'
import type { DataKey } from '../../objects/seal/key-ring.ts'
import type { Append, LogBatch, PartitionEnd } from '../log.ts'
import type { LogEvent } from '../settings.ts'

/** The first thing that the thread hears. */
export interface LogThreadData {
  readonly directory: string
  /** One number: 1 while appends are taken. */
  readonly health: SharedArrayBuffer
  readonly encrypted: { readonly topics: ReadonlySet<string>; readonly keys: readonly KnownKey[] } | null
}

/** A data key that was there at the start; without its secret where its master key is not given. */
export type KnownKey =
  | { readonly id: string; readonly master: string }
  | { readonly id: string; readonly secret: Uint8Array; readonly scope: string }

export interface Calls {
  ensureTopic(topic: string, partitions: number, committed: readonly number[]): void
  append(topic: string, parts: readonly Append[], ifEnds: readonly PartitionEnd[]): unknown
  hold(topic: string, limitMs: number): number
  release(hold: number): void
  read(topic: string, partition: number, from: number, maxBytes: number, waitMs: number): PackedBatches
  offsetAt(topic: string, partition: number, timeMs: number): number
  lastEmission(topic: string, partition: number, pipeline: string): number
  retain(topic: string, partition: number, limits: { beforeMs: number; keepFrom: number }): number
  close(): void
}

export type Method = keyof Calls

export type ToLog =
  | { readonly kind: 'call'; readonly id: number; readonly method: Method; readonly args: readonly unknown[] }
  | {
      readonly kind: 'admit'
      readonly port: MessagePort
      readonly memory: SharedArrayBuffer
      readonly topics: readonly { readonly topic: string; readonly fingerprint: string }[]
    }
  | { readonly kind: 'key'; readonly ask: number; readonly key: Pick<DataKey, 'scope'> & { id: Uint8Array; secret: Uint8Array } }
  | { readonly kind: 'key'; readonly ask: number; readonly error: SentError }

export type FromLog =
  | { readonly kind: 'opened' }
  | { readonly kind: 'failed'; readonly error: SentError }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'answer'; readonly id: number; readonly error: SentError }
  /** A topic is open: where its figures stand from now on. */
  | { readonly kind: 'topic'; readonly topic: string; readonly memory: SharedArrayBuffer }
  /** Told after its figures have changed. */
  | { readonly kind: 'event'; readonly event: LogEvent }
  | { readonly kind: 'key'; readonly ask: number; readonly which: 'forWriting' | 'first'; readonly scope: string }

/** Batches with their payloads one after the other. */
export interface PackedBatches {
  readonly batches: readonly (Omit<LogBatch, 'payload'> & { readonly sizeBytes: number })[]
  readonly bytes: Uint8Array
}

export function packBatches(found: readonly LogBatch[]): PackedBatches {
  const bytes = new Uint8Array(found.reduce((sum, { payload }) => sum + payload.byteLength, 0))
  let at = 0
  const batches = found.map(({ payload, ...about }) => {
    bytes.set(payload, at)
    at += payload.byteLength
    return { ...about, sizeBytes: payload.byteLength }
  })
  return { batches, bytes }
}

export function batchesOf({ batches, bytes }: PackedBatches): LogBatch[] {
  let at = 0
  return batches.map(({ sizeBytes, ...about }) => {
    const payload = bytes.subarray(at, at + sizeBytes)
    at += sizeBytes
    return { ...about, payload }
  })
}
