// The identity of a shape: two shapes with one fingerprint accept the same rows and store them in the same columns.
// Documentation, units and tags do not count.
import { createHash } from 'node:crypto'
import { printType, type Shape } from './type.ts'

/** 16 hexadecimal digits over names, types, optionality and defaults, in the order of the fields. Stable across versions and machines. */
export function fingerprint(shape: Shape): string {
  const parts = shape.fields.map((field) => [
    field.name,
    field.type.kind === 'enum' ? field.type.values : printType(field.type),
    field.optional,
    ...(field.default === undefined ? [] : [field.default]),
  ])
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)
}
