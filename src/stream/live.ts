// The sink that runs a live model: tumbling windows of mergeable aggregates, fed row by row, closed when the watermark
// passes their end. Sums are exact (integers as bigint, doubles by Shewchuk's expansions), so that the result depends on
// the rows alone, never on their order or on how they were cut into batches. PROTOCOL rule 10.
import type { ModelManifest } from '../define/manifest.ts'
import type { LiveOutput, LiveQuery } from '../engine/live-query.ts'
import type { RelationStore, WritableRelation } from '../engine/relations.ts'
import type { LakeTable } from '../lake/types.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { addExact, type Exact, exactValue } from './exact-sum.ts'
import { compileFilter } from './filter.ts'
import type { Cut, Sink } from './pipeline.ts'
import { batchOf, type Plain } from './plain.ts'
import type { Delivery } from './source.ts'

type Accumulator = { count: number; int: bigint; exact: Exact; best: Plain }

interface Group {
  readonly values: readonly Plain[]
  readonly accumulators: Accumulator[]
}

type SavedGroup = { values: Plain[]; accumulators: { count: number; int: string; exact: Exact; best: Plain }[] }

export class Live implements Sink {
  readonly #model: ModelManifest
  readonly #query: LiveQuery
  readonly #relation: WritableRelation
  readonly #windowUs: number
  readonly #indexOf: (column: string) => number
  readonly #filter: (batch: ColumnBatch, row: number) => boolean
  readonly #groups: readonly Extract<LiveOutput, { kind: 'group' }>[]
  readonly #aggregates: readonly Extract<LiveOutput, { kind: 'aggregate' }>[]
  readonly #input: Shape
  #windows = new Map<number, Map<string, Group>>()
  #isDirty = false

  constructor(model: ModelManifest, query: LiveQuery, input: Shape, relations: RelationStore) {
    this.#model = model
    this.#query = query
    this.#input = input
    this.#relation = relations.writable(model.name)
    this.#windowUs = query.windowMs * 1_000
    this.#indexOf = (column) => input.fields.findIndex((field) => field.name === column)
    this.#filter = query.where ? compileFilter(query.where, input) : () => true
    this.#groups = query.outputs.filter((output) => output.kind === 'group')
    this.#aggregates = query.outputs.filter((output) => output.kind === 'aggregate')
  }

  get pendingRows(): number {
    return this.#relation.pendingRows
  }

  get pendingBytes(): number {
    return this.#relation.pendingBytes
  }

  /** Windows that are still open. */
  get openWindows(): number {
    return this.#windows.size
  }

  async restore(saved: unknown): Promise<void> {
    await this.#relation.reset()
    this.#windows = new Map()
    const { windows } = (saved as { windows: [number, [string, SavedGroup][]][] } | null) ?? { windows: [] }
    for (const [start, groups] of windows) this.#windows.set(start, new Map(groups.map(([key, group]) => [key, loadGroup(group)])))
    this.#isDirty = true
  }

