// Alert rules: evaluated when what they watch changes or on a clock, kept as open incidents in the control store, sent when
// they begin and when they end.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, type MillraceError } from '../core/errors.ts'
import { systemRandom, uuidV7 } from '../core/random.ts'
import type { AlertManifest, Manifest, Text } from '../define/manifest.ts'
import type { Engine } from '../engine/duckdb.ts'
import type { RelationStore } from '../engine/relations.ts'
import { inlineConstants } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import type { CheckOutcome } from '../quality/run-checks.ts'
import type { Store } from '../store/open-store.ts'
import { deliver } from './deliver.ts'

export interface AlertsParts {
  readonly clock: Clock
  readonly store: Store
  readonly manifest: Manifest
  readonly engine: Engine
  readonly relations: RelationStore
  text(text: Text): string
  readonly signingKey: string | undefined
  readonly onError: (message: string, error: MillraceError) => void
}

interface State {
  /** Since when the condition holds; null while it does not. */
  sinceMs: number | null
  isFiring: boolean
  text: string
}

const LATE_EVERY_MS = 15_000

export class Alerts {
  readonly #parts: AlertsParts
  readonly #states = new Map<string, State>()
  readonly #cancels = new Map<string, () => void>()
  readonly #lastCommitMs = new Map<string, number>()
  #isRunning = false

  constructor(parts: AlertsParts) {
    this.#parts = parts
    for (const alert of parts.manifest.alerts) this.#states.set(alert.name, { sinceMs: null, isFiring: false, text: '' })
  }

  start(): void {
    this.#isRunning = true
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

  ran(asset: string, status: string, message: string | null): void {
    for (const alert of this.#parts.manifest.alerts) {
      if (alert.when.kind === 'run' && this.#covers(alert.when.asset, asset))
        this.#set(alert, status === 'failed', message ?? `${asset} failed`)
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
    const pins = await Promise.all(names.map((name) => this.#parts.relations.pin(name)))
    try {
      const relations = Object.fromEntries(pins.map((pin) => [pin.relation, pin.scanSql]))
      const { rows } = await withRelations(this.#parts.engine, relations, (session) =>
        session.rows(inlineConstants(when.sql), undefined, { rowMax: 1, timeoutMs: 30_000 }),
      )
      this.#set(alert, rows[0]?.[0] === true, `the condition of ${alert.name} holds`)
    } finally {
      for (const pin of pins) pin.release()
    }
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
    this.#set(alert, true, text)
    this.#parts.clock.after(60_000, () => this.#set(alert, false, text))
  }

  #set(alert: AlertManifest, holds: boolean, text: string): void {
    const state = this.#states.get(alert.name)!
    const nowMs = this.#parts.clock.nowMs()
    if (!holds) {
      if (state.isFiring) void this.#change(alert, state, 'resolved')
      state.sinceMs = null
      state.isFiring = false
      return
    }
    state.text = text
    state.sinceMs ??= nowMs
    if (!state.isFiring && nowMs - state.sinceMs >= alert.forMs) {
      state.isFiring = true
      void this.#change(alert, { ...state }, 'firing')
    }
  }

  async #change(alert: AlertManifest, state: State, to: 'firing' | 'resolved'): Promise<void> {
    const nowMs = this.#parts.clock.nowMs()
    const sinceMs = state.sinceMs ?? nowMs
    try {
      await this.#record(alert, state, to, sinceMs, nowMs)
      const message = {
        key: `${alert.name}:${sinceMs}:${to}`,
        alert: alert.name,
        state: to,
        sinceMs,
        text: state.text,
        detail: { at: alert.at },
      }
      const parts = { clock: this.#parts.clock, random: systemRandom, fetch, signingKey: this.#parts.signingKey }
      await Promise.all(alert.to.map((channel) => deliver(parts, { kind: channel.kind, url: this.#parts.text(channel.url) }, message)))
    } catch (cause) {
      this.#parts.onError(`alert ${alert.name} could not be sent`, asMillraceError(cause))
    }
  }

  #record(alert: AlertManifest, state: State, to: 'firing' | 'resolved', sinceMs: number, nowMs: number): Promise<void> {
    return this.#parts.store.write(async (tx) => {
      if (to === 'firing') {
        await tx
          .updateTable('alerts')
          .set({ state: 'resolved', resolvedMs: nowMs })
          .where('name', '=', alert.name)
          .where('state', '=', 'firing')
          .execute()
        await tx
          .insertInto('alerts')
          .values({
            id: uuidV7(nowMs, systemRandom),
            name: alert.name,
            state: 'firing',
            sinceMs,
            lastSentMs: nowMs,
            resolvedMs: null,
            detail: JSON.stringify({ text: state.text }),
          })
          .execute()
      } else
        await tx
          .updateTable('alerts')
          .set({ state: 'resolved', resolvedMs: nowMs, lastSentMs: nowMs })
          .where('name', '=', alert.name)
          .where('state', '=', 'firing')
          .execute()
    })
  }
}
