// A typed, synchronous bus of what happened. Events are hints (metrics, wake-ups): nothing may depend on receiving one.

export type Listener<E> = (event: E) => void

export class EventBus<E extends { readonly kind: string }> {
  #listeners = new Set<Listener<E>>()

  /** Calls `listener` for every later event; returns what ends it. */
  on(listener: Listener<E>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  emit(event: E): void {
    for (const listener of this.#listeners) listener(event)
  }
}
