// Which format versions of tables are read and written. What would be misread is refused: newer versions, encrypted tables.
// Rows are written to versions 2 and 3.
import { MillraceError } from '../core/errors.ts'
import { parseMetadata, type TableMetadata, toLakeTable } from './table-metadata.ts'

/**
 * Rows of a table can be read without misreading them; its metadata can be kept in any case, for engines that can.
 * @throws MR_LAKE_VERSION
 */
export function checkReadable(metadata: TableMetadata, location: string): void {
  const fields = metadata.schemas.flatMap((schema) => schema.fields)
  const odd = fields.find((field) => typeof (field['initial-default'] ?? '') === 'object' || hasDefault(field.type))
  if (odd) throw refused(location, `gives parts of the nested column ${odd.name} a default`)
  if ((metadata['encryption-keys'] ?? []).length > 0) throw refused(location, 'is encrypted')
}

const hasDefault = (json: unknown): boolean =>
  typeof json === 'object' &&
  json !== null &&
  Object.entries(json).some(([name, value]) => (name === 'initial-default' ? value !== null : hasDefault(value)))

/** JSON that is no table in some place is damage like any other. @throws MR_LAKE_CORRUPT; MR_LAKE_VERSION for newer versions. */
export function readMetadata(text: string, location: string): TableMetadata {
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

const refused = (location: string, what: string): MillraceError =>
  new MillraceError('MR_LAKE_VERSION', `${location} ${what}; Millrace reads the rows of tables without such`, {
    fix: 'read it with a newer Millrace, or have the engine that wrote it write a copy of version 2',
  })

/** @throws MR_LAKE_VERSION for a table whose files Millrace may read and not write. */
export function checkWritable(name: string, metadata: TableMetadata): void {
  const version = metadata['format-version']
  if (version === 2 || version === 3) return
  throw new MillraceError('MR_LAKE_VERSION', `${name} has format version ${version}: Millrace reads it and does not write it`, {
    fix: 'write it with the engine that made it, or copy it into a table of version 2',
  })
}
