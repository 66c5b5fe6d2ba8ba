// Alert rules: evaluated when what they watch changes or on a clock, kept as open incidents in the control store, sent when
// they begin and when they end. An incident outlives a restart: it is not sent again, and ends when its condition does.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, type MillraceError } from '../core/errors.ts'
import { type Random, systemRandom, uuidV7 } from '../core/random.ts'
import type { AlertManifest, Manifest, Text } from '../define/manifest.ts'
import type { Engine } from '../engine/duckdb.ts'
import { viewsOver, withPinned } from '../engine/pinned.ts'
import type { RelationStore } from '../engine/relations.ts'
import { inlineConstants } from '../engine/sql-text.ts'
import type { LakeTable } from '../lake/types.ts'
import type { CheckOutcome } from '../quality/run-checks.ts'
import type { Store } from '../store/open-store.ts'
import type { StreamEvent } from '../stream/stream-event.ts'
import { deliver } from './deliver.ts'

export interface AlertsParts {
  readonly clock: Clock
  readonly store: Store
  readonly manifest: Manifest
  readonly engine: Engine
  readonly relations: RelationStore
  text(text: Text): string
  readonly signingKey: string | undefined
  readonly random?: Random
  readonly fetch?: typeof fetch
  readonly onError: (message: string, error: MillraceError) => void
}

interface State {
  /** Since when the condition holds; null while it does not. */
  sinceMs: number | null
  isFiring: boolean
  text: string
  /** Looks again when the condition has held long enough. */
  cancel: () => void
  /** The last message: they go out one after another. */
  sent: Promise<void>
}

interface Change {
  readonly text: string
  readonly to: 'firing' | 'resolved'
  readonly sinceMs: number
  readonly nowMs: number
}

/** Compaction writes rows anew; a summary that has totals but nothing added says that nothing was. */
const addedRows = ({ current }: LakeTable): boolean => {
  if (!current || current.operation === 'replace') return false
  const added = current.summary['added-records']
  return added === undefined ? current.summary['total-records'] === undefined : Number(added) > 0
}

const LATE_EVERY_MS = 15_000
const PULSE_MS = 60_000

export class Alerts {
  readonly #parts: AlertsParts
  readonly #states = new Map<string, State>()
  readonly #cancels = new Map<string, () => void>()
  readonly #lastCommitMs = new Map<string, number>()
  /** What the last run of each asset said, where it failed. */
  readonly #failed = new Map<string, string>()
  #isRunning = false

  constructor(parts: AlertsParts) {
    this.#parts = parts
    for (const alert of parts.manifest.alerts)
      this.#states.set(alert.name, { sinceMs: null, isFiring: false, text: '', cancel: () => {}, sent: Promise.resolve() })
  }

  /** `failed`: assets whose last run, before this start, failed, and why. They fire nothing anew but hold what is open. */
  start(failed: Iterable<readonly [asset: string, message: string]> = []): void {
    this.#isRunning = true
    for (const [asset, message] of failed) this.#failed.set(asset, message)
    this.#reopen().catch((cause) => this.#parts.onError('open alerts could not be read', asMillraceError(cause)))
    const startMs = this.#parts.clock.nowMs()
    for (const alert of this.#parts.manifest.alerts) {
      const { when } = alert
      if (when.kind === 'sql') this.#every(alert, when.everyMs, () => this.#askSql(alert))
      if (when.kind === 'late') {
        this.#lastCommitMs.set(when.relation, startMs)
        this.#every(alert, LATE_EVERY_MS, () => this.#checkLate(alert))
      }
    }
  }

