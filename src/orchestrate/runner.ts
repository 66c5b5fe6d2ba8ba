// Runs assets: steps in the order of their needs, at most `concurrency` at once, each with tries, back-off and a time limit;
// what waits for a failed step is skipped. Every change of state is in the history before the next begins.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { Asset } from './graph.ts'
import type { Effect, LogLine, RunError, RunHistory, RunRecord, RunStatus, StepRecord } from './history.ts'

export interface StepOutcome {
  readonly note: string
  readonly rows: number | null
  readonly effects: readonly Effect[]
}

export interface StepContext {
  readonly runId: string
  readonly signal: AbortSignal
  readonly full: boolean
  log(level: LogLine['level'], text: string): void
}

export type RunStep = (asset: Asset, context: StepContext) => Promise<StepOutcome>

export interface RunnerParts {
  readonly clock: Clock
  readonly random: Random
  readonly history: RunHistory
  readonly runStep: RunStep
  readonly concurrency: number
  readonly onStep: (step: StepRecord) => void
  readonly onRun: (run: RunRecord) => void
}

export interface RunRequest {
  readonly name: string
  readonly trigger: string
  /** In order: each after what it needs. */
  readonly assets: readonly Asset[]
  readonly retry?: { readonly times: number; readonly waitMs: number }
  readonly timeoutMs?: number
  readonly full?: boolean
  readonly code: string | null
}

export interface StartedRun {
  readonly id: string
  readonly done: Promise<RunRecord>
}

const WAIT_MAX_MS = 60_000
const LOG_LINES_MAX = 500

export class Runner {
  readonly #parts: RunnerParts
  readonly #stop = new AbortController()
  /** Assets being refreshed now: one refresh of an asset at a time, over all runs. */
  readonly #busy = new Map<string, Promise<unknown>>()
  readonly #active = new Set<Promise<unknown>>()
  #slots: number
  #waiting: (() => void)[] = []

  constructor(parts: RunnerParts) {
    this.#parts = parts
    this.#slots = parts.concurrency
  }

  get isIdle(): boolean {
    return this.#active.size === 0
  }

  isBusy(asset: string): boolean {
    return this.#busy.has(asset)
  }

