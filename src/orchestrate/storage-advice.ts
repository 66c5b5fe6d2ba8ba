// What `millrace doctor` says of stored tables: many small files, long histories, rows that others deleted and nobody wrote
// anew. Only counts and what to do; maintenance (`maintenance.ts`) does most of it by itself.
import { asMillraceError } from '../core/errors.ts'
import type { Lake } from '../lake/open-lake.ts'
import { compactionOf } from '../lake/plan-compaction.ts'
import type { DataFile, LakeTable } from '../lake/types.ts'
import { SNAPSHOTS_MAX } from './chores/expire.ts'

export interface Advice {
  readonly table: string
  readonly detail: string
  readonly fix: string
}

/** Small files from which every scan is noticeably slower. */
const SMALL_MAX = 200
const OLD_MS = 30 * 86_400_000

export async function adviseStorage(lake: Lake, nowMs: number): Promise<Advice[]> {
  const all: Advice[] = (await lake.catalog.denied()).map((table) => ({
    table,
    detail: 'the catalog lists it and does not let this project load it; files that nothing reaches are kept meanwhile',
    fix: "give the project's credentials the right to read it there, or keep it in another namespace",
  }))
  for (const table of await lake.tables()) {
    const advice = await lake.files(table).then(
      (files) => adviceOf(table, files, nowMs),
      // One that another engine made and Millrace cannot read: the others have their advice all the same.
      (cause) => {
        const { message, fix = 'run `millrace verify`' } = asMillraceError(cause)
        return [{ table: table.name, detail: message, fix }]
      },
    )
    all.push(...advice)
  }
  return all
}

/** Pure: about the files of the current snapshot and the history of a table. */
export function adviceOf(table: LakeTable, files: readonly DataFile[], nowMs: number): Advice[] {
  const advice: Advice[] = []
  const say = (detail: string, fix: string): void => void advice.push({ table: table.name, detail, fix })
  const { smallBytes, minFiles } = compactionOf(table)
  const small = files.filter((file) => file.sizeBytes < smallBytes)
  const inOldSpec = small.filter((file) => file.specId !== table.spec.id).length
  if (small.length > SMALL_MAX)
    say(
      `${small.length} of ${files.length} files are smaller than ${smallBytes / 1024 / 1024} MiB`,
      inOldSpec > SMALL_MAX
        ? `${inOldSpec} are of an earlier partitioning, which maintenance leaves alone: rebuild the table`
        : `partition by a coarser unit: maintenance joins files within a partition only, from ${minFiles} on`,
    )
  const deleted = files.filter((file) => file.deletes).length
  if (deleted > 0)
    say(
      `other writers deleted rows of ${deleted} of ${files.length} files, which every scan looks up`,
      'have the engine that deletes compact the table, or write it copy-on-write',
    )
  const named = new Set(Object.values(table.refs).map((ref) => ref.snapshotId))
  const old = table.snapshots.filter((snapshot) => nowMs - snapshot.timestampMs > OLD_MS && !named.has(snapshot.id)).length
  if (table.snapshots.length > SNAPSHOTS_MAX)
    say(
      `${table.snapshots.length} snapshots are kept, ${old} older than 30 days`,
      'maintenance expires them once an hour old: is it running?',
    )
  const tags = Object.entries(table.refs).filter(([, ref]) => ref.kind === 'tag' && isOld(table, ref.snapshotId, nowMs))
  if (tags.length > 0)
    say(
      `${tags.map(([name]) => name).join(', ')} ${tags.length === 1 ? 'keeps' : 'keep'} files that are older than 30 days`,
      `remove what nobody needs: \`millrace tag remove ${table.name} ${tags[0]![0]}\``,
    )
  return advice
}

function isOld(table: LakeTable, id: bigint, nowMs: number): boolean {
  const snapshot = table.snapshots.find((candidate) => candidate.id === id)
  return snapshot !== undefined && snapshot.id !== table.current?.id && nowMs - snapshot.timestampMs > OLD_MS
}
