// What partitions have been told of broadcast tables. Each partition of the input reads a table's topic for itself, up to the time
// at which its own records came, so that all it sees before a record is what had come before it: a function of the two logs,
// however they are read. PROTOCOL rule 10: by append time. Who sees a record sees everything before it in every topic.
import type { Delivery } from '../delivery.ts'
import type { StreamSource } from '../source.ts'
import type { Told } from './host.ts'

/** A partition's reading of one table: what was read and is not told yet, and where the rest begins. */
interface Reader {
  readonly source: StreamSource
  delivery: Delivery | null
  /** Index of the next row of `delivery.classified.out`. */
  at: number
}

export type SavedBroadcast = readonly (readonly [partition: number, name: string, position: number])[]

const READ_BYTES = 1 << 20

export class Broadcast {
  /** A fresh reader of a table's topic, by the name that the code uses. */
  readonly #sources: ReadonlyMap<string, () => StreamSource>
  readonly #readers = new Map<string, Reader>()
  #saved = new Map<string, number>()

  constructor(sources: ReadonlyMap<string, () => StreamSource>) {
    this.#sources = sources
  }

  restore(saved: SavedBroadcast): void {
    this.#readers.clear()
    this.#saved = new Map(saved.map(([partition, name, position]) => [`${partition} ${name}`, position]))
  }

  save(): SavedBroadcast {
    const readers = [...this.#readers].map(([id, reader]) => [id, positionOf(reader)] as const)
    return [...new Map([...this.#saved, ...readers])].map(([id, position]) => {
      const space = id.indexOf(' ')
      return [Number(id.slice(0, space)), id.slice(space + 1), position] as const
    })
  }

  /** Rows that came before `untilMs` and that the partition has not been told of, by arrival; of one time, in the order of the tables. */
  async until(partition: number, untilMs: number): Promise<Told[]> {
    const told: Told[] = []
    for (const name of this.#sources.keys()) {
      const reader = await this.#reader(partition, name)
      while (await hasNext(reader, untilMs)) {
        const { batch, appendMs, classified } = reader.delivery!
        const row = classified.out[reader.at++]!
        told.push({ name, appendMs: appendMs[row]!, batch, row })
      }
    }
    return told.sort((a, b) => a.appendMs - b.appendMs)
  }

  async #reader(partition: number, name: string): Promise<Reader> {
    const id = `${partition} ${name}`
    const known = this.#readers.get(id)
    if (known) return known
    const reader: Reader = { source: this.#sources.get(name)!(), delivery: null, at: 0 }
    await reader.source.restore([this.#saved.get(id) ?? 0], null)
    this.#readers.set(id, reader)
    return reader
  }
}

async function hasNext(reader: Reader, untilMs: number): Promise<boolean> {
  for (;;) {
    const { delivery } = reader
    if (delivery && reader.at < delivery.classified.out.length) return delivery.appendMs[delivery.classified.out[reader.at]!]! < untilMs
    if (!reader.source.hasMore(0)) return false
    reader.delivery = await reader.source.read(0, READ_BYTES)
    reader.at = 0
  }
}

function positionOf({ source, delivery, at }: Reader): number {
  const row = delivery?.classified.out[at]
  return row === undefined ? source.positions[0]! : delivery!.offsets[row]!
}
