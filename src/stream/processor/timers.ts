// The timers of one partition: by event time and by arrival, one for each key and name. They fire in the order of their
// times, of equal ones in the order in which they were set. Setting and cancelling can be taken back, like state. Each is kept
// with the entry of its key; here is only their order.
import type { Entry, TimeOf, Timer } from '../state/entry.ts'
import type { Journal } from '../state/journal.ts'

const before = (a: Timer, b: Timer): boolean => a.atUs < b.atUs || (a.atUs === b.atUs && a.seq < b.seq)

export class Timers {
  readonly #journal: Journal
  readonly #wake: (by: TimeOf, untilUs: number) => void
  readonly #heaps: Record<TimeOf, Timer[]> = { event: [], arrival: [] }
  /** Set while timers fire, for a time that has passed: they wait for the next record, so that firing ends. */
  #held: Timer[] = []
  #firing: Timer | null = null
  /** How far timers may fire at the record at hand. */
  #untilEventUs = 0
  #untilArrivalUs = 0
  #seq = 0

  /** `wake`: has what is kept elsewhere come back, where a timer of it is due before those that are here. */
  constructor(journal: Journal, wake: (by: TimeOf, untilUs: number) => void = () => {}) {
    this.#journal = journal
    this.#wake = wake
  }

  /** The number that the next timer gets. */
  get seq(): number {
    return this.#seq
  }

  set(entry: Entry, name: string, atUs: number, by: TimeOf): void {
    const timer: Timer = { entry, name, atUs, by, seq: this.#seq++, next: null, isOff: false }
    const old = take(entry, name)
    if (old) old.isOff = true
    link(timer)
    this.#journal.note(takeBack, timer, null, old)
    const firing = this.#firing
    const untilUs = by === 'event' ? this.#untilEventUs : this.#untilArrivalUs
    if (firing && atUs <= (firing.by === by ? firing.atUs : untilUs)) {
      entry.shard.isPinned = true
      this.#held.push(timer)
    } else push(this.#heaps[by], timer)
  }

  cancel(entry: Entry, name: string): void {
    const old = take(entry, name)
    if (!old) return
    old.isOff = true
    this.#journal.note(setAgain, old, null, null)
  }

  /** A new record has come: what was held back may fire. */
  arrive(): void {
    this.#firing = null
    if (this.#held.length === 0) return
    for (const timer of this.#held) {
      timer.entry.shard.isPinned = false
      push(this.#heaps[timer.by], timer)
    }
    this.#held = []
  }

  /** The next timer that is due, taken out; null when there is none. */
  due(watermarkUs: number, arrivalUs: number): Timer | null {
    this.#untilEventUs = watermarkUs
    this.#untilArrivalUs = arrivalUs
    this.#firing = this.#pop('event', watermarkUs) ?? this.#pop('arrival', arrivalUs)
    return this.#firing
  }

  get nextArrivalUs(): number | null {
    const next = this.peek('arrival')
    let least = next ? next.atUs : Number.POSITIVE_INFINITY
    for (const { by, isOff, atUs } of this.#held) if (by === 'arrival' && !isOff && atUs < least) least = atUs
    return Number.isFinite(least) ? least : null
  }

  /** The first that is not held back. */
  peek(by: TimeOf): Timer | undefined {
    const heap = this.#heaps[by]
    while (heap.length > 0 && heap[0]!.isOff) pop(heap)
    return heap[0]
  }

  #pop(by: TimeOf, untilUs: number): Timer | null {
    this.#wake(by, untilUs)
    const next = this.peek(by)
    if (!next || next.atUs > untilUs) return null
    pop(this.#heaps[by])
    next.isOff = true
    take(next.entry, next.name)
    return next
  }

  /** From a checkpoint; later ones are numbered from `seq` on. */
  restored(entry: Entry, name: string, atUs: number, by: TimeOf, seq: number): void {
    const timer: Timer = { entry, name, atUs, by, seq, next: null, isOff: false }
    link(timer)
    push(this.#heaps[by], timer)
  }

  restore(seq: number): void {
    this.#heaps.event = []
    this.#heaps.arrival = []
    this.#held = []
    this.#firing = null
    this.#seq = seq
  }
}

function link(timer: Timer): void {
  timer.next = timer.entry.timers
  timer.entry.timers = timer
}

function take(entry: Entry, name: string): Timer | null {
  let before: Timer | null = null
  for (let timer = entry.timers; timer !== null; timer = timer.next) {
    if (timer.name === name) {
      if (before === null) entry.timers = timer.next
      else before.next = timer.next
      return timer
    }
    before = timer
  }
  return null
}

function takeBack(timer: Timer, _: null, old: Timer | null): void {
  timer.isOff = true
  take(timer.entry, timer.name)
  if (old) setAgain(old)
}

/** No heap is looked at during a call, so it still is in its own. */
function setAgain(old: Timer): void {
  old.isOff = false
  link(old)
}

function push(heap: Timer[], entry: Timer): void {
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

function pop(heap: Timer[]): void {
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
