// Loads files into a table, with the list of loaded files as a cursor in the same commit: all of them (full), those that are
// new (append), or those that are new or have changed (upsert). A row with a value that its column does not take exactly, or
// that fails a quarantine check, is set aside with the reason.
import { listFiles, type SourceFile } from '../connectors/files.ts'
import { asMillraceError, type ErrorCode, MillraceError } from '../core/errors.ts'
import type { TableManifest } from '../define/manifest.ts'
import { rejectedName } from '../define/system-columns.ts'
import type { Engine, Session } from '../engine/duckdb.ts'
import { filesAfter, mergeRows } from '../engine/merge.ts'
import { scanSql } from '../engine/scan.ts'
import { quoteName, quoteText } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import { writeParquet } from '../engine/write.ts'
import { type Lease, originOf } from '../lake/lease.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { DataFile, LakeTable, TableChange } from '../lake/types.ts'
import { toDuckType } from '../schema/duckdb.ts'
import { type Field, isNested } from '../schema/type.ts'
import { type ParsedColumns, parseNested } from './nested-columns.ts'
import { type FilesSource, nameInFiles, sourceSql } from './source-sql.ts'

export interface FileLoad {
  readonly changes: readonly TableChange[]
  readonly cursor: { readonly name: string; readonly value: string }
  /** SQL of the table as it will be, for the checks. */
  readonly candidate: string
  readonly rows: number
  readonly rejected: number
  readonly note: string
}

export interface LoadParts {
  readonly engine: Engine
  readonly lake: Lake
  /** Holds what the SQL of the load reads, the candidate for the checks too. */
  readonly lease: Lease
  /** Directory that relative patterns start from. */
  readonly directory: string
}

/** A check of severity quarantine: SQL over the table's columns, true for rows that fail, never null. */
export interface RowRule {
  readonly name: string
  readonly failing: string
}

interface Cursor {
  readonly loaded: Readonly<Record<string, { readonly size: number; readonly modifiedMs: number }>>
}

/**
 * Stages a load; `cursor` is the value of the last one, null loads everything anew. Null when there is nothing new.
 * @throws MR_INGEST_SOURCE when no file matches or one cannot be read.
 */
export async function loadFiles(
  parts: LoadParts,
  table: TableManifest,
  pattern: string,
  cursor: string | null,
  rules: readonly RowRule[] = [],
): Promise<FileLoad | null> {
  const source = table.source as FilesSource
  const files = listFiles(parts.directory, pattern)
  if (files.length === 0)
    throw new MillraceError('MR_INGEST_SOURCE', `no file matches "${pattern}" for table ${table.name}`, {
      fix: `put files there, or change the path in ${table.at}`,
    })
  const { loaded } = cursor === null ? { loaded: {} } : (JSON.parse(cursor) as Cursor)
  const { chosen, changed } = chooseFiles(table.load, files, loaded)
  if (chosen.length === 0) return null
  const seen = Object.fromEntries(files.map((file) => [file.path, { size: file.sizeBytes, modifiedMs: file.modifiedMs }]))
  // What is gone stays known, except where the table is what the files are now.
  const next: Cursor = { loaded: table.load === 'full' ? seen : { ...loaded, ...seen } }
  const isRebuilt = table.load === 'full' || cursor === null
  const staged = await withRelations(parts.engine, {}, (session) => stageFiles(parts, session, table, source, chosen, isRebuilt, rules))
  const note = `${chosen.length} ${chosen.length === 1 ? 'file' : 'files'}`
  return {
    ...staged,
    cursor: { name: `files:${table.name}`, value: JSON.stringify(next) },
    note: changed > 0 ? `${note}; ${changed} changed after they were loaded, which append does not follow` : note,
  }
}

function chooseFiles(
  load: TableManifest['load'],
  files: readonly SourceFile[],
  loaded: Cursor['loaded'],
): { chosen: readonly SourceFile[]; changed: number } {
  const isNew = (file: SourceFile): boolean => loaded[file.path] === undefined
  const isSame = (file: SourceFile): boolean =>
    loaded[file.path]?.size === file.sizeBytes && loaded[file.path]?.modifiedMs === file.modifiedMs
  const fresh = files.filter((file) => !isSame(file))
  if (load === 'upsert') return { chosen: fresh, changed: 0 }
  if (load === 'append') return { chosen: files.filter(isNew), changed: fresh.filter((file) => !isNew(file)).length }
  const isAsBefore = fresh.length === 0 && files.length === Object.keys(loaded).length
  return { chosen: isAsBefore ? [] : files, changed: 0 }
}

