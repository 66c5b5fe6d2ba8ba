// Which format versions of tables are read. Millrace writes version 2. Of version 3 it reads what has the same meaning for
// whoever reads rows: snapshots, deletion vectors, row lineage (which it leaves alone); what would be misread is refused.
import { MillraceError } from '../core/errors.ts'
import { parseJson, printJson } from '../core/json.ts'
import { parseMetadata, type TableMetadata, toLakeTable } from './table-metadata.ts'

/**
 * The metadata in `text`; a table of version 3 keeps its version and everything that Millrace does not know.
 * @throws MR_LAKE_CORRUPT when it is not metadata; MR_LAKE_VERSION for other versions and for what of version 3 is not read.
 */
export function readMetadata(text: string, location: string): TableMetadata {
  const raw = objectOf(text)
  const version = raw?.['format-version']
  if (raw && typeof version === 'number' && version > NEWEST) throw refused(location, `has format version ${version}`)
  if (!raw || version !== NEWEST) return parseWhole(text, location)
  const schemas = Array.isArray(raw['schemas']) ? (raw['schemas'] as { fields?: Record<string, unknown>[] }[]) : []
  const field = schemas.flatMap((schema) => schema.fields ?? []).find((one) => (one['initial-default'] ?? null) !== null)
  if (field) throw refused(location, `gives the column ${String(field['name'])} a default for rows that lack it`)
  if (Array.isArray(raw['encryption-keys']) && raw['encryption-keys'].length > 0) throw refused(location, 'is encrypted')
  return { ...parseWhole(printJson({ ...raw, 'format-version': 2 }), location), 'format-version': version }
}

/** JSON that is no table in some place is damage like any other. */
function parseWhole(text: string, location: string): TableMetadata {
  try {
    const metadata = parseMetadata(text, location)
    toLakeTable('', location, metadata)
    return metadata
  } catch (cause) {
    if (cause instanceof MillraceError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new MillraceError('MR_LAKE_CORRUPT', `${location} is not Iceberg table metadata: ${why}`, {
      fix: 'restore the file from a backup',
      cause,
    })
  }
}

const NEWEST = 3

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseJson(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const refused = (location: string, what: string): MillraceError =>
  new MillraceError('MR_LAKE_VERSION', `${location} ${what}; Millrace reads version 2, and version 3 without such`, {
    fix: 'read it with a newer Millrace, or have the engine that wrote it write a copy of version 2',
  })

/** @throws MR_LAKE_VERSION for a table whose files Millrace may read and not write. */
export function checkWritable(name: string, metadata: TableMetadata): void {
  const version = metadata['format-version']
  if (version === 2) return
  throw new MillraceError('MR_LAKE_VERSION', `${name} has format version ${version}: Millrace reads it and does not write it`, {
    fix: 'write it with the engine that made it, or copy it into a table of version 2',
  })
}
