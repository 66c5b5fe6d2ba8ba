// `millrace verify` over storage: every file of every retained snapshot, what Parquet files hold against their manifests, and
// whether the log still has what pipelines have not committed. Reads everything; changes nothing. And going back to a
// snapshot, which is looked at in the same way first.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { checkParquet } from '../engine/check-parquet.ts'
import type { Engine, Session } from '../engine/duckdb.ts'
import { chooseSnapshot, type SnapshotChoice } from '../lake/list-files.ts'
import type { Lake } from '../lake/open-lake.ts'
import { hasRenamedParts } from '../lake/renamed.ts'
import type { DataFile, LakeTable } from '../lake/types.ts'
import type { Log } from '../log/log.ts'

export interface Damaged {
  readonly path: string
  /** In words that follow the path. */
  readonly what: string
  /** Snapshots that need the file, newest first. */
  readonly snapshots: readonly string[]
}

export interface TableReport {
  readonly table: string
  readonly snapshots: number
  /** Distinct files of all snapshots, and their bytes. */
  readonly files: number
  readonly bytes: number
  readonly damage: readonly Damaged[]
  /** Snapshots that can be gone back to, newest first; of an undamaged table all that it retains. */
  readonly good: readonly string[]
  /** What the table is now; null for an empty one, and when that cannot be read. */
  readonly current: string | null
}

/** A pipeline's committed offset that the log does not reach any more, or not yet. */
export interface OffsetGap {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly committed: number
  readonly logStart: number
  readonly logEnd: number
}

export interface CommittedOffset {
  readonly pipeline: string
  readonly topic: string
  readonly partition: number
  readonly committed: number
}

export interface StorageReport {
  readonly tables: readonly TableReport[]
  /** Offsets that were compared with the log. */
  readonly offsets: number
  readonly gaps: readonly OffsetGap[]
}

/** `offsets`: what pipelines that run have committed. */
export async function verifyStorage(
  { lake, engine, log }: { readonly lake: Lake; readonly engine: Engine; readonly log: Log },
  offsets: readonly CommittedOffset[],
): Promise<StorageReport> {
  const session = await engine.session()
  try {
    const tables: TableReport[] = []
    for (const { name } of await lake.catalog.tables()) {
      const report = await verifyTable(lake, session, name)
      // Dropped meanwhile.
      if (await lake.catalog.table(name)) tables.push(report)
    }
    return { tables, offsets: offsets.length, gaps: gapsOf(log, offsets) }
  } finally {
    session.close()
  }
}

async function verifyTable(lake: Lake, session: Session, name: string): Promise<TableReport> {
  try {
    const { table, damagedMetadata, snapshots: all } = await lake.check(name)
    const inside = await checkInside(
      lake,
      session,
      table,
      all.filter(({ damage }) => damage.length === 0).flatMap(({ dataFiles }) => dataFiles),
    )
    // Files of a snapshot that expired meanwhile are gone for good reason.
    const retained = damagedMetadata ? table : await lake.table(name)
    const snapshots = all.filter(({ snapshot }) => retained.snapshots.some(({ id }) => id === snapshot.id))
    const damage = new Map<string, { what: string; snapshots: string[] }>()
    if (damagedMetadata) damage.set(damagedMetadata, { what: 'cannot be read; it is what the table is now', snapshots: [] })
    const good: string[] = []
    for (const check of snapshots) {
      const found = [
        ...check.damage,
        ...check.dataFiles.flatMap(({ path }) => (inside.has(path) ? [{ path, what: inside.get(path)! }] : [])),
      ]
      for (const { path, what } of found) {
        const known = damage.get(path) ?? { what, snapshots: [] }
        damage.set(path, { what, snapshots: [...new Set([...known.snapshots, String(check.snapshot.id)])] })
      }
      if (found.length === 0) good.push(String(check.snapshot.id))
    }
    const paths = new Map(snapshots.flatMap(({ files }) => files))
    const bytes = [...paths.values()].reduce((sum, sizeBytes) => sum + sizeBytes, 0)
    const listed = [...damage].map(([path, about]) => ({ path, ...about }))
    const current = damagedMetadata ? null : (retained.current?.id.toString() ?? null)
    return { table: name, snapshots: snapshots.length, files: paths.size, bytes, damage: listed, good, current }
  } catch (cause) {
    const { message } = damaging(cause)
    return {
      table: name,
      snapshots: 0,
      files: 0,
      bytes: 0,
      damage: [{ path: name, what: message, snapshots: [] }],
      good: [],
      current: null,
    }
  }
}

/** @throws what is no damage: a store that does not answer, and a key that is not there. */
function damaging(cause: unknown): MillraceError {
  const error = asMillraceError(cause)
  if (error.retryable || /^MR_KEY_/.test(error.code)) throw error
  return error
}

/** What is wrong inside of data files, by path. Of those of other formats only that they are there is known. */
async function checkInside(lake: Lake, session: Session, table: LakeTable, files: readonly DataFile[]): Promise<Map<string, string>> {
  const wrong = new Map<string, string>()
  const isRenamed = hasRenamedParts(table.schemas) ? { isRenamed: true as const } : {}
  for (const file of new Map(files.map((file) => [file.path, file])).values()) {
    if (file.format !== undefined) continue
    using lease = lake.lease()
    const what = await lease.local([{ ...file, ...isRenamed }]).then(
      ([local]) => checkParquet(session, table, local!),
      (cause) => `cannot be read: ${damaging(cause).message}`,
    )
    if (what !== null) wrong.set(file.path, what)
  }
  return wrong
}

function gapsOf(log: Log, offsets: readonly CommittedOffset[]): OffsetGap[] {
  const topics = new Map(log.topics().map((topic) => [topic.topic, topic.partitions]))
  return offsets.flatMap((offset) => {
    const range = topics.get(offset.topic)?.[offset.partition] ?? { start: 0, end: 0 }
    const isThere = offset.committed >= range.start && offset.committed <= range.end
    return isThere ? [] : [{ ...offset, logStart: range.start, logEnd: range.end }]
  })
}

/**
 * Goes back to a snapshot whose files are whole, also inside; see `Lake.restore`.
 * @throws MR_LAKE_CORRUPT naming the file and snapshots that are good; what `Lake.restore` throws.
 */
export async function restoreTable(lake: Lake, engine: Engine, name: string, choice: SnapshotChoice): Promise<LakeTable> {
  const { table, snapshots } = await lake.check(name)
  const { id } = chooseSnapshot(table, choice)
  const session = await engine.session()
  try {
    const { dataFiles } = snapshots.find(({ snapshot }) => snapshot.id === id)!
    const [first] = await checkInside(lake, session, table, dataFiles)
    if (first) {
      const [path, what] = first
      throw await lake.explain(name, new MillraceError('MR_LAKE_CORRUPT', `the snapshot ${id} is not whole: ${path} ${what}`), [path])
    }
  } finally {
    session.close()
  }
  return lake.restore(name, id)
}
