// The dedupe keys of a partition that came within the horizon, each with when it came last, in typed arrays: as many as there is memory
// for, a key of 36 characters takes about 70 bytes. In two parts: once all of the older one is beyond the horizon, it is dropped whole.
import type { Column } from '../schema/batch.ts'
import type { Type } from '../schema/type.ts'
import { KeyTable } from './memory/key-table.ts'
import { Doubles } from './memory/paged.ts'

interface Part {
  readonly keys: KeyTable
  /** Append time of the last row of each key, milliseconds. */
  readonly times: Doubles
}

const NEVER = Number.NEGATIVE_INFINITY

export class SeenKeys {
  readonly #types: readonly Type[]
  readonly #withinMs: number
  #newer: Part
  #older: Part
  /** When the newer part was begun. */
  #begunMs = 0

  constructor(types: readonly Type[], withinMs: number) {
    this.#types = types
    this.#withinMs = withinMs
    this.#newer = this.#empty()
    this.#older = this.#empty()
  }

  #empty(): Part {
    return { keys: new KeyTable(this.#types), times: new Doubles() }
  }

  /**
   * Of each row: 1 when its key came within the horizon before, in an earlier row or call. Every row is a key that came, also one that is
   * marked. Append times, milliseconds, do not go back. Null is a value like others.
   */
  mark(columns: readonly Column[], count: number, appendMs: Float64Array): Uint8Array {
    const marks = new Uint8Array(count)
    for (let from = 0; from < count; ) {
      if (this.#newer.keys.size === 0) this.#begunMs = appendMs[from]!
      else if (this.#isOver(appendMs[from]!)) this.#turn(appendMs[from]!)
      let until = from + 1
      while (until < count && !this.#isOver(appendMs[until]!)) until++
      this.#markRows(columns, from, until, appendMs, marks)
      from = until
    }
    return marks
  }

  #isOver(ms: number): boolean {
    return ms - this.#begunMs > this.#withinMs
  }

  /** What is in the older part came before the newer one was begun: it is beyond the horizon. */
  #turn(ms: number): void {
    this.#older = this.#newer
    this.#newer = this.#empty()
    this.#begunMs = ms
  }

  /** Rows for which the parts stay as they are. */
  #markRows(columns: readonly Column[], from: number, until: number, appendMs: Float64Array, marks: Uint8Array): void {
    const { keys, times } = this.#newer
    const rows = new Int32Array(until - from)
    for (let i = 0; i < rows.length; i++) rows[i] = from + i
    // Numbers of new keys go up with their first rows.
    let next = keys.size
    const groups = keys.find(columns, rows, rows.length)
    const firsts = new Int32Array(keys.size - next)
    for (let i = 0, known = next; i < rows.length; i++) if (groups[i] === known) firsts[known++ - next] = rows[i]!
    const before = this.#timesBefore(columns, firsts)
    for (let i = 0, first = 0; i < rows.length; i++) {
      const row = rows[i]!
      const group = groups[i]!
      const isFirst = group === next
      const lastMs = isFirst ? before[first++]! : times.at(group)
      if (isFirst) next++
      times.put(group, appendMs[row]!)
      marks[row] = appendMs[row]! - lastMs <= this.#withinMs ? 1 : 0
    }
  }

  /** When the keys of these rows came last according to the older part. */
  #timesBefore(columns: readonly Column[], rows: Int32Array): Float64Array {
    const { keys, times } = this.#older
    const before = new Float64Array(rows.length).fill(NEVER)
    if (keys.size === 0) return before
    const groups = keys.lookup(columns, rows, rows.length)
    for (let i = 0; i < rows.length; i++) if (groups[i]! >= 0) before[i] = times.at(groups[i]!)
    return before
  }

  /** Of memory. */
  get bytes(): number {
    return [this.#newer, this.#older].reduce((sum, { keys, times }) => sum + keys.bytes + times.bytes, 0)
  }
}
