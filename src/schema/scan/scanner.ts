// The scanner of a shape: NDJSON bytes in, columns and rejects out. Most rows are read by generated loops, one for each
// order and spacing of keys that is seen often; every other row by the exact path, which alone decides what is rejected.
// Lines are cut at line feeds, which cannot stand inside a JSON string.
import { isUtf8 } from 'node:buffer'
import { MillraceError } from '../../core/errors.ts'
import type { ColumnBatch } from '../batch.ts'
import { fingerprint } from '../fingerprint.ts'
import type { Shape } from '../type.ts'
import { fallbackOf } from './fallback.ts'
import { type Entry, generateLoop, type Layout, type Loop, lookAhead } from './generate.ts'
import { copyInto, finishLanes, growLane } from './lanes.ts'
import { newNested } from './nested.ts'
import { type Arrays, makePlan, newArrays, newState, type Plan, type Problem, type ScanState } from './plan.ts'
import { readRow } from './read-row.ts'

/** A line that became no row. */
export interface Reject extends Problem {
  /** Index of the line in the input, blank lines counted. */
  readonly line: number
  /** Bytes of the line in the input, without its line end. */
  readonly start: number
  readonly end: number
}

export interface Scan {
  /**
   * The good rows. Text columns point into the input, which must stay unchanged while the batch is in use, or into a copy
   * of it: of a small input, or one with decoded text behind it. All text columns share one buffer.
   */
  readonly batch: ColumnBatch
  /** Index of row i's line in the input; this array and the next two may be longer than the batch. */
  readonly lines: Int32Array
  /** Bytes of row i's line in the input, without its line end. */
  readonly lineStart: Int32Array
  readonly lineEnd: Int32Array
  readonly rejects: readonly Reject[]
  /** Lines of the input; those that hold nothing but space count too, but become neither rows nor rejects. */
  readonly lineCount: number
}

export interface ScanOptions {
  /**
   * The bytes are lines that a scanner of the same fingerprint accepted: they are looked at no more than the wanted
   * columns need, and fields outside the shape are passed over.
   */
  readonly trusted?: boolean
  /** With `trusted`: the columns of the batch, in this order. */
  readonly columns?: readonly string[]
  /** The arrays of the result hold until the next scan with `reuse`: new ones for a hundred rows cost as much as reading them. */
  readonly reuse?: boolean
}

/** Reads rows of one shape. Keeps what it learns about the order of keys; not shared between threads. */
export interface Scanner {
  readonly shape: Shape
  readonly fingerprint: string
  /** Never throws for what the bytes hold; MR_DEFINE_COLUMN for a column that the shape does not have. */
  scan(bytes: Uint8Array, options?: ScanOptions): Scan
}

export interface ScannerOptions {
  /** Fields that the shape does not have: reject the row (default), or pass over them. */
  readonly unknown?: 'reject' | 'ignore'
  /** Longer lines are MR_ROW_TOO_LARGE; default 1 MiB. */
  readonly maxRowBytes?: number
}

/** The scanner of a shape. Values are kept exactly or the row is rejected; `readKind` in `read-value.ts` lists what each type takes. */
export function compileScanner(shape: Shape, options: ScannerOptions = {}): Scanner {
  const ignoreUnknown = options.unknown === 'ignore'
  const maxRowBytes = options.maxRowBytes ?? 1_048_576
  const strict = newReader(
    makePlan(shape, { trusted: false, ignoreUnknown, maxRowBytes, nested: (type) => newNested(type, ignoreUnknown), fallback: fallbackOf }),
  )
  const projected = new Map<string, Reader>()
  const readerFor = ({ trusted, columns }: ScanOptions): Reader => {
    if (!trusted) return strict
    const key = columns === undefined ? '*' : JSON.stringify(columns)
    let reader = projected.get(key)
    if (!reader) {
      checkColumns(shape, columns)
      reader = newReader(
        makePlan(shape, { trusted: true, ignoreUnknown: true, maxRowBytes, fallback: fallbackOf, ...(columns ? { columns } : {}) }),
      )
      projected.set(key, reader)
    }
    return reader
  }
  return {
    shape,
    fingerprint: fingerprint(shape),
    scan: (bytes, scanOptions = {}) =>
      scan(readerFor(scanOptions), Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), scanOptions.reuse === true),
  }
}

