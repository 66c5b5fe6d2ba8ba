// The one commit of a pipeline: the state is written first, then files, offsets and checkpoint become visible together.
// PROTOCOL rules 14 to 16.
import { asMillraceError } from '../core/errors.ts'
import type { PipelineParts, PipelineSettings } from './pipeline-settings.ts'
import type { Cut } from './sink.ts'
import type { SourceState } from './source.ts'

/** What a checkpoint holds. */
export interface PipelineState {
  /** By topic. */
  readonly sources?: Readonly<Record<string, SourceState>>
  /** Of checkpoints from when a pipeline read one topic. */
  readonly source?: SourceState
  readonly sink: unknown
}

export interface CutAt {
  readonly generation: string
  /** Next offset of each partition. */
  readonly offsets: readonly { readonly topic: string; readonly partition: number; readonly next: number }[]
  /** By topic. */
  readonly sources: Readonly<Record<string, SourceState>>
  /** Location of the checkpoint before. */
  readonly before: string | null
}

/** Times that the files of a flush are written anew when another writer of the table was faster. */
const CONFLICT_TRY_MAX = 3

/** @throws MR_LAKE_FENCED when another owner has taken over, MR_LAKE_CONFLICT when others are faster every time. */
export async function commitCut(
  { checkpoints, lake }: Pick<PipelineParts, 'checkpoints' | 'lake'>,
  { name, code, owner }: PipelineSettings,
  at: CutAt,
  cut: Cut,
): Promise<{ readonly checkpoint: string; readonly tables: string[] }> {
  const state: PipelineState = { sources: at.sources, sink: cut.state }
  const location = await checkpoints.write(name, state, at.before)
  const pipeline = { name, generation: at.generation, offsets: at.offsets, checkpoint: { location, code } }
  for (let attempt = 1; ; attempt++) {
    const changes = await cut.changes()
    try {
      const { tables } = await lake.commit(changes, { pipeline, ...(owner ? { cursors: [{ name: owner, value: name }] } : {}) })
      await cut.publish(tables)
      await checkpoints.prune(name, location)
      return { checkpoint: location, tables: changes.map((change) => change.table) }
    } catch (error) {
      if (asMillraceError(error).code !== 'MR_LAKE_CONFLICT' || attempt === CONFLICT_TRY_MAX) throw error
    }
  }
}
