// Expiry of snapshots: metadata grows with every one, so old ones go. The pointer moves first; only then are files removed
// that no kept snapshot needs. What a crash leaves behind is an orphan (`remove-orphans.ts`).

import { MillraceError } from '../core/errors.ts'
import { inParallel } from '../objects/parts.ts'
import { type CommitContext, publish } from './commit.ts'
import { isBelow, toPath } from './location.ts'
import type { Pins } from './pins.ts'
import { reachableFrom } from './reachable.ts'
import { type Base, stageMetadata } from './stage-change.ts'
import type { RefJson, TableMetadata } from './table-metadata.ts'
import type { LakeSnapshot, LakeTable } from './types.ts'

export interface ExpireOptions {
  /** Age in milliseconds from which a snapshot may go. */
  readonly olderThanMs: number
  /** Newest snapshots of each branch that stay whatever their age. */
  readonly retainLast: number
  /** Age from which a snapshot may go that lies on no branch and has no name; `olderThanMs` unless given. */
  readonly unnamedOlderThanMs?: number
}

export interface Expired {
  readonly snapshots: number
  /** Tags and branches that had their time. */
  readonly names: number
  readonly files: number
  /** Of those files, as far as it is known. */
  readonly bytes: number
}

/**
 * Named snapshots, pinned ones and those that a branch retains stay; a name beyond its `max-ref-age-ms` goes, and its snapshot
 * unless something else keeps it (Iceberg spec, "Snapshot Retention Policy"). What a branch or tag says comes first, then the
 * table's `history.expire.*` properties, then `options`. A snapshot that no branch or tag leads to goes by its age alone, as Java's
 * `RemoveSnapshots` has it: it may be staged (`wap.id`) and published later. Of a table with `gc.enabled` false nothing goes.
 */
export async function expireSnapshots(context: CommitContext, pins: Pins, table: string, options: ExpireOptions): Promise<Expired> {
  let [unreachable, gone, names]: [ReadonlyMap<string, number>, number, number] = [new Map(), 0, 0]
  await publish(context, [table], {}, async ([base], stage, keep) => {
    ;[unreachable, gone, names] = [new Map(), 0, 0]
    if (!mayCollect(base!.table)) return
    const refs = liveRefs(base!, stage.nowMs)
    const kept = keptSnapshots(base!, refs, stage.nowMs, options, pins)
    const dropped = base!.table.snapshots.filter((snapshot) => !kept.has(snapshot.id))
    names = Object.keys(base!.metadata.refs).length - Object.keys(refs).length
    if (dropped.length === 0 && names === 0) return
    gone = dropped.length
    unreachable = await onlyReachedBy(context, base!, dropped, kept).catch(noneWhenDamaged)
    keep(await stageMetadata(base!, withoutSnapshots(base!.metadata, kept, refs, stage.nowMs), stage))
  })
  const removed = await context.files.discard(unreachable.keys())
  return { snapshots: gone, names, files: removed.length, bytes: removed.reduce((sum, path) => sum + unreachable.get(path)!, 0) }
}

/** Tables of others may say that their files are not ours to remove (Iceberg's property `gc.enabled`). */
export const mayCollect = ({ properties }: Pick<LakeTable, 'properties'>): boolean => properties['gc.enabled'] !== 'false'

// What a damaged manifest names is not known: nothing is removed, and the rest is found as orphans once it has expired.
function noneWhenDamaged(cause: unknown): Map<string, number> {
  if (cause instanceof MillraceError && cause.code === 'MR_LAKE_CORRUPT') return new Map()
  throw cause
}

type Refs = Readonly<Record<string, RefJson>>

function liveRefs(base: Base, nowMs: number): Refs {
  const timeOf = new Map(base.table.snapshots.map((snapshot) => [snapshot.id, snapshot.timestampMs]))
  const usual = numberOf(base, 'history.expire.max-ref-age-ms')
  const isLive = (name: string, ref: RefJson): boolean => {
    const ageMs = ref['max-ref-age-ms'] ?? usual
    return name === 'main' || ageMs === undefined || nowMs - (timeOf.get(ref['snapshot-id']) ?? 0) <= ageMs
  }
  return Object.fromEntries(Object.entries(base.metadata.refs).filter(([name, ref]) => isLive(name, ref)))
}