  async apply({ batch, classified }: Delivery): Promise<void> {
    const times = (batch.columns[this.#indexOf(this.#query.time)] as { values: Float64Array }).values
    for (const row of classified.out) {
      if (!this.#filter(batch, row)) continue
      const timeUs = times[row]!
      this.#add(Math.floor(timeUs / this.#windowUs) * this.#windowUs, batch, row)
    }
    if (classified.out.length > 0) this.#isDirty = true
  }

  #add(start: number, batch: ColumnBatch, row: number): void {
    let window = this.#windows.get(start)
    if (!window) {
      window = new Map()
      this.#windows.set(start, window)
    }
    const values = this.#groups.map((group) => plainAt(batch, this.#indexOf(group.column), row))
    const key = JSON.stringify(values)
    let group = window.get(key)
    if (!group) {
      group = { values, accumulators: this.#aggregates.map(() => ({ count: 0, int: 0n, exact: [], best: null })) }
      window.set(key, group)
    }
    for (let i = 0; i < this.#aggregates.length; i++) this.#accumulate(group.accumulators[i]!, this.#aggregates[i]!, batch, row)
  }

  #accumulate(into: Accumulator, aggregate: Extract<LiveOutput, { kind: 'aggregate' }>, batch: ColumnBatch, row: number): void {
    if (aggregate.column === null) {
      into.count++
      return
    }
    const index = this.#indexOf(aggregate.column)
    const raw = valueAt(batch, index, row)
    if (raw === null) return
    into.count++
    if (aggregate.function === 'sum' || aggregate.function === 'avg') {
      if (typeof raw === 'bigint') into.int += raw
      else if (this.#input.fields[index]!.type.kind === 'int') into.int += BigInt(raw as number)
      else addExact(into.exact, Number(raw))
    } else if (aggregate.function === 'min' || aggregate.function === 'max') {
      const value = plainAt(batch, index, row)
      if (into.best === null || (aggregate.function === 'min' ? isLess(value, into.best) : isLess(into.best, value))) into.best = value
    }
  }

  async tick(watermarkUs: number | null): Promise<void> {
    const closed =
      watermarkUs === null ? [] : [...this.#windows.keys()].filter((start) => start + this.#windowUs <= watermarkUs).sort((a, b) => a - b)
    const rows = closed.flatMap((start) => this.#rowsOf(start))
    for (const start of closed) this.#windows.delete(start)
    if (rows.length > 0) await this.#relation.append(batchOf(this.#model.shape, rows))
    if (this.#model.emit === 'changes' && (this.#isDirty || rows.length > 0)) {
      const open = [...this.#windows.keys()].sort((a, b) => a - b).flatMap((start) => this.#rowsOf(start))
      await this.#relation.replaceProvisional(batchOf(this.#model.shape, open))
    }
    this.#isDirty = false
  }

  #rowsOf(start: number): Plain[][] {
    return [...this.#windows.get(start)!.values()].map((group) => {
      let groupIndex = 0
      let aggregateIndex = 0
      return this.#query.outputs.map((output, column): Plain => {
        if (output.kind === 'window_start') return BigInt(start)
        if (output.kind === 'window_end') return BigInt(start + this.#windowUs)
        if (output.kind === 'group') return group.values[groupIndex++]!
        return this.#result(output, group.accumulators[aggregateIndex++]!, column)
      })
    })
  }

  #result(output: Extract<LiveOutput, { kind: 'aggregate' }>, { count, int, exact, best }: Accumulator, _column: number): Plain {
    if (output.function === 'count') return BigInt(count)
    if (output.function === 'min' || output.function === 'max') return best
    if (count === 0) return null
    const type = this.#input.fields[this.#indexOf(output.column!)]!.type
    const isInteger = type.kind === 'int' || type.kind === 'long' || type.kind === 'decimal'
    if (output.function === 'sum') return isInteger ? int : exactValue(exact)
    const scale = type.kind === 'decimal' ? 10 ** type.scale : 1
    return (isInteger ? Number(int) / scale : exactValue(exact)) / count
  }

  async cut(): Promise<Cut> {
    const windows = [...this.#windows].map(([start, groups]) => [start, [...groups].map(([key, group]) => [key, saveGroup(group)])])
    const flush = await this.#relation.cut()
    return { state: { windows }, changes: () => flush.changes(), publish: (tables: readonly LakeTable[]) => flush.publish(tables) }
  }
}

/** A value as it is grouped, compared and stored: exact integers as bigint, everything else as itself. */
function plainAt(batch: ColumnBatch, index: number, row: number): Plain {
  const value = valueAt(batch, index, row)
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value
}

function isLess(a: Plain, b: Plain): boolean {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0
  return (a as number) < (b as number)
}

const saveGroup = (group: Group): unknown => ({
  values: group.values,
  accumulators: group.accumulators.map(({ count, int, exact, best }) => ({ count, int: int.toString(), exact: [...exact], best })),
})

const loadGroup = (saved: SavedGroup): Group => ({
  values: saved.values,
  accumulators: saved.accumulators.map(({ count, int, exact, best }) => ({ count, int: BigInt(int), exact, best })),
})
