// What a pipeline does with the rows that it reads: the boundary between reading a log in order, which is the same for all, and
// a table of rows, user code or operators behind it. The sink's state and files go into the pipeline's one commit.
import type { LakeTable, TableChange } from '../lake/types.ts'
import type { Delivery } from './delivery.ts'

/** What was frozen at a cut of the log and goes into one commit. */
export interface Cut {
  /** JSON of the sink's state, as of the cut. */
  readonly state: unknown
  /** Writes the data files. May be called again when a commit failed. */
  changes(): Promise<readonly TableChange[]>
  /** The commit is durable: swap what readers see. */
  publish(tables: readonly LakeTable[]): Promise<void>
}

export interface Sink {
  /** Forgets everything and continues from a committed state; null = from nothing. */
  restore(state: unknown): Promise<void>
  apply(delivery: Delivery): Promise<void>
  /** Called after each round of reads with the least watermark over all partitions, microseconds. */
  tick(watermarkUs: number | null): Promise<void>
  /** Of a sink that looks rows up in tables: no row of a stream that is still to come came before this. */
  settle?(arrivedMs: number): void
  /** Bytes that wait for the next flush. */
  readonly pendingBytes: number
  readonly pendingRows: number
  cut(): Promise<Cut>
  /** Milliseconds until it wants to be ticked though nothing came; null or absent: it need not be. */
  readonly wakeInMs?: number | null
  /** Of a topic that it reads beside the pipeline's own: the first offset that it needs again after a restart. */
  heldFrom?(topic: string): number
  /** One pipeline of a stream takes the decisions that are about the stream itself. */
  readonly ownsStream?: boolean
  /** What it makes is not shown before it is committed: its rows replace others then. */
  readonly isRebuilding?: boolean
  /** Somebody waits for its results: it does not stand back for the door. */
  readonly isPrompt?: boolean
}
