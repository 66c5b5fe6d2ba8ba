// Merges rows into a table by key: a row replaces the one with its key, or is new; keys may go altogether. Of each file that
// holds such keys either a few rows go by a deletion vector (version 3), or it is written anew without them. Replaced rows
// keep their row id, rows that move all of their lineage. Nothing is visible before the commit.
import { joinPositions } from '../lake/deletes/deletion-vector.ts'
import { originOf } from '../lake/lease.ts'
import type { Lake } from '../lake/open-lake.ts'
import { compactionOf } from '../lake/plan-compaction.ts'
import type { DataFile, DeletedRows, LakeField, LakeTable, PruneTerm, TableChange } from '../lake/types.ts'
import type { Session } from './duckdb.ts'
import { LAST_UPDATED, lineageOf, movedSql, originsOf, placedSql, ROW_ID } from './lineage.ts'
import { quoteName, quoteText } from './sql-text.ts'
import { keptName } from './undeleted.ts'
import { writeParquet } from './write.ts'

export interface Merge {
  readonly lake: Lake
  readonly table: LakeTable
  /** Columns that identify a row; null equals null. */
  readonly key: readonly string[]
  /** SELECT of rows with all columns of the table. */
  readonly rows: string
  /** SELECT of the keys of all rows that go or are replaced, those of `rows` among them. Default: the keys of `rows`. */
  readonly keys?: string
  /**
   * How many rows a key has: one (default), which keeps the id of the row that it replaces; some, of which one does; or many,
   * which are replaced together and keep none.
   */
  readonly perKey?: 'one' | 'some' | 'many'
  readonly signal?: AbortSignal
}

/**
 * Share of a file's rows up to which a vector says what is deleted: a scan then reads what it leaves out. Above it the file is
 * written anew, which every later scan repays.
 */
const VECTOR_SHARE = 0.25

const TOUCHED = '__touched'

/** The change that merges. @throws MR_LAKE_CONFLICT at its commit, when rows that may have such keys were added or files changed meanwhile. */
export async function mergeRows(session: Session, merge: Merge): Promise<TableChange> {
  const { lake, table, key, rows } = merge
  using lease = lake.lease()
  const keys = `SELECT ${quoted(key)} FROM (${merge.keys ?? rows})`
  const range = await keyRange(session, keys, key[0]!)
  const near = table.current ? await lake.files(table, table.current, range) : []
  const touched = await findTouched(session, table, key, keys, await lease.local(near))
  const rewritten = touched.filter((one) => !one.isVector).map((one) => one.file)
  const add = await writeParquet(session, {
    select: nextRows(merge, keys, rewritten, touched.length > 0),
    table,
    directory: lake.dataDirectory(table),
    moved: touched.length > 0,
    ...splitting(table, rewritten),
    ...(merge.signal ? { signal: merge.signal } : {}),
  })
  const origins = originsOf(rewritten)
  const deleted = await deletedRows(session, touched)
  return {
    table: table.name,
    operation: touched.length === 0 ? 'append' : add.length > 0 ? 'overwrite' : 'delete',
    add,
    remove: [...origins.values()].map((file) => file.path),
    ...(deleted.length > 0 ? { delete: deleted } : {}),
    validateFrom: table.current?.id ?? null,
    ...(range.length > 0 ? { validateWhere: range } : {}),
  }
}

/** Files that were apart stay so: written anew as one, the next few keys would cost all of it. */
function splitting(table: LakeTable, rewritten: readonly DataFile[]): { readonly rowsPerFile?: number } {
  const [bytes, rows] = [sum(rewritten, (file) => file.sizeBytes), sum(rewritten, (file) => file.rows)]
  const { targetBytes } = compactionOf(table)
  return bytes > SPLIT_FROM * targetBytes ? { rowsPerFile: Math.ceil((rows * targetBytes) / bytes) } : {}
}

/** Below it the parts would be about as large as the whole. */
const SPLIT_FROM = 1.5

const sum = (files: readonly DataFile[], of: (file: DataFile) => number): number => files.reduce((total, file) => total + of(file), 0)

/** The files of the table as they are once the change is committed; `live` as they were when it was made. */
export function filesAfter(live: readonly DataFile[], change: TableChange): DataFile[] {
  const removed = new Set(change.remove)
  const deleted = new Map(change.delete?.map(({ path, positions }) => [path, positions]))
  const left = live.filter((file) => !removed.has(originOf(file)))
  return [...left.map((file) => without(file, deleted.get(originOf(file)))), ...change.add]
}

function without(file: DataFile, positions: Float64Array | undefined): DataFile {
  if (!positions) return file
  const { sequence = 0, partition = '', vector = null, positionFiles = [], equality = [] } = file.deletes ?? {}
  const all = vector ? joinPositions(vector.positions, positions) : positions
  return { ...file, deletes: { sequence, partition, vector: { path: '', positions: all! }, positionFiles, equality } }
}

const quoted = (columns: readonly string[]): string => columns.map(quoteName).join(', ')

const sameKey = (key: readonly string[], a: string, b: string): string =>
  key.map((column) => `${a}.${quoteName(column)} IS NOT DISTINCT FROM ${b}.${quoteName(column)}`).join(' AND ')

