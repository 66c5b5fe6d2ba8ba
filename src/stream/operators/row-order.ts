// The order of rows that are kept in lanes: by some of their columns, each ascending or descending, with its nulls first or last.
import type { OrderBy } from '../../engine/algebra/relation.ts'
import type { Column } from '../../schema/batch.ts'
import type { ValueLane } from '../memory/value-lane.ts'

/** `at`: the place of the column and of its lane. */
export interface OrderedBy extends Pick<OrderBy, 'descending' | 'nullsFirst'> {
  readonly at: number
}

/** Below zero when the row comes before the slot. */
export function compareRow(
  order: readonly OrderedBy[],
  lanes: readonly ValueLane[],
  columns: readonly Column[],
  row: number,
  slot: number,
): number {
  for (let i = 0; i < order.length; i++) {
    const { at, descending, nullsFirst } = order[i]!
    const column = columns[at]!
    const lane = lanes[at]!
    const isNull = column.nulls !== null && column.nulls[row] === 1
    const isHeldNull = lane.isNull(slot)
    if (isNull || isHeldNull) {
      if (isNull !== isHeldNull) return isNull === nullsFirst ? -1 : 1
      continue
    }
    const found = lane.compareRow(slot, column, row)
    if (found !== 0) return descending ? -found : found
  }
  return 0
}

/** Below zero when the slot comes before the other. */
export function compareSlots(order: readonly OrderedBy[], lanes: readonly ValueLane[], slot: number, other: number): number {
  for (let i = 0; i < order.length; i++) {
    const { at, descending, nullsFirst } = order[i]!
    const lane = lanes[at]!
    const isNull = lane.isNull(slot)
    const isOtherNull = lane.isNull(other)
    if (isNull || isOtherNull) {
      if (isNull !== isOtherNull) return isNull === nullsFirst ? -1 : 1
      continue
    }
    const found = lane.compareSlot(other, lane, slot)
    if (found !== 0) return descending ? -found : found
  }
  return 0
}
