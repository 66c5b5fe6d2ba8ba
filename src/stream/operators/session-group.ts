// Sessions as an operator: rows go into the sessions of their keys, and what a session has comes out when the watermark has passed
// its end. Keys whose sessions have no room in memory lie on the disk until a row comes or one of them ends.
import type { Scratch } from '../../core/scratch.ts'
import type { GroupRelation, Window } from '../../engine/algebra/relation.ts'
import { type ColumnBatch, microsOf } from '../../schema/batch.ts'
import type { Shape } from '../../schema/type.ts'
import { compileProjection, type Projection } from '../expression/compile.ts'
import { Generations } from '../spill/generations.ts'
import { groupLayout } from './group-table.ts'
import { joinBatches, type Operator } from './operator.ts'
import { type SessionLayout, SessionTable } from './session-table.ts'
import { groupShape } from './shape.ts'

export class SessionGroup implements Operator {
  readonly #project: Projection
  readonly #shape: Shape
  readonly #keys: Generations<SessionTable>

  constructor(group: GroupRelation, window: Extract<Window, { kind: 'session' }>, input: Shape, scratch: Scratch | null = null) {
    const layout: SessionLayout = { key: group.keys[0]!, aggregates: group.aggregates, gapUs: window.gapUs }
    this.#project = compileProjection([window.time, ...groupLayout(group.keys, group.aggregates).inputs], input)
    this.#shape = groupShape(group)
    this.#keys = new Generations(() => new SessionTable(layout), scratch)
  }

  probe(batch: ColumnBatch, rows: Int32Array | null, count: number): void {
    this.#project(batch.columns, rows, count)
  }

  take(batch: ColumnBatch, rows: Int32Array | null, count: number): null {
    const [time, key, ...columns] = this.#project(batch.columns, rows, count)
    const keys = this.#keys.find([key!], null, count)
    this.#keys.table.add(keys, microsOf(time!), columns, count)
    return null
  }

  advance(watermarkUs: number): ColumnBatch | null {
    this.#keys.wake(watermarkUs)
    const { table } = this.#keys
    const ended = table.ended(watermarkUs)
    if (ended.length === 0) return null
    const rows = this.#rowsOf(table, ended)
    table.close(ended)
    return rows
  }

  open(): ColumnBatch | null {
    return joinBatches(Array.from(this.#keys.parts(), (table) => this.#rowsOf(table, table.openSessions())))
  }

  #rowsOf(table: SessionTable, sessions: readonly number[]): ColumnBatch {
    return { shape: this.#shape, rows: sessions.length, columns: table.columns(Int32Array.from(sessions)) }
  }

  fit(limitBytes: number): void {
    this.#keys.fit(limitBytes)
  }

  get bytes(): number {
    return this.#keys.bytes
  }

  get spilledBytes(): number {
    return this.#keys.spilledBytes
  }

  save(): unknown {
    return this.#keys.save()
  }

  restore(saved: unknown): void {
    // Checkpoints of before had the table alone.
    this.#keys.restore(saved === null || 'table' in (saved as object) ? saved : { table: saved })
  }
}
