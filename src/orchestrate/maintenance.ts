// What keeps storage healthy without being asked: small files are joined, old snapshots expire, what nothing reaches is
// removed, the log forgets what every reader has committed. A pass looks at all tables; writers are never in its way, since a
// compaction that loses the race is simply tried again later.
import type { Clock } from '../core/clock.ts'
import { asMillraceError, type MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import { isLogged } from '../define/system-columns.ts'
import type { Engine } from '../engine/duckdb.ts'
import { movedSql } from '../engine/lineage.ts'
import { withRelations } from '../engine/workspace.ts'
import { writeParquet } from '../engine/write.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import { isIcebergType } from '../lake/value/iceberg-type.ts'
import type { Log } from '../log/log.ts'

export interface MaintenanceParts {
  readonly clock: Clock
  readonly lake: Lake
  readonly engine: Engine
  readonly log: Log
  readonly manifest: Manifest
  readonly everyMs: number
  /** The least offset of a partition that some pipeline has committed. */
  committedOffset(topic: string, partition: number): number
  readonly onCommitted: (table: LakeTable) => void
  readonly onDone: (report: MaintenanceReport) => void
  readonly onError: (message: string, error: MillraceError) => void
}

export interface MaintenanceReport {
  readonly table: string
  readonly compactedFiles: number
  readonly expiredSnapshots: number
  readonly removedFiles: number
}

/** Snapshots stay for seven days, and the last hundred in any case. */
const EXPIRY = { olderThanMs: 7 * 86_400_000, retainLast: 100 }
/** Above this, only the newest snapshots stay: metadata that lists thousands slows every commit down. */
export const SNAPSHOTS_MAX = 500
const ORPHANS_OLDER_MS = 3 * 86_400_000
const ORPHANS_EVERY_MS = 6 * 3_600_000

/** Starts passes; answers what stops them. */
export function startMaintenance(parts: MaintenanceParts): () => void {
  let cancel = (): void => {}
  let isStopped = false
  let orphansAtMs = parts.clock.nowMs() + ORPHANS_EVERY_MS
  const arm = (): void => {
    if (isStopped) return
    cancel = parts.clock.after(parts.everyMs, () => {
      pass()
        .catch((cause) => parts.onError('maintenance failed', asMillraceError(cause)))
        .finally(arm)
    })
  }
  const pass = async (): Promise<void> => {
    for (const pointer of await parts.lake.catalog.tables()) {
      if (isStopped) return
      await parts.lake
        .at(pointer)
        .then((table) => maintainTable(parts, table))
        .catch((cause) => parts.onError(`maintenance of ${pointer.name} failed`, asMillraceError(cause)))
    }
    await retainLogs(parts)
    if (parts.clock.nowMs() < orphansAtMs) return
    orphansAtMs = parts.clock.nowMs() + ORPHANS_EVERY_MS
    await parts.lake.removeOrphans(ORPHANS_OLDER_MS)
  }
  arm()
  return () => {
    isStopped = true
    cancel()
  }
}

/** One pass over one table. */
export async function maintainTable(parts: MaintenanceParts, table: LakeTable): Promise<void> {
  const compactedFiles = await compact(parts, table)
  const isLong = table.snapshots.length > SNAPSHOTS_MAX
  const isOld = table.snapshots.length > EXPIRY.retainLast && parts.clock.nowMs() - table.snapshots[0]!.timestampMs > EXPIRY.olderThanMs
  // A name may have had its time.
  const isNamed = Object.keys(table.refs).length > 1
  const expired =
    isLong || isOld || isNamed
      ? await parts.lake.expire(table.name, isLong ? { ...EXPIRY, olderThanMs: 3_600_000 } : EXPIRY)
      : { snapshots: 0, names: 0, files: 0 }
  if (compactedFiles === 0 && expired.snapshots === 0 && expired.names === 0) return
  parts.onCommitted(await parts.lake.table(table.name))
  parts.onDone({ table: table.name, compactedFiles, expiredSnapshots: expired.snapshots, removedFiles: expired.files })
}

async function compact(parts: MaintenanceParts, table: LakeTable): Promise<number> {
  // Tables of other engines are theirs to rewrite when Millrace does not write their version or types.
  if (table.formatVersion < 2 || !table.schema.fields.every((field) => isIcebergType(field.type))) return 0
  let count = 0
  for (const group of await parts.lake.planCompaction(table)) {
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
    // Rows that came meanwhile do not matter; a file that is gone meanwhile refuses the commit.
    const remove = group.files.map((file) => file.path)
    const readFrom = table.current ? { readFrom: table.current.id } : {}
    try {
      await parts.lake.commit([{ table: table.name, operation: 'replace', add, remove, ...readFrom }])
      count += remove.length
    } catch (cause) {
      // A flush or a refresh was faster: the next pass tries again with what is there then.
      if (asMillraceError(cause).code !== 'MR_LAKE_CONFLICT') throw cause
    }
  }
  return count
}

async function retainLogs(parts: MaintenanceParts): Promise<void> {
  for (const relation of parts.manifest.relations) {
    if (!isLogged(relation)) continue
    const topic = parts.log.topics().find((candidate) => candidate.topic === relation.name)
    for (let partition = 0; partition < (topic?.partitions.length ?? 0); partition++) {
      await parts.log.retain(relation.name, partition, {
        beforeMs: parts.clock.nowMs() - relation.keep.logMs,
        keepFrom: parts.committedOffset(relation.name, partition),
      })
    }
  }
}