/** As `sameKey`; in `placed` they have their kept names, since a key may itself be called `path` or `pos`. */
const isKeyOf = (fields: readonly LakeField[], placed: string, rows: string): string =>
  fields.map(({ id, name }) => `${placed}.${keptName(id)} IS NOT DISTINCT FROM ${rows}.${quoteName(name)}`).join(' AND ')

const fieldsOf = ({ schema }: LakeTable, columns: readonly string[]): LakeField[] =>
  columns.map((column) => schema.fields.find((field) => field.name === column)!)

interface Touched {
  /** With the path that it has here. */
  readonly file: DataFile
  readonly isVector: boolean
}

/** Puts the place, key and row id of every row that is replaced or goes into a table of the session; answers their files. */
async function findTouched(
  session: Session,
  table: LakeTable,
  key: readonly string[],
  keys: string,
  files: readonly DataFile[],
): Promise<Touched[]> {
  if (files.length === 0) return []
  const fields = fieldsOf(table, key)
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${TOUCHED} AS SELECT o.* FROM (${placedSql(table, files, fields)}) AS o SEMI JOIN (${keys}) AS n ON ${isKeyOf(fields, 'o', 'n')}`,
  )
  const { rows } = await session.rows(`SELECT path, count(*) FROM ${TOUCHED} GROUP BY path ORDER BY path`)
  const byPath = new Map(files.map((file) => [file.path, file]))
  return rows.map(([path, count]) => {
    const file = byPath.get(path as string)!
    return { file, isVector: isVectorFor(table, file, Number(count)) }
  })
}

// A vector must say all that position deletes of before version 3 said: such a file is written anew.
function isVectorFor({ formatVersion }: LakeTable, { rows, deletes }: DataFile, count: number): boolean {
  const before = deletes?.vector?.positions.length ?? 0
  return formatVersion >= 3 && (deletes?.positionFiles.length ?? 0) === 0 && before + count <= rows * VECTOR_SHARE
}

/** The rows as they come, with the ids of those that they replace, and what stays of files that are written anew. */
function nextRows({ table, key, rows, perKey = 'one' }: Merge, keys: string, rewritten: readonly DataFile[], hasTouched: boolean): string {
  const columns = quoted(table.schema.fields.map((field) => field.name))
  if (!hasTouched) return rows
  const isTracked = lineageOf(table).length > 0
  const lineage = isTracked ? `, ${ROW_ID.name}, ${LAST_UPDATED.name}` : ''
  const fields = fieldsOf(table, key)
  const old = `SELECT ${fields.map(({ id }) => keptName(id)).join(', ')}, min(${ROW_ID.name}) AS ${ROW_ID.name} FROM ${TOUCHED} GROUP BY ALL`
  const fresh = `SELECT ${columns}, NULL::BIGINT AS ${ROW_ID.name}, NULL::BIGINT AS ${LAST_UPDATED.name} FROM (${rows})`
  const rowId = `t.${ROW_ID.name}`
  const kept =
    perKey === 'one'
      ? rowId
      : `CASE WHEN row_number() OVER (PARTITION BY ${key.map((column) => `n.${quoteName(column)}`).join(', ')}) = 1 THEN ${rowId} END AS ${ROW_ID.name}`
  const replacing = `SELECT n.*, ${kept}, NULL::BIGINT AS ${LAST_UPDATED.name} FROM (SELECT ${columns} FROM (${rows})) AS n LEFT JOIN (${old}) AS t ON ${isKeyOf(fields, 't', 'n')}`
  const next = !isTracked ? `SELECT ${columns} FROM (${rows})` : perKey === 'many' ? fresh : replacing
  if (rewritten.length === 0) return next
  return `${next} UNION ALL SELECT ${columns}${lineage} FROM (${movedSql(table, rewritten)}) AS o ANTI JOIN (${keys}) AS n ON ${sameKey(key, 'o', 'n')}`
}

async function deletedRows(session: Session, touched: readonly Touched[]): Promise<DeletedRows[]> {
  const origins = originsOf(touched.filter((one) => one.isVector).map((one) => one.file))
  if (origins.size === 0) return []
  const positions = new Map<string, number[]>([...origins.keys()].map((path) => [path, []]))
  const paths = [...origins.keys()].map(quoteText).join(', ')
  for await (const { rows } of session.stream(`SELECT path, pos FROM ${TOUCHED} WHERE path IN (${paths}) ORDER BY path, pos`))
    for (const [path, pos] of rows) positions.get(path as string)!.push(Number(pos))
  return [...positions].map(([path, all]) => ({ path: origins.get(path)!.path, positions: Float64Array.from(all) }))
}

/** Of the keys of a SELECT: what the files that may hold them are found by. */
export async function keyRange(session: Session, keys: string, column: string): Promise<PruneTerm[]> {
  const name = quoteName(column)
  const { rows } = await session.rows(`SELECT min(${name}), max(${name}), count(*) - count(${name}) FROM (${keys})`)
  const [min, max, nulls] = rows[0]! as [string | number | bigint | boolean | null, string | number | bigint | boolean | null, unknown]
  if (min === null || max === null || Number(nulls) > 0) return []
  return [
    { column, op: '>=', values: [min] },
    { column, op: '<=', values: [max] },
  ]
}
