// Groups without a window: a keyed table. Every group is kept; those that changed are given out as the latest row of their key.
import type { GroupRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { type GroupLayout, GroupTable, groupLayout } from './group-table.ts'
import type { Operator } from './operator.ts'
import { Bytes } from './paged.ts'
import { groupShape } from './shape.ts'

export class TableGroup implements Operator {
  readonly openWindows = 0
  readonly #layout: GroupLayout
  readonly #project: Projection
  readonly #shape: Shape
  #table: GroupTable
  #isChanged = new Bytes()
  #changed: number[] = []

  constructor(group: GroupRelation, input: Shape) {
    this.#layout = groupLayout(group.keys, group.aggregates)
    this.#project = compileProjection(this.#layout.inputs, input)
    this.#shape = groupShape(group)
    this.#table = new GroupTable(this.#layout)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const before = this.#table.size
    const groups = this.#table.add(this.#project(batch.columns, rows, count), null, count)
    // Without aggregates (DISTINCT) a group changes once, when it appears.
    const first = this.#layout.aggregates.length === 0 ? before : 0
    for (let i = 0; i < count; i++) {
      const group = groups[i]!
      if (group < first || this.#isChanged.at(group) === 1) continue
      this.#isChanged.put(group, 1)
      this.#changed.push(group)
    }
    return null
  }

  advance(): null {
    return null
  }

  open(): null {
    return null
  }

  changed(): ColumnBatch | null {
    if (this.#changed.length === 0) return null
    const groups = Int32Array.from(this.#changed)
    for (const group of groups) this.#isChanged.put(group, 0)
    this.#changed = []
    return { shape: this.#shape, rows: groups.length, columns: this.#table.columns(groups) }
  }

  get bytes(): number {
    return this.#table.bytes + this.#isChanged.bytes
  }

  save(): unknown {
    return { table: this.#table.save(), changed: [...this.#changed] }
  }

  restore(saved: unknown): void {
    const { table, changed } = (saved as { table: unknown; changed: number[] } | null) ?? { table: null, changed: [] }
    this.#table = new GroupTable(this.#layout)
    if (table) this.#table.restore(table)
    this.#isChanged = new Bytes()
    this.#changed = [...changed]
    for (const group of changed) this.#isChanged.put(group, 1)
  }
}
