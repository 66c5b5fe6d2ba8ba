// Brings storage to a manifest: tables that are missing are made, shapes that grew are evolved, topics and readable
// relations are opened. What cannot be done in place is refused with the reason.
import { MillraceError } from '../core/errors.ts'
import type { Manifest, Relation } from '../define/manifest.ts'
import {
  archiveName,
  isLogged,
  isLookedUp,
  lateName,
  lateShape,
  REJECTED_SHAPE,
  rejectedName,
  storedShape,
} from '../define/system-columns.ts'
import type { RelationSpec } from '../engine/managed-relation.ts'
import type { RelationStore } from '../engine/relations.ts'
import { ENCRYPTED, scopeOf } from '../lake/encrypted.ts'
import { withInner } from '../lake/nested-type.ts'
import type { Lake } from '../lake/open-lake.ts'
import { schemaToShape, writeDefaultOf } from '../lake/schema-mapping.ts'
import type { CreateTable, LakeTable } from '../lake/types.ts'
import { isNanoseconds } from '../lake/value/iceberg-type.ts'
import type { Log } from '../log/log.ts'
import { type Field, type Inner, type Shape, sameType, type Type } from '../schema/type.ts'
import type { Catalog } from '../store/catalog.ts'
import { archivesIn } from './warehouse.ts'

type Stored = RelationSpec &
  Pick<CreateTable, 'partition' | 'cluster' | 'formatVersion'> & { readonly place?: string; readonly encrypted?: string }

/** Every table behind a manifest. */
export function storedRelations(manifest: Manifest): Stored[] {
  const encrypted = (relation: Relation) => (relation.encrypted ? { encrypted: relation.name } : {})
  return manifest.relations.flatMap((relation) => storedOf(relation).map((stored) => ({ ...stored, ...encrypted(relation) })))
}

function storedOf(relation: Relation): Stored[] {
  if (relation.kind === 'model' && relation.refresh === 'view') return []
  const side = (name: string, shape: Shape, tailed: boolean): Stored => ({ name, shape, key: [], tailed, partition: [], cluster: [] })
  const own = ownRelation(relation)
  const version = own.formatVersion === undefined ? {} : { formatVersion: own.formatVersion }
  const kept = relation.keep.archive === undefined ? [own] : [own, archiveOf(own, relation.keep.archive)]
  if (relation.kind === 'stream')
    return [
      ...kept,
      { ...side(lateName(relation.name), lateShape(relation), true), ...version },
      side(rejectedName(relation.name), REJECTED_SHAPE, true),
    ]
  if (relation.kind === 'table' && relation.source.kind !== 'none')
    return [...kept, side(rejectedName(relation.name), REJECTED_SHAPE, isLogged(relation))]
  if (relation.kind === 'model' && relation.refresh === 'live') return [...kept, side(rejectedName(relation.name), REJECTED_SHAPE, true)]
  return kept
}

/** Rows that were archived are no versions of each other any more: no key. */
const archiveOf = ({ name, shape, partition, cluster, formatVersion }: Stored, archive: string): Stored => ({
  name: archiveName(name),
  shape,
  key: [],
  tailed: false,
  partition,
  cluster,
  ...(archive === '' ? {} : { place: archive }),
  ...(formatVersion === undefined ? {} : { formatVersion }),
})

function ownRelation(relation: Relation): Stored {
  const isLive = relation.kind === 'model' && relation.refresh === 'live'
  const isKeyed = relation.kind === 'table' ? isLogged(relation) : relation.kind === 'model' && isLive && relation.keyed === true
  const key = isKeyed && relation.kind !== 'stream' ? relation.key : []
  const cluster = relation.cluster.length > 0 ? relation.cluster : relation.kind === 'stream' ? [] : relation.key
  return {
    name: relation.name,
    shape: storedShape(relation),
    key,
    ...(isKeyed && key.length === 0 ? { isOneRow: true } : {}),
    tailed: isLogged(relation) || isLive,
    ...(isLookedUp(relation) || (isLive && relation.loses) ? { canLose: true } : {}),
    partition: relation.partition,
    cluster,
    ...(relation.formatVersion === undefined ? {} : { formatVersion: relation.formatVersion }),
  }
}

