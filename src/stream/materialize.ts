// The sink that makes a stream's tables: rows that are out go to `<stream>`, late ones to `<stream>__late`, refused ones to
// `<stream>__rejected`. Rows are visible in the hot tail at once and in Iceberg after the flush. A keyed table fed through
// the log is the same, without lateness: the latest row of a key wins, and keys that the log says have gone have no row.
// PROTOCOL rules 6, 16 and 17.

import type { StreamManifest } from '../define/manifest.ts'
import { lateName, lateShape, rejectedName } from '../define/system-columns.ts'
import type { WritableRelation } from '../engine/managed-relation.ts'
import type { RelationStore } from '../engine/relations.ts'
import type { LakeTable } from '../lake/types.ts'
import { type Column, type ColumnBatch, selectRows } from '../schema/batch.ts'
import type { Delivery } from './delivery.ts'
import { HotKey } from './hot-key.ts'
import { markedRows } from './marked-rows.ts'
import { rejectedBatch } from './rejected.ts'
import type { Cut, Sink } from './sink.ts'

/** Records of the stream since it was deployed: in = out + late + rejected + deduplicated. */
export interface StreamCounts {
  readonly in: number
  readonly out: number
  readonly late: number
  readonly rejected: number
  readonly deduplicated: number
  readonly skewed: number
  readonly redriven: number
}

const ZERO: StreamCounts = { in: 0, out: 0, late: 0, rejected: 0, deduplicated: 0, skewed: 0, redriven: 0 }

export class Materialize implements Sink {
  readonly ownsStream = true
  readonly #out: WritableRelation
  readonly #late: WritableRelation | null
  readonly #rejected: WritableRelation
  readonly #lateShape: ColumnBatch['shape']
  readonly #keyIndex: number
  /** Rows of it go by their keys. */
  readonly #canLose: boolean
  readonly #hotKey = new HotKey()
  #counts: StreamCounts = ZERO

  /** A table (`keyed`) has no late rows; `canLose` as in `RelationSpec`. */
  constructor(
    stream: Pick<StreamManifest, 'name' | 'shape' | 'key'> & { readonly keyed: boolean; readonly canLose?: boolean },
    relations: RelationStore,
  ) {
    this.#canLose = stream.canLose ?? false
    this.#out = relations.writable(stream.name)
    this.#late = stream.keyed ? null : relations.writable(lateName(stream.name))
    this.#rejected = relations.writable(rejectedName(stream.name))
    this.#lateShape = lateShape(stream)
    this.#keyIndex = stream.shape.fields.findIndex(({ name }) => name === stream.key)
  }

  get counts(): StreamCounts {
    return this.#counts
  }

  /** Of a stream with a key: the part of recent rows that the most frequent one has; null while that is not known. */
  get hotKeyShare(): number | null {
    return this.#hotKey.share
  }

  get #relations(): readonly WritableRelation[] {
    return this.#late ? [this.#out, this.#late, this.#rejected] : [this.#out, this.#rejected]
  }

  get pendingBytes(): number {
    return this.#relations.reduce((sum, relation) => sum + relation.pendingBytes, 0)
  }

  get pendingRows(): number {
    return this.#relations.reduce((sum, relation) => sum + relation.pendingRows, 0)
  }

  async restore(state: unknown): Promise<void> {
    for (const relation of this.#relations) await relation.reset()
    this.#counts = (state as { counts: StreamCounts } | null)?.counts ?? ZERO
  }

  async apply({ batch, classified, rejected, deletes }: Delivery): Promise<void> {
    const { out, late, duplicates, skewed } = classified
    if (this.#canLose) {
      if (out.length > 0 || deletes.length > 0) await this.#out.append(markedRows(batch, out, deletes))
    } else if (out.length > 0) await this.#out.append(out.length === batch.rows ? batch : selectRows(batch, out))
    if (late.length > 0 && this.#late) await this.#late.append(this.#lateRows(batch, late, classified.lateWatermarkUs))
    if (rejected.length > 0) await this.#rejected.append(rejectedBatch(rejected))
    const keys = batch.columns[this.#keyIndex]
    if (keys) this.#hotKey.take(keys, batch.rows)
    const counts = this.#counts
    this.#counts = {
      in: counts.in + batch.rows + rejected.length,
      out: counts.out + out.length,
      late: counts.late + late.length,
      rejected: counts.rejected + rejected.length,
      deduplicated: counts.deduplicated + duplicates,
      skewed: counts.skewed + skewed,
      redriven: counts.redriven + classified.redriven,
    }
  }

  async tick(): Promise<void> {}

  #lateRows(batch: ColumnBatch, rows: Int32Array, watermarkUs: Float64Array): ColumnBatch {
    const picked = selectRows(batch, rows)
    const watermark: Column = { kind: 'integer', values: watermarkUs, big: null, nulls: null }
    return { shape: this.#lateShape, rows: picked.rows, columns: [...picked.columns, watermark] }
  }

  async cut(): Promise<Cut> {
    const flushes = await Promise.all(this.#relations.map((relation) => relation.cut()))
    return {
      state: { counts: this.#counts },
      changes: async () => (await Promise.all(flushes.map((flush) => flush.changes()))).flat(),
      publish: async (tables: readonly LakeTable[]) => {
        for (const flush of flushes) await flush.publish(tables)
      },
    }
  }
}
