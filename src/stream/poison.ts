// Rows on which an expression of a live model fails: found one by one, among the expressions that are computed before any state
// changes. What fails depends on the row alone, so every replay sets the same rows aside.
import { asMillraceError } from '../core/errors.ts'
import type { Chain } from './operators/chain.ts'
import type { RejectedRow } from './rejected.ts'
import type { Delivery } from './source.ts'
import { rowReader } from './value.ts'

export class Poison {
  readonly #model: string
  readonly #chain: Chain

  constructor(model: string, chain: Chain) {
    this.#model = model
    this.#chain = chain
  }

  /** Those of `rows` on which no expression fails, and the others as they are set aside. */
  sift(
    { topic, batch, partition, offsets, appendMs }: Delivery,
    rows: Int32Array,
  ): { readonly sound: Int32Array; readonly rejected: RejectedRow[] } {
    const readRow = rowReader(batch.shape)
    const rejected: RejectedRow[] = []
    const sound = rows.filter((row) => {
      try {
        this.#chain.probe(topic, batch, Int32Array.of(row), 1)
        return true
      } catch (error) {
        const { message } = asMillraceError(error)
        const raw = JSON.stringify(readRow(batch, row), (_key, value) => (typeof value === 'bigint' ? value.toString() : value))
        rejected.push({
          partition,
          offset: offsets[row]!,
          appendMs: appendMs[row]!,
          raw,
          code: 'MR_ROW_EXPRESSION',
          message: `${this.#model}: ${message} (${topic}, partition ${partition}, offset ${offsets[row]})`,
          field: null,
        })
        return false
      }
    })
    return { sound, rejected }
  }
}
