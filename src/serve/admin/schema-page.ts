// The columns of a relation as the console shows them: types, what is known of each, how many nulls the files have, and
// what changed when. Counts are told to those only who see every row.
import { storedShape } from '../../define/system-columns.ts'
import type { LakeTable } from '../../lake/types.ts'
import { printType } from '../../schema/type.ts'
import type { Caller } from '../answer.ts'
import type { ColumnDetail, SchemaPage } from '../answers/schema.ts'
import type { AdminParts } from './parts.ts'
import { findRelation } from './relations.ts'

export async function schemaPage(parts: AdminParts, caller: Caller, name: string): Promise<SchemaPage> {
  const relation = findRelation(parts, caller, name)
  const access = parts.answerer.access(caller, name)
  const table = parts.relations.has(name) ? parts.relations.tableOf(name) : null
  const key = relation.kind === 'stream' ? [] : relation.key
  const stats = table?.current && !access.rowFilter ? await columnStats(parts, table) : new Map<string, { nulls: number; rows: number }>()
  const columns = storedShape(relation).fields.map((field): ColumnDetail => {
    const found = access.masked.includes(field.name) ? undefined : stats.get(field.name)
    return {
      name: field.name,
      type: printType(field.type),
      optional: field.optional,
      key: key.includes(field.name),
      ...(field.unit ? { unit: field.unit } : {}),
      ...(field.doc ? { doc: field.doc } : {}),
      ...(field.pii ? { pii: field.pii } : {}),
      from: [],
      profile: found
        ? { nullShare: found.rows === 0 ? null : found.nulls / found.rows, distinct: null, least: null, greatest: null, spread: null }
        : null,
    }
  })
  const changes = (table?.schemas ?? []).map((schema, index) => {
    const snapshot = table!.snapshots.find((candidate) => candidate.schemaId === schema.id)
    return {
      atMs: snapshot?.timestampMs ?? 0,
      kind: index === 0 ? ('first' as const) : ('compatible' as const),
      summary: index === 0 ? `${schema.fields.length} columns` : schemaChange(table!, index),
      code: null,
    }
  })
  return {
    nowMs: parts.clock.nowMs(),
    columns,
    profiledAtMs: table?.current?.timestampMs ?? null,
    changes: changes.filter((change) => change.atMs > 0).reverse(),
  }
}

function schemaChange(table: LakeTable, index: number): string {
  const before = table.schemas[index - 1]!.fields
  const now = table.schemas[index]!.fields
  const added = now.filter((field) => !before.some((old) => old.id === field.id)).map((field) => `\`${field.name}\` added, ${field.type}`)
  const dropped = before.filter((field) => !now.some((kept) => kept.id === field.id)).map((field) => `\`${field.name}\` dropped`)
  const changed = now.flatMap((field) => {
    const old = before.find((candidate) => candidate.id === field.id)
    if (!old) return []
    return old.name !== field.name
      ? [`\`${old.name}\` renamed to \`${field.name}\``]
      : old.type !== field.type
        ? [`\`${field.name}\` widened to ${field.type}`]
        : []
  })
  return [...added, ...dropped, ...changed].join('; ') || 'no visible change'
}

/** Null counts of the current snapshot, from the files' statistics. */
async function columnStats(parts: AdminParts, table: LakeTable): Promise<Map<string, { nulls: number; rows: number }>> {
  const files = await parts.lake.files(table)
  return new Map(
    table.schema.fields.map((field) => {
      let nulls = 0
      let rows = 0
      for (const file of files) {
        rows += file.rows
        nulls += file.columns.get(field.id)?.nulls ?? 0
      }
      return [field.name, { nulls, rows }]
    }),
  )
}
