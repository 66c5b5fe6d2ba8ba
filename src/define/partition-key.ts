// Which column chooses the partition of a row.
import type { Relation } from './manifest.ts'

/** Index of the column in the shape; -1 when rows take turns. */
export function partitionKeyIndex(relation: Relation): number {
  const key = relation.kind === 'stream' ? relation.key : relation.kind === 'table' ? relation.key[0] : undefined
  return key === undefined ? -1 : relation.shape.fields.findIndex((field) => field.name === key)
}
