// Where tables and views may lie. Clients choose places, and the server writes metadata there and removes files below them:
// so a place is under the lake's directory or one that the configuration allows, and no other table overlaps it.
import { MillraceError } from '../core/errors.ts'
import { isRemote } from '../objects/object-store.ts'
import { identifierOf } from '../store/identifier.ts'
import type { CommitContext } from './commit.ts'
import { isBelow, toPath, toUri } from './location.ts'
import { metadataDirectory } from './metadata-files.ts'

interface Located {
  readonly location: string
  readonly properties: Readonly<Record<string, string>>
}

/** A place of its own for a new table or view: the same name may have been there before, and its files may still be. */
export function freeLocation({ roots }: Pick<CommitContext, 'roots'>, name: string, id: string): string {
  const { namespace, name: last } = identifierOf(name)
  const readable = [...namespace, last]
    .join('.')
    .replaceAll(/[^A-Za-z0-9_.-]/g, '_')
    .slice(0, 100)
  return toUri(`${roots[0]}/${readable}-${id.replaceAll('-', '').slice(-12)}`)
}

/** @throws MR_LAKE_LOCATION unless the path is where tables may be. */
export function checkPath({ roots }: Pick<CommitContext, 'roots'>, location: string): void {
  const isPlain = (isRemote(location) || /^(file:)?\//.test(location)) && !/[?#%]/.test(location)
  if (isPlain && roots.some((root) => isBelow(toPath(location), root))) return
  throw new MillraceError('MR_LAKE_LOCATION', `${location} is outside of the directories of this catalog`, {
    fix: 'leave the location out, or have MILLRACE_LAKE_LOCATIONS name a directory above it',
  })
}

/** @throws MR_LAKE_LOCATION when the place of `name` is not allowed, or another table's. */
export async function checkLocation(context: CommitContext, name: string, wanted: Located): Promise<void> {
  checkPath(context, wanted.location)
  checkPath(context, `${metadataDirectory(wanted)}/x`)
  const path = toPath(wanted.location)
  for (const pointer of await context.catalog.tables()) {
    if (pointer.name === name) continue
    // A table that cannot be read is nobody's reason not to create another.
    const metadata = await context.files.metadata(pointer.location).catch(() => null)
    const other = metadata && toPath(metadata.location)
    if (other === null || (other !== path && !isBelow(other, path) && !isBelow(path, other))) continue
    throw new MillraceError('MR_LAKE_LOCATION', `${wanted.location} overlaps the place of the table ${pointer.name}`, {
      fix: 'choose another location, or leave it out',
    })
  }
}
