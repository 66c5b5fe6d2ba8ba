// Values of nested columns: the strict reading of their JSON text, and its decoding into columns of leaves. A batch holds a
// nested value as its text, so that only those who need the parts pay for them; what is read at the door and what is decoded
// later goes through the same code here and the same readers of leaves. Text that was read once is never refused again.
import { MillraceError } from '../../core/errors.ts'
import type { BytesColumn, Column } from '../batch.ts'
import { type Inner, isNested, type NestedType, type Type } from '../type.ts'
import { finishLane, growLane, type Lane, newLane } from './lanes.ts'
import { findSlot, makeSlot, makeTable, newState, type Plan, type Problem, type ScanState, type Slot } from './plan.ts'
import { delimitText, excerpt, MALFORMED, missing, readInteger, readKind, refuse, UNFIT } from './read-value.ts'
import { skipSpace, skipValue, startsWith } from './syntax.ts'

/** A column of any type with its parts. Parts at null places are null too. */
export type Vector = Column | StructVector | ListVector

/** One value of each member a row. */
export interface StructVector {
  readonly kind: 'struct'
  readonly members: readonly Vector[]
  readonly nulls: Uint8Array | null
}

/** Row i holds the values [start[i], start[i] + length[i]) of `parts`: the elements, or the keys and the values of a map. Rows follow each other. */
export interface ListVector {
  readonly kind: 'list'
  readonly parts: readonly Vector[]
  readonly start: Int32Array
  readonly length: Int32Array
  readonly nulls: Uint8Array | null
}

/** One place in the type: the values that were read for it, in the order of the text. */
interface Node {
  readonly slot: Slot
  readonly inner: readonly Node[]
  /** Of a struct: its members by name. */
  readonly members: Pick<Plan, 'slots' | 'table'> | null
  /** By member: the stamp of the value that last held it. */
  readonly seen: Int32Array
  stamp: number
  rows: number
}

/** Reads values of one nested type; not shared between threads, and not entered twice. */
export interface Nested {
  /**
   * Reads the value at `at` strictly and keeps nothing. Returns the position after it, MALFORMED, or UNFIT with
   * `state.problem`, which names the place inside: `items[2].price`.
   */
  check(state: ScanState, slot: Slot, at: number, end: number): number
  /** The rows of a column of texts that `check` took. */
  decode(column: BytesColumn, rows: number): Vector
}

const NULL = Buffer.from('null')
const NOTHING = Buffer.alloc(0)

/** The reader of a type. Unknown members are refused, or passed over. */
export function newNested(type: NestedType, ignoreUnknown: boolean): Nested {
  const lanes: Lane[] = []
  const root = newNode({ type, optional: true }, lanes)
  const empty: Plan = { slots: [], wanted: [], trusted: false, ignoreUnknown, maxRowBytes: 0, table: NO_TABLE, order: NO_TABLE }
  const state = { ...newState(empty, NOTHING, { lanes, capacity: 0, lines: NO_TABLE, lineStart: NO_TABLE, lineEnd: NO_TABLE }, 0) }
  const reader: Reader = { state, ignoreUnknown }
  const begin = (bytes: Buffer): void => {
    state.bytes = bytes
    state.side = { bytes: NOTHING, length: 0 }
    state.problem = null
    state.fault.lone = -1
    reset(root)
  }
  return {
    check(outer, slot, at, end) {
      // What is known to be JSON is read below without a look at its form. Depth counts from the row.
      const next = skipValue(outer.bytes, at, end, outer.fault, 1)
      if (next < 0) return MALFORMED
      begin(outer.bytes)
      const taken = put(reader, root, at, next)
      state.bytes = NOTHING
      if (taken >= 0) return next
      outer.problem ??= state.problem === null ? null : within(state.problem, slot.name)
      return UNFIT
    },
    decode(column, rows) {
      begin(Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.bytes.byteLength))
      for (const [index, { type }] of placesOf(root).entries())
        lanes[index] = newLane({ name: '', type, optional: true }, Math.max(16, rows))
      for (let row = 0; row < rows; row++) {
        const start = column.start[row]!
        if (column.nulls?.[row]) putNull(reader, root)
        else if (put(reader, root, start, start + column.length[row]!) < 0)
          throw new MillraceError('MR_ASSERT', `cannot be: a nested value that was taken is refused: ${state.problem?.message}`)
      }
      const { bytes, side } = state
      return finish(root, lanes, side.length > 0 ? Buffer.concat([bytes, side.bytes.subarray(0, side.length)]) : bytes)
    },
  }
}

