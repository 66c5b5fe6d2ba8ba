// Where the code of a processor runs: what goes in and comes out, as plain data, so that it can be a thread of its own. The
// state and the timers live there, beside the code. A host does not touch the log.
import type { Refusal } from '../../log/refusal.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Instant } from '../../schema/instant.ts'
import type { Control, Delivery } from '../delivery.ts'

/** What user code is given as `context`. */
export interface CallContext {
  emit(row: Record<string, unknown>): void
  readonly emitTo: Readonly<Record<string, (row: Record<string, unknown>) => void>>
  timer(name: string, at: Instant, by?: 'event' | 'arrival'): void
  cancelTimer(name: string): void
  random(): number
  readonly now: Instant
}

export type OnRow = (row: Record<string, unknown>, state: Record<string, unknown>, context: CallContext) => unknown
export type OnTimer = (
  timer: { readonly key: unknown; readonly at: Instant },
  state: Record<string, unknown>,
  context: CallContext,
) => unknown

export type OnBroadcast = (row: Record<string, unknown>, state: Record<string, unknown>) => unknown

/** User code of a processor. */
export interface ProcessorCode {
  readonly on: OnRow
  readonly onTimer: Readonly<Record<string, OnTimer>>
  readonly onBroadcast?: Readonly<Record<string, OnBroadcast>>
}

/** One call of user code: of a row, or of the nth timer that fires before the record. The same however the log is cut. */
export interface CallId {
  readonly partition: number
  readonly offset: number
  /** -1 for the row itself. */
  readonly nth: number
}

/** A call that is not made, because it was ended before; what is written of it instead. */
export interface Skipped extends CallId, Pick<Refusal, 'code' | 'message'> {}

/** A row of a broadcast table. */
export interface Told {
  readonly name: string
  readonly appendMs: number
  readonly batch: ColumnBatch
  readonly row: number
}

/** Records of one partition, in order: the rows that are out, and the controls among them. */
export interface Round extends Pick<Delivery, 'partition' | 'batch' | 'offsets' | 'appendMs'> {
  /** Rows of the batch. */
  readonly rows: Int32Array
  /** Watermark after each of `rows`. */
  readonly watermarkUs: Float64Array
  readonly controls: readonly Control[]
  /** In the order of their arrival; each is told before the first record that came later. */
  readonly told: readonly Told[]
  readonly skipped: readonly Skipped[]
}

export interface Emission {
  /** Of the processor's outputs: 0 is the stream of its own name. */
  readonly output: number
  readonly partition: number
  readonly count: number
  /** `count` lines. */
  readonly payload: Uint8Array
}

/** What calls gave, in their order. */
export interface Ran {
  readonly kind: 'ran'
  /** False when there is more of the round: go on with `resume`. */
  readonly isDone: boolean
  readonly emissions: readonly Emission[]
  readonly refusals: readonly Refusal[]
  /** When the partition's next timer by arrival is due, microseconds. */
  readonly nextArrivalUs: number | null
}

/** A call did not come back. The host has lost its state: `restore` it. */
export interface Ended extends CallId, Pick<Refusal, 'code' | 'message'> {
  readonly kind: 'ended'
}

export interface ProcessorHost {
  /** Forgets everything and continues from a saved state; null = from nothing. Answers when timers by arrival are due. */
  restore(saved: unknown): Promise<readonly (readonly [partition: number, nextArrivalUs: number])[]>
  run(round: Round): Promise<Ran | Ended>
  /** Goes on with a round that is not done. */
  resume(): Promise<Ran | Ended>
  /** Plain JSON of state and timers. */
  save(): Promise<unknown>
  /** Keys with state, as of the last call. */
  readonly keys: number
  /** About how much memory they take that are not spilled, likewise. */
  readonly bytes: number
  close(): Promise<void>
}
