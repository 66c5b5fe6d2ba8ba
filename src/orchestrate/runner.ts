// Runs assets: steps in the order of their needs, at most `concurrency` at once, each with tries, back-off and a time limit;
// what waits for a failed step is skipped. One refresh of an asset at a time, over all runs: also after a time limit, until
// what ran over it has really ended. Every change of state is in the history before the next begins.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { Range } from '../transform/range.ts'
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
  /** Only these intervals. */
  readonly range?: Range
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
  readonly range?: Range
  readonly code: string | null
}

export interface StartedRun {
  readonly id: string
  readonly done: Promise<RunRecord>
}

const WAIT_MAX_MS = 60_000
const LOG_LINES_MAX = 500
/** A refresh that lost against another writer of its table (a compaction, say) is repeated even where no retry is asked for. */
const CONFLICT_TRIES = 3
const CONFLICT_WAIT_MS = 200

export class Runner {
  readonly #parts: RunnerParts
  readonly #stop = new AbortController()
  /** The last refresh that was asked for of each asset, settled when it and all before it are done. */
  readonly #turns = new Map<string, Promise<void>>()
  /** What was begun of each asset and has not ended, within its time limit or not. */
  readonly #acting = new Map<string, Promise<void>>()
  #isStopping = false
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
    return this.#turns.has(asset) || this.#acting.has(asset)
  }

  /** @throws MR_CANCELLED when it stops. */
  async start(request: RunRequest): Promise<StartedRun> {
    if (this.#isStopping) throw stopped()
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

  /** Begins no more steps and waits for those that run; they are cancelled after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    const cancel = this.#parts.clock.after(graceMs, () => this.#stop.abort(stopped()))
    await Promise.allSettled([...this.#active])
    cancel()
  }

  async #run(run: RunRecord, request: RunRequest, steps: StepRecord[]): Promise<RunRecord> {
    const results = new Map<string, Promise<StepRecord>>()
    for (const [index, asset] of request.assets.entries()) results.set(asset.name, this.#step(request, asset, steps[index]!, results))
    const ended = await Promise.all(results.values())
    const finished: RunRecord = { ...run, status: this.#statusOf(ended), endedMs: this.#parts.clock.nowMs() }
    await this.#parts.history.saveRun(finished)
    this.#parts.onRun(finished)
    return finished
  }

  async #step(request: RunRequest, asset: Asset, step: StepRecord, results: ReadonlyMap<string, Promise<StepRecord>>): Promise<StepRecord> {
    const needed = await Promise.all(step.waitsOn.map((name) => results.get(name)!))
    const broken = needed.filter((other) => other.status !== 'succeeded').map((other) => other.relation)
    if (broken.length > 0) return this.#save({ ...step, status: 'skipped', waitsOn: broken })
    return this.#inTurn(asset.name, async () => {
      await this.#takeSlot()
      try {
        return this.#isStopping ? await this.#save({ ...step, status: 'skipped' }) : await this.#attempt(request, asset, step)
      } finally {
        this.#freeSlot()
      }
    })
  }

  async #inTurn<T>(asset: string, action: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(asset)
    const work = (before ?? Promise.resolve()).then(() => this.#acting.get(asset)).then(action)
    const settled = work.then(
      () => {},
      () => {},
    )
    this.#turns.set(asset, settled)
    try {
      return await work
    } finally {
      if (this.#turns.get(asset) === settled) this.#turns.delete(asset)
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
    for (let attempt = 1; ; attempt++) {
      await this.#acting.get(asset.name)
      const startedAtMs = clock.nowMs()
      try {
        const outcome = await this.#limit(request, asset.name, (signal) =>
          this.#parts.runStep(asset, {
            runId: step.runId,
            signal,
            full: request.full ?? false,
            ...(request.range ? { range: request.range } : {}),
            log: say,
          }),
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
        const { times, waitMs: firstWaitMs } = retryOf(request, error)
        const isLast = attempt > times || this.#isStopping || error.code === 'MR_CHECK_BLOCKED'
        step = await this.#save({
          ...step,
          tries,
          log: [...log],
          ...(isLast ? { status: 'failed', endedMs: clock.nowMs(), error: errorOf(error) } : {}),
        })
        if (isLast) return step
        const waitMs = Math.round((0.5 + random.next() / 2) * Math.min(WAIT_MAX_MS, firstWaitMs * 2 ** (attempt - 1)))
        say('info', `trying again in ${waitMs} ms`)
        await clock.sleep(waitMs, this.#stop.signal).catch(() => {})
      }
    }
  }

  /** Ends with the action, or without it when the time is up or the runner is made to stop; the action is told by its signal. */
  async #limit<T>(request: RunRequest, asset: string, action: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const limit = new AbortController()
    const onStop = (): void => limit.abort(this.#stop.signal.reason)
    if (this.#stop.signal.aborted) onStop()
    this.#stop.signal.addEventListener('abort', onStop, { once: true })
    const cancel =
      request.timeoutMs === undefined
        ? () => {}
        : this.#parts.clock.after(request.timeoutMs, () => limit.abort(timedOut(request.timeoutMs!)))
    const aborted = new Promise<never>((_, reject) => {
      limit.signal.addEventListener('abort', () => reject(limit.signal.reason), { once: true })
    })
    try {
      return await Promise.race([this.#act(asset, action(limit.signal)), aborted])
    } finally {
      cancel()
      this.#stop.signal.removeEventListener('abort', onStop)
    }
  }

  #act<T>(asset: string, work: Promise<T>): Promise<T> {
    const settled = work
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.#acting.delete(asset))
    this.#acting.set(asset, settled)
    return work
  }

  #statusOf(steps: readonly StepRecord[]): RunStatus {
    if (steps.every((step) => step.status === 'succeeded')) return 'succeeded'
    if (this.#isStopping) return 'cancelled'
    return steps.some((step) => step.status === 'succeeded') ? 'partial' : 'failed'
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

const stopped = (): MillraceError => new MillraceError('MR_CANCELLED', 'the server stops', { fix: 'run it again after the start' })

const timedOut = (timeoutMs: number): MillraceError =>
  new MillraceError('MR_RUN_TIMEOUT', `the step ran longer than ${timeoutMs} ms`, { fix: 'raise the time limit of the job' })

function retryOf({ retry }: RunRequest, error: MillraceError): { times: number; waitMs: number } {
  const asked = retry ?? { times: 0, waitMs: CONFLICT_WAIT_MS }
  return error.code === 'MR_LAKE_CONFLICT' ? { times: Math.max(CONFLICT_TRIES, asked.times), waitMs: CONFLICT_WAIT_MS } : asked
}

function errorOf(error: MillraceError): RunError {
  return {
    code: error.code,
    message: error.message,
    ...(error.fix === undefined ? {} : { fix: error.fix }),
    ...(error.at === undefined ? {} : { at: error.at }),
  }
}
