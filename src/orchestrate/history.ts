// The history of runs, as an interface over the control store. Times are epoch milliseconds.

export type RunStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'partial' | 'cancelled'
export type StepStatus = 'waiting' | 'running' | 'succeeded' | 'failed' | 'skipped'

export interface RunError {
  readonly code: string
  readonly message: string
  readonly fix?: string
  readonly at?: string
}

export interface LogLine {
  readonly atMs: number
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly text: string
}

export interface RunRecord {
  readonly id: string
  readonly name: string
  readonly trigger: string
  readonly status: RunStatus
  readonly queuedMs: number
  readonly startedMs: number | null
  readonly endedMs: number | null
  readonly code: string | null
}

export interface Try {
  readonly startedAtMs: number
  readonly endedAtMs: number | null
  readonly error: string | null
}

export interface Effect {
  readonly relation: string
  readonly snapshotId: string
  readonly sequence: number
  readonly added: number | null
  readonly removed: number | null
}

/** What maintenance made of files: the bytes and files of a table that it looked at before and after. */
export interface Saved {
  readonly filesBefore: number
  readonly filesAfter: number
  readonly bytesBefore: number
  readonly bytesAfter: number
}

export interface StepRecord {
  readonly runId: string
  readonly ordinal: number
  /** 'products.load', 'daily_revenue', 'orders.checks'. */
  readonly name: string
  readonly relation: string
  readonly status: StepStatus
  readonly startedMs: number | null
  readonly endedMs: number | null
  readonly note: string | null
  readonly rows: number | null
  readonly waitsOn: readonly string[]
  readonly tries: readonly Try[]
  readonly log: readonly LogLine[]
  readonly effects: readonly Effect[]
  readonly error: RunError | null
  /** Of steps of maintenance only: they say nothing of how fresh their relation is. */
  readonly saved?: Saved
}

export interface RunFilter {
  readonly status?: RunStatus
  readonly sinceMs?: number
  readonly beforeId?: string
  readonly limit: number
}

export interface RunHistory {
  save(run: RunRecord, steps: readonly StepRecord[]): Promise<void>
  saveRun(run: RunRecord): Promise<void>
  saveStep(step: StepRecord): Promise<void>
  run(id: string): Promise<{ run: RunRecord; steps: readonly StepRecord[] } | null>
  /** Newest first. */
  list(filter: RunFilter): Promise<readonly { run: RunRecord; steps: readonly StepRecord[] }[]>
  /** The newest load or refresh of each relation. */
  lastSteps(): Promise<readonly StepRecord[]>
  /** Runs that a stopped process left open become failed. Answers how many. */
  closeOpen(nowMs: number): Promise<number>
}
