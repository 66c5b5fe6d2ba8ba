// Puts partitions of a topic that flow into one of the log into the order of their event times. Each is in order by itself, more or less,
// but a reader gets much of one before it gets any of another: rows would be late that are not. So the partition that is furthest
// behind goes first, and while one has more to come and nothing of it is here, the others wait. Pure.
import type { ReadMessages } from './read-messages.ts'

/** Places of one partition, one after the other. */
export interface Stretch {
  readonly messages: ReadMessages
  readonly from: number
  readonly to: number
}

interface Queue {
  readonly waiting: ReadMessages[]
  /** Of the first one. */
  at: number
  /** The highest time so far: what the partition's own watermark would follow. */
  highest: number
}

export class Align {
  readonly #queues = new Map<number, Queue>()
  readonly #isTimed: boolean
  readonly #slackUs: number

  /** `slackMs`: rows of two partitions may change places by so much. Not timed: all goes as it comes. */
  constructor(isTimed: boolean, slackMs: number) {
    this.#isTimed = isTimed
    this.#slackUs = slackMs * 1_000
  }

  add(messages: ReadMessages): void {
    const { partition } = messages.origin
    const queue = this.#queues.get(partition) ?? { waiting: [], at: 0, highest: Number.NEGATIVE_INFINITY }
    this.#queues.set(partition, queue)
    queue.waiting.push(messages)
  }

  /** Whether something of the partition waits. */
  holds(partition: number): boolean {
    return (this.#queues.get(partition)?.waiting.length ?? 0) > 0
  }

  /** What may go now. `hasMore`: of a partition of which nothing is here, whether something is known to come. */
  *take(partitions: Iterable<number>, hasMore: (partition: number) => boolean): Generator<Stretch> {
    const all = [...partitions]
    for (;;) {
      const here = all.filter((partition) => this.holds(partition))
      if (here.length === 0) return
      if (this.#isTimed && all.some((partition) => !this.holds(partition) && hasMore(partition))) return
      const heads = here.map((partition) => ({ queue: this.#queues.get(partition)!, time: this.#head(partition) }))
      const first = heads.reduce((least, head) => (head.time < least.time ? head : least))
      const others = heads.filter((head) => head !== first)
      const until = this.#isTimed ? Math.min(...others.map(({ time }) => time)) + this.#slackUs : Number.POSITIVE_INFINITY
      yield this.#stretch(first.queue, until)
    }
  }

  /** Where a partition goes on that has nothing waiting before this offset; undefined when nothing of it waits. */
  waitingFrom(partition: number): number | undefined {
    const queue = this.#queues.get(partition)
    const messages = queue?.waiting[0]
    return messages?.offsets[queue!.at]
  }

  #head(partition: number): number {
    const queue = this.#queues.get(partition)!
    return highestAt(queue, queue.at)
  }

  /** At least one place, and those that follow up to a time. */
  #stretch(queue: Queue, untilUs: number): Stretch {
    const messages = queue.waiting[0]!
    const from = queue.at
    let to = from
    while (to < messages.count && (to === from || highestAt(queue, to) <= untilUs)) queue.highest = highestAt(queue, to++)
    if (to === messages.count) {
      queue.waiting.shift()
      queue.at = 0
    } else queue.at = to
    return { messages, from, to }
  }
}

/** A message without a time stands where the one before does. */
function highestAt({ waiting, highest }: Queue, place: number): number {
  const time = waiting[0]!.times[place]!
  return time > highest ? time : highest
}