  stop(): void {
    this.#isRunning = false
    for (const cancel of this.#cancels.values()) cancel()
    for (const { cancel } of this.#states.values()) cancel()
  }

  /** Incidents that were open when the process ended. A pulse has ended since; one whose rule is gone is closed. */
  async #reopen(): Promise<void> {
    const rows = await this.#parts.store.read.selectFrom('alerts').selectAll().where('state', '=', 'firing').execute()
    for (const row of rows) {
      const alert = this.#parts.manifest.alerts.find((candidate) => candidate.name === row.name)
      const state = this.#states.get(row.name)
      if (!alert || !state) await this.#close(row.name)
      else if (!state.isFiring) {
        const { text } = JSON.parse(row.detail) as { text: string }
        Object.assign(state, { sinceMs: row.sinceMs, isFiring: true, text })
        if (alert.when.kind === 'rows') this.#set(alert, false, text)
      }
    }
  }

  #every(alert: AlertManifest, everyMs: number, action: () => Promise<void>): void {
    if (!this.#isRunning) return
    this.#cancels.set(
      alert.name,
      this.#parts.clock.after(everyMs, () => {
        action()
          .catch((cause) => this.#parts.onError(`alert ${alert.name} could not be evaluated`, asMillraceError(cause)))
          .finally(() => this.#every(alert, everyMs, action))
      }),
    )
  }

  /** A relation has a new snapshot. */
  committed(relation: string): void {
    this.#lastCommitMs.set(relation, this.#parts.clock.nowMs())
  }

  /** A load or a refresh committed. Its rows are new when the snapshot added any, or does not say. */
  stored(table: LakeTable): void {
    if (addedRows(table)) this.arrived(table.name)
  }

  /** Rows of a stream or keyed table are new when its own pipeline lets them through; those of a live model when committed. */
  streamed(event: StreamEvent): void {
    if (event.kind === 'applied' && event.pipeline.startsWith('stream:') && event.delivery.classified.out.length > 0)
      this.arrived(event.pipeline.slice('stream:'.length))
    if (event.kind === 'flushed' && event.pipeline.startsWith('live:')) for (const table of event.tables) this.arrived(table)
  }

  /** New rows of a relation became visible. */
  arrived(relation: string): void {
    this.#lastCommitMs.set(relation, this.#parts.clock.nowMs())
    for (const alert of this.#parts.manifest.alerts) {
      if (alert.when.kind === 'rows' && alert.when.relation === relation) this.#pulse(alert, `new rows in ${relation}`)
    }
  }