function keptSnapshots(base: Base, refs: Refs, nowMs: number, options: ExpireOptions, pins: Pins): Set<bigint> {
  const byId = new Map(base.table.snapshots.map((snapshot) => [snapshot.id, snapshot]))
  const kept = new Set<bigint>()
  for (const ref of Object.values(refs)) {
    kept.add(ref['snapshot-id'])
    if (ref.type !== 'branch') continue
    const least = ref['min-snapshots-to-keep'] ?? numberOf(base, 'history.expire.min-snapshots-to-keep') ?? options.retainLast
    const ageMs = ref['max-snapshot-age-ms'] ?? numberOf(base, 'history.expire.max-snapshot-age-ms') ?? options.olderThanMs
    let snapshot = byId.get(ref['snapshot-id'])
    for (let count = 0; snapshot; count++, snapshot = snapshot.parentId === null ? undefined : byId.get(snapshot.parentId)) {
      if (count >= Math.max(1, least) && nowMs - snapshot.timestampMs > ageMs) break
      kept.add(snapshot.id)
    }
  }
  const led = ledTo(base.table, Object.values(refs))
  const unnamedMs = numberOf(base, 'history.expire.max-snapshot-age-ms') ?? options.unnamedOlderThanMs ?? options.olderThanMs
  for (const { id, timestampMs } of byId.values())
    if (pins.isHeld(base.name, id) || (!led.has(id) && nowMs - timestampMs <= unnamedMs)) kept.add(id)
  return kept
}

/** What names lead to: their snapshots and all before those. */
function ledTo({ snapshots }: LakeTable, refs: readonly RefJson[]): Set<bigint> {
  const parents = new Map(snapshots.map(({ id, parentId }) => [id, parentId]))
  const led = new Set<bigint>()
  for (const ref of refs)
    for (let id: bigint | null | undefined = ref['snapshot-id']; id != null && !led.has(id); id = parents.get(id)) led.add(id)
  return led
}

/** What a table says of itself goes before what the caller says of all. */
function numberOf({ table }: Base, property: string): number | undefined {
  const text = table.properties[property]
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
}

async function onlyReachedBy(
  context: CommitContext,
  base: Base,
  dropped: readonly LakeSnapshot[],
  kept: ReadonlySet<bigint>,
): Promise<Map<string, number>> {
  const needed = await reachableFrom(
    context.files,
    base.table,
    base.table.snapshots.filter((snapshot) => kept.has(snapshot.id)),
  )
  const old = await reachableFrom(context.files, base.table, dropped)
  // What other writers named outside of the table's own directory is theirs to remove.
  const going = [...old].filter(([path]) => !needed.has(path) && isBelow(path, toPath(base.table.location)))
  const sizeOf = async (path: string): Promise<number> => (await context.files.store.stat(path))?.sizeBytes ?? 0
  return new Map(await inParallel(going, async ([path, bytes]) => [path, bytes || (await sizeOf(path))] as const))
}

// The log of what was current loses everything up to the last entry that is gone: a gap would answer a time wrongly.
function withoutSnapshots(metadata: TableMetadata, kept: ReadonlySet<bigint>, refs: Refs, nowMs: number): TableMetadata {
  const log = metadata['snapshot-log']
  const ofKept = <T extends { readonly 'snapshot-id': bigint }>(all: readonly T[]): T[] => all.filter((one) => kept.has(one['snapshot-id']))
  const { statistics, 'partition-statistics': partitions } = metadata
  const lastGone = log.findLastIndex((entry) => !kept.has(entry['snapshot-id']))
  return {
    ...metadata,
    refs,
    snapshots: ofKept(metadata.snapshots),
    ...(statistics ? { statistics: ofKept(statistics) } : {}),
    ...(partitions ? { 'partition-statistics': ofKept(partitions) } : {}),
    'snapshot-log': log.slice(lastGone + 1),
    'last-updated-ms': Math.max(nowMs, metadata['last-updated-ms']),
  }
}
