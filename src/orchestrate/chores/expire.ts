// Old snapshots expire: metadata that lists thousands slows every commit down. What is kept is decided in `lake/expire.ts`.
import type { LakeTable } from '../../lake/types.ts'
import type { Chore, ChoreDone, ChoreParts, ChoreTask } from './chore.ts'

/** Snapshots stay for seven days, and the last hundred in any case. */
const EXPIRY = { olderThanMs: 7 * 86_400_000, retainLast: 100 }
/** Above this, only those of the last hour and the last hundred stay; what is staged beside `main` stays as long as ever. */
export const SNAPSHOTS_MAX = 500

export const expire: Chore = { name: 'expire', run }

async function run({ clock, lake }: ChoreParts, { table }: ChoreTask): Promise<ChoreDone | null> {
  const isLong = table.snapshots.length > SNAPSHOTS_MAX
  const own = (property: string): number | undefined => numberOf(table.properties[`history.expire.${property}`])
  const isOld =
    table.snapshots.length > (own('min-snapshots-to-keep') ?? EXPIRY.retainLast) &&
    clock.nowMs() - table.snapshots[0]!.timestampMs > (own('max-snapshot-age-ms') ?? EXPIRY.olderThanMs)
  if (!isLong && !isOld && !isBranched(table)) return null
  const options = { ...EXPIRY, unnamedOlderThanMs: EXPIRY.olderThanMs, ...(isLong ? { olderThanMs: 3_600_000 } : {}) }
  const gone = await lake.expire(table.name, options)
  if (gone.snapshots === 0 && gone.names === 0) return null
  const names = gone.names > 0 ? [`${gone.names} names of snapshots had their time`] : []
  const snapshots = gone.snapshots > 0 ? [`${gone.snapshots} snapshots expired`] : []
  return {
    note: [...snapshots, ...names].join(', '),
    saved: { filesBefore: gone.files, filesAfter: 0, bytesBefore: gone.bytes, bytesAfter: 0 },
  }
}

/** A name may have had its time, a branch has its own retention, and so has what no name leads to. */
function isBranched({ refs, current, snapshots }: LakeTable): boolean {
  if (Object.keys(refs).length > 1) return true
  const parents = new Map(snapshots.map(({ id, parentId }) => [id, parentId]))
  let count = 0
  for (let id = current?.id ?? null; id !== null && parents.has(id); id = parents.get(id)!) count++
  return count < snapshots.length
}

const numberOf = (text: string | undefined): number | undefined => (text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined)