function checkColumns(shape: Shape, columns: readonly string[] = []): void {
  const unknown = columns.find((name) => !shape.fields.some((field) => field.name === name))
  if (unknown === undefined) return
  const known = shape.fields.map((field) => field.name).join(', ')
  throw new MillraceError('MR_DEFINE_COLUMN', `column ${unknown} is not among ${known}`, { fix: 'name columns of the shape' })
}

/** How often an unknown layout must be met before a loop is generated for it, and how many loops are kept. */
const LEARN_AFTER = 16
const MAX_LAYOUTS = 8
/** V8 does not optimise the loop of a wider shape, which then is slower than the exact path. */
const MAX_LOOP_FIELDS = 96

/** A plan and what was learnt. */
interface Reader {
  readonly plan: Plan
  readonly padding: number
  readonly layouts: Layout[]
  readonly loops: Loop[]
  /** The loop that matched last. */
  current: number
  /** Rows since the last new layout that no loop matched. */
  missed: number
  /** Those of the last scan with `reuse`. */
  arrays: Arrays | null
}

function newReader(plan: Plan): Reader {
  const padding = lookAhead(Math.max(0, ...plan.slots.map((slot) => slot.key.length * 6)))
  const reader: Reader = { plan, padding, layouts: [], loops: [], current: 0, missed: 0, arrays: null }
  if (plan.slots.length > MAX_LOOP_FIELDS) return reader
  addLayout(reader, { entries: plan.slots.map((slot) => entryOf(plan, slot.index)), spaced: false })
  return reader
}

const entryOf = (plan: Plan, slot: number): Entry => ({ slot, key: Buffer.from(JSON.stringify(plan.slots[slot]!.name)) })

function addLayout(reader: Reader, layout: Layout): void {
  reader.layouts.push(layout)
  reader.loops.push(generateLoop(reader.plan, layout))
  reader.current = reader.loops.length - 1
}

function scan(reader: Reader, input: Buffer, isReused: boolean): Scan {
  const rejects: Reject[] = []
  const valid = reader.plan.trusted || isUtf8(input)
  const bytes = valid ? withRoom(input, reader.padding) : input
  const room = roomBehind(bytes, reader.padding)
  const arrays = isReused ? usedArrays(reader, guessRows(bytes)) : newArrays(reader.plan, guessRows(bytes))
  const state = newState(reader.plan, bytes, arrays, room)
  // Loops look ahead of the line's end: without room behind the input, the last lines are read by the exact path.
  const safe = valid ? bytes.lastIndexOf(10, Math.max(0, bytes.length - reader.padding + room)) + 1 : 0
  let at = 0
  while (at < bytes.length) {
    if (state.row === state.capacity) grow(state, bytes.length, at)
    const isTried = at < safe && bytes[at] === 0x7b
    const next = isTried ? runLoops(reader, state, at, safe) : at
    at = next > at ? next : readLine(reader, state, at, valid, isTried, rejects)
  }
  const { side, lanes, capacity, lines, lineStart, lineEnd, row, line } = state
  if (isReused && capacity <= REUSE_ROWS_MAX) reader.arrays = { lanes, capacity, lines, lineStart, lineEnd }
  const joined = side.length > 0 ? Buffer.concat([bytes, side.bytes.subarray(0, side.length)]) : bytes
  return { batch: finishLanes(reader.plan.wanted, lanes, row, joined), lines, lineStart, lineEnd, rejects, lineCount: line }
}

/** Arrays of more rows are rare, and too large to keep for nothing. */
const REUSE_ROWS_MAX = 16_384

/** Every row writes all of its values, and its nulls; integers beyond 2^53 alone are noted only where there are any. */
function usedArrays(reader: Reader, rows: number): Arrays {
  if (!reader.arrays || reader.arrays.capacity < rows) return newArrays(reader.plan, rows)
  for (const lane of reader.arrays.lanes) lane.wide = null
  return reader.arrays
}

/** Inputs up to this size are copied when memory ends right behind them: cheaper than the exact path for their last lines. */
const COPY_BYTES_MAX = 64 * 1024

/** How many of `wanted` bytes behind the input may be looked at. What stands there is never taken for a row's: a row ends before it. */
const roomBehind = (bytes: Buffer, wanted: number): number =>
  Math.min(wanted, bytes.buffer.byteLength - bytes.byteOffset - bytes.byteLength)

