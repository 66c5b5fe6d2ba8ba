// Branches of a table: names of snapshots that others write to beside `main` (write, audit, publish: Spark's `spark.wap.branch`).
// A branch is made, removed, and published: `main` goes on to its newest snapshot, of several tables in one commit. What is
// on a branch is read like any other snapshot, and kept by expiry as the branch says (`expire.ts`).
import { MillraceError } from '../core/errors.ts'
import { type CommitContext, publish } from './commit.ts'
import { chooseSnapshot } from './list-files.ts'
import { type Base, stageMetadata } from './stage-change.ts'
import type { RefJson, TableMetadata } from './table-metadata.ts'
import type { LakeTable } from './types.ts'

/** What expiry leaves of a branch; absent = the table's own properties, then Millrace's usual. */
export interface BranchRetention {
  /** The branch goes when its newest snapshot is older. */
  readonly maxAgeMs?: number
  readonly minSnapshots?: number
  readonly maxSnapshotAgeMs?: number
}

type Refs = Readonly<Record<string, RefJson>>

/** The metadata with other names of snapshots. */
export async function changeRefs(context: CommitContext, name: string, change: (refs: Refs, table: LakeTable) => Refs): Promise<LakeTable> {
  const { tables } = await publish(context, [name], {}, async ([base], stage, keep) => {
    const refs = change(base!.metadata.refs, base!.table)
    const updatedMs = Math.max(stage.nowMs, base!.metadata['last-updated-ms'])
    keep(await stageMetadata(base!, { ...base!.metadata, refs, 'last-updated-ms': updatedMs }, stage))
  })
  return tables[0]!
}

/** @throws MR_LAKE_SPEC unless `ref` can be, or is, the name of a tag or branch. */
export function checkRefName(table: string, ref: string, kind: 'tag' | 'branch', refs: Refs): void {
  // Digits alone are taken for a snapshot's id.
  if (/^[A-Za-z0-9_.-]+$/.test(ref) && !/^\d+$/.test(ref) && ref !== 'main' && (!Object.hasOwn(refs, ref) || refs[ref]!.type === kind))
    return
  const other = kind === 'tag' ? 'branch' : 'tag'
  throw new MillraceError('MR_LAKE_SPEC', `${table}: '${ref}' cannot be the name of a ${kind}`, {
    fix: `use letters, digits, dots and dashes, not digits alone, and not the name of a ${other}`,
  })
}

/** A new branch at a snapshot, `main`'s newest by default. @throws MR_LAKE_SPEC when there is one; MR_LAKE_SNAPSHOT_UNKNOWN */
export function createBranch(
  context: CommitContext,
  table: string,
  branch: string,
  options: BranchRetention & { readonly snapshotId?: bigint } = {},
): Promise<LakeTable> {
  return changeRefs(context, table, (refs, known) => {
    checkRefName(table, branch, 'branch', refs)
    if (Object.hasOwn(refs, branch))
      throw new MillraceError('MR_LAKE_SPEC', `${table} has a branch '${branch}' already`, {
        fix: 'remove it first, or choose another name',
      })
    const id = options.snapshotId ?? known.current?.id
    if (id === undefined)
      throw new MillraceError('MR_LAKE_SNAPSHOT_UNKNOWN', `${table} has no snapshot to branch from`, { fix: 'commit rows to it first' })
    const snapshot = chooseSnapshot(known, { id })
    return { ...refs, [branch]: { 'snapshot-id': snapshot.id, type: 'branch', ...retentionOf(options) } }
  })
}

const retentionOf = ({ maxAgeMs, minSnapshots, maxSnapshotAgeMs }: BranchRetention) => ({
  ...(maxAgeMs === undefined ? {} : { 'max-ref-age-ms': maxAgeMs }),
  ...(minSnapshots === undefined ? {} : { 'min-snapshots-to-keep': minSnapshots }),
  ...(maxSnapshotAgeMs === undefined ? {} : { 'max-snapshot-age-ms': maxSnapshotAgeMs }),
})

/** What was only on it expires. @throws MR_LAKE_SNAPSHOT_UNKNOWN when there is none */
export function removeBranch(context: CommitContext, table: string, branch: string): Promise<LakeTable> {
  return changeRefs(context, table, (refs, known) => {
    checkRefName(table, branch, 'branch', refs)
    chooseSnapshot(known, { tag: branch })
    return Object.fromEntries(Object.entries(refs).filter(([name]) => name !== branch))
  })
}

export interface Publication {
  readonly table: string
  readonly branch: string
  /** The snapshot that was looked at: the commit fails when the branch has another one by now. */
  readonly head: bigint
}

/**
 * `main` of each table goes on to the head of its branch, of all or none; the branches stay. A table whose `main` is there
 * already is left as it is.
 * @throws MR_LAKE_CONFLICT when `main` has snapshots that the branch does not, or the branch went on; MR_LAKE_SNAPSHOT_UNKNOWN.
 */
export async function publishBranches(context: CommitContext, publications: readonly Publication[]): Promise<readonly LakeTable[]> {
  const names = publications.map(({ table }) => table)
  const { tables } = await publish(context, names, {}, async (bases, stage, keep) => {
    for (const [index, publication] of publications.entries()) {
      const next = forwarded(bases[index]!, publication, stage.nowMs)
      if (next) keep(await stageMetadata(bases[index]!, next, stage))
    }
  })
  return tables
}

function forwarded({ table, metadata }: Base, { branch, head }: Publication, nowMs: number): TableMetadata | null {
  const found = chooseSnapshot(table, { tag: branch })
  if (found.id !== head)
    throw new MillraceError(
      'MR_LAKE_CONFLICT',
      `${table.name}: the branch '${branch}' went on to snapshot ${found.id} while ${head} was looked at`,
      {
        fix: 'publish it again',
      },
    )
  if (table.current?.id === head) return null
  if (table.current && !isAncestor(table, table.current.id, head))
    throw new MillraceError(
      'MR_LAKE_CONFLICT',
      `${table.name}: main has snapshot ${table.current.id}, which the branch '${branch}' does not`,
      {
        fix: `make the branch anew from main and write to it again: millrace branch remove ${table.name} ${branch}`,
      },
    )
  const atMs = Math.max(nowMs, metadata['last-updated-ms'])
  return {
    ...metadata,
    'last-updated-ms': atMs,
    'current-snapshot-id': head,
    refs: { ...metadata.refs, main: { ...metadata.refs['main'], type: 'branch', 'snapshot-id': head } },
    'snapshot-log': [...metadata['snapshot-log'], { 'snapshot-id': head, 'timestamp-ms': atMs }],
  }
}

function isAncestor({ snapshots }: LakeTable, ancestor: bigint, of: bigint): boolean {
  const parents = new Map(snapshots.map(({ id, parentId }) => [id, parentId]))
  for (let at: bigint | null | undefined = of; at !== null && at !== undefined; at = parents.get(at)) if (at === ancestor) return true
  return false
}
