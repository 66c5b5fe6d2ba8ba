// Entries as lines of JSON, in memory, in checkpoints and in what is spilled: `[key, cells]`, `[key, cells, timers]` after a space, or
// `[key]` for a key that is no more. Of several lines of one key the last counts, and lines may be empty. States that are new, or were
// declared as another kind or type, start empty.
import { keepsState } from '../../define/keeps-state.ts'
import type { StateManifest } from '../../define/manifest.ts'
import type { Entry, TimeOf, Timer } from './entry.ts'
import type { Kind } from './slot.ts'

export type SavedTimer = readonly [name: string, atUs: number, by: TimeOf, seq: number]
export type SavedEntry = readonly [key: string, cells: readonly unknown[], timers?: readonly SavedTimer[]]
/** The timers of entries that come back from where they were kept. */
export type OnTimer = (entry: Entry, timer: SavedTimer) => void
export type Declared = Readonly<Record<string, StateManifest>>

export class EntryCodec {
  readonly #kinds: readonly Kind<unknown>[]
  /** By own state: where it is among those that were saved; -1 for nowhere. */
  readonly #from: readonly number[]

  constructor(kinds: readonly Kind<unknown>[], declared: Declared, saved: Declared = declared) {
    const names = Object.keys(saved)
    const isKept = (name: string): boolean => name in saved && keepsState(saved[name]!, declared[name]!)
    this.#kinds = kinds
    this.#from = Object.keys(declared).map((name) => (isKept(name) ? names.indexOf(name) : -1))
  }

  encodeCells(cells: readonly unknown[]): unknown[] {
    return this.#kinds.map((kind, index) => (cells[index] === null ? null : kind.encode(cells[index])))
  }

  decodeCells(saved: readonly unknown[], into: unknown[]): void {
    for (let own = 0; own < into.length; own++) {
      const cell = saved[this.#from[own]!] ?? null
      into[own] = cell === null ? null : this.#kinds[own]!.decode(cell)
    }
  }

  encode({ key, cells, timers }: Entry): string {
    if (timers === null) return `${JSON.stringify([key, this.encodeCells(cells)])}\n`
    return ` ${JSON.stringify([key, this.encodeCells(cells), [...listed(timers)].map(savedTimer)])}\n`
  }
}

const savedTimer = ({ name, atUs, by, seq }: Timer): SavedTimer => [name, atUs, by, seq]

export function* listed(first: Timer | null): Generator<Timer> {
  for (let timer = first; timer !== null; timer = timer.next) yield timer
}
