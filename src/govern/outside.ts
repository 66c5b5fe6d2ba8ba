// What an engine outside may do through the Iceberg catalog. Whoever gets a table's files reads all its rows and columns and
// writes what it likes: so a table with a row or column policy for the caller is not handed out, and a table that the project
// itself writes takes no commits of others. Pure; the names are the catalog's (`store/identifier.ts`).
import { MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import { decide, findOwned, grantsTo, mayWrite } from './decide.ts'
import type { Identity } from './identity.ts'
import { isTrustedEngine } from './restrictions.ts'

const hasGrant = (manifest: Manifest, { isAdmin, roles }: Identity, name: string, privilege: 'read' | 'write'): boolean =>
  isAdmin ||
  roles.some((role) =>
    manifest.grants.some((grant) => grant.privilege === privilege && grant.to.includes(role.name) && grantsTo(grant.on, name)),
  )

/** Whether a caller may know of a table or view. Those that the project does not define go by the same grants. */
export const maySee = (manifest: Manifest, identity: Identity, name: string): boolean =>
  (findOwned(manifest, name) ? decide(manifest, identity, name).readable : hasGrant(manifest, identity, name, 'read')) ||
  hasGrant(manifest, identity, name, 'write')

/** Whether a caller may know of a namespace, whatever lies in it: by a grant on all of it. */
export const maySeeNamespace = (manifest: Manifest, identity: Identity, namespace: string): boolean =>
  hasGrant(manifest, identity, `${namespace}.*`, 'read') || hasGrant(manifest, identity, `${namespace}.*`, 'write')

/** The files of a table. @throws MR_ACCESS_DENIED, in the same words whether the table exists or not. */
export function mustLoad(manifest: Manifest, identity: Identity, name: string): void {
  if (!findOwned(manifest, name)) {
    if (!hasGrant(manifest, identity, name, 'read')) throw denied(`you may not read ${name}`, 'ask for a role with a read grant')
    return
  }
  const { readable, rowFilter, masks } = decide(manifest, identity, name)
  if (!readable) throw denied(`you may not read ${name}`, 'ask for a role with a read grant')
  if (rowFilter !== null || masks.size > 0)
    throw denied(`${name} has a row or column policy for you, so its files are not handed out`, 'ask through SQL: POST /sql')
  mustShare(manifest, name)
}

function mustShare(manifest: Manifest, name: string): void {
  if (findOwned(manifest, name)?.owner.encrypted)
    throw new MillraceError('MR_KEY_SHARED', `${name} is encrypted, and only Millrace reads it: its files are not handed out`, {
      fix: 'ask through SQL: POST /sql',
    })
}

/**
 * The files of a table for reading, which trusted engines also get of one with a policy or mask for them: whether they must be told what to
 * leave out (`restrictions.ts`). @throws MR_ACCESS_DENIED, MR_KEY_SHARED
 */
export function mustRead(manifest: Manifest, identity: Identity, name: string): 'whole' | 'restricted' {
  if (isTrustedEngine(manifest, identity) && findOwned(manifest, name)) {
    const { readable, rowFilter, masks } = decide(manifest, identity, name)
    if (readable && (rowFilter !== null || masks.size > 0)) {
      mustShare(manifest, name)
      return 'restricted'
    }
  }
  mustLoad(manifest, identity, name)
  return 'whole'
}

/** Changes of what a table is, not of its rows. */
const DEFINITIONS = new Set([
  'assign-uuid',
  'upgrade-format-version',
  'add-schema',
  'set-current-schema',
  'add-spec',
  'set-default-spec',
  'add-sort-order',
  'set-default-sort-order',
  'set-location',
  'remove-schemas',
  'remove-partition-specs',
])

/** A commit to a table, by the kinds of its updates. @throws MR_ACCESS_DENIED */
export function mustCommit(manifest: Manifest, identity: Identity, name: string, actions: readonly string[]): void {
  mustLoad(manifest, identity, name)
  if (!mayWrite(manifest, identity, name)) throw denied(`you may not write to ${name}`, 'ask for a role with a write grant')
  const owned = findOwned(manifest, name)
  if (!owned || identity.isAdmin) return
  if (owned.part !== 'own' || owned.owner.kind !== 'table' || owned.owner.source.kind !== 'none')
    throw denied(`${name} is written by the project itself`, 'write to a stream or table that it reads, or to a table of your own')
  const definition = actions.find((action) => DEFINITIONS.has(action))
  if (definition !== undefined)
    throw denied(`the columns and layout of ${name} are defined by the project (${definition})`, 'change the definition and apply it')
}

/** Whether `mustLoad` lets it pass. */
export const mayLoad = (manifest: Manifest, identity: Identity, name: string): boolean => passes(() => mustLoad(manifest, identity, name))

/** Whether the caller may add rows to a table, and so write files to its place. */
export const mayCommit = (manifest: Manifest, identity: Identity, name: string): boolean =>
  passes(() => mustCommit(manifest, identity, name, ['add-snapshot']))

function passes(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

/**
 * Whether a commit may add only files of the table's own directory: SQL shows the rows of a table of the project under that
 * table's rules, so it must not name the files of another.
 */
export const isConfined = (manifest: Manifest, { isAdmin }: Identity, name: string): boolean =>
  !isAdmin && findOwned(manifest, name) !== undefined

/** A new table or view, or the end of one, or another name for one. @throws MR_ACCESS_DENIED */
export function mustName(manifest: Manifest, identity: Identity, name: string): void {
  if (!hasGrant(manifest, identity, name, 'write')) throw denied(`you may not make or remove ${name}`, 'ask for a role with a write grant')
  if (manifest.relations.some((relation) => relation.name === name) || findOwned(manifest, name))
    throw denied(`${name} belongs to the project`, 'change the definition and apply it, or choose another name')
}

/** A namespace and its properties. @throws MR_ACCESS_DENIED */
export function mustManage(manifest: Manifest, identity: Identity, namespace: string): void {
  if (!hasGrant(manifest, identity, `${namespace}.*`, 'write'))
    throw denied(`you may not change the namespace ${namespace}`, 'ask for a role with a write grant on all of it')
}

const denied = (message: string, fix: string): MillraceError => new MillraceError('MR_ACCESS_DENIED', message, { fix })