async function stageFiles(
  parts: LoadParts,
  session: Session,
  table: TableManifest,
  source: FilesSource,
  files: readonly SourceFile[],
  isRebuilt: boolean,
  rules: readonly RowRule[],
): Promise<Omit<FileLoad, 'cursor' | 'note'>> {
  await readFiles(parts.engine, session, table, source, files, rules)
  const target = await parts.lake.table(table.name)
  const live = target.current ? await parts.lease.local(await parts.lake.files(target)) : []
  const columns = table.shape.fields.map((field) => quoteName(field.name)).join(', ')
  const good = `SELECT ${columns} FROM incoming WHERE __code IS NULL`
  const isMerge = table.load === 'upsert' && table.key.length > 0
  const latest = isMerge
    ? `${good} QUALIFY row_number() OVER (PARTITION BY ${table.key.map(quoteName).join(', ')} ORDER BY __row DESC) = 1`
    : good
  const change =
    isMerge && !isRebuilt
      ? await mergeRows(session, { lake: parts.lake, table: target, key: table.key, rows: latest, keys: good })
      : await addRows(session, parts.lake, target, latest, isRebuilt ? live : [])
  const rejects = await stageRejected(parts, session, table)
  return {
    changes: [change, ...(rejects.change ? [rejects.change] : [])],
    candidate: scanSql({ table: target, files: filesAfter(live, change), tails: [] }),
    rows: change.add.reduce((sum, file) => sum + file.rows, 0),
    rejected: rejects.rows,
  }
}

/** Rows without a key: added to those that are there, or instead of `replaced`. */
async function addRows(
  session: Session,
  lake: Lake,
  table: LakeTable,
  select: string,
  replaced: readonly DataFile[],
): Promise<TableChange> {
  const add = await writeParquet(session, { select, table, directory: lake.dataDirectory(table) })
  const remove = replaced.map(originOf)
  return remove.length === 0
    ? { table: table.name, operation: 'append', add, remove }
    : { table: table.name, operation: 'overwrite', add, remove, validateFrom: table.current?.id ?? null }
}

/** Fills `incoming`: the table's columns, the row as JSON, and for rows that are set aside the code, message and column. */
async function readFiles(
  engine: Engine,
  session: Session,
  table: TableManifest,
  source: FilesSource,
  files: readonly SourceFile[],
  rules: readonly RowRule[],
): Promise<void> {
  const nested = table.shape.fields.filter(({ type }) => isNested(type))
  const flat = table.shape.fields.filter(({ type }) => !isNested(type))
  const { sql: read, isText } = await sourceSql(session, table, source, files)
  const given = (field: Field): string => (isText ? untyped(field, sourceValue(source, field)) : sourceValue(source, field))
  const missing = table.shape.fields.flatMap((field) => missingFault(field, given(field)))
  const faults = [...missing, ...flat.flatMap((field) => faultsOf(field, given(field))), ...rules.map(checkFault)]
  const columns = table.shape.fields.map((field) =>
    isNested(field.type) ? `__parsed.${quoteName(field.name)}` : `${castOf(field, given(field))} AS ${quoteName(field.name)}`,
  )
  const list = (texts: readonly string[]): string => `([${texts.map(quoteText).join(', ')}]::VARCHAR[])`
  const pick = (texts: readonly string[]): string => `${list(texts)}[__fault + 1]`
  let parsed: ParsedColumns | null = null
  try {
    let from = `${read} AS __source`
    if (nested.length > 0) {
      await session.run(`CREATE TEMP TABLE read AS SELECT row_number() OVER () AS __row, __source FROM ${from}`)
      const values = nested.map(given).join(', ')
      parsed = await parseNested(engine, session, { select: `SELECT __row, ${values} FROM read`, fields: nested, isText })
      from = `read JOIN (${parsed.sql}) AS __parsed USING (__row)`
    }
    const row = parsed ? '__row, __code AS __refusal, __message AS __why, __field AS __where' : 'row_number() OVER () AS __row'
    const typed = `SELECT __source, ${row}, ${columns.join(', ')} FROM ${from}`
    const first = faults.map((fault, index) => `WHEN ${fault.condition} THEN ${index}`)
    const chosen = `SELECT *, ${first.length > 0 ? `CASE ${first.join(' ')} END` : 'NULL::INTEGER'} AS __fault FROM (${typed})`
    const either = (refusal: string, fault: string): string => (parsed ? `coalesce(${refusal}, ${fault})` : fault)
    await session.run(`CREATE TEMP TABLE incoming AS SELECT * EXCLUDE (__source, __fault${parsed ? ', __refusal, __why, __where' : ''}),
      to_json(__source)::VARCHAR AS __raw, ${either('__refusal', pick(faults.map(({ code }) => code)))} AS __code,
      ${either('__why', pick(faults.map(({ message }) => message)))} AS __message,
      nullif(${either('__where', pick(faults.map(({ field }) => field)))}, '') AS __field FROM (${chosen})`)
  } catch (cause) {
    throw new MillraceError('MR_INGEST_SOURCE', `the files of ${table.name} could not be read: ${asMillraceError(cause).message}`, {
      cause,
      fix: `check the files, or the columns and options in ${table.at}`,
    })
  } finally {
    await parsed?.drop()
  }
}

