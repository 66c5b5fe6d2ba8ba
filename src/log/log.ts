// The durable ordered log: what every implementation (embedded segments, later Kafka) promises. A topic has partitions,
// a partition is a sequence of records numbered from 0; a record is one line of NDJSON. PROTOCOL rules 1 to 5.
import type { MessagePort } from 'node:worker_threads'

/**
 * Rows that the door accepted, rows that it rejected (raw bytes and reason as JSON), a pipeline's decisions, keys of a table whose
 * rows are gone (rows of JSON with at least the key), or such keys and rows together, which are one change (`changes.ts`).
 */
export type RecordKind = 'rows' | 'rejects' | 'control' | 'deletes' | 'changes'

/** The rows of an append count on from `first`; where their numbers have gaps, `numbers` has that of each row, ascending, from `first` on. */
export interface Emission {
  readonly pipeline: string
  readonly first: number
  readonly numbers?: ArrayLike<number>
}

export interface Append {
  readonly partition: number
  readonly kind: RecordKind
  /** `count` lines, each ended by a newline. Not copied: must not change until the append has resolved. */
  readonly payload: Uint8Array
  readonly count: number
  /** Fingerprint of the shape that validated the rows; empty for rejects and control. */
  readonly fingerprint: string
  /** Scoped by the caller to token and stream. The same key with the same hash appends nothing and answers the old offsets. */
  readonly idempotency?: {
    readonly key: string
    readonly hash: string
    /** The key as the client gave it, where `key` hides it: for messages. */
    readonly given?: string
  }
  /** Numbers of rows that a pipeline derives: a partition keeps the last one per pipeline and drops those it has. */
  readonly emission?: Emission
  /** Origin of re-driven records, `topic/partition/offset`, unique per origin; stored with the batch. */
  readonly redriveOf?: string
}

export interface Appended {
  readonly partition: number
  readonly first: number
  readonly last: number
  /**
   * True when the key, the origin or all emission numbers were seen before and nothing was written. The offsets are those
   * of then; -1 for emissions, whose rows may lie in several places. Of a part with some new numbers only those rows are
   * written, and the offsets are theirs.
   */
  readonly duplicate: boolean
}

export interface LogBatch {
  readonly partition: number
  readonly baseOffset: number
  readonly count: number
  /** The log's own clock, milliseconds, monotone over all partitions: "arrival" and `_ingested_at`. */
  readonly appendTimeMs: number
  readonly kind: RecordKind
  readonly fingerprint: string
  /** `count` lines, each ended by a newline, decompressed. */
  readonly payload: Uint8Array
  readonly redriveOf?: string
  /** When it could be read for the first time, milliseconds, where the log knows: of what came lately. */
  readonly readableMs?: number
}

export interface PartitionRange {
  /** First offset still kept. */
  readonly start: number
  /** Next offset to be written; all below it are durable. */
  readonly end: number
}

export interface PartitionEnd {
  readonly topic: string
  readonly partition: number
  /** Next offset to be written. */
  readonly end: number
}

export interface TopicStats {
  readonly topic: string
  readonly partitions: readonly (PartitionRange & {
    readonly sizeBytes: number
    readonly segments: number
    readonly lastAppendMs: number
  })[]
}

/** Where a thread that has rows hands them to the log. */
export interface Entrance {
  /** `EntranceAppends` come from it, `PackedAnswers` go into it (`entrance.ts`). */
  readonly port: MessagePort
  /** Shared with the other side, for the bytes of appends (`packed-appends.ts`). */
  readonly memory: SharedArrayBuffer
  /** What the numbers of topics stand for; `fingerprint`: of the rows that come. */
  readonly topics: readonly { readonly topic: string; readonly fingerprint: string }[]
}

/**
 * A group of appends becomes visible in all its partitions at once: whoever sees append time T in one partition can see
 * everything before T in all others.
 */
export interface Log {
  /**
   * Creates the topic or opens it; more partitions than it has are added. `committed`: the highest offsets, by partition, up to
   * which somebody has read; none below is given out again, so a partition of which nothing is left begins there.
   * @throws MR_LOG_RANGE when a partition holds records and ends before: some that were durable are missing.
   */
  ensureTopic(topic: string, partitions: number, committed?: readonly number[]): Promise<void>
  topics(): readonly TopicStats[]
  /**
   * Resolves when every part is durable (fdatasync); all parts of one call join the same group commit. After an error
   * nothing is known to be written, and a retry with the same idempotency key appends only what is missing.
   * @throws MR_LOG_BUSY above the limit of pending bytes; MR_LOG_FULL without space, and the log goes on when there is
   *   room again; MR_LOG_IO after a failed sync, which closes the partition; MR_INGEST_IDEMPOTENCY for a key that was
   *   used with another hash.
   * With `ifEnds`, where each partition that it lists, of any topic, must end: decided as the parts get their offsets, so nothing
   * can come between. @throws MR_LOG_MOVED when one ends elsewhere; then nothing is written.
   */
  append(topic: string, parts: readonly Append[], ifEnds?: readonly PartitionEnd[]): Promise<readonly Appended[]>
  /** Takes the appends that come through the entrance too, until the other side closes it. */
  admit(entrance: Entrance): void
  /**
   * Lets appends to the topic wait, but for those with `ifEnds`: whoever computes what to append gets to do it once. Resolves when
   * none is under way any more, with what lets them go on; that happens by itself after `limitMs`.
   */
  hold(topic: string, limitMs: number): Promise<() => void>
  /**
   * Whole batches, from the one that holds `from`, at most `maxBytes` of payload but at least one batch; empty at the end. With `waitMs`
   * a read at the end waits for so long, and answers what comes as soon as it can be read.
   */
  read(topic: string, partition: number, from: number, maxBytes: number, waitMs?: number): Promise<readonly LogBatch[]>
  range(topic: string, partition: number): PartitionRange
  /** Resolves when `range().end > from`, or when `signal` aborts. */
  whenMore(topic: string, partition: number, from: number, signal: AbortSignal): Promise<void>
  /** First offset whose append time is at or after `timeMs`; the end when there is none. */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<number>
  /** Last emission number of a pipeline in a partition, -1 for none. */
  lastEmission(topic: string, partition: number, pipeline: string): Promise<number>
  /** Removes whole segments older than `beforeMs` that lie below `keepFrom`. Answers bytes freed. */
  retain(topic: string, partition: number, limits: { beforeMs: number; keepFrom: number }): Promise<number>
  /** Whether appends are taken at the moment; false while the disk is full or a partition is closed. */
  readonly healthy: boolean
  /** Waits for pending appends, then closes. */
  close(): Promise<void>
}