/** In the order of the lanes. */
const placesOf = (node: Node): Slot[] => [node.slot, ...node.inner.flatMap(placesOf)]

interface Reader {
  readonly state: ScanState
  readonly ignoreUnknown: boolean
}

const NO_TABLE = new Int32Array(0)

function newNode({ type, optional }: Inner, lanes: Lane[]): Node {
  const slot = makeSlot({ name: '', type, optional }, 0, lanes.length)
  // Of a place that may not be null too: the whole may be.
  lanes.push(newLane({ name: '', type, optional: true }, 16))
  const inner = innerOf(type).map((one) => newNode(one, lanes))
  const slots = type.kind === 'struct' ? type.fields.map((field, index) => makeSlot(field, index, -1)) : null
  return {
    slot,
    inner,
    members: slots && { slots, table: makeTable(slots) },
    seen: new Int32Array(slots?.length ?? 0),
    stamp: 0,
    rows: 0,
  }
}

function innerOf(type: Type): readonly Inner[] {
  switch (type.kind) {
    case 'struct':
      return type.fields
    case 'list':
      return [type.element]
    case 'map':
      return [{ type: type.key, optional: false }, type.value]
    default:
      return []
  }
}

function reset(node: Node): void {
  node.rows = 0
  for (const inner of node.inner) reset(inner)
}

/** The lane of a node with room for its next value. */
function laneFor({ state }: Reader, { slot, rows }: Node): Lane {
  const lane = state.lanes[slot.lane]!
  if (rows === lane.nulls.length) growLane(lane, rows * 2)
  if (lane.wide) lane.wide.flags[rows] = 0
  return lane
}

/** Adds a null; a struct's members are null with it. */
function putNull(reader: Reader, node: Node): void {
  const lane = laneFor(reader, node)
  const { type } = node.slot
  lane.nulls[node.rows] = 1
  if (type.kind === 'struct') for (const member of node.inner) putNull(reader, member)
  else if (isNested(type)) {
    lane.start[node.rows] = node.inner[0]!.rows
    lane.length[node.rows] = 0
  }
  node.rows++
}

/** Adds the value at `at`, which is JSON. Returns the position after it or UNFIT. */
function put(reader: Reader, node: Node, at: number, end: number): number {
  const { state } = reader
  const lane = laneFor(reader, node)
  if (startsWith(state.bytes, at, end, NULL)) {
    if (!node.slot.optional) return unfit(state, missing(node.slot, 'null'))
    putNull(reader, node)
    return at + NULL.length
  }
  lane.nulls[node.rows] = 0
  const next = putKind(reader, node, lane, at, end)
  if (next < 0) return UNFIT
  node.rows++
  return next
}

function putKind(reader: Reader, node: Node, lane: Lane, at: number, end: number): number {
  const { state } = reader
  const { type } = node.slot
  const first = state.bytes[at]
  switch (type.kind) {
    case 'struct':
      return first === 0x7b ? putStruct(reader, node, at, end) : refuse(state, node.slot, at, end, 'MR_ROW_TYPE')
    case 'list':
      return first === 0x5b ? putList(reader, node, lane, at, end) : refuse(state, node.slot, at, end, 'MR_ROW_TYPE')
    case 'map':
      return first === 0x7b ? putMap(reader, node, lane, type.key, at, end) : refuse(state, node.slot, at, end, 'MR_ROW_TYPE')
    default:
      return readKind(state, node.slot, at, end, node.rows)
  }
}

function putStruct(reader: Reader, node: Node, from: number, end: number): number {
  const { state } = reader
  const { bytes, side } = state
  const members = node.members!
  if (++node.stamp === 0x7fffffff) {
    node.seen.fill(0)
    node.stamp = 1
  }
  let guess = 0
  let at = skipSpace(bytes, from + 1, end)
  while (bytes[at] !== 0x7d) {
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1, end)
    const mark = side.length
    const keyEnd = delimitText(state, at, end)
    const found = findSlot(members, state.text, state.from, state.to, guess)
    const value = skipSpace(bytes, skipSpace(bytes, keyEnd, end) + 1, end)
    if (found < 0) {
      if (!reader.ignoreUnknown) return unfit(state, unknown(excerpt(state.text as Buffer, state.from, state.to), members))
      side.length = mark
      at = skipSpace(bytes, skipValue(bytes, value, end, state.fault, 1), end)
      continue
    }
    side.length = mark
    const { name } = members.slots[found]!
    if (node.seen[found] === node.stamp) return unfit(state, twice(`.${name}`))
    node.seen[found] = node.stamp
    const next = put(reader, node.inner[found]!, value, end)
    if (next < 0) return inside(state, `.${name}`)
    guess = found + 1
    at = skipSpace(bytes, next, end)
  }
  for (const [index, { name, optional }] of members.slots.entries()) {
    if (node.seen[index] === node.stamp) continue
    const member = node.inner[index]!
    if (!optional) return unfit(state, within(missing(member.slot, 'missing'), `.${name}`))
    putNull(reader, member)
  }
  return at + 1
}

