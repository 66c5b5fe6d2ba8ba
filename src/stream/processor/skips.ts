// Calls of user code that are left out because they do not come back. That one did not come back depends on a clock, so the
// decision is a record in a topic of its own, `<processor>__skips`, before it takes effect; every replay reads it first and
// leaves the same calls out. PROTOCOL rule 11. The topic is made with the first decision.
import type { Log } from '../../log/log.ts'
import type { Skipped } from './host.ts'

const READ_BYTES = 1 << 20

export class Skips {
  readonly #log: Log
  readonly #topic: string
  #skipped: Skipped[] = []
  /** Where a call ended that nothing is decided about: offsets by partition. Known to this process alone. */
  readonly #suspects = new Map<number, number>()

  constructor(log: Log, processor: string) {
    this.#log = log
    this.#topic = `${processor}__skips`
  }

  /** All decisions so far. */
  async read(): Promise<void> {
    this.#skipped = []
    if (!this.#log.topics().some(({ topic }) => topic === this.#topic)) return
    const { start, end } = this.#log.range(this.#topic, 0)
    for (let at = start; at < end; ) {
      const batches = await this.#log.read(this.#topic, 0, at, READ_BYTES)
      for (const { payload, count } of batches)
        for (const line of new TextDecoder().decode(payload).split('\n').slice(0, count)) this.#skipped.push(JSON.parse(line) as Skipped)
      const last = batches.at(-1)!
      at = last.baseOffset + last.count
    }
  }

  of(partition: number): readonly Skipped[] {
    return this.#skipped.filter((skipped) => skipped.partition === partition)
  }

  suspectIn(partition: number): number | null {
    return this.#suspects.get(partition) ?? null
  }

  suspect(partition: number, offset: number): void {
    this.#suspects.set(partition, offset)
  }

  async decide({ partition, offset, nth, code, message }: Skipped): Promise<void> {
    const skipped: Skipped = { partition, offset, nth, code, message }
    await this.#log.ensureTopic(this.#topic, 1)
    const payload = Buffer.from(`${JSON.stringify(skipped)}\n`)
    await this.#log.append(this.#topic, [{ partition: 0, kind: 'control', payload, count: 1, fingerprint: '' }])
    this.#suspects.delete(partition)
  }
}
