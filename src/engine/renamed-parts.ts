// Nested columns of files that call their parts by other names than the table does now: read under the file's own names, then
// put together anew by field id (Iceberg spec, "Column Projection"). SQL text only.
import { partsOf } from '../lake/nested-type.ts'
import type { FileField, LakeField, LakeType } from '../lake/types.ts'
import { duckTypeOfIceberg } from './parquet.ts'
import { quoteName } from './sql-text.ts'

/** How to read a column of a file: the type to ask for, and what makes the table's value of it. */
export interface FileColumn {
  readonly type: string
  value(column: string): string
}

/** `fields` are the file's; null or a file without the column reads by the table's own names. */
export function fileColumn(field: LakeField, fields: readonly FileField[] | null): FileColumn {
  const stored = fields?.find(({ id }) => id === field.id)
  if (!stored || hasSameNames(field.type, stored)) return { type: duckTypeOfIceberg(field.type), value: (column) => column }
  return { type: readType(field.type, stored), value: (column) => valueSql(field.type, stored, column, 0) }
}

const find = (stored: FileField, id: number): FileField | undefined => stored.inner.find((one) => one.id === id)

/** The parts of a type with what the file has of each; of lists and maps by their places. */
const pairs = (type: LakeType, stored: FileField): (readonly [LakeField, FileField | undefined])[] =>
  partsOf(type).map((part, index) => [
    part,
    typeof type !== 'string' && type.type === 'struct' ? find(stored, part.id) : stored.inner[index],
  ])

/** Whether names lead to the same parts as ids. */
function hasSameNames(type: LakeType, stored: FileField): boolean {
  if (typeof type === 'string') return true
  const all = pairs(type, stored)
  if (type.type !== 'struct') return all.every(([part, own]) => !own || hasSameNames(part.type, own))
  const named = new Map(stored.inner.map((one) => [one.name.toLowerCase(), one]))
  return (
    all.some(([, own]) => own !== undefined) &&
    all.every(([part, own]) => {
      const byName = named.get(part.name.toLowerCase())
      return byName === own && (!own || hasSameNames(part.type, own))
    })
  )
}

/** The file's names with the table's types. */
function readType(type: LakeType, stored: FileField): string {
  if (typeof type === 'string') return duckTypeOfIceberg(type)
  const all = pairs(type, stored)
  const inner = all.map(([part, own]) => (own ? readType(part.type, own) : duckTypeOfIceberg(part.type)))
  if (type.type === 'list') return `${inner[0]}[]`
  if (type.type === 'map') return `MAP(${inner.join(', ')})`
  const members = all.flatMap(([, own], index) => (own ? [`${quoteName(own.name)} ${inner[index]}`] : []))
  // Whether the struct itself is null is known by any of its members.
  return `STRUCT(${members.length > 0 ? members.join(', ') : `${quoteName(stored.inner[0]?.name ?? '')} VARCHAR`})`
}

function valueSql(type: LakeType, stored: FileField, value: string, depth: number): string {
  if (typeof type === 'string' || hasSameNames(type, stored)) return value
  const all = pairs(type, stored)
  const element = `x${depth}`
  const inner = (index: number, of: string): string => {
    const [part, own] = all[index]!
    return own ? valueSql(part.type, own, of, depth + 1) : of
  }
  if (type.type === 'list') return `list_transform(${value}, lambda ${element}: ${inner(0, element)})`
  if (type.type === 'map')
    return `map_from_entries(list_transform(map_entries(${value}), lambda ${element}: struct_pack(k := ${inner(0, `${element}.key`)}, v := ${inner(1, `${element}.value`)})))`
  const members = all.map(([part, own], index) => {
    const of = own
      ? inner(index, `struct_extract(${value}, '${own.name.replaceAll("'", "''")}')`)
      : `CAST(NULL AS ${duckTypeOfIceberg(part.type)})`
    return `${quoteName(part.name)} := ${of}`
  })
  return `CASE WHEN ${value} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`
}
