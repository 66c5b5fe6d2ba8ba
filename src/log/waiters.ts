// Those who wait until a partition goes on: woken when what they wait for is there, by their signal, or at the end.

interface Waiter {
  isDue(): boolean
  wake(): void
}

export class Waiters {
  readonly #waiting = new Set<Waiter>()

  /** Resolves at once when it is due already. */
  until(isDue: () => boolean, signal: AbortSignal): Promise<void> {
    if (signal.aborted || isDue()) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(waiter)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      const waiter = { isDue, wake }
      this.#waiting.add(waiter)
      signal.addEventListener('abort', wake, { once: true })
    })
  }

  /** Something has changed. */
  look(): void {
    for (const waiter of this.#waiting) if (waiter.isDue()) waiter.wake()
  }

  wakeAll(): void {
    for (const waiter of this.#waiting) waiter.wake()
  }
}