interface Fault {
  readonly condition: string
  readonly code: ErrorCode
  readonly message: string
  /** Empty for none. */
  readonly field: string
}

const sourceValue = (source: FilesSource, field: Field): string => `__source.${quoteName(nameInFiles(source, field))}`

/** A column of JSON as what it says: null, the JSON itself, or its text without quotes. */
function untyped({ type }: Field, value: string): string {
  const isWhole = isNested(type) || type.kind === 'json'
  return isWhole ? `nullif(CAST(${value} AS VARCHAR), 'null')` : `(${value} ->> '$')`
}

function missingFault({ name, optional }: Field, value: string): Fault[] {
  return optional ? [] : [{ condition: `${value} IS NULL`, code: 'MR_ROW_MISSING', message: `${name} is missing`, field: name }]
}

function faultsOf(field: Field, value: string): Fault[] {
  const { name, type } = field
  const cast = quoteName(name)
  const faults: Fault[] = []
  const isUnfit = `${value} IS NOT NULL AND ${cast} IS NULL`
  faults.push({ condition: isUnfit, code: 'MR_ROW_TYPE', message: `the value of ${name} does not fit its column`, field: name })
  if (type.kind === 'enum')
    faults.push({
      condition: `${cast} NOT IN (${type.values.map(quoteText).join(', ')})`,
      code: 'MR_ROW_ENUM',
      message: `the value of ${name} is not among those allowed`,
      field: name,
    })
  // DuckDB passes over an offset where it casts to TIMESTAMP.
  if (type.kind === 'datetime')
    faults.push({
      condition: `coalesce(typeof(${value}) = 'TIMESTAMP WITH TIME ZONE' OR regexp_matches(CAST(${value} AS VARCHAR), ${quoteText(WITH_OFFSET)}), false)`,
      code: 'MR_ROW_TYPE',
      message: `the value of ${name} has a zone or an offset, and its column none`,
      field: name,
    })
  // DuckDB rounds where digits do not fit: exact columns take exact values only.
  const scale = type.kind === 'decimal' ? type.scale : type.kind === 'int' || type.kind === 'long' ? 0 : null
  const exact = (text: string): string => `TRY_CAST(${text} AS DECIMAL(38, ${Math.min((scale ?? 0) + 12, 37)}))`
  if (scale !== null)
    faults.push({
      condition: `coalesce(${exact(value)} <> ${exact(cast)}, false)`,
      code: 'MR_ROW_RANGE',
      message: `the value of ${name} has more digits than its column`,
      field: name,
    })
  return faults
}

/** A time of day, and behind it Z, UTC or an offset. */
const WITH_OFFSET = '(?i):\\d\\d(\\.\\d+)?\\s*(z|utc|[+-]\\d\\d(:?\\d\\d)*)$'

const checkFault = ({ name, failing }: RowRule): Fault => ({
  condition: failing,
  code: 'MR_ROW_CHECK',
  message: `the check ${name} failed`,
  field: '',
})

const castOf = (field: Field, value: string): string => {
  const type = toDuckType(field.type)
  return type === 'VARCHAR' ? `CAST(${value} AS VARCHAR)` : `TRY_CAST(${value} AS ${type})`
}

async function stageRejected(
  parts: LoadParts,
  session: Session,
  table: TableManifest,
): Promise<{ change: TableChange | null; rows: number }> {
  const target = await parts.lake.table(rejectedName(table.name))
  const select = `SELECT 0::INTEGER AS _partition, __row::BIGINT AS _offset, now() AS _ingested_at, __raw AS raw, __code AS code,
    __message AS message, __field AS field FROM incoming WHERE __code IS NOT NULL`
  const add = await writeParquet(session, { select, table: target, directory: parts.lake.dataDirectory(target) })
  const rows = add.reduce((sum, file) => sum + file.rows, 0)
  return { change: rows === 0 ? null : { table: target.name, operation: 'append', add, remove: [] }, rows }
}
