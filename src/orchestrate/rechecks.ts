// Checks of relations that nobody refreshes: streams, tables fed over HTTP, live models. They run when new rows were
// committed, each relation at most once in a while, one at a time.
import type { Clock } from '../core/clock.ts'

export interface RechecksParts {
  readonly clock: Clock
  /** Least time between two runs of one relation's checks. */
  readonly everyMs: number
  run(relation: string): Promise<void>
  readonly onError: (error: unknown) => void
}

export class Rechecks {
  readonly #parts: RechecksParts
  readonly #lastMs = new Map<string, number>()
  readonly #armed = new Map<string, () => void>()
  #queue: Promise<void> = Promise.resolve()
  #isStopped = false

  constructor(parts: RechecksParts) {
    this.#parts = parts
  }

  /** New rows of a relation were committed. */
  committed(relation: string): void {
    if (this.#isStopped || this.#armed.has(relation)) return
    const { clock, everyMs } = this.#parts
    const waitMs = Math.max(0, (this.#lastMs.get(relation) ?? Number.NEGATIVE_INFINITY) + everyMs - clock.nowMs())
    this.#armed.set(
      relation,
      clock.after(waitMs, () => {
        this.#armed.delete(relation)
        this.#lastMs.set(relation, clock.nowMs())
        this.#queue = this.#queue.then(() => this.#run(relation))
      }),
    )
  }

  /** One that could not run is tried again after the pause: there may be no further commit to bring it about. */
  async #run(relation: string): Promise<void> {
    try {
      await this.#parts.run(relation)
    } catch (error) {
      this.#parts.onError(error)
      this.committed(relation)
    }
  }

  /** Forgets what is due, waits for the one that runs, and takes no more: the last flush of a node commits too. */
  async stop(): Promise<void> {
    this.#isStopped = true
    for (const cancel of this.#armed.values()) cancel()
    this.#armed.clear()
    await this.#queue
  }
}
