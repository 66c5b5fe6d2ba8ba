// SQL of the rows of data files that nobody deleted (Iceberg spec, "Delete Formats"): by position, from delete files and from
// deletion vectors, and by equality, where null equals null. Which deletes are about which file is known already
// (`FileDeletes`); here they become anti joins on what DuckDB says of each row: its file and its number in it.

import { MillraceError } from '../core/errors.ts'
import { FILE_PATH_ID, POSITION_ID } from '../lake/deletes/delete-manifest.ts'
import { originOf } from '../lake/lease.ts'
import { fieldById } from '../lake/nested-type.ts'
import type { DataFile, DeletedRows, EqualityDeletes, FileDeletes, LakeTable } from '../lake/types.ts'
import { isNanoseconds } from '../lake/value/iceberg-type.ts'
import { duckTypeOfIceberg, initialOf, parquetSql, type StoredColumn } from './parquet.ts'
import { quoteText } from './sql-text.ts'

/** The name that a column has in `undeletedSql`: a table may have columns called `filename` itself. */
export const keptName = (id: number): string => `f${id}`

type Deleted = DataFile & { readonly deletes: FileDeletes }

/**
 * A SELECT of `columns` of the files' rows, under their `keptName`; `placed` adds each row's file and number as `path` and
 * `pos`. Every file has deletes.
 */
export function undeletedSql(
  table: LakeTable,
  files: readonly DataFile[],
  columns: readonly StoredColumn[],
  { placed = false }: { readonly placed?: boolean } = {},
): string {
  const deleted = files.filter((file): file is Deleted => file.deletes !== undefined)
  const equality = equalitySets(deleted)
  const keys = [...new Set(equality.flatMap((set) => set.fieldIds))]
  for (const id of keys) mustBeExact(table, id)
  const read = [...columns.map((column) => ({ ...column, name: keptName(column.id) })), ...missing(table, keys, columns)]
  const rows = parquetSql(deleted, read, { placed: true })
  const joins = [...positionJoin(deleted), ...equality.map((set, i) => equalityJoin(table, set, `e${i}`))]
  const facts = equality.length > 0 ? ` JOIN (${factsSql(deleted)}) AS f ON f.path = d.filename` : ''
  const places = placed ? ['d.filename AS path', 'd.file_row_number AS pos'] : columns.length === 0 ? ['d.file_row_number'] : []
  const list = [...columns.map(({ id }) => `d.${keptName(id)}`), ...places]
  return `SELECT ${list.join(', ')} FROM ${rows} AS d${facts}${joins.join('')}`
}

/** Columns of keys that are not asked for; a dropped one is still in the files that were written with it. */
function missing(table: LakeTable, ids: readonly number[], columns: readonly StoredColumn[]): StoredColumn[] {
  return ids.filter((id) => !columns.some((column) => column.id === id)).map((id) => columnOf(table, id))
}

function columnOf(table: LakeTable, id: number): StoredColumn {
  const field = fieldById([...table.schemas.filter((schema) => schema.id !== table.schema.id), table.schema], id)
  if (field) return { id, name: keptName(id), type: duckTypeOfIceberg(field.type), ...initialOf(field) }
  throw new MillraceError('MR_LAKE_VERSION', `${table.name} has rows deleted by a field ${id} that is none of its columns`, {
    fix: 'have the engine that wrote the deletes compact the table: keys inside nested columns are not read',
  })
}

/** Cut to microseconds, keys of different rows are equal. */
function mustBeExact({ name, schemas }: LakeTable, id: number): void {
  const field = fieldById(schemas, id)
  if (!field || !isNanoseconds(field.type)) return
  throw new MillraceError('MR_LAKE_VERSION', `${name} has rows deleted by ${field.name}, whose nanoseconds are not read`, {
    fix: 'have the engine that wrote the deletes compact the table',
  })
}

// ---- positions

const PATH_COLUMN: StoredColumn = { id: FILE_PATH_ID, name: 'path', type: 'VARCHAR' }
const POSITION_COLUMN: StoredColumn = { id: POSITION_ID, name: 'pos', type: 'BIGINT' }

