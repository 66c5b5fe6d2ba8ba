// Keeps what was read from files that never change, by path: nothing to invalidate, only the least recently used to
// forget. Two readers of one path share one read.

export class ImmutableCache<T> {
  readonly #weightMax: number
  readonly #weigh: (value: T) => number
  readonly #values = new Map<string, { readonly value: T; readonly weight: number }>()
  readonly #loading = new Map<string, Promise<T>>()
  #weight = 0

  constructor(weightMax: number, weigh: (value: T) => number) {
    this.#weightMax = weightMax
    this.#weigh = weigh
  }

  async get(path: string, load: () => Promise<T>): Promise<T> {
    const known = this.#values.get(path)
    if (known) {
      this.#values.delete(path)
      this.#values.set(path, known)
      return known.value
    }
    const loading = this.#loading.get(path) ?? this.#load(path, load)
    return loading
  }

  #load(path: string, load: () => Promise<T>): Promise<T> {
    const loading = load()
      .then((value) => {
        this.put(path, value)
        return value
      })
      .finally(() => this.#loading.delete(path))
    this.#loading.set(path, loading)
    return loading
  }

  put(path: string, value: T): void {
    this.delete(path)
    const weight = this.#weigh(value)
    this.#values.set(path, { value, weight })
    this.#weight += weight
    for (const oldest of this.#values.keys()) {
      if (this.#weight <= this.#weightMax || oldest === path) break
      this.delete(oldest)
    }
  }

  delete(path: string): void {
    const known = this.#values.get(path)
    if (!known) return
    this.#values.delete(path)
    this.#weight -= known.weight
  }
}
