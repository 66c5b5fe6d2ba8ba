// The sink that runs a live model: a chain of operators over the rows of its streams that are out. Rows of windows are final
// when the watermark has passed their end; rows of a keyed model replace the ones before. The result depends on the rows alone,
// never on their order or on how they were cut into batches. PROTOCOL rule 10. Rows on which an expression fails are set aside
// in `<model>__rejected`: the model is what its SQL says of all the others.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { Scratch } from '../core/scratch.ts'
import type { ModelManifest } from '../define/manifest.ts'
import { rejectedName } from '../define/system-columns.ts'
import type { LiveQuery } from '../engine/algebra/relation.ts'
import type { ComputeRows } from '../engine/compute-rows.ts'
import type { WritableRelation } from '../engine/managed-relation.ts'
import type { RelationStore } from '../engine/relations.ts'
import { GONE } from '../engine/tail.ts'
import type { LakeTable } from '../lake/types.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import type { Delivery } from './delivery.ts'
import { Chain } from './operators/chain.ts'
import { joinBatches } from './operators/operator.ts'
import { batchOf } from './plain.ts'
import { Poison } from './poison.ts'
import { rejectedBatch } from './rejected.ts'
import type { Cut, Sink } from './sink.ts'

/** Rows of the stream that were out since the model was deployed: in = out + rejected. */
export interface LiveCounts {
  readonly in: number
  readonly out: number
  readonly rejected: number
}

interface SavedState {
  readonly chain: unknown
  readonly counts?: LiveCounts
}

const ZERO: LiveCounts = { in: 0, out: 0, rejected: 0 }

export class Live implements Sink {
  readonly isPrompt = true
  readonly #name: string
  readonly #shape: Shape
  /** Of what the table takes: where rows can go, with the mark of those that have. */
  readonly #tailShape: Shape
  readonly #limitBytes: number
  readonly #emit: ModelManifest['emit']
  readonly #relation: WritableRelation
  readonly #rejected: WritableRelation
  readonly #chain: Chain
  readonly #poison: Poison
  #counts: LiveCounts = ZERO
  /** Rows came in since what is open was shown. */
  #isDirty = false
  #isShown = false

  /**
   * `shapeOf`: columns of a stream's deliveries, the system columns too; `compute`: where DuckDB computes some of its expressions;
   * `scratch`: where state goes that has no room in its memory.
   */
  constructor(
    model: ModelManifest,
    query: LiveQuery,
    shapeOf: (stream: string) => Shape,
    relations: RelationStore,
    compute: ComputeRows | null = null,
    scratch: Scratch | null = null,
  ) {
    this.#name = model.name
    this.#shape = model.shape
    this.#tailShape = query.loses ? { fields: [...model.shape.fields, GONE] } : model.shape
    this.#emit = model.emit
    this.#limitBytes = model.memoryBytes ?? Number.POSITIVE_INFINITY
    this.#relation = relations.writable(model.name)
    this.#rejected = relations.writable(rejectedName(model.name))
    this.#chain = new Chain(query, shapeOf, model.shape, compute, scratch)
    this.#poison = new Poison(model.name, this.#chain)
  }

  get counts(): LiveCounts {
    return this.#counts
  }

  get pendingRows(): number {
    return this.#relation.pendingRows + this.#rejected.pendingRows
  }

  get pendingBytes(): number {
    return this.#relation.pendingBytes + this.#rejected.pendingBytes
  }

  get isRebuilding(): boolean {
    return this.#relation.isHidden || this.#rejected.isHidden
  }

  async restore(saved: unknown): Promise<void> {
    // What is there is shown until the first commit, which replaces it.
    const anew = saved === null
    await this.#relation.reset({ anew })
    await this.#rejected.reset({ anew })
    const { chain, counts = ZERO } = (saved as SavedState | null) ?? { chain: null }
    this.#chain.restore(chain)
    this.#counts = counts
    this.#isDirty = true
    this.#isShown = false
  }

