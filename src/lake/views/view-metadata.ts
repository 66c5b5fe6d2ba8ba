// View metadata (Iceberg view spec, version 1): the JSON file that a view's pointer names. Views belong to the engines that
// define them; Millrace keeps them and runs none of their SQL. What it does not know is carried along unchanged.
import { MillraceError } from '../../core/errors.ts'
import { parseJson } from '../../core/json.ts'
import type { SchemaJson } from '../table-metadata.ts'

export interface ViewVersionJson {
  readonly 'version-id': number
  readonly 'timestamp-ms': number
  readonly 'schema-id': number
  readonly summary: Readonly<Record<string, string>>
  readonly representations: readonly { readonly type: string; readonly dialect?: string; readonly sql?: string }[]
  readonly 'default-catalog'?: string
  readonly 'default-namespace': readonly string[]
}

export interface ViewMetadata {
  readonly 'view-uuid': string
  readonly 'format-version': number
  readonly location: string
  readonly schemas: readonly SchemaJson[]
  readonly 'current-version-id': number
  readonly versions: readonly ViewVersionJson[]
  readonly 'version-log': readonly { readonly 'timestamp-ms': number; readonly 'version-id': number }[]
  readonly properties: Readonly<Record<string, string>>
}

/** @throws MR_LAKE_CORRUPT when it is no view; MR_LAKE_VERSION for a newer format. */
export function parseView(text: string, location: string): ViewMetadata {
  const view = read(text)
  if (view === null)
    throw new MillraceError('MR_LAKE_CORRUPT', `${location} is not Iceberg view metadata`, { fix: 'restore it from a backup' })
  if (view['format-version'] !== 1)
    throw new MillraceError('MR_LAKE_VERSION', `${location} has view version ${view['format-version']}, Millrace reads version 1`)
  return { ...view, properties: view.properties ?? {}, 'version-log': view['version-log'] ?? [] }
}

function read(text: string): ViewMetadata | null {
  try {
    const value = parseJson(text)
    return typeof value === 'object' && value !== null && 'view-uuid' in value ? (value as ViewMetadata) : null
  } catch {
    return null
  }
}
