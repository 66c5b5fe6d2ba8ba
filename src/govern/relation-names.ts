// What a name in SQL means, without regard to case: a relation of the project, a part of one, or a table of the system. In which the
// name stands, and who may read what it means, is for others.
import { MillraceError } from '../core/errors.ts'
import type { Manifest, ModelManifest } from '../define/manifest.ts'
import { archiveName, lateName, rejectedName } from '../define/system-columns.ts'
import { findOwned } from './decide.ts'

/** The model, when it is a view: it shows parts of relations that its reader may not read. */
export const viewOf = (manifest: Manifest, name: string): ModelManifest | undefined =>
  manifest.relations.find(
    (relation): relation is ModelManifest => relation.kind === 'model' && relation.refresh === 'view' && relation.name === name,
  )

/** The relation, or a part of one, that a name means without regard to case. */
export function definedName(manifest: Manifest, wanted: string): string | undefined {
  if (findOwned(manifest, wanted)) return wanted
  const names = manifest.relations.flatMap((relation) => [
    relation.name,
    lateName(relation.name),
    rejectedName(relation.name),
    archiveName(relation.name),
  ])
  return names.find((candidate) => candidate.toLowerCase() === wanted.toLowerCase() && findOwned(manifest, candidate))
}

export const isSystem = (relation: string): boolean => relation.startsWith('millrace.')

export const unknownRelation = (name: string): MillraceError =>
  new MillraceError('MR_SQL_UNKNOWN', `there is no relation "${name}"`, {
    fix: 'check the name; relations that you may not read are not shown',
  })
