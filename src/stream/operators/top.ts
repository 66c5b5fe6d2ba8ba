// QUALIFY row_number() or rank(): the first rows of each partition, for each window when the watermark has passed its end, or
// for good as a keyed table whose rows are given out when they change.
import type { Scratch } from '../../core/scratch.ts'
import { type Expression, INT, LONG, TIMESTAMP } from '../../engine/algebra/expression.ts'
import type { GroupRelation, TopRelation } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import { fieldOf, type Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { Ints } from '../memory/paged.ts'
import { Generations } from '../spill/generations.ts'
import type { Operator } from './operator.ts'
import { type FixedWindow, PaneOperator } from './pane-operator.ts'
import { topShape } from './shape.ts'
import { type TopLayout, TopTable } from './top-table.ts'

/** What puts rows in the order of the log. PROTOCOL rule 10. */
const LOG_ORDER: readonly Expression[] = [
  { op: 'column', name: '_ingested_at', type: TIMESTAMP, optional: false },
  { op: 'column', name: '_partition', type: INT, optional: false },
  { op: 'column', name: '_offset', type: LONG, optional: false },
]

interface Made {
  readonly layout: TopLayout
  readonly project: Projection
  /** Where the kept columns begin among those of a row. */
  readonly keptAt: number
  readonly shape: Shape
}

/** `kept`: names of the input's columns that are read later. */
function make(top: TopRelation, input: Shape, kept: readonly string[], times: readonly Expression[]): Made {
  const columns = kept.map((name): Expression => ({ op: 'column', name, type: fieldOf(input, name)!.type, optional: true }))
  const byLog = top.function === 'row_number' ? (top.ties ?? LOG_ORDER) : []
  const row = [...top.order.map(({ value }) => value), ...byLog, ...columns]
  const layout: TopLayout = {
    top,
    partition: top.partition.map(({ type }) => type),
    row: row.map(({ type }) => type),
    orderCount: top.order.length + byLog.length,
  }
  const shape = topShape(top, { fields: kept.map((name) => fieldOf(input, name)!) })
  const keptAt = top.partition.length + layout.orderCount
  return { layout, project: compileProjection([...times, ...top.partition, ...row], input), keptAt, shape }
}

const UNCHANGED = -1

export class TableTop implements Operator {
  readonly #made: Made
  readonly #partitions: Generations<TopTable>
  #changed: number[] = []
  /** Of partitions that have changed: how many of their first rows have not, whose ranks have the rows that they had. */
  readonly #same = new Ints(UNCHANGED)

  constructor(top: TopRelation, input: Shape, kept: readonly string[], scratch: Scratch | null) {
    const made = make(top, input, kept, [])
    this.#made = made
    this.#partitions = new Generations(() => new TopTable(made.layout), scratch)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#made.project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const columns = this.#made.project(batch.columns, rows, count)
    const partitions = this.#partitions.find(columns.slice(0, this.#made.layout.partition.length), null, count)
    this.#partitions.table.addTo(partitions, columns, null, count, (partition, same) => this.#note(partition, same))
    return null
  }

  #note(partition: number, same: number): void {
    const before = this.#same.at(partition)
    if (before === UNCHANGED) this.#changed.push(partition)
    if (before === UNCHANGED || same < before) this.#same.put(partition, same)
  }

  changed(): ColumnBatch | null {
    if (this.#changed.length === 0) return null
    const partitions = new Int32Array(this.#changed)
    const { columns, ranks, count } = this.#partitions.table.columns(partitions, this.#sameOf(partitions))
    for (const partition of partitions) this.#same.put(partition, UNCHANGED)
    this.#changed = []
    return { shape: this.#made.shape, rows: count, columns: [...columns.slice(this.#made.keptAt), ranks] }
  }

  #sameOf(partitions: Int32Array): Int32Array {
    return partitions.map((partition) => this.#same.at(partition))
  }

  /** What has changed holds partitions of the young table. */
  fit(limitBytes: number): void {
    if (this.#changed.length > 0) return
    this.#partitions.fit(limitBytes - this.#same.bytes)
    if (this.#partitions.table.size === 0) this.#same.clear()
  }

  get bytes(): number {
    return this.#partitions.bytes + this.#same.bytes
  }

  get spilledBytes(): number {
    return this.#partitions.spilledBytes
  }

  save(): unknown {
    return { ...this.#partitions.save(), changed: [...this.#changed], same: [...this.#sameOf(new Int32Array(this.#changed))] }
  }

  restore(saved: unknown): void {
    // Checkpoints of before gave out all rows of what had changed.
    const { changed, same } = (saved as { changed: number[]; same?: number[] } | null) ?? { changed: [] }
    this.#partitions.restore(saved)
    this.#changed = []
    this.#same.clear()
    for (const [i, partition] of changed.entries()) this.#note(partition, same?.[i] ?? 0)
  }
}

/** For each window: rows are ranked by panes, a window by the best rows of its panes. */
export function windowTop(top: TopRelation, window: FixedWindow, input: Shape, kept: readonly string[], scratch: Scratch | null): Operator {
  const { layout, project, keptAt, shape } = make(top, input, kept, [window.time])
  const makeTable = (): TopTable => new TopTable(layout)
  const rows = (table: TopTable, bounds: (count: number) => Column[]): ColumnBatch => {
    const { columns, ranks, count } = table.columns(null)
    return { shape, rows: count, columns: [...columns.slice(keptAt), ...(window.kind === 'instant' ? [] : bounds(count)), ranks] }
  }
  return new PaneOperator(window, project, makeTable, rows, scratch)
}

/** Over the rows of windows that are given out together: their groups, numbered within each window. */
export function rankGroups(top: TopRelation, group: GroupRelation, input: Shape): (batch: ColumnBatch) => ColumnBatch {
  const columnOf = (name: string): Expression => ({ op: 'column', name, type: fieldOf(input, name)!.type, optional: true })
  const ties = top.function === 'row_number' ? group.keys.map(({ name }) => columnOf(name)) : []
  const partition = [columnOf('window_start'), ...top.partition]
  const row = [...top.order.map(({ value }) => value), ...ties, ...input.fields.map(({ name }) => columnOf(name))]
  const layout: TopLayout = {
    top,
    partition: partition.map(({ type }) => type),
    row: row.map(({ type }) => type),
    orderCount: top.order.length + ties.length,
  }
  const project = compileProjection([...partition, ...row], input)
  const shape = topShape(top, input)
  return (batch) => {
    const table = new TopTable(layout)
    table.add(project(batch.columns, null, batch.rows), null, batch.rows)
    const { columns, ranks, count } = table.columns(null)
    return { shape, rows: count, columns: [...columns.slice(partition.length + layout.orderCount), ranks] }
  }
}
