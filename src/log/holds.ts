// Topics whose appends wait while somebody computes what to append next: calls that came meanwhile go on in their order. Calls that rely
// on where the topic ends are the holder's, and never wait. No I/O.
import { assert } from '../core/errors.ts'

interface Holdable {
  readonly topic: string
  readonly ifEnds: readonly unknown[]
}

export class Holds<Call extends Holdable> {
  readonly #held = new Map<string, Call[]>()

  /** Whether the call waits from here on. */
  takes(call: Call): boolean {
    const held = call.ifEnds.length === 0 ? this.#held.get(call.topic) : undefined
    held?.push(call)
    return held !== undefined
  }

  /** Answers what `end` takes. */
  begin(topic: string): object {
    assert(!this.#held.has(topic), `${topic} is held once at a time`)
    const held: Call[] = []
    this.#held.set(topic, held)
    return held
  }

  /** The calls that waited; none when it has ended before. */
  end(topic: string, hold: object): readonly Call[] {
    const held = this.#held.get(topic)
    if (held !== hold) return []
    this.#held.delete(topic)
    return held!
  }

  endAll(): readonly Call[] {
    const all = [...this.#held.values()].flat()
    this.#held.clear()
    return all
  }
}
