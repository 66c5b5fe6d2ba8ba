// Keyed state of processors: declared, so that it can be checkpointed and migrated. Each kind is a small cell of plain JSON
// per key, and one accessor object that user code holds and that points at the current key's cell. The time of a change
// is the record's event time: state never reads a clock. PROTOCOL rules 10 and 12.
import type { StateManifest } from '../define/manifest.ts'
import { decodeValue, encodeValue, type Value } from './value.ts'

/** The plain data of one state of one key. */
export type Cell = { [name: string]: unknown } | null

interface Cursor {
  cells: Cell[]
  nowUs: number
}

type Accessor = object

export interface KeyedState {
  /** Names in the order of the declaration. */
  readonly names: readonly string[]
  /** What user code gets as `state`. */
  readonly accessors: Readonly<Record<string, Accessor>>
  /** Points the accessors at a key's cells. */
  enter(key: string, nowUs: number): void
  readonly keys: number
  save(): unknown
  restore(saved: unknown): void
}

export function keyedState(declared: Readonly<Record<string, StateManifest>>): KeyedState {
  const names = Object.keys(declared)
  const byKey = new Map<string, Cell[]>()
  const cursor: Cursor = { cells: [], nowUs: 0 }
  const accessors = Object.fromEntries(names.map((name, index) => [name, accessorOf(declared[name]!, cursor, index)]))
  return {
    names,
    accessors,
    enter(key, nowUs) {
      let cells = byKey.get(key)
      if (!cells) {
        cells = names.map(() => null)
        byKey.set(key, cells)
      }
      cursor.cells = cells
      cursor.nowUs = nowUs
    },
    get keys() {
      return byKey.size
    },
    save: () => ({ names, keys: [...byKey] }),
    restore(saved) {
      byKey.clear()
      if (!saved) return
      const { names: savedNames, keys } = saved as { names: string[]; keys: [string, Cell[]][] }
      const from = names.map((name) => savedNames.indexOf(name))
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

function valueState({ type }: Extract<StateManifest, { kind: 'value' }>, cursor: Cursor, index: number): Accessor {
  return {
    get: (): Value | null => {
      const cell = cursor.cells[index] as { v: unknown } | null
      return cell ? decodeValue(type, cell.v) : null
    },
    set: (value: Value | null): void => {
      cursor.cells[index] = value === null ? null : { v: encodeValue(type, value) }
    },
    clear: (): void => {
      cursor.cells[index] = null
    },
  }
}

/** Members expire `within` after they were last added. Kept as [member, time] pairs, oldest first. */
function expiringSet({ withinMs }: Extract<StateManifest, { kind: 'expiringSet' }>, cursor: Cursor, index: number): Accessor {
  const live = (): [string, number][] => {
    const cell = cursor.cells[index] as { m: [string, number][] } | null
    if (!cell) return []
    const members = cell.m.filter(([, atUs]) => cursor.nowUs - atUs < withinMs * 1_000)
    if (members.length !== cell.m.length) cursor.cells[index] = members.length === 0 ? null : { m: members }
    return members
  }
  return {
    add: (value: Value): void => {
      const text = String(value)
      cursor.cells[index] = { m: [...live().filter(([member]) => member !== text), [text, cursor.nowUs]] }
    },
    has: (value: Value): boolean => live().some(([member]) => member === String(value)),
    clear: (): void => {
      cursor.cells[index] = null
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

/** Count, mean and variance by Welford's method (Technometrics 4, 1962). */
function moments(cursor: Cursor, index: number): Accessor {
  const cell = (): { n: number; mean: number; m2: number } =>
    (cursor.cells[index] as { n: number; mean: number; m2: number } | null) ?? { n: 0, mean: 0, m2: 0 }
  const variance = (): number => {
    const { n, m2 } = cell()
    return n < 2 ? 0 : m2 / (n - 1)
  }
  const deviation = (): number => Math.sqrt(variance())
  return {
    push: (x: number): void => {
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
