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
  type Detail = Readonly<Record<string, unknown>>
  const changed = async (who: Identity, action: string, table: LakeTable, detail: Detail, what: 'rows' | 'refs' = 'refs') => {
    parts.onChanged(table, what)
    await parts.audit.record(who, { action, object: table.name, outcome: 'ok', detail })
    return table
  }
  return {
    verify: async () => verifyStorage({ lake, engine, log }, await parts.offsets()),
    advise: () => adviseStorage(lake, parts.clock.nowMs()),
    async restore(who, name, to) {
      const table = await restoreTable(lake, engine, name, snapshotChoice(to))
      return changed(who, 'restore', table, { to, snapshot: String(table.current!.id) }, 'rows')
    },
    async setTag(who, name, tag, { snapshot, maxAgeMs }) {
      const known = await lake.table(name)
      const id = snapshot === undefined ? known.current?.id : lake.snapshotAt(known, snapshotChoice(snapshot)).id
      const table = await lake.setTag(name, tag, id ?? -1n, maxAgeMs === undefined ? {} : { maxAgeMs })
      return changed(who, 'tag', table, { tag, snapshot: String(table.refs[tag]!.snapshotId) })
    },
    removeTag: async (who, name, tag) => changed(who, 'untag', await lake.removeTag(name, tag), { tag }),
    async createBranch(who, name, branch, { snapshot, ...retention }) {
      const at = snapshot === undefined ? {} : { snapshotId: lake.snapshotAt(await lake.table(name), snapshotChoice(snapshot)).id }
      const table = await lake.createBranch(name, branch, { ...retention, ...at })
      return changed(who, 'branch', table, { branch, snapshot: String(table.refs[branch]!.snapshotId) })
    },
    removeBranch: async (who, name, branch) => changed(who, 'unbranch', await lake.removeBranch(name, branch), { branch }),
    tags: (name) => lake.table(name),
  }
}

/** What these pipelines have committed; nothing of one that never did. */
export async function committedOffsets(store: Store, pipelines: readonly string[]): Promise<CommittedOffset[]> {
  const names = new Set(pipelines)
  const rows = await store.read.selectFrom('offsets').select(['pipeline', 'topic', 'partition', 'next']).execute()
  return rows.filter(({ pipeline }) => names.has(pipeline)).map(({ next, ...offset }) => ({ ...offset, committed: next }))
}
