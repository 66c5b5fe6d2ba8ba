// Files on disk as a source: which ones a pattern names, and the SQL that reads them as text or typed columns.
import { globSync, statSync } from 'node:fs'
import { isAbsolute, relative, resolve } from 'node:path'
import { MillraceError } from '../core/errors.ts'

const quoteText = (text: string): string => `'${text.replaceAll("'", "''")}'`

export interface SourceFile {
  readonly path: string
  readonly sizeBytes: number
  readonly modifiedMs: number
}

/** Files that match `pattern` (relative to `directory`), by name. @throws MR_INGEST_SOURCE when it leaves the directory. */
export function listFiles(directory: string, pattern: string): SourceFile[] {
  const full = isAbsolute(pattern) ? pattern : resolve(directory, pattern)
  if (!isAbsolute(pattern) && relative(directory, full).startsWith('..')) {
    throw new MillraceError('MR_INGEST_SOURCE', `"${pattern}" leaves the project's directory`, {
      fix: 'name files inside the project, or give an absolute path',
    })
  }
  return globSync(full)
    .sort()
    .map((path) => ({ path, stat: statSync(path) }))
    .filter(({ stat }) => stat.isFile())
    .map(({ path, stat }) => ({ path, sizeBytes: stat.size, modifiedMs: Math.round(stat.mtimeMs) }))
}

/** A table expression over the files. CSV gives every column as text, `objects` a column `json` with each object of JSON; row order is kept. */
export function readFilesSql(
  format: 'csv' | 'json' | 'parquet' | 'objects',
  files: readonly SourceFile[],
  options: Readonly<Record<string, string | number | boolean>>,
): string {
  const list = `[${files.map((file) => quoteText(file.path)).join(', ')}]`
  const extra = Object.entries(options).map(
    ([name, value]) => `, ${checkOption(name)} = ${typeof value === 'string' ? quoteText(value) : String(value)}`,
  )
  switch (format) {
    case 'csv':
      return `read_csv(${list}, all_varchar = true, header = true${extra.join('')})`
    case 'json':
      return `read_json(${list}, records = true${extra.join('')})`
    case 'objects':
      return `read_json_objects(${list}${extra.join('')})`
    case 'parquet':
      return `read_parquet(${list}, union_by_name = true${extra.join('')})`
  }
}

function checkOption(name: string): string {
  if (!/^[a-z_]+$/.test(name))
    throw new MillraceError('MR_DEFINE_VALUE', `"${name}" is not an option of a file reader`, {
      fix: 'use options of DuckDB’s readers, such as delim',
    })
  return name
}
