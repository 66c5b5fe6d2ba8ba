// The columns by which rows of a table are deleted, and how they are read: by doors and topics, and again from the log.
import type { Field, Shape } from '../type.ts'
import { compileScanner, type Scanner } from './scanner.ts'

interface Keyed {
  readonly shape: Shape
  readonly key: readonly string[]
}

/** Without defaults: what is deleted is said, not assumed. */
export const keyFields = ({ shape, key }: Keyed): readonly Field[] =>
  key.map((column) => {
    const { default: _, ...field } = shape.fields.find(({ name }) => name === column)!
    return field
  })

const scanners = new WeakMap<Keyed, Scanner>()

/** Reads the key of a row and passes over the rest; compiled once for a definition. */
export function keyScanner(table: Keyed): Scanner {
  const known = scanners.get(table)
  if (known) return known
  const scanner = compileScanner({ fields: keyFields(table) }, { unknown: 'ignore' })
  scanners.set(table, scanner)
  return scanner
}