  async apply(delivery: Delivery): Promise<void> {
    const { out } = delivery.classified
    const made: (ColumnBatch | null)[] = []
    let from = 0
    for (const { before, batch } of delivery.deletes) {
      made.push(await this.#take(delivery, out.subarray(from, before)))
      made.push(this.#chain.forget(delivery.topic, batch))
      from = before
    }
    made.push(await this.#take(delivery, out.subarray(from)))
    // At once: a statement that takes rows and brings others is seen as a whole.
    await this.#append(joinBatches(made.filter((rows) => rows !== null)))
  }

  async #take(delivery: Delivery, out: Int32Array): Promise<ColumnBatch | null> {
    const { topic, batch } = delivery
    if (out.length === 0) return null
    this.#isDirty = true
    let rejected = 0
    let made: ColumnBatch | null
    try {
      const entered = await this.#chain.enter(topic, batch, out.length === batch.rows ? null : out, out.length)
      made = this.#chain.pass(entered)
    } catch (error) {
      ;({ made, rejected } = await this.#takeSound(delivery, out, error))
    }
    const counts = this.#counts
    this.#counts = {
      in: counts.in + out.length,
      out: counts.out + out.length - rejected,
      rejected: counts.rejected + rejected,
    }
    return made
  }

  /**
   * Expressions over rows are computed before any state changes, so what failed on some can be taken without them. Answers what
   * comes out and how many were set aside; a row of a table that is set aside is none of the model. @throws the error itself when it is none of a row: an aggregate that overflows, say.
   */
  async #takeSound(
    delivery: Delivery,
    out: Int32Array,
    error: unknown,
  ): Promise<{ readonly made: ColumnBatch | null; readonly rejected: number }> {
    if (asMillraceError(error).code !== 'MR_SQL_RUNTIME') throw error
    const { sound, failed, rejected } = await this.#poison.sift(delivery, out)
    if (rejected.length === 0) throw error
    const made = this.#chain.pass(await this.#chain.enter(delivery.topic, delivery.batch, sound, sound.length, failed))
    await this.#rejected.append(rejectedBatch(rejected))
    return { made, rejected: rejected.length }
  }

  /** About how much memory its operators take. */
  get stateBytes(): number {
    return this.#chain.bytes
  }

  /** What they have on the disk. */
  get spilledBytes(): number {
    return this.#chain.spilledBytes
  }

  #mustFit(): void {
    if (this.#limitBytes === Number.POSITIVE_INFINITY) return
    this.#chain.fit(this.#limitBytes)
    const bytes = this.#chain.bytes
    if (bytes <= this.#limitBytes) return
    throw new MillraceError(
      'MR_STREAM_MEMORY',
      `the state of ${this.#name} takes ${bytes} bytes, more than its memory of ${this.#limitBytes}`,
      {
        fix: 'raise its `memory`: not all of its state can lie on the disk; or let it keep less: fewer columns, a shorter interval',
      },
    )
  }

  /** @throws MR_STREAM_MEMORY, MR_DATA_FULL: what was committed stays, and all rows since are in the log. */
  async tick(watermarkUs: number | null): Promise<void> {
    const closed = watermarkUs === null ? null : this.#chain.advance(watermarkUs)
    await this.#append(closed)
    await this.#append(this.#chain.changed())
    this.#mustFit()
    if (this.#emit === 'changes' && (this.#isDirty || closed !== null)) await this.#show(this.#chain.open())
    this.#isDirty = false
  }

  settle(arrivedMs: number): void {
    this.#chain.settle(arrivedMs * 1_000)
  }

  async #append(batch: ColumnBatch | null): Promise<void> {
    if (batch) await this.#relation.append({ ...batch, shape: this.#tailShape })
  }

  async #show(open: ColumnBatch | null): Promise<void> {
    if (!open && !this.#isShown) return
    this.#isShown = open !== null
    await this.#relation.replaceProvisional(open ? { ...open, shape: this.#shape } : batchOf(this.#shape, []))
  }

  async cut(): Promise<Cut> {
    const chain = this.#chain.save()
    const flushes = [await this.#relation.cut(), await this.#rejected.cut()]
    const state: SavedState = { chain, counts: this.#counts }
    return {
      state,
      changes: async () => (await Promise.all(flushes.map((flush) => flush.changes()))).flat(),
      publish: async (tables: readonly LakeTable[]) => {
        for (const flush of flushes) await flush.publish(tables)
        // Of what was out of sight nothing open was shown.
        this.#isDirty = true
      },
    }
  }
}