/** A SELECT of the places of some rows of a file, as `path` and `pos`. */
export const placesSql = ({ path, positions }: DeletedRows): string =>
  `SELECT ${quoteText(path)} AS path, unnest('[${positions.join(',')}]'::BIGINT[]) AS pos`

function positionJoin(files: readonly Deleted[]): string[] {
  const pairs = files.flatMap((file) => file.deletes.positionFiles.map((source) => [originOf(file), source, file.path] as const))
  const vectors = files.flatMap(({ path, deletes: { vector } }) => (vector ? [{ path, positions: vector.positions }] : []))
  const parts = vectors.map(placesSql)
  if (pairs.length > 0) {
    // A delete file may name files that it is not about: those that came after it under the same path.
    const scope = pairs.map((names) => `(${names.map(quoteText).join(', ')})`).join(', ')
    const named = parquetSql(
      [...new Set(pairs.map(([, source]) => source))].map((path) => ({ path })),
      [PATH_COLUMN, POSITION_COLUMN],
    )
    const clean = `SELECT regexp_replace(path, '^file:(//)?', '') AS path, pos, filename AS source FROM ${named}`
    parts.push(`SELECT s.local AS path, p.pos FROM (${clean}) AS p JOIN (VALUES ${scope}) AS s(path, source, local) USING (path, source)`)
  }
  if (parts.length === 0) return []
  return [` ANTI JOIN (${parts.join(' UNION ALL ')}) AS p ON p.path = d.filename AND p.pos = d.file_row_number`]
}

// ---- equality

/** Delete files with one key that are all about single partitions, or all about every one. */
interface EqualitySet {
  readonly fieldIds: readonly number[]
  readonly isGlobal: boolean
  readonly files: readonly EqualityDeletes[]
}

function equalitySets(files: readonly Deleted[]): EqualitySet[] {
  const byPath = new Map(files.flatMap((file) => file.deletes.equality.map((one) => [one.path, one] as const)))
  const sets = new Map<string, EqualityDeletes[]>()
  for (const one of byPath.values()) {
    const key = `${one.partition === null} ${[...one.fieldIds].sort((a, b) => a - b).join(' ')}`
    sets.set(key, [...(sets.get(key) ?? []), one])
  }
  return [...sets.values()].map((members) => ({ fieldIds: members[0]!.fieldIds, isGlobal: members[0]!.partition === null, files: members }))
}

const factsSql = (files: readonly Deleted[]): string => {
  const rows = files.map(({ path, deletes }) => `(${quoteText(path)}, ${deletes.sequence}, ${quoteText(deletes.partition)})`)
  return `SELECT * FROM (VALUES ${rows.join(', ')}) AS v(path, sequence, partition)`
}

/** The newest delete of a key decides: it is about every row that is older. */
function equalityJoin(table: LakeTable, { fieldIds, isGlobal, files }: EqualitySet, name: string): string {
  const keys = fieldIds.map(keptName)
  const stored = fieldIds.map((id) => columnOf(table, id))
  const sources = files.map((file) => `(${quoteText(file.path)}, ${file.sequence}, ${quoteText(file.partition ?? '')})`).join(', ')
  const rows = `${parquetSql(
    files.map(({ path }) => ({ path })),
    stored,
  )} AS r JOIN (VALUES ${sources}) AS v(path, sequence, partition) ON v.path = r.filename`
  const group = [...keys.map((key) => `r.${key}`), ...(isGlobal ? [] : ['v.partition'])].join(', ')
  const newest = `SELECT ${group}, max(v.sequence) AS sequence FROM ${rows} GROUP BY ALL`
  const same = keys.map((key) => `${name}.${key} IS NOT DISTINCT FROM d.${key}`)
  const on = [...same, ...(isGlobal ? [] : [`${name}.partition = f.partition`]), `f.sequence < ${name}.sequence`]
  return ` ANTI JOIN (${newest}) AS ${name} ON ${on.join(' AND ')}`
}
