// One commit at a time per table within a process: concurrent ones would only lose the compare-and-set to each other.
// Between processes the catalog decides.

export class TableLocks {
  readonly #tails = new Map<string, Promise<void>>()

  /** Runs `action` when no other holds one of `names`. All are taken in one step, so that two can never wait in a circle. */
  async run<T>(names: readonly string[], action: () => Promise<T>): Promise<T> {
    const before = names.map((name) => this.#tails.get(name))
    let release: () => void = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    for (const name of names) this.#tails.set(name, held)
    await Promise.all(before)
    try {
      return await action()
    } finally {
      release()
      for (const name of names) if (this.#tails.get(name) === held) this.#tails.delete(name)
    }
  }
}