function putList(reader: Reader, node: Node, lane: Lane, from: number, end: number): number {
  const { bytes } = reader.state
  const element = node.inner[0]!
  const start = element.rows
  let at = skipSpace(bytes, from + 1, end)
  while (bytes[at] !== 0x5d) {
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1, end)
    const next = put(reader, element, at, end)
    if (next < 0) return inside(reader.state, `[${element.rows - start}]`)
    at = skipSpace(bytes, next, end)
  }
  lane.start[node.rows] = start
  lane.length[node.rows] = element.rows - start
  return at + 1
}

function putMap(reader: Reader, node: Node, lane: Lane, type: Type, from: number, end: number): number {
  const { state } = reader
  const { bytes } = state
  const [key, value] = node.inner as [Node, Node]
  const start = key.rows
  const keys = new Set<string>()
  let at = skipSpace(bytes, from + 1, end)
  while (bytes[at] !== 0x7d) {
    if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1, end)
    const place = (to: number): string => `[${excerpt(bytes, at, to)}]`
    const keyLane = laneFor(reader, key)
    keyLane.nulls[key.rows] = 0
    // A whole number has quotes here, as every key of an object.
    const isWhole = type.kind === 'int' || type.kind === 'long'
    const keyEnd = isWhole
      ? readInteger(state, key.slot, at, end, key.rows, type.kind === 'int' ? 10 : 19, 0)
      : readKind(state, key.slot, at, end, key.rows)
    if (keyEnd < 0) return inside(state, '[key]')
    const text = keyText(state, keyLane, key.rows)
    if (keys.has(text)) return unfit(state, twice(place(keyEnd)))
    keys.add(text)
    key.rows++
    const next = put(reader, value, skipSpace(bytes, skipSpace(bytes, keyEnd, end) + 1, end), end)
    if (next < 0) return inside(state, place(keyEnd))
    at = skipSpace(bytes, next, end)
  }
  lane.start[node.rows] = start
  lane.length[node.rows] = key.rows - start
  return at + 1
}

/** Equal for equal keys. */
function keyText({ bytes, side }: ScanState, lane: Lane, row: number): string {
  if (lane.kind !== 'bytes') return lane.wide?.flags[row] ? String(lane.wide.big[row]) : String(lane.values[row])
  const start = lane.start[row]!
  const [text, from] = start < bytes.length ? [bytes, start] : [side.bytes, start - bytes.length]
  return text.toString('utf8', from, from + lane.length[row]!)
}

function unfit(state: ScanState, problem: Problem): typeof UNFIT {
  state.problem ??= problem
  return UNFIT
}

/** The problem of a part is one of the whole, at a longer place. */
function inside(state: ScanState, part: string): typeof UNFIT {
  if (state.problem) state.problem = within(state.problem, part)
  return UNFIT
}

const FIELD = 'field '

const within = ({ code, field, message }: Problem, part: string): Problem => ({
  code,
  field: part + (field ?? ''),
  message: FIELD + part + message.slice(FIELD.length),
})

const twice = (place: string): Problem => ({ code: 'MR_ROW_DUPLICATE_FIELD', field: place, message: `${FIELD}${place} occurs twice` })

const unknown = (name: string, { slots }: Pick<Plan, 'slots'>): Problem => ({
  code: 'MR_ROW_UNKNOWN_FIELD',
  field: `.${name}`,
  message: `${FIELD}.${name} is not part of the struct (${slots.map((slot) => slot.name).join(', ')})`,
})

function finish(node: Node, lanes: readonly Lane[], bytes: Uint8Array): Vector {
  const { type, lane: index } = node.slot
  const { rows } = node
  const lane = lanes[index]!
  if (!isNested(type)) return finishLane(lane, rows, bytes)
  const parts = node.inner.map((inner) => finish(inner, lanes, bytes))
  const { nulls } = finishLane(lane, rows, bytes)
  return type.kind === 'struct'
    ? { kind: 'struct', members: parts, nulls }
    : { kind: 'list', parts, start: lane.start, length: lane.length, nulls }
}
