// The growing columns of one scan. Readers write row by row into the arrays; a row counts only once the scan moves past
// it, so a row that turns out bad is overwritten by the next. Strings point into the input; decoded ones into `side`,
// as positions from the end of the input on, and `finish` joins the two buffers if there are any.
import { type Column, type ColumnBatch, laneOf } from '../batch.ts'
import type { Field } from '../type.ts'

/** Integers of an integer column that do not fit 2^53, beside its `values`. */
interface Wide {
  readonly big: BigInt64Array
  /** The same memory in halves, low first. */
  readonly words: Int32Array
  readonly flags: Uint8Array
}

/** One column in the making; arrays that its kind does not use are empty. */
export interface Lane {
  readonly kind: Column['kind']
  readonly nullable: boolean
  values: Float64Array
  start: Int32Array
  length: Int32Array
  nulls: Uint8Array
  wide: Wide | null
}

/** Decoded bytes. A closing quote follows each text while it is read, hence one byte to spare. */
export interface Side {
  bytes: Buffer
  length: number
}

// Making an array costs as much as reading a value: the empty ones are shared.
const NO_VALUES = new Float64Array(0)
const NO_PLACES = new Int32Array(0)
const NO_NULLS = new Uint8Array(0)

export function newLane(field: Field, capacity: number): Lane {
  const lane: Lane = {
    kind: laneOf(field.type),
    nullable: field.optional,
    values: NO_VALUES,
    start: NO_PLACES,
    length: NO_PLACES,
    nulls: NO_NULLS,
    wide: null,
  }
  growLane(lane, capacity)
  return lane
}

export function growLane(lane: Lane, capacity: number): void {
  if (lane.nullable) lane.nulls = copyInto(new Uint8Array(capacity), lane.nulls)
  if (lane.kind !== 'bytes') lane.values = copyInto(new Float64Array(capacity), lane.values)
  else {
    lane.start = copyInto(new Int32Array(capacity), lane.start)
    lane.length = copyInto(new Int32Array(capacity), lane.length)
  }
  if (lane.wide) lane.wide = newWide(capacity, lane.wide)
}

export function copyInto<A extends { readonly length: number; set(from: A): void }>(to: A, from: A): A {
  if (from.length > 0) to.set(from)
  return to
}

function newWide(capacity: number, before: Wide | null): Wide {
  const big = new BigInt64Array(capacity)
  const flags = new Uint8Array(capacity)
  if (before) {
    big.set(before.big)
    flags.set(before.flags)
  }
  return { big, words: new Int32Array(big.buffer), flags }
}

/** Stores a 64-bit integer in two's complement halves at `row`. */
export function setWide(lane: Lane, row: number, high: number, low: number): void {
  lane.wide ??= newWide(lane.values.length, null)
  lane.wide.words[row * 2] = low
  lane.wide.words[row * 2 + 1] = high
  lane.wide.flags[row] = 1
}

export function reserve(side: Side, count: number): void {
  if (side.length + count <= side.bytes.length) return
  side.bytes = copyInto(Buffer.alloc(Math.max(256, (side.length + count) * 2)), side.bytes)
}

/** The columns of the first `rows` rows, over `bytes` (the input, followed by what was decoded). */
export function finishLanes(fields: readonly Field[], lanes: readonly Lane[], rows: number, bytes: Uint8Array): ColumnBatch {
  return { shape: { fields }, rows, columns: lanes.map((lane) => finishLane(lane, rows, bytes)) }
}

/** Without `subarray`, which would move a small array out of V8's heap. */
function hasOne(flags: Uint8Array, rows: number): boolean {
  const at = flags.indexOf(1)
  return at >= 0 && at < rows
}

/** One column of `finishLanes`. */
export function finishLane(lane: Lane, rows: number, bytes: Uint8Array): Column {
  const nulls = lane.nullable && hasOne(lane.nulls, rows) ? lane.nulls : null
  if (lane.kind === 'bytes') return { kind: 'bytes', bytes, start: lane.start, length: lane.length, nulls }
  if (lane.kind === 'number') return { kind: 'number', values: lane.values, nulls }
  const big = lane.wide && hasOne(lane.wide.flags, rows) ? widen(lane.wide, lane.values, rows) : null
  return { kind: 'integer', values: lane.values, big, nulls }
}

function widen(wide: Wide, values: Float64Array, rows: number): BigInt64Array {
  for (let row = 0; row < rows; row++) if (wide.flags[row] === 0) wide.big[row] = BigInt(values[row]!)
  return wide.big
}

/** Forgets what a failed attempt at `row` may have left. */
export function clearWide(lanes: readonly Lane[], row: number): void {
  for (const lane of lanes) if (lane.wide) lane.wide.flags[row] = 0
}
