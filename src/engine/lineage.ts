// Rows that move from one data file to another take with them who they are (Iceberg spec, "Row Lineage", version 3): their
// id and the sequence number in which they changed last, both in columns of the new file. Where a file has no such column a
// row's id is its place counted from the file's first, and its number that of the file. SQL text only.
import { originOf } from '../lake/lease.ts'
import type { DataFile, LakeField, LakeTable } from '../lake/types.ts'
import { initialOf, parquetSql } from './parquet.ts'
import { fileColumn } from './renamed-parts.ts'
import { readAlike, scanSql } from './scan.ts'
import { quoteName, quoteText } from './sql-text.ts'
import { keptName, placesSql, undeletedSql } from './undeleted.ts'

/** Reserved by the format, ids and names. */
export const ROW_ID: LakeField = { id: 2147483540, name: '_row_id', type: 'long', required: false }
export const LAST_UPDATED: LakeField = { id: 2147483539, name: '_last_updated_sequence_number', type: 'long', required: false }

/** Columns of files of the table that are no columns of the table. */
export const lineageOf = ({ formatVersion }: Pick<LakeTable, 'formatVersion'>): readonly LakeField[] =>
  formatVersion >= 3 ? [ROW_ID, LAST_UPDATED] : []

/** A SELECT of the files' rows, all columns of the table, to be written anew as they are: in version 3 with their lineage. */
export function movedSql(table: LakeTable, files: readonly DataFile[]): string {
  if (lineageOf(table).length === 0 || files.length === 0) return scanSql({ table, files, tails: [] })
  const { fields } = table.schema
  const list = fields.map(({ id, name }) => `${keptName(id)} AS ${quoteName(name)}`)
  return `SELECT ${list.join(', ')}, ${ROW_ID.name}, ${LAST_UPDATED.name} FROM (${placedSql(table, files, fields)})`
}

/**
 * A SELECT of `fields` of the files' rows under their `keptName`, with `path` and `pos`: which file, as its path is here, and
 * which row of it. In version 3 with the lineage.
 */
export function placedSql(table: LakeTable, files: readonly DataFile[], fields: readonly LakeField[]): string {
  const lineage = lineageOf(table)
  const groups = readAlike(files)
  const rows = groups.map((group) => groupSql(table, group, [...fields, ...lineage])).join(' UNION ALL ')
  if (lineage.length === 0) return rows
  const facts = files.map(
    ({ path, firstRowId, sequence }) => `(${quoteText(path)}, ${firstRowId ?? 'NULL'}::BIGINT, ${sequence ?? 'NULL'}::BIGINT)`,
  )
  const [rowId, updated] = [keptName(ROW_ID.id), keptName(LAST_UPDATED.id)]
  return `SELECT r.* EXCLUDE (${rowId}, ${updated}), coalesce(r.${rowId}, l.first + r.pos) AS ${ROW_ID.name}, coalesce(r.${updated}, l.sequence) AS ${LAST_UPDATED.name} FROM (${rows}) AS r JOIN (VALUES ${facts.join(', ')}) AS l(path, first, sequence) USING (path)`
}

/** The files of one of `readAlike`. */
function groupSql(table: LakeTable, files: readonly DataFile[], fields: readonly LakeField[]): string {
  const [{ deletes, names = null }] = files as [DataFile]
  const read = fields.map((field) => ({ field, own: fileColumn(field, names) }))
  const columns = read.map(({ field, own }) => ({ id: field.id, name: keptName(field.id), type: own.type, ...initialOf(field) }))
  const list = read.map(({ field: { id }, own }) => `${own.value(keptName(id))} AS ${keptName(id)}`)
  const places = deletes ? ['path', 'pos'] : ['filename AS path', 'file_row_number AS pos']
  const from = deletes ? `(${undeletedSql(table, files, columns, { placed: true })})` : parquetSql(files, columns, { placed: true })
  return `SELECT ${[...list, ...places].join(', ')} FROM ${from}`
}

/** A SELECT of the table's columns of some rows of files, which are there in the files as given. */
export function pickedSql(table: LakeTable, rows: readonly { readonly file: DataFile; readonly positions: Float64Array }[]): string {
  const { fields } = table.schema
  const list = fields.map(({ id, name }) => `r.${keptName(id)} AS ${quoteName(name)}`)
  const places = rows.map(({ file, positions }) => placesSql({ path: file.path, positions })).join(' UNION ALL ')
  const files = rows.map(({ file }) => file)
  return `SELECT ${list.join(', ')} FROM (${placedSql(table, files, fields)}) AS r SEMI JOIN (${places}) AS p ON p.path = r.path AND p.pos = r.pos`
}

/** Files by the path that they have here, with that by which the lake knows them. */
export const originsOf = (files: readonly DataFile[]): ReadonlyMap<string, DataFile> =>
  new Map(files.map((file) => [file.path, { ...file, path: originOf(file) }]))
