// The rows of both sides of a join by their keys, which the sides share.
import type { Expression } from '../../engine/algebra/expression.ts'
import { HeldRows } from '../memory/held-rows.ts'
import { KeyTable } from '../memory/key-table.ts'
import { keysInUse } from '../memory/keys-in-use.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { KeyedTable } from '../spill/generations.ts'

export interface JoinLayout {
  readonly keys: readonly Expression['type'][]
  /** By side: what is held of a row. */
  readonly rows: readonly [readonly Expression['type'][], readonly Expression['type'][]]
}

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
    const keys = keysInUse(this.keys, this.#layout.keys, this.held)
    if (keys) this.keys = keys
    return keys !== null
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
