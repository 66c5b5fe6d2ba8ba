// Keyed state of processors: declared, so that it can be checkpointed and migrated. Each kind is a small cell of plain JSON
// per key, and one accessor object that user code holds and that points at the current key's cell. The time of a change
// is the record's event time: state never reads a clock. PROTOCOL rules 10 and 12.
import type { StateManifest } from '../define/manifest.ts'
import { decodeValue, encodeValue, type Value } from './value.ts'

/** The plain data of one state of one key: replaced when it changes, never changed in place. */
export type Cell = { readonly [name: string]: unknown } | null

interface Cursor {
  cells: Cell[]
  nowUs: number
}

type Accessor = object

export interface KeyedState {
  /** What user code gets as `state`, by the declared names. */
  readonly accessors: Readonly<Record<string, Accessor>>
  /** Points the accessors at a key's cells. */
  enter(key: string, nowUs: number): void
  /** Takes back every change since `enter`. */
  undo(): void
  /** Keys that have something to remember. */
  readonly keys: number
  /** Plain JSON of all keys; later changes do not show in it. */
  save(): unknown
  /** States that are new, or that were declared as another kind or type, start empty. */
  restore(saved: unknown): void
}

interface Saved {
  readonly declared: Readonly<Record<string, StateManifest>>
  readonly keys: readonly (readonly [string, readonly Cell[]])[]
}

export function keyedState(declared: Readonly<Record<string, StateManifest>>): KeyedState {
  const names = Object.keys(declared)
  const byKey = new Map<string, Cell[]>()
  const cursor: Cursor = { cells: [], nowUs: 0 }
  let before: readonly Cell[] = []
  const accessors = Object.fromEntries(names.map((name, index) => [name, accessorOf(declared[name]!, cursor, index)]))
  const filled = (): [string, Cell[]][] => [...byKey].filter(([, cells]) => cells.some((cell) => cell !== null))
  return {
    accessors,
    enter(key, nowUs) {
      let cells = byKey.get(key)
      if (!cells) {
        cells = names.map(() => null)
        byKey.set(key, cells)
      }
      before = [...cells]
      cursor.cells = cells
      cursor.nowUs = nowUs
    },
    undo() {
      for (let index = 0; index < before.length; index++) cursor.cells[index] = before[index]!
    },
    get keys() {
      return filled().length
    },
    save: (): Saved => ({ declared, keys: filled().map(([key, cells]) => [key, [...cells]]) }),
    restore(saved) {
      byKey.clear()
      if (!saved) return
      const { declared: then, keys } = saved as Saved
      const savedNames = Object.keys(then)
      const isSame = (name: string): boolean => JSON.stringify(then[name]) === JSON.stringify(declared[name])
      const from = names.map((name) => (isSame(name) ? savedNames.indexOf(name) : -1))
      for (const [key, cells] of keys)
        byKey.set(
          key,
          from.map((index) => (index < 0 ? null : cells[index]!)),
        )
    },
  }
}

function accessorOf(declared: StateManifest, cursor: Cursor, index: number): Accessor {
  switch (declared.kind) {
    case 'value':
      return valueState(declared, cursor, index)
    case 'expiringSet':
      return expiringSet(declared, cursor, index)
    case 'ewma':
      return ewma(declared.windowMs * 1_000, cursor, index)
    case 'moments':
      return moments(cursor, index)
  }
}

/** Kept as JSON text, so that user code never holds what is in the cell. */
function valueState({ type }: Extract<StateManifest, { kind: 'value' }>, cursor: Cursor, index: number): Accessor {
  return {
    get: (): Value => {
      const cell = cursor.cells[index] as { v: string } | null
      return cell ? decodeValue(type, JSON.parse(cell.v)) : null
    },
    set: (value: Value): void => {
      cursor.cells[index] = value === null || value === undefined ? null : { v: JSON.stringify(encodeValue(type, value)) }
    },
    clear: (): void => {
      cursor.cells[index] = null
    },
  }
}

type Members = readonly (readonly [string, number])[]

/** Members expire `within` after they were last added. Kept as [member, time] pairs. */
function expiringSet({ type, withinMs }: Extract<StateManifest, { kind: 'expiringSet' }>, cursor: Cursor, index: number): Accessor {
  const live = (): Members => {
    const cell = cursor.cells[index] as { m: Members } | null
    if (!cell) return []
    const members = cell.m.filter(([, atUs]) => cursor.nowUs - atUs < withinMs * 1_000)
    if (members.length !== cell.m.length) cursor.cells[index] = members.length === 0 ? null : { m: members }
    return members
  }
  const textOf = (value: Value): string => JSON.stringify(encodeValue(type, value))
  return {
    add: (value: Value): void => {
      const text = textOf(value)
      const members = live()
      // Events may come out of order: one that is older does not shorten a member's life.
      const lastUs = members.find(([member]) => member === text)?.[1] ?? cursor.nowUs
      const rest = members.filter(([member]) => member !== text)
      cursor.cells[index] = { m: [...rest, [text, Math.max(lastUs, cursor.nowUs)]] }
    },
    has: (value: Value): boolean => {
      const text = textOf(value)
      return live().some(([member]) => member === text)
    },
    get size(): number {
      return live().length
    },
  }
}

/** Exponentially weighted rate, per second: what was ticked decays by 1/e each window. */
function ewma(windowUs: number, cursor: Cursor, index: number): Accessor {
  const decayed = (): number => {
    const cell = cursor.cells[index] as { v: number; t: number } | null
    return cell ? cell.v * Math.exp(-Math.max(0, cursor.nowUs - cell.t) / windowUs) : 0
  }
  return {
    tick: (weight = 1): void => {
      const last = (cursor.cells[index] as { t: number } | null)?.t ?? cursor.nowUs
      cursor.cells[index] = { v: decayed() + weight, t: Math.max(last, cursor.nowUs) }
    },
    get value(): number {
      return decayed() / (windowUs / 1_000_000)
    },
  }
}

interface Moments {
  readonly n: number
  readonly mean: number
  readonly m2: number
}

/** Count, mean and variance by Welford's method (Technometrics 4, 1962). Numbers that are not finite are passed over. */
function moments(cursor: Cursor, index: number): Accessor {
  const cell = (): Moments => (cursor.cells[index] as unknown as Moments | null) ?? { n: 0, mean: 0, m2: 0 }
  const variance = (): number => {
    const { n, m2 } = cell()
    return n < 2 ? 0 : m2 / (n - 1)
  }
  const deviation = (): number => Math.sqrt(variance())
  return {
    add: (x: number): void => {
      if (!Number.isFinite(x)) return
      const { n, mean, m2 } = cell()
      const next = mean + (x - mean) / (n + 1)
      cursor.cells[index] = { n: n + 1, mean: next, m2: m2 + (x - mean) * (x - next) }
    },
    score: (x: number): number => (deviation() === 0 ? 0 : (x - cell().mean) / deviation()),
    get count(): number {
      return cell().n
    },
    get mean(): number {
      return cell().mean
    },
    get variance(): number {
      return variance()
    },
    get deviation(): number {
      return deviation()
    },
  }
}
