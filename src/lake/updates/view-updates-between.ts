// From two states of a view to the updates and requirements that bring a catalog from one to the other (Iceberg REST,
// CommitViewRequest). Pure; as `updates-between.ts` is for tables.
import type { ViewMetadata } from '../views/view-metadata.ts'
import { propertiesBetween, type TableCommit } from './updates-between.ts'

export function viewUpdatesBetween(before: ViewMetadata, after: ViewMetadata): TableCommit {
  const schemas = after.schemas.filter((schema) => !before.schemas.some((one) => one['schema-id'] === schema['schema-id']))
  const versions = after.versions.filter((version) => !before.versions.some((one) => one['version-id'] === version['version-id']))
  const isMoved = before['current-version-id'] !== after['current-version-id']
  return {
    requirements: [{ type: 'assert-view-uuid', uuid: before['view-uuid'] }],
    updates: [
      ...(before.location === after.location ? [] : [{ action: 'set-location', location: after.location }]),
      ...schemas.map((schema) => ({ action: 'add-schema', schema })),
      ...versions.map((version) => ({ action: 'add-view-version', 'view-version': version })),
      ...(isMoved ? [{ action: 'set-current-view-version', 'view-version-id': after['current-version-id'] }] : []),
      ...propertiesBetween(before.properties, after.properties),
    ],
  }
}
