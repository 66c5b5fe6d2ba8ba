// The sink that runs a live model: tumbling windows of mergeable aggregates, fed row by row, closed when the watermark
// passes their end. Sums are exact (integers as bigint, doubles by Shewchuk's expansions), so that the result depends on
// the rows alone, never on their order or on how they were cut into batches. PROTOCOL rule 10.
import type { ModelManifest } from '../define/manifest.ts'
import type { LiveOutput, LiveQuery } from '../engine/live-query.ts'
import type { RelationStore, WritableRelation } from '../engine/relations.ts'
import type { LakeTable } from '../lake/types.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { Decimal } from '../schema/decimal.ts'
import { fieldOf, type Shape, type Type } from '../schema/type.ts'
import { microsOf } from './classify.ts'
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

/** JSON has neither bigint nor NaN: those are [type, text]. */
type SavedPlain = null | boolean | number | string | readonly ['bigint' | 'number', string]

interface SavedGroup {
  readonly values: readonly SavedPlain[]
  readonly accumulators: readonly { count: number; int: string; exact: readonly SavedPlain[]; best: SavedPlain }[]
}

interface SavedState {
  readonly windows: readonly (readonly [number, readonly SavedGroup[]])[]
}

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
    const { windows } = (saved as SavedState | null) ?? { windows: [] }
    for (const [start, groups] of windows)
      this.#windows.set(start, new Map(groups.map(loadGroup).map((group) => [keyOf(group.values), group])))
    this.#isDirty = true
  }

  async apply({ batch, classified }: Delivery): Promise<void> {
    const times = microsOf(batch.columns[this.#indexOf(this.#query.time)]!)
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
    const key = keyOf(values)
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
    const value = plainAt(batch, index, row)
    if (value === null) return
    into.count++
    if (aggregate.function === 'sum' || aggregate.function === 'avg') {
      if (typeof value === 'bigint') into.int += value
      else if (this.#input.fields[index]!.type.kind === 'int') into.int += BigInt(value as number)
      else addExact(into.exact, Number(value))
    } else if (aggregate.function === 'min' || aggregate.function === 'max') {
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
        const to = this.#model.shape.fields[column]!.type
        if (output.kind === 'group') return fit(group.values[groupIndex++]!, this.#typeOf(output.column), to)
        const value = this.#result(output, group.accumulators[aggregateIndex++]!)
        return fit(value, output.column === null || output.function === 'count' ? LONG : this.#typeOf(output.column), to)
      })
    })
  }

  #typeOf(column: string): Type {
    return fieldOf(this.#input, column)!.type
  }

  #result({ function: name, column }: Extract<LiveOutput, { kind: 'aggregate' }>, { count, int, exact, best }: Accumulator): Plain {
    if (name === 'count') return BigInt(count)
    if (name === 'min' || name === 'max') return best
    if (count === 0) return null
    const type = this.#typeOf(column!)
    const isInteger = type.kind === 'int' || type.kind === 'long' || type.kind === 'decimal'
    if (name === 'sum') return isInteger ? int : exactValue(exact)
    return isInteger ? Number(int) / (count * 10 ** scaleOf(type)) : exactValue(exact) / count
  }

  async cut(): Promise<Cut> {
    const windows: SavedState['windows'] = [...this.#windows].map(([start, groups]) => [start, [...groups.values()].map(saveGroup)])
    const flush = await this.#relation.cut()
    return { state: { windows }, changes: () => flush.changes(), publish: (tables: readonly LakeTable[]) => flush.publish(tables) }
  }
}

const LONG: Type = { kind: 'long' }

const scaleOf = (type: Type): number => (type.kind === 'decimal' ? type.scale : 0)

/** A value as it is grouped, compared and stored: exact integers (decimals unscaled) as bigint, everything else as itself. */
function plainAt(batch: ColumnBatch, index: number, row: number): Plain {
  const value = valueAt(batch, index, row)
  if (typeof value === 'number') return value === 0 ? 0 : value // -0 and 0 are one group
  if (typeof value === 'string' && batch.shape.fields[index]!.type.kind === 'decimal') return Decimal.from(value).unscaled
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value
}

/** Brings an exact number to the scale of its column in the model, halves away from zero as a CAST does. */
function fit(value: Plain, from: Type, to: Type): Plain {
  const isExact = to.kind === 'int' || to.kind === 'long' || to.kind === 'decimal'
  if (!isExact || (typeof value !== 'bigint' && from.kind !== 'int') || value === null) return value
  const shift = scaleOf(to) - scaleOf(from)
  const unscaled = BigInt(value as bigint | number)
  if (shift >= 0) return unscaled * 10n ** BigInt(shift)
  return new Decimal(unscaled, -shift).round(0, 'half-up').unscaled
}

/** NaN is the greatest number, as in DuckDB. */
function isLess(a: Plain, b: Plain): boolean {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0
  if (Number.isNaN(a) || Number.isNaN(b)) return !Number.isNaN(a) && Number.isNaN(b)
  return (a as number) < (b as number)
}

const keyOf = (values: readonly Plain[]): string => JSON.stringify(values.map(savePlain))

function savePlain(value: Plain): SavedPlain {
  if (typeof value === 'bigint') return ['bigint', value.toString()]
  return typeof value === 'number' && !Number.isFinite(value) ? ['number', String(value)] : value
}

function loadPlain(saved: SavedPlain): Plain {
  if (saved === null || typeof saved !== 'object') return saved
  return saved[0] === 'bigint' ? BigInt(saved[1]) : Number(saved[1])
}

const saveGroup = (group: Group): SavedGroup => ({
  values: group.values.map(savePlain),
  accumulators: group.accumulators.map(({ count, int, exact, best }) => ({
    count,
    int: int.toString(),
    exact: exact.map(savePlain),
    best: savePlain(best),
  })),
})

const loadGroup = (saved: SavedGroup): Group => ({
  values: saved.values.map(loadPlain),
  accumulators: saved.accumulators.map(({ count, int, exact, best }) => ({
    count,
    int: BigInt(int),
    exact: exact.map((part) => loadPlain(part) as number),
    best: loadPlain(best),
  })),
})
