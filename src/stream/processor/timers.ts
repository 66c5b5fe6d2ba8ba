// The timers of one partition: by event time and by arrival, one for each key and name. They fire in the order of their
// times, of equal ones in the order in which they were set. Setting and cancelling can be taken back, like state.

export type TimeOf = 'event' | 'arrival'

export interface TimerEntry {
  readonly key: string
  readonly name: string
  readonly atUs: number
  readonly by: TimeOf
  readonly seq: number
}

interface Pending extends TimerEntry {
  isOff: boolean
}

const before = (a: TimerEntry, b: TimerEntry): boolean => a.atUs < b.atUs || (a.atUs === b.atUs && a.seq < b.seq)
const idOf = (key: string, name: string): string => `${name}\u0000${key}`

export class Timers {
  readonly #byId = new Map<string, Pending>()
  readonly #heaps: Record<TimeOf, Pending[]> = { event: [], arrival: [] }
  /** Set while timers fire, for a time that has passed: they wait for the next record, so that firing ends. */
  #held: Pending[] = []
  #firing: TimerEntry | null = null
  /** How far timers may fire at the record at hand. */
  #untilUs: Record<TimeOf, number> = { event: 0, arrival: 0 }
  #seq = 0

  get size(): number {
    return this.#byId.size
  }

  /** Answers what takes it back. */
  set(key: string, name: string, atUs: number, by: TimeOf): () => void {
    const id = idOf(key, name)
    const old = this.#byId.get(id)
    const entry: Pending = { key, name, atUs, by, seq: this.#seq++, isOff: false }
    if (old) old.isOff = true
    this.#byId.set(id, entry)
    if (this.#firing && atUs <= (this.#firing.by === by ? this.#firing.atUs : this.#untilUs[by])) this.#held.push(entry)
    else push(this.#heaps[by], entry)
    return () => {
      entry.isOff = true
      this.#put(id, old)
    }
  }

  cancel(key: string, name: string): () => void {
    const id = idOf(key, name)
    const old = this.#byId.get(id)
    if (!old) return () => {}
    old.isOff = true
    this.#byId.delete(id)
    return () => this.#put(id, old)
  }

  #put(id: string, old: Pending | undefined): void {
    if (!old) this.#byId.delete(id)
    else {
      old.isOff = false
      this.#byId.set(id, old)
    }
  }

  /** A new record has come: what was held back may fire. */
  arrive(): void {
    this.#firing = null
    for (const entry of this.#held.splice(0)) push(this.#heaps[entry.by], entry)
  }

  /** The next timer that is due, taken out; null when there is none. */
  due(watermarkUs: number, arrivalUs: number): TimerEntry | null {
    this.#untilUs = { event: watermarkUs, arrival: arrivalUs }
    this.#firing = this.#pop('event', watermarkUs) ?? this.#pop('arrival', arrivalUs)
    return this.#firing
  }

  get nextArrivalUs(): number | null {
    const next = this.#peek('arrival')
    const times = [...(next ? [next] : []), ...this.#held.filter(({ by, isOff }) => by === 'arrival' && !isOff)].map(({ atUs }) => atUs)
    return times.length === 0 ? null : Math.min(...times)
  }

  #peek(by: TimeOf): Pending | undefined {
    const heap = this.#heaps[by]
    while (heap[0]?.isOff) pop(heap)
    return heap[0]
  }

  #pop(by: TimeOf, untilUs: number): TimerEntry | null {
    const next = this.#peek(by)
    if (!next || next.atUs > untilUs) return null
    pop(this.#heaps[by])
    this.#byId.delete(idOf(next.key, next.name))
    return next
  }

  save(): readonly (readonly [string, string, number, TimeOf])[] {
    return [...this.#byId.values()].sort((a, b) => a.seq - b.seq).map(({ key, name, atUs, by }) => [key, name, atUs, by])
  }

  restore(saved: readonly (readonly [string, string, number, TimeOf])[]): void {
    for (const [key, name, atUs, by] of saved) this.set(key, name, atUs, by)
  }
}

function push(heap: Pending[], entry: Pending): void {
  let at = heap.length
  heap.push(entry)
  while (at > 0) {
    const above = (at - 1) >> 1
    if (!before(entry, heap[above]!)) break
    heap[at] = heap[above]!
    at = above
  }
  heap[at] = entry
}

function pop(heap: Pending[]): void {
  const last = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    if (below >= heap.length) break
    if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++
    if (!before(heap[below]!, last)) break
    heap[at] = heap[below]!
    at = below
  }
  heap[at] = last
}
