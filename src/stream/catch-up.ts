// How far a pipeline has taken in what it has read, and who waits for that.

export class CatchUp {
  /** By input, the next offset. */
  #taken: number[] = []
  #asked: (() => void)[] = []

  get isAsked(): boolean {
    return this.#asked.length > 0
  }

  restore(positions: readonly number[]): void {
    this.#taken = [...positions]
    this.endWaits()
  }

  took(input: number, next: number): void {
    this.#taken[input] = next
    this.endWaits()
  }

  /** Resolves when all is taken in below `ends`, or when it is asked again and `isStopped`. `wake` has more of it read. */
  async until(ends: readonly number[], isStopped: () => boolean, wake: () => void): Promise<void> {
    while (!isStopped() && ends.some((end, input) => (this.#taken[input] ?? 0) < end)) {
      await new Promise<void>((resolve) => {
        this.#asked.push(resolve)
        wake()
      })
    }
  }

  endWaits(): void {
    for (const resolve of this.#asked.splice(0)) resolve()
  }
}
