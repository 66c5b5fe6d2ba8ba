// Removal of files that no pointer reaches: left by crashes, failed writes, lost commits, dropped tables. A file younger
// than the limit may belong to a commit on its way and stays; so does everything that any kept snapshot reaches, of whatever
// table: one that was renamed or moved has files in directories of another name.
import type { TablePointer } from '../store/catalog.ts'
import { baseAt, type CommitContext } from './commit.ts'
import { isBelow, toPath } from './location.ts'
import { reachableFrom } from './reachable.ts'

export interface Removed {
  readonly files: number
  readonly bytes: number
}

/**
 * Removes unreachable files under the lake's directory that are older than `olderThanMs` milliseconds. The
 * age must exceed the longest time between writing a file and committing it. Nothing is removed while a table cannot be read, or
 * an external catalog denies one, whose files may lie here.
 */
export async function removeOrphans(context: CommitContext, directory: string, olderThanMs: number): Promise<Removed> {
  const beforeMs = context.clock.nowMs() - olderThanMs
  let [files, bytes] = [0, 0]
  // Files are listed before the pointers are read: what a commit adds in between is not in the list.
  const found = new Map<string, Map<string, number>>()
  for await (const { path, modifiedMs, sizeBytes } of context.files.store.list(directory)) {
    const name = path.slice(directory.length + 1).split('/')[0]!
    if (modifiedMs >= beforeMs) continue
    const old = found.get(name)
    if (old) old.set(path, sizeBytes)
    else found.set(name, new Map([[path, sizeBytes]]))
  }
  if (found.size === 0) return { files, bytes }
  if ((await context.catalog.denied()).length > 0) return { files, bytes }
  const { needed, owners } = await reachedByAll(context)
  for (const [name, old] of found) {
    const orphans = [...old.keys()].filter((path) => !needed.has(path))
    if (orphans.length === 0) continue
    // Tables of this directory do not commit meanwhile, and are looked at once more.
    const living = owners.filter((owner) => isBelow(`${owner.path}/x`, `${directory}/${name}`)).map((owner) => owner.name)
    const removed = await context.locks.run([...new Set([name, ...living])], async () => {
      const still = new Set<string>()
      for (const table of living) await addReached(context, table, still)
      return context.files.discard(orphans.filter((path) => !still.has(path) && !context.inFlight.has(path)))
    })
    files += removed.length
    bytes += removed.reduce((sum, path) => sum + old.get(path)!, 0)
  }
  return { files, bytes }
}

async function reachedByAll(context: CommitContext): Promise<{ needed: Set<string>; owners: { name: string; path: string }[] }> {
  const needed = new Set((await context.catalog.views()).map((view) => toPath(view.location)))
  const owners: { name: string; path: string }[] = []
  // Before the tables: what is finished meanwhile is among those.
  for (const begun of await context.catalog.begun()) await addAll(context, begun, needed)
  for (const { name } of await context.catalog.tables()) {
    const path = await addReached(context, name, needed)
    if (path !== null) owners.push({ name, path })
  }
  return { needed, owners }
}

/** Adds all that a table needs; answers the path of its directory, null when it is gone. */
async function addReached(context: CommitContext, name: string, needed: Set<string>): Promise<string | null> {
  const pointer = await context.catalog.table(name)
  return pointer && addAll(context, pointer, needed)
}

async function addAll(context: CommitContext, pointer: Omit<TablePointer, 'snapshotId'>, needed: Set<string>): Promise<string> {
  const { table, metadata } = await baseAt(context.files, pointer)
  for (const path of (await reachableFrom(context.files, table, table.snapshots)).keys()) needed.add(path)
  needed.add(toPath(pointer.location))
  for (const entry of metadata['metadata-log']) needed.add(toPath(entry['metadata-file']))
  for (const file of [...(metadata.statistics ?? []), ...(metadata['partition-statistics'] ?? [])])
    needed.add(toPath(file['statistics-path']))
  return toPath(table.location)
}
