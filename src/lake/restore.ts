// Going back: a new snapshot whose files are those of an earlier one. History stays as it was and snapshots only ever follow
// each other, so that readers, incremental models and expiry need no special case. Data moves, offsets never do (PROTOCOL
// rule 19): rows that were committed after that snapshot are gone from the table and are not read again.
import { MillraceError } from '../core/errors.ts'
import { snapshotId } from '../core/random.ts'
import { type CommitContext, pointerOf, publish } from './commit.ts'
import { checkWritable } from './format-version.ts'
import { openCheck } from './health/check-snapshots.ts'
import { goodSnapshots, readSound } from './health/sound-table.ts'
import { chooseSnapshot } from './list-files.ts'
import { RESTORED_FROM } from './snapshot-summary.ts'
import { type Base, nextRowIdOf, stageMetadata, withSnapshot } from './stage-change.ts'
import type { LakeSnapshot, LakeTable } from './types.ts'

/**
 * The table with the rows of snapshot `id`, under its present columns. Works also when the current metadata is damaged: then
 * the newest that can be read is gone on from.
 * @throws MR_LAKE_SNAPSHOT_UNKNOWN; MR_LAKE_CORRUPT when a file of that snapshot is damaged; MR_LAKE_VERSION, MR_LAKE_CONFLICT.
 */
export async function restoreTable(context: CommitContext, name: string, id: bigint): Promise<LakeTable> {
  const { files, random } = context
  const load = async (): Promise<Base> => {
    const pointer = await pointerOf(context, name)
    const { table, metadata } = await readSound(files, pointer)
    return { name, location: pointer.location, metadata, table }
  }
  const { tables } = await publish(
    context,
    [name],
    {},
    async ([base], stage, keep) => {
      const { table, metadata } = base!
      checkWritable(name, metadata)
      const target = chooseSnapshot(table, { id })
      await mustBeWhole(context, table, target)
      const nowMs = Math.max(stage.nowMs, metadata['last-updated-ms'])
      const snapshot = { id: snapshotId(random), parentId: table.current?.id ?? null, sequence: metadata['last-sequence-number'] + 1 }
      const manifests = await files.list(target.manifestList)
      const list = await files.writeList(manifests, table, snapshot, nowMs, nextRowIdOf(metadata))
      const summary = { ...totalsOf(target), operation: 'overwrite', [RESTORED_FROM]: String(id) }
      keep(await stageMetadata(base!, withSnapshot(metadata, { snapshot, summary, list, nowMs }), stage, [list.uri]))
    },
    load,
  )
  return tables[0]!
}

async function mustBeWhole({ files }: CommitContext, table: LakeTable, target: LakeSnapshot): Promise<void> {
  const { damage } = await openCheck(files.fresh(), table)(target)
  const [first] = damage
  if (!first) return
  const good = await goodSnapshots(files, table, 3)
  const more = damage.length > 1 ? `, as are ${damage.length - 1} more` : ''
  throw new MillraceError('MR_LAKE_CORRUPT', `${table.name}: the snapshot ${target.id} is not whole: ${first.path} ${first.what}${more}`, {
    fix: good.length > 0 ? `go back to one that is: ${good.map((one) => one.id).join(', ')}` : 'restore the file from a backup',
  })
}

const totalsOf = ({ summary }: LakeSnapshot): Record<string, string> =>
  Object.fromEntries(Object.entries(summary).filter(([key]) => key.startsWith('total-')))
