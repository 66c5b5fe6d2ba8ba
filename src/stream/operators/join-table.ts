// The rows of both sides of a join by their keys, which the sides share.
import type { Expression } from '../../engine/algebra/expression.ts'
import type { KeyedTable } from '../spill/generations.ts'
import type { RecordReader, RecordWriter } from '../spill/record.ts'
import { HeldRows } from './held-rows.ts'
import { KeyTable } from './key-table.ts'

export interface JoinLayout {
  readonly keys: readonly Expression['type'][]
  /** By side: what is held of a row. */
  readonly rows: readonly [readonly Expression['type'][], readonly Expression['type'][]]
}

/** Keys that no row has any more are dropped once they outnumber those in use by this. */
const DEAD_KEYS = 4
const KEYS_MIN = 4_096

export class JoinTable implements KeyedTable {
  keys: KeyTable
  readonly held: readonly [HeldRows, HeldRows]
  readonly #layout: JoinLayout

  constructor(layout: JoinLayout) {
    this.#layout = layout
    this.keys = new KeyTable(layout.keys)
    this.held = [new HeldRows(layout.rows[0]), new HeldRows(layout.rows[1])]
  }

  write(group: number, out: RecordWriter): void {
    for (const held of this.held) held.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    for (const held of this.held) held.read(group, from)
  }

  /** Forgets keys that no row has, once they are many. True when it did: the other keys have other numbers now. */
  tidy(): boolean {
    const [left, right] = this.held
    if (this.keys.size < KEYS_MIN || this.keys.size < (left.count + right.count) * DEAD_KEYS) return false
    const used = new Set<number>()
    for (const held of this.held) for (const slot of held.slots()) if (held.groupOf(slot) >= 0) used.add(held.groupOf(slot))
    const groups = Int32Array.from(used)
    const keys = new KeyTable(this.#layout.keys)
    const anew = keys.find(this.keys.columns(groups, groups.length), null, groups.length)
    const byOld = new Map([...groups].map((group, i) => [group, anew[i]!]))
    for (const held of this.held) held.renumber((group) => byOld.get(group)!)
    this.keys = keys
    return true
  }

  get bytes(): number {
    return this.keys.bytes + this.held[0].bytes + this.held[1].bytes
  }

  save(): unknown {
    return { keys: this.keys.save(), held: this.held.map((held) => held.save()) }
  }

  restore(saved: unknown): void {
    const { keys, held } = saved as { keys: unknown; held: readonly unknown[] }
    this.keys.restore(keys)
    for (const [side, rows] of this.held.entries()) rows.restore(held[side])
  }
}
