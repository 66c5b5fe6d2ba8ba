// Loads files into a table: all of them (full), or those that have not been loaded yet (append, upsert), with the list of
// loaded files as a cursor in the same commit. Values that do not fit their column set the row aside, with the reason.
import { listFiles, readFilesSql, type SourceFile } from '../connectors/files.ts'
import { MillraceError } from '../core/errors.ts'
import type { TableManifest } from '../define/manifest.ts'
import { rejectedName } from '../define/system-columns.ts'
import type { Engine, Session } from '../engine/duckdb.ts'
import { scanSql } from '../engine/scan.ts'
import { quoteName, quoteText } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import { writeParquet } from '../engine/write.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { TableChange } from '../lake/types.ts'
import { toDuckType } from '../schema/duckdb.ts'
import type { Field } from '../schema/type.ts'

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
  /** Directory that relative patterns start from. */
  readonly directory: string
}

interface Cursor {
  readonly loaded: Readonly<Record<string, { readonly size: number; readonly modifiedMs: number }>>
}

type FilesSource = Extract<TableManifest['source'], { kind: 'files' }>

/**
 * Stages a load; `cursor` is the value of the last one. Null when there is nothing new.
 * @throws MR_INGEST_SOURCE when no file matches or one cannot be read.
 */
export async function loadFiles(parts: LoadParts, table: TableManifest, pattern: string, cursor: string | null): Promise<FileLoad | null> {
  const source = table.source as FilesSource
  const files = listFiles(parts.directory, pattern)
  if (files.length === 0)
    throw new MillraceError('MR_INGEST_SOURCE', `no file matches "${pattern}" for table ${table.name}`, {
      fix: `put files there, or change the path in ${table.at}`,
    })
  const known: Cursor = cursor === null ? { loaded: {} } : (JSON.parse(cursor) as Cursor)
  const isKnown = (file: SourceFile): boolean =>
    known.loaded[file.path]?.size === file.sizeBytes && known.loaded[file.path]?.modifiedMs === file.modifiedMs
  const fresh = files.filter((file) => !isKnown(file))
  if (fresh.length === 0) return null
  const chosen = table.load === 'full' ? files : fresh
  const loaded = Object.fromEntries(files.map((file) => [file.path, { size: file.sizeBytes, modifiedMs: file.modifiedMs }]))
  const staged = await withRelations(parts.engine, {}, (session) => stageFiles(parts, session, table, source, chosen))
  return {
    ...staged,
    cursor: { name: `files:${table.name}`, value: JSON.stringify({ loaded }) },
    note: `${chosen.length} ${chosen.length === 1 ? 'file' : 'files'}`,
  }
}

async function stageFiles(
  parts: LoadParts,
  session: Session,
  table: TableManifest,
  source: FilesSource,
  files: readonly SourceFile[],
): Promise<Omit<FileLoad, 'cursor' | 'note'>> {
  await session.run(`CREATE TEMP TABLE incoming AS ${typedSelect(table, source, files)}`)
  const target = await parts.lake.table(table.name)
  const live = target.current ? await parts.lake.files(target) : []
  const columns = table.shape.fields.map((field) => quoteName(field.name)).join(', ')
  const good = `SELECT ${columns} FROM incoming WHERE __bad IS NULL`
  const isMerge = table.load === 'upsert' && table.key.length > 0
  const latest = isMerge
    ? `${good} QUALIFY row_number() OVER (PARTITION BY ${table.key.map(quoteName).join(', ')} ORDER BY __row DESC) = 1`
    : good
  const match = table.key.map((key) => `t.${quoteName(key)} = n.${quoteName(key)}`).join(' AND ')
  const kept =
    isMerge && live.length > 0
      ? `SELECT ${columns} FROM (${scanSql({ table: target, files: live, tails: [] })}) AS t ANTI JOIN (${good}) AS n ON ${match} UNION ALL `
      : ''
  const add = await writeParquet(session, { select: `${kept}${latest}`, table: target, directory: parts.lake.dataDirectory(target) })
  const replaces = table.load === 'full' || isMerge
  const change: TableChange = {
    table: table.name,
    operation: replaces && live.length > 0 ? 'overwrite' : 'append',
    add,
    remove: replaces ? live.map((file) => file.path) : [],
    ...(replaces ? { validateFrom: target.current?.id ?? null } : {}),
  }
  const rejects = await stageRejected(parts, session, table)
  return {
    changes: [change, ...(rejects.change ? [rejects.change] : [])],
    candidate: scanSql({ table: target, files: replaces ? add : [...live, ...add], tails: [] }),
    rows: add.reduce((sum, file) => sum + file.rows, 0),
    rejected: rejects.rows,
  }
}

/** All columns cast; `__bad` names the first column whose text did not fit, `__raw` is the row as JSON. */
function typedSelect(table: TableManifest, source: FilesSource, files: readonly SourceFile[]): string {
  const from = (field: Field): string => `s.${quoteName(source.columns?.[field.name] ?? field.name)}`
  const columns = table.shape.fields.map((field) => `${castOf(field, from(field))} AS ${quoteName(field.name)}`)
  const faults = table.shape.fields.map((field) => {
    const value = from(field)
    const unfit = `(${value} IS NOT NULL AND ${castOf(field, value)} IS NULL)`
    const missing = field.optional ? '' : ` OR ${value} IS NULL`
    const outside =
      field.type.kind === 'enum' ? ` OR (${value} IS NOT NULL AND ${value} NOT IN (${field.type.values.map(quoteText).join(', ')}))` : ''
    return `WHEN ${unfit}${missing}${outside} THEN ${quoteText(field.name)}`
  })
  const bad = faults.length > 0 ? `CASE ${faults.join(' ')} END` : 'NULL'
  return `SELECT ${columns.join(', ')}, ${bad} AS __bad, to_json(s)::VARCHAR AS __raw, row_number() OVER () AS __row FROM ${readFilesSql(source.format, files, source.options)} AS s`
}

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
  const select = `SELECT 0::INTEGER AS _partition, __row::BIGINT AS _offset, now() AS _ingested_at, __raw AS raw, 'MR_ROW_TYPE' AS code,
    'the value of ' || __bad || ' does not fit its column' AS message, __bad AS field FROM incoming WHERE __bad IS NOT NULL`
  const add = await writeParquet(session, { select, table: target, directory: parts.lake.dataDirectory(target) })
  const rows = add.reduce((sum, file) => sum + file.rows, 0)
  return { change: rows === 0 ? null : { table: target.name, operation: 'append', add, remove: [] }, rows }
}
