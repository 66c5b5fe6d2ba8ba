// What all parts of one embedded log share: the world it runs in, its limits, and what it tells about itself.
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import type { KeyRing } from '../objects/seal/key-ring.ts'
import type { Crc32c } from './crc32c.ts'
import type { RecentBytes } from './recent-bytes.ts'

/** What a log needs of a key ring. */
export type LogKeys = Pick<KeyRing, 'forWriting' | 'first' | 'byId'>

export type LogEvent =
  /** A group is durable and visible; `bytes` are those in the files, `tookMs` is writing and syncing. */
  | {
      readonly kind: 'log.committed'
      readonly partitions: number
      readonly records: number
      readonly bytes: number
      readonly tookMs: number
    }
  /** A crash left bytes at the end that belong to no acknowledged append; they were cut off. */
  | { readonly kind: 'log.truncated'; readonly path: string; readonly position: number; readonly bytes: number }
  /** Nothing is left of a partition up to an offset that was committed: it begins there. */
  | { readonly kind: 'log.begun'; readonly topic: string; readonly partition: number; readonly offset: number }
  /** An `.idx` was missing or damaged and was made again from its segment. */
  | { readonly kind: 'log.reindexed'; readonly path: string }
  /** Appends fail for now, with `code`; they are tried again as they come. */
  | { readonly kind: 'log.suspended'; readonly topic: string; readonly partition: number; readonly code: string; readonly message: string }
  /** Appends succeed again. */
  | { readonly kind: 'log.resumed' }
  /** A sync failed: the partition takes no more appends until a restart. */
  | { readonly kind: 'log.closed'; readonly topic: string; readonly partition: number; readonly message: string }
  /** Retention removed a segment. */
  | { readonly kind: 'log.removed'; readonly path: string; readonly bytes: number }

export interface LogSettings {
  readonly disk: Disk
  readonly clock: Clock
  readonly crc32c: Crc32c
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly idempotencyMs: number
  readonly compression: 'zstd' | 'none'
  readonly groupMs: number
  readonly recent: RecentBytes
  /** Null: nothing is encrypted. */
  readonly keys: LogKeys | null
  readonly isEncrypted: (topic: string) => boolean
  readonly onEvent: (event: LogEvent) => void
}
