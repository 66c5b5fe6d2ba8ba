// What takes back the changes of one call: a list of functions and what they are given, in arrays that are used again, so that
// a change that is kept (nearly all are) costs no more than three stores.

/** Puts back what was: `of` is what was changed, `at` where, `before` what stood there. */
// biome-ignore lint/suspicious/noExplicitAny: each knows what it noted
export type Undo = (of: any, at: any, before: any) => void

export class Journal {
  readonly #undos: Undo[] = []
  readonly #of: unknown[] = []
  readonly #at: unknown[] = []
  readonly #before: unknown[] = []
  #length = 0

  note(undo: Undo, of: unknown, at: unknown, before: unknown): void {
    const index = this.#length++
    this.#undos[index] = undo
    this.#of[index] = of
    this.#at[index] = at
    this.#before[index] = before
  }

  get isEmpty(): boolean {
    return this.#length === 0
  }

  /** The last first. */
  undo(): void {
    while (this.#length > 0) {
      const index = --this.#length
      this.#undos[index]!(this.#of[index], this.#at[index], this.#before[index])
    }
  }

  /** What was noted stays as it is. */
  clear(): void {
    this.#length = 0
  }
}
