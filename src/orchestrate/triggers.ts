// What starts runs by itself: the clock (jobs, sources) and commits. A model without a job refreshes when its inputs commit,
// but not more often than half its freshness target asks for; what is stale because of one commit runs as one run.
import type { Clock } from '../core/clock.ts'
import type { JobManifest, Manifest, TableManifest } from '../define/manifest.ts'
import { type Asset, assetsOf, chooseAssets } from './graph.ts'
import type { Runner, RunRequest, StartedRun } from './runner.ts'
import { nextDueMs, printSchedule, type Schedule } from './schedule.ts'

interface Timed {
  readonly name: string
  readonly assets: readonly string[]
  readonly schedule: Schedule
  readonly job?: JobManifest
  dueMs: number | null
  /** Its last run has not ended: what falls due meanwhile is passed over. */
  isRunning: boolean
}

export interface TriggerParts {
  readonly clock: Clock
  readonly runner: Runner
  readonly code: () => string | null
  readonly onError: (error: unknown) => void
}

const SETTLE_MS = 50
/** Until the next look at what was busy. */
const BUSY_MS = 200
/** Until the next try when a run could not be begun. */
const FAILED_MS = 5_000
const TICK_MAX_MS = 30_000

export class Triggers {
  readonly #parts: TriggerParts
  readonly #assets: readonly Asset[]
  readonly #timed: Timed[]
  /** Assets that a job refreshes at fixed times: commits do not start them. */
  readonly #byJob: ReadonlySet<string>
  readonly #lastStartMs = new Map<string, number>()
  /** Relations that committed since the last look. */
  #changed = new Set<string>()
  /** Assets that wait, and the commits that made them stale. */
  readonly #stale = new Map<Asset, readonly string[]>()
  #cancel: () => void = () => {}
  /** The next look at what is stale. */
  #look: { readonly atMs: number; readonly cancel: () => void } | null = null
  #isRunning = false

  constructor(manifest: Manifest, parts: TriggerParts) {
    this.#parts = parts
    this.#assets = assetsOf(manifest)
    const jobs = manifest.jobs.map((job): Timed => ({ name: job.name, assets: job.run, schedule: job, job, dueMs: null, isRunning: false }))
    const sources = manifest.relations.filter(
      (relation): relation is TableManifest => relation.kind === 'table' && relation.source.kind === 'files',
    )
    const polls = sources.map(
      (table): Timed => ({ name: table.name, assets: [table.name], schedule: table.source as Schedule, dueMs: null, isRunning: false }),
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
    this.#look?.cancel()
  }

  /** A relation has a new snapshot. */
  committed(relation: string): void {
    this.#changed.add(relation)
    this.#lookIn(SETTLE_MS)
  }

  #lookIn(ms: number): void {
    const atMs = this.#parts.clock.nowMs() + ms
    if (!this.#isRunning || (this.#look && this.#look.atMs <= atMs)) return
    this.#look?.cancel()
    const cancel = this.#parts.clock.after(ms, () => {
      this.#look = null
      this.#refreshStale().catch(this.#parts.onError)
    })
    this.#look = { atMs, cancel }
  }

  async #refreshStale(): Promise<void> {
    if (!this.#isRunning) return
    const nowMs = this.#parts.clock.nowMs()
    const { ready, reasons } = this.#takeStale(nowMs)
    if (this.#stale.size > 0)
      this.#lookIn(Math.max(BUSY_MS, Math.min(...[...this.#stale.keys()].map((asset) => this.#waitMs(asset, nowMs)))))
    if (ready.length === 0) return
    for (const asset of ready) this.#lastStartMs.set(asset.name, nowMs)
    try {
      await this.#begin({
        name: `after ${reasons[0]}`,
        trigger: `${reasons.join(', ')} committed`,
        assets: ready,
        code: this.#parts.code(),
      })
    } catch (cause) {
      for (const asset of ready) {
        this.#lastStartMs.delete(asset.name)
        this.#stale.set(asset, reasons)
      }
      this.#lookIn(FAILED_MS)
      throw cause
    }
  }

  /** What can be refreshed now, and which commits made it stale; what is busy or was refreshed too recently stays stale. */
  #takeStale(nowMs: number): { ready: readonly Asset[]; reasons: readonly string[] } {
    const touched = new Set(this.#changed)
    this.#changed = new Set()
    const ready: Asset[] = []
    const reasons = new Set<string>()
    for (const asset of this.#assets) {
      if (asset.kind !== 'model' || this.#byJob.has(asset.name)) continue
      const own = [...new Set([...(this.#stale.get(asset) ?? []), ...asset.reads.filter((read) => touched.has(read))])]
      if (own.length === 0) continue
      if (this.#parts.runner.isBusy(asset.name) || this.#waitMs(asset, nowMs) > 0) {
        this.#stale.set(asset, own)
        continue
      }
      this.#stale.delete(asset)
      ready.push(asset)
      touched.add(asset.name)
      for (const reason of own) if (!ready.some((other) => other.name === reason)) reasons.add(reason)
    }
    return { ready, reasons: [...reasons] }
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
      if (!timed.isRunning) await this.#runTimed(timed).catch(this.#parts.onError)
    }
  }

  async #runTimed(timed: Timed): Promise<void> {
    const { job } = timed
    timed.isRunning = true
    try {
      const started = await this.#begin({
        name: timed.name,
        trigger: printSchedule(timed.schedule),
        assets: chooseAssets(this.#assets, timed.assets),
        code: this.#parts.code(),
        ...(job ? { retry: job.retry } : {}),
        ...(job?.timeoutMs === undefined ? {} : { timeoutMs: job.timeoutMs }),
      })
      const done = started?.done ?? Promise.resolve(null)
      done.catch(this.#parts.onError).finally(() => {
        timed.isRunning = false
      })
    } catch (cause) {
      timed.isRunning = false
      throw cause
    }
  }

  async #begin(request: RunRequest): Promise<StartedRun | null> {
    return request.assets.length === 0 ? null : this.#parts.runner.start(request)
  }
}