  checked(outcomes: readonly CheckOutcome[]): void {
    for (const alert of this.#parts.manifest.alerts) {
      const { when } = alert
      if (when.kind !== 'checks') continue
      const own = outcomes.filter((outcome) => outcome.set === when.set)
      if (own.length === 0) continue
      const failed = own.filter((outcome) => outcome.status !== 'pass')
      this.#set(
        alert,
        failed.length > 0,
        failed.map((outcome) => `${outcome.check.name}: ${outcome.measured ?? `${outcome.failedRows} rows`}`).join('; '),
      )
    }
  }

  /** An asset succeeded or failed. An alert holds while anything that it covers has failed. */
  ran(asset: string, status: string, message: string | null): void {
    if (status === 'failed') this.#failed.set(asset, message ?? `${asset} failed`)
    else this.#failed.delete(asset)
    for (const alert of this.#parts.manifest.alerts) {
      const { when } = alert
      if (when.kind !== 'run' || !this.#covers(when.asset, asset)) continue
      const broken = [...this.#failed].filter(([name]) => this.#covers(when.asset, name)).map(([, text]) => text)
      this.#set(alert, broken.length > 0, broken.join('; '))
    }
  }

  /** `failed(...)` names an asset, or a job that runs it. */
  #covers(name: string, asset: string): boolean {
    return name === asset || this.#parts.manifest.jobs.some((job) => job.name === name && job.run.includes(asset))
  }

  async #askSql(alert: AlertManifest): Promise<void> {
    const { when } = alert
    if (when.kind !== 'sql') return
    const names = this.#parts.manifest.relations.map((relation) => relation.name).filter((name) => this.#parts.relations.has(name))
    const views = viewsOver(this.#parts.manifest.relations, names)
    const { rows } = await withPinned(this.#parts.engine, this.#parts.relations, names, views, (session) =>
      session.rows(inlineConstants(when.sql), undefined, { rowMax: 1, timeoutMs: 30_000 }),
    )
    this.#set(alert, rows[0]?.[0] === true, `the condition of ${alert.name} holds`)
  }

  async #checkLate(alert: AlertManifest): Promise<void> {
    const { when } = alert
    if (when.kind !== 'late') return
    const relation = this.#parts.manifest.relations.find((candidate) => candidate.name === when.relation)
    const ageMs = this.#parts.clock.nowMs() - (this.#lastCommitMs.get(when.relation) ?? 0)
    this.#set(
      alert,
      relation?.freshMs !== undefined && ageMs > relation.freshMs,
      `${when.relation} has had no new data for ${Math.round(ageMs / 1_000)} s`,
    )
  }

  /** One event: it fires and ends at once. */
  #pulse(alert: AlertManifest, text: string): void {
    const state = this.#states.get(alert.name)!
    if (state.isFiring) return
    this.#set({ ...alert, forMs: 0 }, true, text)
    state.cancel = this.#parts.clock.after(PULSE_MS, () => this.#set(alert, false, text))
  }

  #set(alert: AlertManifest, holds: boolean, text: string): void {
    const state = this.#states.get(alert.name)!
    const nowMs = this.#parts.clock.nowMs()
    if (!holds) {
      state.cancel()
      if (state.isFiring) this.#change(alert, state, 'resolved')
      state.sinceMs = null
      state.isFiring = false
      return
    }
    state.text = text
    state.sinceMs ??= nowMs
    if (state.isFiring) return
    const leftMs = state.sinceMs + alert.forMs - nowMs
    state.cancel()
    if (leftMs > 0) {
      state.cancel = this.#parts.clock.after(leftMs, () => this.#set(alert, true, state.text))
      return
    }
    state.isFiring = true
    this.#change(alert, state, 'firing')
  }

  #change(alert: AlertManifest, { text, sinceMs, ...state }: State, to: 'firing' | 'resolved'): void {
    const change = { text, to, sinceMs: sinceMs ?? this.#parts.clock.nowMs(), nowMs: this.#parts.clock.nowMs() }
    this.#states.get(alert.name)!.sent = state.sent.then(() => this.#tell(alert, change))
  }

  async #tell(alert: AlertManifest, { text, to, sinceMs, nowMs }: Change): Promise<void> {
    try {
      if (to === 'firing') await this.#open(alert.name, text, sinceMs, nowMs)
      else await this.#close(alert.name)
      const message = {
        key: `${alert.name}:${sinceMs}:${to}`,
        alert: alert.name,
        state: to,
        sinceMs,
        text,
        detail: { at: alert.at },
      }
      const { clock, signingKey } = this.#parts
      const parts = { clock, random: this.#random, fetch: this.#parts.fetch ?? fetch, signingKey }
      await Promise.all(alert.to.map((channel) => deliver(parts, { kind: channel.kind, url: this.#parts.text(channel.url) }, message)))
    } catch (cause) {
      this.#parts.onError(`alert ${alert.name} could not be sent`, asMillraceError(cause))
    }
  }

  get #random(): Random {
    return this.#parts.random ?? systemRandom
  }

  async #open(name: string, text: string, sinceMs: number, nowMs: number): Promise<void> {
    await this.#close(name)
    const row = { id: uuidV7(nowMs, this.#random), name, state: 'firing', sinceMs, lastSentMs: nowMs, resolvedMs: null }
    await this.#parts.store.write(async (tx) => {
      await tx
        .insertInto('alerts')
        .values({ ...row, detail: JSON.stringify({ text }) })
        .execute()
    })
  }

  async #close(name: string): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    await this.#parts.store.write(async (tx) => {
      await tx
        .updateTable('alerts')
        .set({ state: 'resolved', resolvedMs: nowMs, lastSentMs: nowMs })
        .where('name', '=', name)
        .where('state', '=', 'firing')
        .execute()
    })
  }
}
