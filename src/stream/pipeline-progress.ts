// How far a pipeline is, as metrics, alerts and the console see it.

/** An input as others see it. */
export interface InputProgress {
  readonly topic: string
  readonly partition: number
  /** Next offset to be read. */
  readonly position: number
  /** Null until the last commit has been read. */
  readonly committed: number | null
  readonly watermarkUs: number | null
}

/** A model that is computed again. */
export interface Rebuild {
  /** Rows that were read from the lake. */
  readonly historyRows: number
  /** Records that the log has beyond; null while the lake is read. */
  readonly leftInLog: number | null
}
