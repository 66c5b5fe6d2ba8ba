// Runs and their steps, and what asks for a run.
import type { Clocked } from './admin.ts'

/** `partial`: some steps failed, others are done. */
export type RunState = 'queued' | 'running' | 'done' | 'failed' | 'partial' | 'cancelled'

export interface RunSummary {
  readonly id: string
  /** The job, the asset, or 'after orders'. */
  readonly name: string
  /** 'cron 30 * * * * Europe/London', 'every 15 minutes', 'orders committed', 'by administrator'. */
  readonly trigger: string
  readonly state: RunState
  readonly startedAtMs: number
  readonly endedAtMs: number | null
  readonly steps: { readonly total: number; readonly done: number; readonly failed: number; readonly skipped: number }
}

export interface Runs extends Clocked {
  readonly runs: readonly RunSummary[]
  /** In the asked window, before `limit`. */
  readonly total: number
  readonly failed: number
  /** One bar an hour of the window, oldest first (one a day when the window is longer than 48 h). */
  readonly buckets: readonly { readonly startMs: number; readonly runs: number; readonly failed: number }[]
  /** Give as `before` for the next page. */
  readonly next: string | null
}

export type StepState = 'waiting' | 'running' | 'done' | 'failed' | 'skipped'

export interface RunError {
  readonly code: string
  readonly message: string
  readonly fix?: string
  readonly at?: string
}

export interface RunStep {
  /** 'products.load', 'orders.checks', 'daily_revenue'. */
  readonly name: string
  readonly relation: string | null
  /** '1 of 305 days', '8 checks', 'full'. */
  readonly note: string | null
  readonly state: StepState
  readonly startedAtMs: number | null
  readonly endedAtMs: number | null
  readonly tries: readonly { readonly startedAtMs: number; readonly endedAtMs: number | null; readonly error: string | null }[]
  /** Steps that it waits for, when it did not start. */
  readonly waitsOn: readonly string[]
  readonly rows: number | null
  readonly error: RunError | null
  readonly log: readonly { readonly atMs: number; readonly level: 'debug' | 'info' | 'warn' | 'error'; readonly text: string }[]
  /** What it committed. */
  readonly effects: readonly {
    readonly relation: string
    readonly snapshot: { readonly id: string; readonly sequence: number }
    readonly added: number | null
    readonly removed: number | null
  }[]
  /** Of a step of maintenance: the files that it looked at, before and after. */
  readonly saved: {
    readonly filesBefore: number
    readonly filesAfter: number
    readonly bytesBefore: number
    readonly bytesAfter: number
  } | null
  /** The statement that it ran, and what the engine measured. */
  readonly sql: string | null
  readonly query: {
    readonly cpuMs: number | null
    readonly peakBytes: number | null
    readonly readBytes: number | null
    readonly rowsRead: number | null
  } | null
}

export interface RunDetail extends Clocked {
  readonly run: RunSummary
  readonly code: string | null
  readonly zone: string | null
  /** In the order they were planned. */
  readonly steps: readonly RunStep[]
  /** The first failure with what it left behind, one sentence: 'Nothing was committed by this step.' */
  readonly failure: { readonly step: string; readonly error: RunError; readonly left: string } | null
  readonly mayResume: boolean
  /** Relations and endpoints that are late because of it. */
  readonly holdsBack: readonly string[]
}

export interface RunRequest {
  /** Relations to load or refresh, with what they need. */
  readonly assets?: readonly string[]
  /** Relations whose checks to run without refreshing. */
  readonly checks?: readonly string[]
}

export interface RunStarted extends Clocked {
  /** Null when there was nothing to run: the checks that were asked for are done. */
  readonly id: string | null
}
