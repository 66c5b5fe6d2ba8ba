// Bound columns to fields: their types, and what is known about the columns that they pass on: enum values, unit, doc,
// and the tags of personal data, by which masks are chosen.
import { quoteName } from '../../engine/sql-text.ts'
import { fromDuckType, toDuckType } from '../../schema/duckdb.ts'
import { type Field, fieldOf as fieldIn, holdsDatetime, type Shape, sameType } from '../../schema/type.ts'
import type { BoundColumn, ColumnUse } from '../binder.ts'
import { fail, type Scope, warn } from '../scope.ts'

/** The shape of a result. A column of a type that does not exist here is reported and left out. */
export function resultShape(scope: Scope, what: string, columns: readonly BoundColumn[], at: string): Shape {
  return { fields: columns.flatMap((column) => fieldOf(scope, what, column, at)) }
}

function fieldOf(scope: Scope, what: string, column: BoundColumn, at: string): readonly Field[] {
  const { name, type, sqlType, optional } = column
  if (!type) {
    const plain = /^(STRUCT|MAP|UNION)|\[\]$/.test(sqlType) ? 'to_json(...)' : 'CAST(... AS VARCHAR)'
    fail(
      scope,
      'MR_SCHEMA_TYPE',
      at,
      `${what}: the column "${name}" is ${sqlType}, which cannot be stored or sent`,
      `write ${plain} AS ${name}`,
    )
    return []
  }
  const origins = column.origins.flatMap((origin) => fieldAt(scope, origin) ?? [])
  const [first] = origins
  const one = column.exact && origins.length === 1 ? first : undefined
  const pii = origins.find((origin) => origin.pii !== undefined)?.pii
  return [
    {
      name,
      type: one && sameType(one.type, type) ? one.type : type,
      optional,
      ...(one?.doc === undefined ? {} : { doc: one.doc }),
      ...(one?.unit === undefined ? {} : { unit: one.unit }),
      ...(pii === undefined ? {} : { pii }),
    },
  ]
}

const fieldAt = (scope: Scope, use: ColumnUse): Field | undefined =>
  scope.shapes.get(use.relation)?.fields.find((field) => field.name === use.column)

/**
 * `text`, with what is TIMESTAMP in SQL and an instant in `shape` as one: where no table casts it. Other columns are as they were.
 */
export function withInstants(text: string, columns: readonly BoundColumn[], shape: Shape): string {
  const casts = columns.flatMap(({ name, sqlType }) => {
    const field = fieldIn(shape, name)
    const written = fromDuckType(sqlType, 'datetime')
    if (!field || !written || !holdsDatetime(written) || holdsDatetime(field.type)) return []
    return [`CAST(${quoteName(name)} AS ${toDuckType(field.type)}) AS ${quoteName(name)}`]
  })
  return casts.length === 0 ? text : `SELECT * REPLACE (${casts.join(', ')}) FROM (${text}\n)`
}

/** Warns of a column that is computed from personal data and so carries no tag, or that mixes two tags. */
export function warnLostTags(scope: Scope, what: string, column: BoundColumn, at: string): void {
  const tagged = (uses: readonly ColumnUse[]) =>
    uses.flatMap((use) => ({ ...use, tag: fieldAt(scope, use)?.pii })).filter(({ tag }) => tag !== undefined)
  const carried = new Set(tagged(column.origins).map(({ tag }) => tag))
  const lost = tagged(carried.size > 1 ? [...column.uses, ...column.origins] : column.uses).filter(
    ({ tag }) => carried.size > 1 || !carried.has(tag),
  )
  const [first] = lost
  if (!first) return
  const tags = [...new Set(lost.map(({ tag }) => tag))].join('", "')
  warn(
    scope,
    'MR_PLAN_POLICY',
    at,
    `${what}: "${column.name}" is computed from ${first.relation}.${first.column}, personal data tagged "${tags}", and does not carry the tag: no mask applies to it`,
    `declare the columns: { ${column.name}: t.${column.type?.kind ?? 'string'}().pii('${first.tag}'), ... }, or the same without .pii() when it says nothing about a person`,
  )
}
