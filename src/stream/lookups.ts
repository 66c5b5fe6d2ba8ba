// Of a pipeline that looks rows of streams up in tables: how far the tables must be read before rows may be taken, and which times
// of arrival are behind all rows to come. What a row finds is thus a function of the logs, however they are read beside each
// other. PROTOCOL rule 10: by append time. Who sees a record sees everything before it in every topic.
import type { Delivery } from './delivery.ts'
import type { StreamSource } from './source.ts'

/** One partition of one topic. */
export interface LookedAt {
  readonly source: Pick<StreamSource, 'isTable' | 'hasMore'>
  readonly partition: number
}

export class Lookups<Input extends LookedAt> {
  readonly #streams: readonly Input[]
  readonly #tables: readonly Input[]
  /** Append time of the last row that was read, milliseconds. */
  #readMs = new Map<Input, number>()
  #newestMs = Number.NEGATIVE_INFINITY

  constructor(inputs: readonly Input[]) {
    const streams = inputs.filter(({ source }) => !source.isTable)
    // A table of which nothing else is read is a topic like others.
    this.#streams = streams
    this.#tables = streams.length === 0 ? [] : inputs.filter(({ source }) => source.isTable)
  }

  /** After a restart: what was read before is not known here, and nothing is behind all rows to come until it is. */
  reset(): void {
    this.#readMs = new Map()
    this.#newestMs = Number.NEGATIVE_INFINITY
  }

  /** Has every table read as far as the rows of a stream came. `read` takes in the next part of a table. */
  async before(input: Input, { appendMs }: Pick<Delivery, 'appendMs'>, read: (table: Input) => Promise<unknown>): Promise<void> {
    const lastMs = appendMs.at(-1)
    if (lastMs === undefined) return
    if (!input.source.isTable)
      for (const table of this.#tables)
        while ((this.#readMs.get(table) ?? Number.NEGATIVE_INFINITY) < lastMs && table.source.hasMore(table.partition)) await read(table)
    this.#readMs.set(input, lastMs)
    this.#newestMs = Math.max(this.#newestMs, lastMs)
  }

  /**
   * No row of a stream that is still to be read came before this, milliseconds; null when there is nothing to look up. What is
   * not in the log yet comes after everything that was read from it.
   */
  get arrivedMs(): number | null {
    if (this.#tables.length === 0) return null
    const open = this.#streams.filter(({ source, partition }) => source.hasMore(partition))
    return Math.min(this.#newestMs, ...open.map((input) => this.#readMs.get(input) ?? Number.NEGATIVE_INFINITY))
  }
}
