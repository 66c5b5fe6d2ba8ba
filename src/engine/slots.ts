// Admission to the engine: a running statement holds a thread of the libuv pool, which files need too. Waiting is first
// come, first served, and ends when the caller gives up.

export class Slots {
  #free: number
  #waiting: (() => void)[] = []

  constructor(free: number) {
    this.#free = free
  }

  /** Resolves when one is free; rejects with the signal's reason. Every `take` that resolves needs one `give`. */
  take(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason)
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== enter)
        reject(signal?.reason)
      }
      this.#waiting.push(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }

  give(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
  }
}
