// What administrators do to stored tables, on a running server and on the data directory of a stopped one alike: look whether
// all is there, go back to a snapshot, name one. Changes tell readers and the audit trail.
import type { Clock } from '../core/clock.ts'
import type { Engine } from '../engine/duckdb.ts'
import type { Audit } from '../govern/audit.ts'
import type { Identity } from '../govern/identity.ts'
import { snapshotChoice } from '../lake/list-files.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Log } from '../log/log.ts'
import { adviseStorage } from '../orchestrate/storage-advice.ts'
import { type CommittedOffset, restoreTable, verifyStorage } from '../orchestrate/verify-storage.ts'
import type { StorageActions } from '../serve/admin/parts.ts'
import type { Store } from '../store/open-store.ts'

export interface StorageActionParts {
  readonly clock: Clock
  readonly lake: Lake
  readonly engine: Engine
  readonly log: Log
  readonly audit: Audit
  /** Of the pipelines that are deployed. */
  offsets(): Promise<readonly CommittedOffset[]>
  /** The table's rows or names of snapshots changed. */
  onChanged(table: LakeTable, what: 'rows' | 'refs'): void
}

export function makeStorageActions(parts: StorageActionParts): StorageActions {
  const { lake, engine, log } = parts
  const record = (who: Identity, action: string, object: string, detail: Readonly<Record<string, unknown>>): Promise<void> =>
    parts.audit.record(who, { action, object, outcome: 'ok', detail })
  return {
    verify: async () => verifyStorage({ lake, engine, log }, await parts.offsets()),
    advise: () => adviseStorage(lake, parts.clock.nowMs()),
    async restore(who, name, to) {
      const table = await restoreTable(lake, engine, name, snapshotChoice(to))
      parts.onChanged(table, 'rows')
      await record(who, 'restore', name, { to, snapshot: String(table.current!.id) })
      return table
    },
    async setTag(who, name, tag, { snapshot, maxAgeMs }) {
      const known = await lake.table(name)
      const id = snapshot === undefined ? known.current?.id : lake.snapshotAt(known, snapshotChoice(snapshot)).id
      const table = await lake.setTag(name, tag, id ?? -1n, maxAgeMs === undefined ? {} : { maxAgeMs })
      parts.onChanged(table, 'refs')
      await record(who, 'tag', name, { tag, snapshot: String(table.refs[tag]!.snapshotId) })
      return table
    },
    async removeTag(who, name, tag) {
      const table = await lake.removeTag(name, tag)
      parts.onChanged(table, 'refs')
      await record(who, 'untag', name, { tag })
      return table
    },
    async createBranch(who, name, branch, { snapshot, ...retention }) {
      const at = snapshot === undefined ? {} : { snapshotId: lake.snapshotAt(await lake.table(name), snapshotChoice(snapshot)).id }
      const table = await lake.createBranch(name, branch, { ...retention, ...at })
      parts.onChanged(table, 'refs')
      await record(who, 'branch', name, { branch, snapshot: String(table.refs[branch]!.snapshotId) })
      return table
    },
    async removeBranch(who, name, branch) {
      const table = await lake.removeBranch(name, branch)
      parts.onChanged(table, 'refs')
      await record(who, 'unbranch', name, { branch })
      return table
    },
    tags: (name) => lake.table(name),
  }
}

/** What these pipelines have committed; nothing of one that never did. */
export async function committedOffsets(store: Store, pipelines: readonly string[]): Promise<CommittedOffset[]> {
  const names = new Set(pipelines)
  const rows = await store.read.selectFrom('offsets').select(['pipeline', 'topic', 'partition', 'next']).execute()
  return rows.filter(({ pipeline }) => names.has(pipeline)).map(({ next, ...offset }) => ({ ...offset, committed: next }))
}
