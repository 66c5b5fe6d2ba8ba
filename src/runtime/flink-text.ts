// A live model of a project as Flink SQL: the tables of the streams that it reads, and its query. Text only: nothing is run, and the
// source of each table (its WITH clause) is left to whoever takes it there.
import { MillraceError } from '../core/errors.ts'
import type { Manifest, StreamManifest } from '../define/manifest.ts'
import { isLookedUp, liveInputs, liveShape, storedShape } from '../define/system-columns.ts'
import { printFlink, printFlinkStream } from '../engine/algebra/print-flink.ts'
import { inlineConstants } from '../engine/sql-text.ts'
import { openBinder } from '../plan/open-binder.ts'

export interface FlinkText {
  /** CREATE TABLE of each stream. */
  readonly tables: readonly string[]
  /** One SELECT. */
  readonly query: string
}

/** @throws MR_PLAN_UNKNOWN without such a live model; MR_PLAN_FLINK naming what Flink has no equal for. */
export async function flinkText(manifest: Manifest, name: string): Promise<FlinkText> {
  const model = manifest.relations.find((relation) => relation.name === name)
  if (model?.kind !== 'model' || model.refresh !== 'live') {
    const live = manifest.relations.filter((relation) => relation.kind === 'model' && relation.refresh === 'live')
    throw new MillraceError('MR_PLAN_UNKNOWN', `there is no live model "${name}"`, {
      fix: live.length > 0 ? `live models: ${live.map((relation) => relation.name).join(', ')}` : "a model is live by fresh: 'live'",
    })
  }
  const streams = manifest.relations.filter((relation): relation is StreamManifest => relation.kind === 'stream')
  const text = inlineConstants(model.sql)
  const binder = await openBinder()
  try {
    for (const stream of streams) await binder.define(stream.name, storedShape(stream))
    for (const table of manifest.relations.filter(isLookedUp)) await binder.define(table.name, liveShape(table)!)
    await binder.inspect(text)
    const live = await binder.checkLive(
      text,
      new Map(liveInputs(manifest.relations, model).map((input) => [input.name, inlineConstants(input.sql)])),
    )
    if (live === undefined || live instanceof MillraceError) throw live ?? new MillraceError('MR_ASSERT', 'cannot be: no tree')
    const read = streams.filter((stream) => live.query.streams.includes(stream.name))
    return { tables: read.map((stream) => printFlinkStream(stream, "'connector' = '...'")), query: printFlink(live.query) }
  } finally {
    binder.close()
  }
}
