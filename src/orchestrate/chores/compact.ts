// Small files become larger ones, sorted as the table is. Rows that come meanwhile do not matter; a file that is gone
// meanwhile refuses the commit of its group, and the next pass looks again.
import { addAll } from '../../core/add-all.ts'
import { asMillraceError } from '../../core/errors.ts'
import { movedSql } from '../../engine/lineage.ts'
import { withRelations } from '../../engine/workspace.ts'
import { writeParquet } from '../../engine/write.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { CompactionGroup, CompactionOptions } from '../../lake/plan-compaction.ts'
import type { DataFile, LakeTable } from '../../lake/types.ts'
import { bytesOf, type Chore, type ChoreDone, type ChoreParts, type ChoreTask, mayRewrite, unlessLost } from './chore.ts'

export const compact: Chore = { name: 'compact', run }

async function run(parts: ChoreParts, { table, isAsked }: ChoreTask): Promise<ChoreDone | null> {
  if (!mayRewrite(table)) return null
  const [before, after]: [DataFile[], DataFile[]] = [[], []]
  for (const group of await groupsOf(parts.lake, table, isAsked ? { minFiles: 2, fillDefaults: true } : {})) {
    using lease = parts.lake.lease()
    const files = await lease.local(group.files)
    const add = await withRelations(parts.engine, {}, (session) =>
      writeParquet(session, {
        select: movedSql(table, files),
        moved: true,
        table,
        directory: parts.lake.dataDirectory(table),
      }),
    )
    const remove = group.files.map((file) => file.path)
    const readFrom = table.current ? { readFrom: table.current.id } : {}
    if (!(await unlessLost(parts.lake.commit([{ table: table.name, operation: 'replace', add, remove, ...readFrom }])))) continue
    addAll(before, group.files)
    addAll(after, add)
  }
  if (before.length === 0) return null
  return {
    note: `${before.length} small files became ${after.length}`,
    saved: { filesBefore: before.length, filesAfter: after.length, bytesBefore: bytesOf(before), bytesAfter: bytesOf(after) },
  }
}

/** None of a table with files that are not read, in another format than Parquet: its own engine looks after those. */
async function groupsOf(lake: Lake, table: LakeTable, options: Partial<CompactionOptions>): Promise<readonly CompactionGroup[]> {
  try {
    return await lake.planCompaction(table, options)
  } catch (cause) {
    if (asMillraceError(cause).code !== 'MR_LAKE_VERSION') throw cause
    return []
  }
}
