// Puts the default of a field into a row that leaves it out. A text is written beside the input once a scan, however many rows
// lack it. Which values are defaults is in `fallback.ts`.
import type { Column } from '../batch.ts'
import { reserve, setWide } from './lanes.ts'
import type { ScanState, Slot } from './plan.ts'

/** Of a slot that has a default and a lane. */
export function putFallback(state: ScanState, slot: Slot, row: number): void {
  const lane = state.lanes[slot.lane]!
  const value = slot.fallback!
  if (slot.optional) lane.nulls[row] = 0
  if (value.kind === 'number') lane.values[row] = value.values[0]!
  else if (value.kind === 'integer') {
    if (value.big === null) lane.values[row] = value.values[0]!
    else setWide(lane, row, Number(value.big[0]! >> 32n), Number(BigInt.asIntN(32, value.big[0]!)))
  } else {
    lane.start[row] = placeOf(state, slot)
    lane.length[row] = value.length[0]!
  }
}

function placeOf(state: ScanState, slot: Slot): number {
  const known = state.placed[slot.index]!
  if (known >= 0) return known
  const { bytes, start, length } = slot.fallback as Extract<Column, { kind: 'bytes' }>
  const { side } = state
  reserve(side, length[0]! + 1)
  side.bytes.set(bytes.subarray(start[0]!, start[0]! + length[0]!), side.length)
  const place = state.bytes.length + side.length
  side.length += length[0]!
  state.placed[slot.index] = place
  return place
}
