// What a column may become without rewriting its files (Iceberg spec, "Schema Evolution", version 2): int to long, float
// to double, more decimal digits, required to optional. Everything else is refused with the way out.
import { MillraceError } from '../core/errors.ts'
import type { LakeField } from './types.ts'
import { parseIcebergType } from './value/iceberg-type.ts'

/** The field after the change, without its id. @throws MR_SCHEMA_EVOLUTION */
export function evolveField(old: LakeField, wanted: Omit<LakeField, 'id'>): Omit<LakeField, 'id'> {
  if (!isReadableAs(old.type, wanted.type)) {
    throw new MillraceError('MR_SCHEMA_EVOLUTION', `the column ${old.name} is a ${old.type} and cannot become a ${wanted.type}`, {
      fix: `allowed are int to long, float to double and more digits before the point of a decimal; otherwise add a new column, or drop ${old.name} and give the new one another name`,
    })
  }
  if (wanted.required && !old.required) {
    throw new MillraceError(
      'MR_SCHEMA_EVOLUTION',
      `the column ${old.name} is optional and cannot become required: stored rows may lack it`,
      {
        fix: `leave ${old.name} optional and add a not_null check`,
      },
    )
  }
  return wanted
}

function isReadableAs(from: string, to: string): boolean {
  if (from === to) return true
  const [a, b] = [parseIcebergType(from), parseIcebergType(to)]
  if (a.kind === 'decimal' && b.kind === 'decimal') return a.scale === b.scale && b.precision >= a.precision
  return (a.kind === 'int' && b.kind === 'long') || (a.kind === 'float' && b.kind === 'double')
}
