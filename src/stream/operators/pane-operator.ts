// Tumbling and hopping windows over any state that can be merged. Each row is taken once, by the pane of the width of the
// slide that it falls into; a window is the sum of its panes, put together when the watermark passes its end. A tumbling
// window is one pane.
import type { Scratch } from '../../core/scratch.ts'
import type { Window } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Projection } from '../expression/compile.ts'
import { Generations, type KeyedTable } from '../spill/generations.ts'
import { joinBatches, type Operator } from './operator.ts'
import { splitByPane } from './panes.ts'

export type FixedWindow = Exclude<Window, { kind: 'session' }>

/** A window of one instant is as wide as the smallest step of time. */
const widthOf = (window: FixedWindow): number => (window.kind === 'instant' ? 1 : window.widthUs)

/** The state of one pane. */
export interface PaneTable extends KeyedTable {
  /** `groups`: of each row. */
  addTo(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void
  merge(from: this): void
}

interface Saved {
  readonly closedUs: number | null
  readonly panes: readonly (readonly [number, unknown])[]
}

export class PaneOperator<Table extends PaneTable> implements Operator {
  readonly #project: Projection
  readonly #makeTable: () => Table
  readonly #rows: (table: Table, bounds: (count: number) => Column[]) => ColumnBatch
  readonly #slideUs: number
  readonly #widthUs: number
  readonly #scratch: Scratch | null
  #panes = new Map<number, Generations<Table>>()
  /** Watermark up to which windows were given out. */
  #closedUs: number | null = null

  /** `project` gives the time first, then what tables take, their keys first; `rows` what comes out, with the bounds of the window. */
  constructor(
    window: FixedWindow,
    project: Projection,
    makeTable: () => Table,
    rows: (table: Table, bounds: (count: number) => Column[]) => ColumnBatch,
    scratch: Scratch | null,
  ) {
    this.#scratch = scratch
    this.#project = project
    this.#makeTable = makeTable
    this.#rows = rows
    this.#widthUs = widthOf(window)
    this.#slideUs = window.kind === 'hop' ? window.slideUs : this.#widthUs
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [time, ...columns] = this.#project(batch.columns, rows, count)
    for (const { start, rows: own, count: size } of splitByPane(time!, count, this.#slideUs)) {
      const pane = this.#panes.get(start) ?? this.#begin(start)
      const groups = pane.find(columns.slice(0, pane.table.keys.width), own, size)
      pane.table.addTo(groups, columns, own, size)
    }
    return null
  }

  #begin(start: number): Generations<Table> {
    const pane = new Generations(this.#makeTable, this.#scratch)
    this.#panes.set(start, pane)
    return pane
  }

  /** Starts of windows that have a pane and end after `afterUs` and not after `untilUs`, in order. */
  #windows(afterUs: number | null, untilUs: number | null): number[] {
    const starts = new Set<number>()
    for (const pane of this.#panes.keys()) {
      for (let start = pane; start > pane - this.#widthUs; start -= this.#slideUs) {
        const end = start + this.#widthUs
        if ((afterUs === null || end > afterUs) && (untilUs === null || end <= untilUs)) starts.add(start)
      }
    }
    return [...starts].sort((a, b) => a - b)
  }

  advance(watermarkUs: number): ColumnBatch | null {
    // A row that was re-driven into a window that was given out makes a row of its own where a window is one pane.
    const afterUs = this.#slideUs === this.#widthUs ? null : this.#closedUs
    const rows = joinBatches(this.#windows(afterUs, watermarkUs).flatMap((start) => this.#rowsOf(start) ?? []))
    for (const [start, pane] of this.#panes) {
      if (start + this.#widthUs > watermarkUs) continue
      pane.close()
      this.#panes.delete(start)
    }
    this.#closedUs = Math.max(this.#closedUs ?? watermarkUs, watermarkUs)
    return rows
  }

  open(): ColumnBatch | null {
    return joinBatches(this.#windows(this.#closedUs, null).flatMap((start) => this.#rowsOf(start) ?? []))
  }

  #rowsOf(start: number): ColumnBatch | null {
    const bound = (us: number, count: number): Column => ({
      kind: 'integer',
      values: new Float64Array(count).fill(us),
      big: null,
      nulls: null,
    })
    const bounds = (count: number): Column[] => [bound(start, count), bound(start + this.#widthUs, count)]
    return joinBatches(Array.from(this.#tablesOf(start), (table) => this.#rows(table, bounds)))
  }

  /** Of a window: a group is in one of them. */
  *#tablesOf(start: number): Generator<Table> {
    if (this.#slideUs === this.#widthUs) {
      yield* this.#panes.get(start)!.parts()
      return
    }
    const whole = this.#makeTable()
    for (let pane = start; pane < start + this.#widthUs; pane += this.#slideUs)
      for (const part of this.#panes.get(pane)?.parts() ?? []) whole.merge(part)
    yield whole
  }

  /** Each pane has a share by its size. */
  fit(limitBytes: number): void {
    const { bytes } = this
    if (bytes === 0) return
    for (const pane of this.#panes.values()) pane.fit((limitBytes * pane.bytes) / bytes)
  }

  get bytes(): number {
    let bytes = 0
    for (const pane of this.#panes.values()) bytes += pane.bytes
    return bytes
  }

  get spilledBytes(): number {
    let bytes = 0
    for (const pane of this.#panes.values()) bytes += pane.spilledBytes
    return bytes
  }

  save(): Saved {
    return { closedUs: this.#closedUs, panes: [...this.#panes].map(([start, pane]) => [start, pane.save()]) }
  }

  restore(saved: unknown): void {
    const { closedUs, panes } = (saved as Saved | null) ?? { closedUs: null, panes: [] }
    this.#closedUs = closedUs
    this.#panes = new Map()
    // Checkpoints of before had the table alone.
    for (const [start, state] of panes) this.#begin(start).restore('table' in (state as object) ? state : { table: state })
  }
}
