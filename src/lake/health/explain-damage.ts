// Says of a damaged file what to do about it: which snapshots of its table are still good, and the command that goes back.
import { MillraceError } from '../../core/errors.ts'
import type { CommitContext } from '../commit.ts'
import type { LakeSnapshot } from '../types.ts'
import { goodSnapshots, readSound } from './sound-table.ts'

const NAMED = 3

/**
 * The error with what is still good of the table; anything but MR_LAKE_CORRUPT comes back as it is. `damaged`: files that are
 * known to be damaged inside, which their sizes do not tell.
 */
export async function explainDamage(
  { catalog, files }: CommitContext,
  name: string,
  cause: unknown,
  damaged: readonly string[] = [],
): Promise<unknown> {
  if (!(cause instanceof MillraceError) || cause.code !== 'MR_LAKE_CORRUPT') return cause
  try {
    const pointer = await catalog.table(name)
    if (!pointer) return cause
    const { table } = await readSound(files, pointer)
    const good = await goodSnapshots(files, table, NAMED, new Set(damaged))
    return new MillraceError('MR_LAKE_CORRUPT', `${name}: ${cause.message}`, { fix: advice(name, good, cause.fix), cause })
  } catch {
    return cause
  }
}

function advice(name: string, good: readonly LakeSnapshot[], otherwise: string | undefined): string {
  const [newest] = good
  if (!newest) return `${otherwise ?? 'restore the file from a backup'}; no snapshot of ${name} is whole`
  const listed = good.map(({ id, timestampMs }) => `${id} (${new Date(timestampMs).toISOString()})`).join(', ')
  return `restore the file from a backup, or go back: \`millrace restore ${name} --to ${newest.id}\`; still good are ${listed}`
}
