// Rows on which an expression of a live model fails: found by halves, among the expressions that are computed before any state
// changes. What fails depends on the row alone, so every replay sets the same rows aside.
import { asMillraceError } from '../core/errors.ts'
import type { Delivery } from './delivery.ts'
import type { Chain } from './operators/chain.ts'
import type { RejectedRow } from './rejected.ts'
import { rowReader } from './value.ts'

export class Poison {
  readonly #model: string
  readonly #chain: Chain

  constructor(model: string, chain: Chain) {
    this.#model = model
    this.#chain = chain
  }

  /** Those of `rows` on which no expression fails, and the others, also as they are set aside. */
  async sift(
    delivery: Delivery,
    rows: Int32Array,
  ): Promise<{ readonly sound: Int32Array; readonly failed: Int32Array; readonly rejected: RejectedRow[] }> {
    const failed = await this.#sifted(delivery, rows)
    await this.#find(
      delivery,
      rows.filter((row) => !failed.has(row)),
      failed,
    )
    const sound = rows.filter((row) => !failed.has(row))
    // One reader for all: it decodes the texts of a batch once.
    const read = rowReader(delivery.batch.shape)
    const rejected = [...rows].flatMap((row) => (failed.has(row) ? [this.#rejectedOf(delivery, row, read, failed.get(row)!)] : []))
    return { sound, failed: rows.filter((row) => failed.has(row)), rejected }
  }

  /** DuckDB says of all rows at once on which it fails, where nothing else does. */
  async #sifted({ topic, batch }: Delivery, rows: Int32Array): Promise<Map<number, string>> {
    try {
      return new Map(await this.#chain.sift(topic, batch, rows))
    } catch (error) {
      if (asMillraceError(error).code !== 'MR_SQL_RUNTIME') throw error
      return new Map()
    }
  }

  /** By halves: most rows are sound, and DuckDB may have to be asked for each part. */
  async #find(delivery: Delivery, rows: Int32Array, failed: Map<number, string>): Promise<void> {
    if (rows.length === 0) return
    try {
      await this.#chain.probe(delivery.topic, delivery.batch, rows, rows.length)
    } catch (error) {
      const { code, message } = asMillraceError(error)
      // Whatever else DuckDB may fail with (memory, an end of the program) is not the row's fault.
      if (code !== 'MR_SQL_RUNTIME') throw error
      if (rows.length === 1) {
        failed.set(rows[0]!, message)
        return
      }
      const half = rows.length >> 1
      await this.#find(delivery, rows.subarray(0, half), failed)
      await this.#find(delivery, rows.subarray(half), failed)
    }
  }

  #rejectedOf(
    { topic, batch, partition, offsets, appendMs }: Delivery,
    row: number,
    read: ReturnType<typeof rowReader>,
    message: string,
  ): RejectedRow {
    const values = read(batch, row)
    return {
      partition,
      offset: offsets[row]!,
      appendMs: appendMs[row]!,
      raw: JSON.stringify(values, (_key, value) => (typeof value === 'bigint' ? value.toString() : value)),
      code: 'MR_ROW_EXPRESSION',
      message: `${this.#model}: ${message} (${topic}, partition ${partition}, offset ${offsets[row]})`,
      field: null,
    }
  }
}
