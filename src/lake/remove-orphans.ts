// Removal of files that no pointer reaches: left by crashes, failed writes, lost commits, dropped tables. A file younger
// than the limit may belong to a commit on its way and stays; so does everything that any kept snapshot reaches.
import type { CommitContext } from './commit.ts'
import { baseAt } from './commit.ts'
import { toPath } from './location.ts'
import { reachableFrom } from './reachable.ts'

/**
 * Removes unreachable files under the lake's directory that are older than `olderThanMs` milliseconds; answers how many. No
 * table of this process commits meanwhile. The age must exceed the longest time between writing a file and committing it.
 */
export async function removeOrphans(context: CommitContext, directory: string, olderThanMs: number): Promise<number> {
  let count = 0
  for (const name of await context.files.disk.list(directory)) {
    count += await context.locks.run([name], () => removeOrphansOf(context, `${directory}/${name}`, name, olderThanMs))
  }
  return count
}

async function removeOrphansOf(context: CommitContext, directory: string, name: string, olderThanMs: number): Promise<number> {
  const beforeMs = context.clock.nowMs() - olderThanMs
  // Files are listed before the pointer is read: what a commit adds in between is not in the list.
  const old = await oldFiles(context, directory, beforeMs)
  if (old.length === 0) return 0
  const needed = await neededBy(context, name)
  return context.files.discard(old.filter((path) => !needed.has(path) && !context.inFlight.has(path)))
}

async function oldFiles(context: CommitContext, directory: string, beforeMs: number): Promise<string[]> {
  const { disk } = context.files
  const found: string[] = []
  for (const name of await disk.list(directory)) {
    const path = `${directory}/${name}`
    const stat = await disk.stat(path)
    if (stat?.isDirectory) found.push(...(await oldFiles(context, path, beforeMs)))
    else if (stat && stat.modifiedMs < beforeMs) found.push(path)
  }
  return found
}

async function neededBy(context: CommitContext, name: string): Promise<Set<string>> {
  const pointer = await context.catalog.table(name)
  if (!pointer) return new Set()
  const { table, metadata } = await baseAt(context.files, pointer)
  const needed = await reachableFrom(context.files, table, table.snapshots)
  needed.add(toPath(pointer.location))
  for (const entry of metadata['metadata-log']) needed.add(toPath(entry['metadata-file']))
  return needed
}
