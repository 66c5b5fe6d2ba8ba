// From a type to the lane that holds its values.
import { compareBytes } from '../../core/bytes.ts'
import type { ValueType } from '../../engine/algebra/expression.ts'
import { laneOfValue } from '../expression/lane.ts'
import { BytesLane, compareDigits } from './bytes-lane.ts'
import { IntegerLane, NumberLane, type ValueLane } from './value-lane.ts'

export function makeLane(type: ValueType): ValueLane {
  const lane = laneOfValue(type)
  if (lane === 'number') return new NumberLane()
  if (lane === 'integer') return new IntegerLane()
  return new BytesLane(compareOf(type))
}

/** The order of values that are bytes. */
export const compareOf = ({ kind }: ValueType): typeof compareBytes =>
  kind === 'decimal' || kind === 'huge' ? compareDigits : compareBytes
