// May this identity change rows of this relation by SQL, and can its rows be changed at all? Writing takes the write grant; a table
// must also be seen whole: a statement reads what it changes, and what a policy hides can neither be kept nor be told apart.
import { MillraceError } from '../core/errors.ts'
import type { Manifest, Relation, StreamManifest, TableManifest } from '../define/manifest.ts'
import { hasDoor } from '../define/system-columns.ts'
import { decide, findOwned, mayWrite } from './decide.ts'
import type { Identity } from './identity.ts'
import { DEFAULT_SCHEMAS } from './question.ts'
import { definedName, unknownRelation } from './relation-names.ts'

export interface Named {
  readonly schema: string
  readonly name: string
}

/**
 * The stream or table that a statement names. `isInsert`: rows are only added.
 * @throws MR_SQL_UNKNOWN for what there is not, or may be neither read nor written; MR_ACCESS_DENIED; MR_SQL_STATEMENT for what has no
 *   rows to change.
 */
export function changeable(
  manifest: Manifest,
  identity: Identity,
  { schema, name }: Named,
  isInsert: boolean,
): StreamManifest | TableManifest {
  const isDefault = schema === '' || DEFAULT_SCHEMAS.includes(schema.toLowerCase())
  if (schema.toLowerCase() === 'millrace')
    throw notChanged(`millrace.${name}`, 'a table of the system', 'Millrace writes it; read it with SELECT')
  const wanted = isDefault ? name : `${schema}.${name}`
  const found = definedName(manifest, wanted)
  const owned = found === undefined ? undefined : findOwned(manifest, found)
  if (found === undefined || !owned) throw unknownTable(wanted, identity)
  const decision = decide(manifest, identity, found)
  if (!mayWrite(manifest, identity, owned.owner.name)) {
    if (!decision.readable) throw unknownRelation(wanted)
    throw new MillraceError('MR_ACCESS_DENIED', `you may not write to ${found}`, { fix: 'ask for a role with a write grant' })
  }
  if (owned.part !== 'own') throw notChanged(found, `a part of ${owned.owner.name}`, 'Millrace writes it; read it with SELECT')
  const relation = mustHaveRows(owned.owner, isInsert)
  if (relation.kind === 'table' && relation.key.length > 0) mustSeeAll(found, decision)
  return relation
}

const unknownTable = (name: string, { isAdmin }: Identity): MillraceError =>
  isAdmin
    ? new MillraceError('MR_SQL_UNKNOWN', `the project defines no table "${name}"`, {
        fix: 'check the name; a table that another engine made is changed by that engine',
      })
    : unknownRelation(name)

function mustHaveRows(relation: Relation, isInsert: boolean): StreamManifest | TableManifest {
  const { name } = relation
  if (relation.kind === 'model') throw notChanged(name, 'a model', 'its rows are those of its SQL: change what it reads, or its definition')
  if (relation.kind === 'table' && relation.source.kind === 'files')
    throw notChanged(name, 'a table that is loaded from files', 'change the files; they are read again')
  if (relation.kind === 'table' && relation.source.kind === 'none')
    throw notChanged(name, 'a table that other engines write', `give it rows of its own: table('${name}', ..., { from: http(), key: ... })`)
  if (!hasDoor(relation)) throw notChanged(name, 'a stream of a processor', 'its rows are what the processor emits')
  if (isInsert || (relation.kind === 'table' && relation.key.length > 0)) return relation
  throw notChanged(
    name,
    relation.kind === 'table' ? 'a table without a key' : 'a stream',
    'rows are only added to it: INSERT INTO, or define a table with a key',
  )
}

function mustSeeAll(name: string, { readable, rowFilter, masks }: ReturnType<typeof decide>): void {
  if (!readable)
    throw new MillraceError('MR_ACCESS_DENIED', `you may write to ${name} but not read it, which SQL needs to change its rows`, {
      fix: `send rows to POST /streams/${name}, or ask for a read grant`,
    })
  if (rowFilter === null && masks.size === 0) return
  const what = [...(rowFilter === null ? [] : ['rows']), ...(masks.size === 0 ? [] : [`columns (${[...masks.keys()].join(', ')})`])].join(
    ' and ',
  )
  throw new MillraceError('MR_ACCESS_DENIED', `a policy hides ${what} of ${name} from you, so SQL of yours cannot change it`, {
    fix: `send whole rows to POST /streams/${name}, or ask for a role that sees all of it`,
  })
}

const notChanged = (name: string, what: string, fix: string): MillraceError =>
  new MillraceError('MR_SQL_STATEMENT', `${name} is ${what}: SQL does not change its rows`, { fix })
