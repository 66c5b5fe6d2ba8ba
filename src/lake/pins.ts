// Snapshots that a reader of this process still reads: expiry keeps them, so that no file goes away under a query.

export class Pins {
  readonly #counts = new Map<string, number>()

  /** Holds a snapshot until the answered function is called. */
  hold(table: string, snapshotId: bigint): () => void {
    const key = `${table} ${snapshotId}`
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
    let held = true
    return () => {
      if (!held) return
      held = false
      const left = this.#counts.get(key)! - 1
      if (left === 0) this.#counts.delete(key)
      else this.#counts.set(key, left)
    }
  }

  isHeld(table: string, snapshotId: bigint): boolean {
    return this.#counts.has(`${table} ${snapshotId}`)
  }
}