  async start(request: RunRequest): Promise<StartedRun> {
    const { clock, random, history } = this.#parts
    const nowMs = clock.nowMs()
    const run: RunRecord = {
      id: uuidV7(nowMs, random),
      name: request.name,
      trigger: request.trigger,
      status: 'running',
      queuedMs: nowMs,
      startedMs: nowMs,
      endedMs: null,
      code: request.code,
    }
    const steps = request.assets.map((asset, ordinal) => newStep(run.id, ordinal, asset, request.assets))
    await history.save(run, steps)
    this.#parts.onRun(run)
    const done = this.#run(run, request, steps)
    this.#active.add(done)
    done.finally(() => this.#active.delete(done)).catch(() => {})
    return { id: run.id, done }
  }

  /** Stops taking steps and waits for those that run; they are cancelled after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    const cancel = this.#parts.clock.after(graceMs, () => this.#stop.abort(new MillraceError('MR_CANCELLED', 'the server stops')))
    await Promise.allSettled([...this.#active])
    cancel()
  }

  async #run(run: RunRecord, request: RunRequest, steps: StepRecord[]): Promise<RunRecord> {
    const results = new Map<string, Promise<StepRecord>>()
    for (const [index, asset] of request.assets.entries()) results.set(asset.name, this.#step(request, asset, steps[index]!, results))
    const ended = await Promise.all(results.values())
    const finished: RunRecord = { ...run, status: statusOf(ended), endedMs: this.#parts.clock.nowMs() }
    await this.#parts.history.saveRun(finished)
    this.#parts.onRun(finished)
    return finished
  }

  async #step(request: RunRequest, asset: Asset, step: StepRecord, results: ReadonlyMap<string, Promise<StepRecord>>): Promise<StepRecord> {
    const needed = await Promise.all(step.waitsOn.map((name) => results.get(name)!))
    const broken = needed.filter((other) => other.status !== 'succeeded').map((other) => other.relation)
    if (broken.length > 0) return this.#save({ ...step, status: 'skipped', waitsOn: broken })
    while (this.#busy.has(asset.name)) await this.#busy.get(asset.name)
    await this.#takeSlot()
    const work = this.#attempt(request, asset, step)
    const settled = work.then(
      () => {},
      () => {},
    )
    this.#busy.set(asset.name, settled)
    try {
      return await work
    } finally {
      this.#busy.delete(asset.name)
      this.#freeSlot()
    }
  }

  async #takeSlot(): Promise<void> {
    if (this.#slots > 0) {
      this.#slots--
      return
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #freeSlot(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#slots++
  }

  async #attempt(request: RunRequest, asset: Asset, waiting: StepRecord): Promise<StepRecord> {
    const { clock, random } = this.#parts
    const log: LogLine[] = []
    const say = (level: LogLine['level'], text: string): void => {
      if (log.length < LOG_LINES_MAX) log.push({ atMs: clock.nowMs(), level, text })
    }
    let step = await this.#save({ ...waiting, status: 'running', startedMs: clock.nowMs() })
    const tryMax = 1 + (request.retry?.times ?? 0)
    for (let attempt = 1; ; attempt++) {
      const startedAtMs = clock.nowMs()
      try {
        const outcome = await this.#limit(request, (signal) =>
          this.#parts.runStep(asset, { runId: step.runId, signal, full: request.full ?? false, log: say }),
        )
        say('info', outcome.note)
        return await this.#save({
          ...step,
          ...outcome,
          status: 'succeeded',
          endedMs: clock.nowMs(),
          tries: [...step.tries, { startedAtMs, endedAtMs: clock.nowMs(), error: null }],
          log: [...log],
        })
      } catch (cause) {
        const error = asMillraceError(cause)
        say('error', `${error.code} ${error.message}`)
        const tries = [...step.tries, { startedAtMs, endedAtMs: clock.nowMs(), error: `${error.code} ${error.message}` }]
        const isLast = attempt >= tryMax || this.#stop.signal.aborted || error.code === 'MR_CHECK_BLOCKED'
        step = await this.#save({
          ...step,
          tries,
          log: [...log],
          ...(isLast ? { status: 'failed', endedMs: clock.nowMs(), error: errorOf(error) } : {}),
        })
        if (isLast) return step
        const waitMs = Math.round((0.5 + random.next() / 2) * Math.min(WAIT_MAX_MS, request.retry!.waitMs * 2 ** (attempt - 1)))
        say('info', `trying again in ${waitMs} ms`)
        await clock.sleep(waitMs, this.#stop.signal).catch(() => {})
      }
    }
  }

  async #limit<T>(request: RunRequest, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (request.timeoutMs === undefined) return action(this.#stop.signal)
    const limit = new AbortController()
    const onStop = (): void => limit.abort(this.#stop.signal.reason)
    this.#stop.signal.addEventListener('abort', onStop, { once: true })
    const cancel = this.#parts.clock.after(request.timeoutMs, () =>
      limit.abort(
        new MillraceError('MR_RUN_TIMEOUT', `the step ran longer than ${request.timeoutMs} ms`, { fix: 'raise the time limit of the job' }),
      ),
    )
    try {
      const aborted = new Promise<never>((_, reject) =>
        limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true }),
      )
      return await Promise.race([action(limit.signal), aborted])
    } finally {
      cancel()
      this.#stop.signal.removeEventListener('abort', onStop)
    }
  }

  async #save(step: StepRecord): Promise<StepRecord> {
    await this.#parts.history.saveStep(step)
    this.#parts.onStep(step)
    return step
  }
}

function newStep(runId: string, ordinal: number, asset: Asset, all: readonly Asset[]): StepRecord {
  const waitsOn = asset.needs.filter((need) => all.some((other) => other.name === need))
  const name = asset.kind === 'load' ? `${asset.name}.load` : asset.name
  return {
    runId,
    ordinal,
    name,
    relation: asset.name,
    status: 'waiting',
    startedMs: null,
    endedMs: null,
    note: null,
    rows: null,
    waitsOn,
    tries: [],
    log: [],
    effects: [],
    error: null,
  }
}

function statusOf(steps: readonly StepRecord[]): RunStatus {
  if (steps.every((step) => step.status === 'succeeded')) return 'succeeded'
  return steps.some((step) => step.status === 'succeeded') ? 'partial' : 'failed'
}

function errorOf(error: MillraceError): RunError {
  return {
    code: error.code,
    message: error.message,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
    ...(error.at === undefined ? {} : { at: error.at }),
  }
}