export async function deployTables(lake: Lake, manifest: Manifest): Promise<void> {
  // Tables of others may lie beside them; what is wrong with those is no reason not to start.
  const existing = new Map((await lake.catalog.tables()).map((pointer) => [pointer.name, pointer]))
  for (const stored of storedRelations(manifest)) {
    const pointer = existing.get(stored.name)
    const table = pointer && (await lake.at(pointer))
    const { name, shape, partition, cluster, key } = stored
    const version = stored.formatVersion ? { formatVersion: stored.formatVersion } : {}
    const properties = stored.encrypted === undefined ? {} : { properties: { [ENCRYPTED]: stored.encrypted } }
    if (table && scopeOf(table) !== (stored.encrypted ?? null)) throw encryptedOtherwise(table)
    const place = stored.place === undefined ? undefined : archivesIn(stored.place)
    if (!table) await lake.create({ name, shape, partition, cluster, key, ...version, ...properties }, place)
    else if (isChanged(table, shape) || table.formatVersion < (stored.formatVersion ?? 2))
      await lake.commit([
        { table: name, operation: 'append', add: [], remove: [], shape, ...(stored.formatVersion === 3 ? { formatVersion: 3 } : {}) },
      ])
  }
}

const encryptedOtherwise = (table: LakeTable): MillraceError =>
  new MillraceError(
    'MR_PLAN_STATE',
    `${table.name} is stored ${scopeOf(table) === null ? 'in the clear and is defined as encrypted' : 'encrypted and is defined as not encrypted'}`,
    { fix: 'define it as it is stored, or give it another name: rows that exist are not written again' },
  )

/** In names, types or what may be null, at any depth, or in defaults, which only version 3 keeps. No definition is of nanoseconds. */
const isChanged = ({ schema, formatVersion }: LakeTable, { fields }: Shape): boolean => {
  const stored = schemaToShape(schema)
  const hasDefault = (field: Field, index: number): boolean => {
    const [now, before] = [writeDefaultOf(field).writeDefault, schema.fields[index]!.writeDefault]
    return now === before || (now !== undefined && before !== undefined && String(now) === String(before))
  }
  return (
    schema.fields.flatMap(withInner).some(({ type }) => isNanoseconds(type)) ||
    fields.length !== stored.fields.length ||
    fields.some((field, index) => !isSameField(field, stored.fields[index]!)) ||
    (formatVersion >= 3 && !fields.every(hasDefault))
  )
}

const isSameField = (a: Field, b: Field): boolean =>
  a.name === b.name && a.optional === b.optional && sameType(a.type, b.type) && isSameInside(a.type, b.type)

/** Of two types that are the same: whether the same parts may be null. */
function isSameInside(a: Type, b: Type): boolean {
  if (a.kind === 'struct' && b.kind === 'struct') return a.fields.every((field, index) => isSameField(field, b.fields[index]!))
  const isSame = (one: Inner, other: Inner): boolean => one.optional === other.optional && isSameInside(one.type, other.type)
  if (a.kind === 'list' && b.kind === 'list') return isSame(a.element, b.element)
  return a.kind !== 'map' || b.kind !== 'map' || isSame(a.value, b.value)
}

/** Partitions of a logged relation's topic. */
export const partitionsOf = (relation: Relation): number => (relation.kind === 'stream' ? relation.partitions : 1)

/** @throws MR_LOG_RANGE when the log lacks records that were committed. */
export async function openRelations(log: Log, catalog: Catalog, relations: RelationStore, manifest: Manifest): Promise<void> {
  for (const relation of manifest.relations.filter(isLogged))
    await log.ensureTopic(relation.name, partitionsOf(relation), await catalog.committed(relation.name))
  for (const stored of storedRelations(manifest)) await relations.add(stored)
}
