// What starts runs by itself: the clock (jobs, sources) and commits. A model without a job refreshes when its inputs commit,
// but not more often than half its freshness target asks for; what is stale because of one commit runs as one run.
import type { Clock } from '../core/clock.ts'
import type { JobManifest, Manifest, TableManifest } from '../define/manifest.ts'
import { type Asset, assetsOf, chooseAssets, downstream } from './graph.ts'
import type { Runner, RunRequest } from './runner.ts'
import { nextDueMs, printSchedule, type Schedule } from './schedule.ts'

interface Timed {
  readonly name: string
  readonly assets: readonly string[]
  readonly schedule: Schedule
  readonly job?: JobManifest
  dueMs: number | null
}

export interface TriggerParts {
  readonly clock: Clock
  readonly runner: Runner
  readonly code: () => string | null
  readonly onError: (error: unknown) => void
}

const SETTLE_MS = 50
const TICK_MAX_MS = 30_000

export class Triggers {
  readonly #parts: TriggerParts
  readonly #assets: readonly Asset[]
  readonly #timed: Timed[]
  /** Assets that a job refreshes at fixed times: commits do not start them. */
  readonly #byJob: ReadonlySet<string>
  readonly #lastStartMs = new Map<string, number>()
  #changed = new Set<string>()
  #cancel: () => void = () => {}
  #settle: (() => void) | null = null
  #isRunning = false

  constructor(manifest: Manifest, parts: TriggerParts) {
    this.#parts = parts
    this.#assets = assetsOf(manifest)
    const jobs = manifest.jobs.map((job): Timed => ({ name: job.name, assets: job.run, schedule: job, job, dueMs: null }))
    const sources = manifest.relations.filter(
      (relation): relation is TableManifest => relation.kind === 'table' && relation.source.kind === 'files',
    )
    const polls = sources.map(
      (table): Timed => ({ name: table.name, assets: [table.name], schedule: table.source as Schedule, dueMs: null }),
    )
    this.#timed = [...jobs, ...polls]
    this.#byJob = new Set(manifest.jobs.filter((job) => job.cron !== undefined || job.everyMs !== undefined).flatMap((job) => job.run))
  }

  /** Starts the clock, loads every file source once and refreshes whatever is stale. */
  async start(): Promise<void> {
    this.#isRunning = true
    const nowMs = this.#parts.clock.nowMs()
    for (const timed of this.#timed) timed.dueMs = nextDueMs(timed.schedule, nowMs)
    await this.#begin({ name: 'start', trigger: 'the server started', assets: this.#assets, code: this.#parts.code() })
    this.#arm()
  }

  stop(): void {
    this.#isRunning = false
    this.#cancel()
    this.#settle?.()
  }

  /** A relation has a new snapshot. */
  committed(relation: string): void {
    this.#changed.add(relation)
    if (!this.#isRunning || this.#settle) return
    this.#settle = this.#parts.clock.after(SETTLE_MS, () => {
      this.#settle = null
      this.#refreshStale().catch(this.#parts.onError)
    })
  }

  async #refreshStale(): Promise<void> {
    if (!this.#isRunning) return
    const changed = [...this.#changed]
    const nowMs = this.#parts.clock.nowMs()
    const stale = downstream(this.#assets, changed).filter((asset) => asset.kind === 'model' && !this.#byJob.has(asset.name))
    const ready = stale.filter((asset) => !this.#parts.runner.isBusy(asset.name) && this.#waitMs(asset, nowMs) === 0)
    // What is busy or was refreshed too recently stays marked, through the relations that made it stale.
    const later = stale.filter((asset) => !ready.includes(asset))
    this.#changed = new Set(changed.filter((relation) => later.some((asset) => asset.reads.includes(relation))))
    if (ready.length > 0) {
      for (const asset of ready) this.#lastStartMs.set(asset.name, nowMs)
      await this.#begin({
        name: `after ${changed[0]}`,
        trigger: `${changed.join(', ')} committed`,
        assets: ready,
        code: this.#parts.code(),
      })
    }
    if (later.length > 0) {
      const waitMs = Math.max(200, Math.min(...later.map((asset) => this.#waitMs(asset, nowMs))))
      this.#settle = this.#parts.clock.after(waitMs, () => {
        this.#settle = null
        this.#refreshStale().catch(this.#parts.onError)
      })
    }
  }

  #waitMs(asset: Asset, nowMs: number): number {
    const last = this.#lastStartMs.get(asset.name)
    if (last === undefined || asset.freshMs === undefined) return 0
    return Math.max(0, last + asset.freshMs / 2 - nowMs)
  }

  #arm(): void {
    if (!this.#isRunning) return
    const nowMs = this.#parts.clock.nowMs()
    const next = Math.min(...this.#timed.map((timed) => timed.dueMs ?? Number.POSITIVE_INFINITY))
    this.#cancel = this.#parts.clock.after(Math.min(TICK_MAX_MS, Math.max(0, next - nowMs)), () => {
      this.#fire()
        .catch(this.#parts.onError)
        .finally(() => this.#arm())
    })
  }

  async #fire(): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    for (const timed of this.#timed) {
      if (timed.dueMs === null || timed.dueMs > nowMs) continue
      // Missed times coalesce into one run: the next due time is after now.
      timed.dueMs = nextDueMs(timed.schedule, nowMs)
      const { job } = timed
      await this.#begin({
        name: timed.name,
        trigger: printSchedule(timed.schedule),
        assets: chooseAssets(this.#assets, timed.assets),
        code: this.#parts.code(),
        ...(job ? { retry: job.retry } : {}),
        ...(job?.timeoutMs === undefined ? {} : { timeoutMs: job.timeoutMs }),
      })
    }
  }

  async #begin(request: RunRequest): Promise<void> {
    if (request.assets.length === 0) return
    await this.#parts.runner.start(request)
  }
}
