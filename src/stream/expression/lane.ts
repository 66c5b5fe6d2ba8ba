// In which lane of a column batch a value of an expression is held: as columns are, with sums of integers as decimals.
import type { ValueType } from '../../engine/algebra/expression.ts'
import { type Column, laneOf } from '../../schema/batch.ts'
import type { Type } from '../../schema/type.ts'

/** HUGEINT is stored as a decimal of 38 digits, which is also what it is to a model's shape. */
export function storedType(type: ValueType): Type {
  if (type.kind === 'huge') return { kind: 'decimal', precision: 38, scale: 0 }
  if (type.kind === 'null') return { kind: 'int' }
  return type.kind === 'interval' ? { kind: 'long' } : type
}

export const laneOfValue = (type: ValueType): Column['kind'] => laneOf(storedType(type))
