// Groups without a window: a keyed table. Every group is kept; those that changed are given out as the latest row of their key. Without
// keys there is one group, from the start.
import type { Scratch } from '../../core/scratch.ts'
import type { GroupRelation } from '../../engine/algebra/relation.ts'
import type { ColumnBatch } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { Bytes } from '../memory/paged.ts'
import { Generations } from '../spill/generations.ts'
import { type GroupLayout, GroupTable, groupLayout } from './group-table.ts'
import type { Operator } from './operator.ts'
import { groupShape } from './shape.ts'

export class TableGroup implements Operator {
  readonly #layout: GroupLayout
  readonly #project: Projection
  readonly #shape: Shape
  readonly #groups: Generations<GroupTable>
  #isChanged = new Bytes()
  #changed: number[] = []

  constructor(group: GroupRelation, input: Shape, scratch: Scratch | null) {
    this.#layout = groupLayout(group.keys, group.aggregates)
    this.#project = compileProjection(this.#layout.inputs, input)
    this.#shape = groupShape(group)
    this.#groups = new Generations(() => new GroupTable(this.#layout), scratch)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const columns = this.#project(batch.columns, rows, count)
    const groups = this.#groups.find(columns.slice(0, this.#layout.keys.length), null, count)
    this.#groups.table.addTo(groups, columns, null, count)
    // Without aggregates (DISTINCT) a group changes once, when it appears.
    const isOnce = this.#layout.aggregates.length === 0
    for (let i = 0; i < count; i++) {
      const group = groups[i]!
      if ((isOnce && !this.#groups.isNew(group)) || this.#isChanged.at(group) === 1) continue
      this.#isChanged.put(group, 1)
      this.#changed.push(group)
    }
    return null
  }

  changed(): ColumnBatch | null {
    if (this.#changed.length === 0) return null
    const groups = new Int32Array(this.#changed)
    for (const group of groups) this.#isChanged.put(group, 0)
    this.#changed = []
    return { shape: this.#shape, rows: groups.length, columns: this.#groups.table.columns(groups) }
  }

  /** What has changed holds groups of the young table. */
  fit(limitBytes: number): void {
    if (this.#changed.length > 0) return
    this.#groups.fit(limitBytes - this.#isChanged.bytes)
    if (this.#groups.table.keys.size === 0) this.#isChanged.clear()
  }

  get bytes(): number {
    return this.#groups.bytes + this.#isChanged.bytes
  }

  get spilledBytes(): number {
    return this.#groups.spilledBytes
  }

  save(): unknown {
    return { ...this.#groups.save(), changed: [...this.#changed] }
  }

  restore(saved: unknown): void {
    const { changed } = (saved as { changed: number[] } | null) ?? { changed: [] }
    this.#groups.restore(saved)
    this.#isChanged = new Bytes()
    this.#changed = [...changed]
    if (saved === null && this.#layout.keys.length === 0) this.#changed.push(...this.#groups.find([], null, 1))
    for (const group of this.#changed) this.#isChanged.put(group, 1)
  }
}
