// When the newest groups of a partition could be read for the first time, which is when they were durable: so whoever reads close behind
// knows what of its delay is its own and what is the disk's.

/** As many groups as come in a second or two. */
const GROUPS_MAX = 256

export class Published {
  /** Of each group, the oldest first. */
  readonly #groups: { readonly first: number; readonly next: number; readonly timeMs: number }[] = []

  /** Offsets `first` to `next`; groups come in their order. */
  note(first: number, next: number, timeMs: number): void {
    this.#groups.push({ first, next, timeMs })
    if (this.#groups.length > GROUPS_MAX) this.#groups.shift()
  }

  /** Undefined for what was published before those that are known. */
  timeOf(offset: number): number | undefined {
    return this.#groups.findLast(({ first, next }) => first <= offset && offset < next)?.timeMs
  }
}
