// Tumbling and hopping windows over any state that can be merged. Each row is taken once, by the pane of the width of the
// slide that it falls into; a window is the sum of its panes, put together when the watermark passes its end. A tumbling
// window is one pane.
import type { Window } from '../../engine/algebra/relation.ts'
import type { Column, ColumnBatch } from '../../schema/batch.ts'
import type { Projection } from '../expression/compile.ts'
import { joinBatches, type Operator } from './operator.ts'
import { splitByPane } from './panes.ts'

export type FixedWindow = Exclude<Window, { kind: 'session' }>

/** A window of one instant is as wide as the smallest step of time. */
const widthOf = (window: FixedWindow): number => (window.kind === 'instant' ? 1 : window.widthUs)

/** The state of one pane. */
export interface PaneTable {
  add(columns: readonly Column[], rows: Int32Array | null, count: number): unknown
  merge(from: this): void
  readonly bytes: number
  save(): unknown
  restore(saved: unknown): void
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
  #panes = new Map<number, Table>()
  /** Watermark up to which windows were given out. */
  #closedUs: number | null = null

  /** `project` gives the time first, then what tables take; `rows` what comes out, with the bounds of the window. */
  constructor(
    window: FixedWindow,
    project: Projection,
    makeTable: () => Table,
    rows: (table: Table, bounds: (count: number) => Column[]) => ColumnBatch,
  ) {
    this.#project = project
    this.#makeTable = makeTable
    this.#rows = rows
    this.#widthUs = widthOf(window)
    this.#slideUs = window.kind === 'hop' ? window.slideUs : this.#widthUs
  }

  get openWindows(): number {
    return this.#windows(null, null).length
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [time, ...columns] = this.#project(batch.columns, rows, count)
    for (const { start, rows: own, count: size } of splitByPane(time!, count, this.#slideUs)) {
      let table = this.#panes.get(start)
      if (!table) {
        table = this.#makeTable()
        this.#panes.set(start, table)
      }
      table.add(columns, own, size)
    }
    return null
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
    const rows = joinBatches(this.#windows(afterUs, watermarkUs).map((start) => this.#rowsOf(start)))
    for (const pane of this.#panes.keys()) if (pane + this.#widthUs <= watermarkUs) this.#panes.delete(pane)
    this.#closedUs = Math.max(this.#closedUs ?? watermarkUs, watermarkUs)
    return rows
  }

  open(): ColumnBatch | null {
    return joinBatches(this.#windows(this.#closedUs, null).map((start) => this.#rowsOf(start)))
  }

  changed(): null {
    return null
  }

  #rowsOf(start: number): ColumnBatch {
    const bound = (us: number, count: number): Column => ({
      kind: 'integer',
      values: new Float64Array(count).fill(us),
      big: null,
      nulls: null,
    })
    return this.#rows(this.#tableOf(start), (count) => [bound(start, count), bound(start + this.#widthUs, count)])
  }

  #tableOf(start: number): Table {
    if (this.#slideUs === this.#widthUs) return this.#panes.get(start)!
    const whole = this.#makeTable()
    for (let pane = start; pane < start + this.#widthUs; pane += this.#slideUs) {
      const part = this.#panes.get(pane)
      if (part) whole.merge(part)
    }
    return whole
  }

  get bytes(): number {
    let bytes = 0
    for (const table of this.#panes.values()) bytes += table.bytes
    return bytes
  }

  save(): Saved {
    return { closedUs: this.#closedUs, panes: [...this.#panes].map(([start, table]) => [start, table.save()]) }
  }

  restore(saved: unknown): void {
    const { closedUs, panes } = (saved as Saved | null) ?? { closedUs: null, panes: [] }
    this.#closedUs = closedUs
    this.#panes = new Map(
      panes.map(([start, state]) => {
        const table = this.#makeTable()
        table.restore(state)
        return [start, table]
      }),
    )
  }
}
