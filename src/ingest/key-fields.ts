// The columns by which rows of a table are deleted.
import type { TableManifest } from '../define/manifest.ts'
import type { Field } from '../schema/type.ts'

/** Without defaults: what is deleted is said, not assumed. */
export const keyFields = ({ shape, key }: Pick<TableManifest, 'shape' | 'key'>): readonly Field[] =>
  key.map((column) => {
    const { default: _, ...field } = shape.fields.find(({ name }) => name === column)!
    return field
  })
