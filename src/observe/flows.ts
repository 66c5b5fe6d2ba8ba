// What flows in from topics and out to them: how far behind each is, and what stops it. Told by those that carry it.
import type { Clock } from '../core/clock.ts'
import type { MillraceError } from '../core/errors.ts'

export interface FlowFigures {
  /** In: from a topic into a relation; out: a sink. */
  readonly direction: 'in' | 'out'
  /** Of the relation that is fed, or the sink. */
  readonly name: string
  /** Fed, or read from. */
  readonly relation: string
  /** What the project calls the cluster. */
  readonly bus: string
  readonly topic: string
  /** In: messages that are not in the log yet. Out: rows that are committed and not written. Null while that is not known. */
  readonly lag: number | null
  readonly stopped: { readonly code: string; readonly message: string; readonly fix: string | null; readonly sinceMs: number } | null
}

export class Flow {
  readonly #about: Omit<FlowFigures, 'lag' | 'stopped'>
  readonly #clock: Clock
  #lag: () => number | null = () => null
  #stopped: FlowFigures['stopped'] = null

  constructor(clock: Clock, about: Omit<FlowFigures, 'lag' | 'stopped'>) {
    this.#clock = clock
    this.#about = about
  }

  measure(lag: () => number | null): void {
    this.#lag = lag
  }

  failed({ code, message, fix }: MillraceError): void {
    this.#stopped = { code, message, fix: fix ?? null, sinceMs: this.#stopped?.sinceMs ?? this.#clock.nowMs() }
  }

  recovered(): void {
    this.#stopped = null
  }

  get figures(): FlowFigures {
    return { ...this.#about, lag: this.#lag(), stopped: this.#stopped }
  }
}
