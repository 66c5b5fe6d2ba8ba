// Time, behind one interface, so that schedules, leases and whole nodes run under a virtual clock in tests.
// Nothing outside this file reads the machine's clock or sets a timer.

import { availableParallelism } from 'node:os'

export interface Clock {
  /** Wall clock, milliseconds since 1970 UTC. */
  nowMs(): number
  /** Never goes back; only differences have a meaning. */
  monotonicMs(): number
  /** For how long this process has kept the whole machine busy, milliseconds: processor time of all its threads over the processors. */
  busyMs(): number
  /** Resolves after `ms`; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `action` after `ms`; returns what cancels it. Does not keep the process alive. */
  after(ms: number, action: () => void): () => void
}

const PROCESSORS = availableParallelism()

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  busyMs() {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000 / PROCESSORS
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
  after(ms, action) {
    const timer = setTimeout(action, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

interface Waiter {
  readonly atMs: number
  readonly order: number
  readonly wake: () => void
}

/** A clock that stands still until `advance` is called. Waiters wake in the order of their times. */
export class VirtualClock implements Clock {
  #nowMs: number
  #order = 0
  #waiters: Waiter[] = []

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  busyMs(): number {
    return 0
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const cancel = this.after(ms, resolve)
      signal?.addEventListener('abort', () => {
        cancel()
        reject(signal.reason)
      })
    })
  }

  after(ms: number, action: () => void): () => void {
    const waiter: Waiter = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, wake: action }
    this.#waiters.push(waiter)
    return () => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
    }
  }

  /** Moves time on by `ms`, waking everything due on the way and letting it run before time moves further. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    for (;;) {
      await settle()
      const due = this.#waiters.filter((w) => w.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0]
      if (!due) break
      this.#waiters = this.#waiters.filter((other) => other !== due)
      this.#nowMs = Math.max(this.#nowMs, due.atMs)
      due.wake()
    }
    this.#nowMs = untilMs
    await settle()
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
