// The sink that runs a live model: a chain of operators over the rows of its streams that are out. Rows of windows are final
// when the watermark has passed their end; rows of a keyed model replace the ones before. The result depends on the rows alone,
// never on their order or on how they were cut into batches. PROTOCOL rule 10.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { ModelManifest } from '../define/manifest.ts'
import type { LiveQuery } from '../engine/algebra/relation.ts'
import type { RelationStore, WritableRelation } from '../engine/relations.ts'
import type { LakeTable } from '../lake/types.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { Chain } from './operators/chain.ts'
import type { Cut, Sink } from './pipeline.ts'
import { batchOf } from './plain.ts'
import type { Delivery } from './source.ts'

interface SavedState {
  readonly chain: unknown
}

export class Live implements Sink {
  readonly #name: string
  readonly #shape: Shape
  readonly #emit: ModelManifest['emit']
  readonly #relation: WritableRelation
  readonly #chain: Chain
  /** Rows came in since what is open was shown. */
  #isDirty = false
  #isShown = false

  /** `shapeOf`: columns of a stream's deliveries, the system columns too. */
  constructor(model: ModelManifest, query: LiveQuery, shapeOf: (stream: string) => Shape, relations: RelationStore) {
    this.#name = model.name
    this.#shape = model.shape
    this.#emit = model.emit
    this.#relation = relations.writable(model.name)
    this.#chain = new Chain(query, shapeOf, model.shape)
  }

  get pendingRows(): number {
    return this.#relation.pendingRows
  }

  get pendingBytes(): number {
    return this.#relation.pendingBytes
  }

  /** Windows that are still open. */
  get openWindows(): number {
    return this.#chain.openWindows
  }

  async restore(saved: unknown): Promise<void> {
    await this.#relation.reset()
    this.#chain.restore((saved as SavedState | null)?.chain ?? null)
    this.#isDirty = true
    this.#isShown = false
  }

  async apply(delivery: Delivery): Promise<void> {
    const { batch, classified } = delivery
    const { out } = classified
    if (out.length === 0) return
    this.#isDirty = true
    await this.#append(this.#take(delivery, out.length === batch.rows ? null : out, out.length))
  }

  /** @throws MR_SQL_RUNTIME with the place of the row that an expression fails on. */
  #take(delivery: Delivery, rows: Int32Array | null, count: number): ColumnBatch | null {
    try {
      return this.#chain.take(delivery.topic, delivery.batch, rows, count)
    } catch (cause) {
      throw this.#located(asMillraceError(cause), delivery)
    }
  }

  /** Row by row once more: the state is lost either way, the pipeline starts again from its checkpoint. */
  #located(error: MillraceError, { topic, batch, partition, offsets, classified: { out } }: Delivery): MillraceError {
    if (error.code !== 'MR_SQL_RUNTIME') return error
    for (const row of out) {
      try {
        this.#chain.take(topic, batch, Int32Array.of(row), 1)
      } catch (cause) {
        const { message, fix = 'correct the expression' } = asMillraceError(cause)
        return new MillraceError('MR_SQL_RUNTIME', `${this.#name}: ${message} (${topic}, partition ${partition}, offset ${offsets[row]})`, {
          cause,
          fix,
        })
      }
    }
    return error
  }

  async tick(watermarkUs: number | null): Promise<void> {
    const closed = watermarkUs === null ? null : this.#chain.advance(watermarkUs)
    await this.#append(closed)
    await this.#append(this.#chain.changed())
    if (this.#emit === 'changes' && (this.#isDirty || closed !== null)) await this.#show(this.#chain.open())
    this.#isDirty = false
  }

  async #append(batch: ColumnBatch | null): Promise<void> {
    if (batch) await this.#relation.append({ ...batch, shape: this.#shape })
  }

  async #show(open: ColumnBatch | null): Promise<void> {
    if (!open && !this.#isShown) return
    this.#isShown = open !== null
    await this.#relation.replaceProvisional(open ? { ...open, shape: this.#shape } : batchOf(this.#shape, []))
  }

  async cut(): Promise<Cut> {
    const chain = this.#chain.save()
    const flush = await this.#relation.cut()
    return { state: { chain }, changes: () => flush.changes(), publish: (tables: readonly LakeTable[]) => flush.publish(tables) }
  }
}
