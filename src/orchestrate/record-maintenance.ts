// The run that maintenance leaves in the history: made with the first step that did something or failed, so that a pass with
// nothing to do leaves none. A failure that is the same in every pass is recorded once.
import type { Clock } from '../core/clock.ts'
import type { MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { LakeTable } from '../lake/types.ts'
import type { ChoreDone } from './chores/chore.ts'
import type { RunHistory, RunRecord, StepRecord } from './history.ts'

export interface RecorderParts {
  readonly clock: Clock
  readonly random: Random
  readonly history: RunHistory
  code(): string | null
  readonly onRun: (run: RunRecord) => void
  readonly onStep: (step: StepRecord) => void
}

const NOTHING = { filesBefore: 0, filesAfter: 0, bytesBefore: 0, bytesAfter: 0 }

export class MaintenanceRun {
  readonly #parts: RecorderParts
  readonly #trigger: string
  readonly #steps: StepRecord[] = []
  #run: RunRecord | null = null

  /** `trigger` is 'maintenance', or with who asked for it. */
  constructor(parts: RecorderParts, trigger: string) {
    this.#parts = parts
    this.#trigger = trigger
  }

  get steps(): readonly StepRecord[] {
    return this.#steps
  }

  get id(): string | null {
    return this.#run?.id ?? null
  }

  /** `relation` is empty for what is about no table; `after` is the table as the chore left it. */
  async did(name: string, relation: string, startedMs: number, done: ChoreDone, after: LakeTable | null): Promise<void> {
    const current = after?.current
    const effect = current && {
      relation,
      snapshotId: String(current.id),
      sequence: current.sequence,
      added: 0,
      removed: done.removedRows ?? 0,
    }
    const nowMs = this.#parts.clock.nowMs()
    await this.#add(name, relation, startedMs, {
      status: 'succeeded',
      note: done.note,
      rows: done.removedRows ?? null,
      effects: effect ? [effect] : [],
      log: [{ atMs: nowMs, level: 'info', text: done.note }],
      saved: done.saved,
    })
  }

  async failed(name: string, relation: string, startedMs: number, { code, message, fix }: MillraceError): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    const log = [{ atMs: nowMs, level: 'error', text: `${code} ${message}` }] as const
    await this.#add(name, relation, startedMs, {
      status: 'failed',
      error: { code, message, ...(fix === undefined ? {} : { fix }) },
      log,
      saved: NOTHING,
    })
  }

  async #add(name: string, relation: string, startedMs: number, outcome: Partial<StepRecord>): Promise<void> {
    const { clock, history, onStep } = this.#parts
    const run = await this.#begin(startedMs)
    const nowMs = clock.nowMs()
    const step: StepRecord = {
      runId: run.id,
      ordinal: this.#steps.length,
      name: relation === '' ? name : `${relation}.${name}`,
      relation,
      status: 'succeeded',
      startedMs,
      endedMs: nowMs,
      note: null,
      rows: null,
      waitsOn: [],
      tries: [{ startedAtMs: startedMs, endedAtMs: nowMs, error: outcome.error ? `${outcome.error.code} ${outcome.error.message}` : null }],
      log: [],
      effects: [],
      error: null,
      ...outcome,
    }
    this.#steps.push(step)
    await history.saveStep(step)
    onStep(step)
  }

  async #begin(startedMs: number): Promise<RunRecord> {
    if (this.#run) return this.#run
    const { clock, random, history, onRun } = this.#parts
    this.#run = {
      id: uuidV7(clock.nowMs(), random),
      name: 'maintenance',
      trigger: this.#trigger,
      status: 'running',
      queuedMs: startedMs,
      startedMs,
      endedMs: null,
      code: this.#parts.code(),
    }
    await history.save(this.#run, [])
    onRun(this.#run)
    return this.#run
  }

  async end(): Promise<void> {
    if (!this.#run) return
    const failed = this.#steps.filter((step) => step.status === 'failed').length
    const status = failed === 0 ? 'succeeded' : failed === this.#steps.length ? 'failed' : 'partial'
    this.#run = { ...this.#run, status, endedMs: this.#parts.clock.nowMs() }
    await this.#parts.history.saveRun(this.#run)
    this.#parts.onRun(this.#run)
  }
}
