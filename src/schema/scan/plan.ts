// What one scanner looks for, and what one scan has under its hands. A plan is made once for a shape and a choice of
// columns; the state lives for one call of `scan`.
import type { ErrorCode } from '../../core/errors.ts'
import type { Column } from '../batch.ts'
import { type Field, isNested, type NestedType, type Shape, type Type } from '../type.ts'
import { type Lane, newLane, type Side } from './lanes.ts'
import { type Measure, newMeasure, newWhole, type Whole } from './read-number.ts'
import { type Fault, newFault } from './syntax.ts'

/** A field of the shape as the readers see it. */
export interface Slot {
  readonly index: number
  readonly name: string
  /** The name's bytes, unescaped. */
  readonly key: Uint8Array
  readonly type: Type
  readonly optional: boolean
  /** What rows have that leave it out, as a column of one row. */
  readonly fallback: Column | null
  /** A row may leave it out. */
  readonly mayLack: boolean
  /** Where its values go; -1 for a column that is not wanted. */
  readonly lane: number
  /** An enum's values, as bytes. */
  readonly values: readonly Uint8Array[]
  /** Reads the values of a nested type strictly; null where they are known to be good, or are no such. */
  readonly nested: { check(state: ScanState, slot: Slot, at: number, end: number): number } | null
}

export interface Plan {
  readonly slots: readonly Slot[]
  /** The fields of the batch, in the order of the lanes. */
  readonly wanted: readonly Field[]
  /** Whether rows are already known to be good, so that what is not wanted need not be looked at. */
  readonly trusted: boolean
  readonly ignoreUnknown: boolean
  readonly maxRowBytes: number
  /** Open-addressing table of slot indexes + 1 by hash of the key. */
  readonly table: Int32Array
  /** Scratch for the keys of a row, shared by all scans. */
  readonly order: Int32Array
}

/** What is wrong with a row that is well-formed JSON. */
export interface Problem {
  readonly code: Extract<ErrorCode, `MR_ROW_${string}`>
  readonly message: string
  readonly field: string | null
}

/** What a scan writes its rows to. */
export interface Arrays {
  readonly lanes: readonly Lane[]
  readonly capacity: number
  readonly lines: Int32Array
  readonly lineStart: Int32Array
  readonly lineEnd: Int32Array
}

export interface ScanState extends Arrays {
  bytes: Buffer
  readonly view: DataView
  capacity: number
  lines: Int32Array
  lineStart: Int32Array
  lineEnd: Int32Array
  /** The number of rows accepted, which is the row being written. */
  row: number
  /** The number of lines passed. */
  line: number
  /** Where numbers are handed over without allocation. */
  readonly out: Float64Array
  readonly measure: Measure
  readonly whole: Whole
  readonly fault: Fault
  problem: Problem | null
  side: Side
  /** The text of the last string read: in `bytes`, or decoded in `side`. */
  text: Uint8Array
  from: number
  to: number
  /** By slot: the stamp of the row that last held it. */
  readonly seen: Int32Array
  stamp: number
  /** By slot: where its default stands as text; -1 until a row needs it. */
  readonly placed: Int32Array
  /** The slots of the last row in the order of its keys (-1: unknown), and how it used spaces. */
  readonly order: Int32Array
  orderLength: number
  style: 'compact' | 'spaced' | 'other'
}

export interface PlanOptions {
  readonly trusted: boolean
  readonly columns?: readonly string[]
  readonly ignoreUnknown: boolean
  readonly maxRowBytes: number
  /** Makes the readers of nested values; without it they are passed over. */
  readonly nested?: (type: NestedType) => Slot['nested']
  /** Reads defaults; without it there are none. */
  readonly fallback?: (field: Field) => Slot['fallback']
}

export function makePlan(shape: Shape, options: PlanOptions): Plan {
  const names = options.columns ?? shape.fields.map((field) => field.name)
  const wanted = names.map((name) => shape.fields.find((field) => field.name === name)!)
  const slots = shape.fields.map((field, index) => makeSlot(field, index, names.indexOf(field.name), options))
  const { trusted, ignoreUnknown, maxRowBytes } = options
  return { slots, wanted, trusted, ignoreUnknown, maxRowBytes, table: makeTable(slots), order: new Int32Array(slots.length + 8) }
}

export function makeSlot(field: Field, index: number, lane: number, read: Pick<PlanOptions, 'nested' | 'fallback'> = {}): Slot {
  const { name, type, optional } = field
  const fallback = read.fallback?.(field) ?? null
  const values = type.kind === 'enum' ? type.values.map((value) => Buffer.from(value)) : []
  return {
    index,
    name,
    key: Buffer.from(name),
    type,
    optional,
    fallback,
    mayLack: optional || fallback !== null,
    lane,
    values,
    nested: isNested(type) ? (read.nested?.(type) ?? null) : null,
  }
}

export function makeTable(slots: readonly Slot[]): Int32Array {
  let size = 8
  while (size < slots.length * 2) size *= 2
  const table = new Int32Array(size)
  for (const slot of slots) {
    let at = hashBytes(slot.key, 0, slot.key.length) & (size - 1)
    while (table[at] !== 0) at = (at + 1) & (size - 1)
    table[at] = slot.index + 1
  }
  return table
}

function hashBytes(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c9dc5
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

/** The slot whose name is the bytes [from, to), or -1. `guess` is tried first: fields mostly come in order. */
export function findSlot(plan: Pick<Plan, 'slots' | 'table'>, bytes: Uint8Array, from: number, to: number, guess: number): number {
  if (guess < plan.slots.length && sameBytes(plan.slots[guess]!.key, bytes, from, to)) return guess
  const mask = plan.table.length - 1
  for (let at = hashBytes(bytes, from, to) & mask; ; at = (at + 1) & mask) {
    const index = plan.table[at]! - 1
    if (index < 0 || sameBytes(plan.slots[index]!.key, bytes, from, to)) return index
  }
}

/** Whether `text` is the bytes [from, to). */
export function sameBytes(text: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (text.length !== to - from) return false
  for (let i = 0; i < text.length; i++) if (text[i] !== bytes[from + i]) return false
  return true
}

const EMPTY = Buffer.alloc(0)
const NONE_PLACED = new Int32Array(0)

export const newArrays = (plan: Plan, capacity: number): Arrays => ({
  lanes: plan.wanted.map((field) => newLane(field, capacity)),
  capacity,
  lines: new Int32Array(capacity),
  lineStart: new Int32Array(capacity),
  lineEnd: new Int32Array(capacity),
})

/** `room`: bytes behind `bytes`, in the same memory, at which the loops may look. */
export function newState(plan: Plan, bytes: Buffer, { lanes, capacity, lines, lineStart, lineEnd }: Arrays, room: number): ScanState {
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength + room),
    lanes,
    capacity,
    lines,
    lineStart,
    lineEnd,
    row: 0,
    line: 0,
    out: new Float64Array(1),
    measure: newMeasure(),
    whole: newWhole(),
    fault: newFault(),
    problem: null,
    side: { bytes: EMPTY, length: 0 },
    text: bytes,
    from: 0,
    to: 0,
    seen: new Int32Array(plan.slots.length),
    stamp: 0,
    placed: plan.slots.some((slot) => slot.fallback) ? new Int32Array(plan.slots.length).fill(-1) : NONE_PLACED,
    order: plan.order,
    orderLength: 0,
    style: 'compact',
  }
}