function withRoom(input: Buffer, padding: number): Buffer {
  if (input.length > COPY_BYTES_MAX || roomBehind(input, padding) === padding) return input
  const copy = Buffer.allocUnsafe(input.length + padding)
  copy.set(input)
  return copy.subarray(0, input.length)
}

/** Enough for lines as long as the first, and some; a tiny first line must not make it reserve much for nothing. */
function guessRows(bytes: Buffer): number {
  const first = bytes.indexOf(10)
  // V8 keeps arrays of up to 64 bytes in its own heap, and they cost a tenth: a single row, which is common, needs no more.
  if (first === bytes.length - 1) return 1
  return first < 0 ? 1 : Math.ceil((bytes.length / Math.max(32, first + 1)) * 1.05) + 8
}

/** Room for as many more rows as the density so far lets expect. */
function grow(state: ScanState, size: number, at: number): void {
  const capacity = state.row + Math.max(16, Math.ceil((state.row / Math.max(1, at)) * (size - at) * 1.1))
  for (const lane of state.lanes) growLane(lane, capacity)
  state.lines = copyInto(new Int32Array(capacity), state.lines)
  state.lineStart = copyInto(new Int32Array(capacity), state.lineStart)
  state.lineEnd = copyInto(new Int32Array(capacity), state.lineEnd)
  state.capacity = capacity
}

/** Lets the loops read as far as one of them gets. */
function runLoops(reader: Reader, state: ScanState, at: number, safe: number): number {
  const count = reader.loops.length
  for (let i = 0; i < count; i++) {
    const chosen = (reader.current + i) % count
    const next = reader.loops[chosen]!(state, at, safe)
    if (next === at) continue
    reader.current = chosen
    return next
  }
  return at
}

/** Reads the line at `at` by the exact path and returns where the next begins. `isTried`: no loop could. */
function readLine(reader: Reader, state: ScanState, at: number, valid: boolean, isTried: boolean, rejects: Reject[]): number {
  const { bytes } = state
  const feed = bytes.indexOf(10, at)
  const next = feed < 0 ? bytes.length : feed + 1
  let end = feed < 0 ? bytes.length : feed
  if (end > at && bytes[end - 1] === 13) end--
  if (!isBlank(bytes, at, end)) {
    const problem = checkLine(reader.plan, bytes, at, end, valid) ?? readRow(reader.plan, state, at, end)
    if (problem) rejects.push({ line: state.line, start: at, end, ...problem })
    else {
      state.lines[state.row] = state.line
      state.lineStart[state.row] = at
      state.lineEnd[state.row] = end
      state.row++
      if (isTried) learn(reader, state)
    }
  }
  state.line++
  return next
}

function isBlank(bytes: Buffer, at: number, end: number): boolean {
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0d)) at++
  return at === end
}

function checkLine(plan: Plan, bytes: Buffer, start: number, end: number, valid: boolean): Problem | null {
  if (end - start > plan.maxRowBytes) {
    return { code: 'MR_ROW_TOO_LARGE', field: null, message: `the row has ${end - start} bytes, allowed are ${plan.maxRowBytes}` }
  }
  if (valid || isUtf8(bytes.subarray(start, end))) return null
  return { code: 'MR_ROW_UTF8', field: null, message: 'the line is not valid UTF-8' }
}

/** Takes note of the layout of the row just read; generates a loop when such rows keep coming. */
function learn(reader: Reader, state: ScanState): void {
  const { layouts, plan } = reader
  if (layouts.length === 0 || layouts.length === MAX_LAYOUTS) return
  if (state.style === 'other' || state.orderLength > state.order.length) return
  const order = state.order.subarray(0, state.orderLength)
  if (order.includes(-1)) return
  const spaced = state.style === 'spaced'
  if (layouts.some((layout) => layout.spaced === spaced && covers(plan, layout, order))) return
  if (++reader.missed < LEARN_AFTER) return
  reader.missed = 0
  addLayout(reader, { entries: Array.from(order, (slot) => entryOf(plan, slot)), spaced })
}

/** Whether rows with these keys match the layout: it may have more, if rows may lack those. */
function covers(plan: Plan, layout: Layout, order: Int32Array): boolean {
  let next = 0
  for (const { slot } of layout.entries) {
    if (slot === order[next]) next++
    else if (!plan.slots[slot]!.mayLack) return false
  }
  return next === order.length
}
