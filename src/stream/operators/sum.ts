// sum and avg, exact and so independent of the order of rows. Integers and decimals are added as numbers while the sum fits in
// 2^53, then as bigint; doubles as `real-sums.ts` has them.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { BytesColumn, Column, IntegerColumn, NumberColumn } from '../../schema/batch.ts'
import { decimalText } from '../../schema/value-text.ts'
import { overflow, unscaled } from '../expression/runtime.ts'
import { TextSink } from '../expression/text-sink.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles, PAGE_BITS, PAGE_MASK } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import { most } from '../memory/value-lane.ts'
import type { AggregateState } from './aggregate-state.ts'
import { RealSums, type SavedSums } from './real-sums.ts'

export type SumName = 'sum' | 'avg'

/** How many rows counted, by group. */
abstract class Counted {
  protected readonly counts = new Doubles()

  /** Rows of these groups come or go. */
  protected count(groups: Int32Array, nulls: Uint8Array | null, rows: Int32Array | null, count: number, by: 1 | -1): void {
    this.counts.fit(most(groups, count) + 1)
    this.counts.touch(groups, count)
    const { pages } = this.counts
    for (let i = 0; i < count; i++) {
      const group = groups[i]!
      if (nulls === null || nulls[rows === null ? i : rows[i]!] === 0) pages[group >>> PAGE_BITS]![group & PAGE_MASK]! += by
    }
  }
}

const MAX_SAFE = Number.MAX_SAFE_INTEGER
const SAFE = BigInt(MAX_SAFE)

export class ExactSum extends Counted implements AggregateState {
  readonly #name: SumName
  readonly #scale: number
  /** Largest magnitude that the result's type has. */
  readonly #limit: bigint
  readonly #sums = new Doubles()
  /** What went beyond 2^53, beside the number. */
  #wide = new Map<number, bigint>()

  constructor(name: SumName, of: ValueType) {
    super()
    this.#name = name
    this.#scale = of.kind === 'decimal' ? of.scale : 0
    this.#limit = of.kind === 'decimal' ? 10n ** 38n : 1n << 127n
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const column = columns[0]!
    this.count(groups, column.nulls, rows, count, 1)
    if (column.kind === 'bytes') this.#addTexts(groups, column, rows, count)
    else if (column.kind === 'integer' && column.big) this.#addBig(groups, column, column.big, rows, count)
    else this.#addNumbers(groups, column as NumberColumn | IntegerColumn, rows, count)
  }

  #addNumbers(groups: Int32Array, { values, nulls }: NumberColumn | IntegerColumn, rows: Int32Array | null, count: number): void {
    this.#sums.fit(most(groups, count) + 1)
    this.#sums.touch(groups, count)
    const { pages } = this.#sums
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls !== null && nulls[row] === 1) continue
      const group = groups[i]!
      const page = pages[group >>> PAGE_BITS]!
      const sum = page[group & PAGE_MASK]! + values[row]!
      if (sum <= MAX_SAFE && sum >= -MAX_SAFE) page[group & PAGE_MASK] = sum
      else this.#addWide(group, BigInt(values[row]!))
    }
  }

  #addBig(groups: Int32Array, { nulls }: IntegerColumn, big: BigInt64Array, rows: Int32Array | null, count: number): void {
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls !== null && nulls[row] === 1) continue
      this.#addWide(groups[i]!, big[row]!)
    }
  }

  #addTexts(groups: Int32Array, { bytes, start, length, nulls }: BytesColumn, rows: Int32Array | null, count: number): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls !== null && nulls[row] === 1) continue
      this.#addWhole(groups[i]!, unscaled(buffer, start[row]!, length[row]!))
    }
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const column = columns[0]!
    this.count(groups, column.nulls, rows, count, -1)
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (column.nulls === null || column.nulls[row] === 0) this.#addWhole(groups[i]!, -wholeAt(column, row))
    }
  }

  #addWhole(group: number, value: bigint): void {
    const sum = this.#sums.at(group) + Number(value)
    if (value <= SAFE && value >= -SAFE && sum <= MAX_SAFE && sum >= -MAX_SAFE) this.#sums.put(group, sum)
    else this.#addWide(group, value)
  }

  #addWide(group: number, value: bigint): void {
    this.#wide.set(group, (this.#wide.get(group) ?? 0n) + value)
  }

  #total(group: number): bigint {
    return BigInt(this.#sums.at(group)) + (this.#wide.get(group) ?? 0n)
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    for (let group = 0; group < count; group++) this.mergeGroup(from, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const other = from as ExactSum
    this.counts.put(to, this.counts.at(to) + other.counts.at(group))
    const sum = this.#sums.at(to) + other.#sums.at(group)
    if (sum <= MAX_SAFE && sum >= -MAX_SAFE) this.#sums.put(to, sum)
    else this.#addWide(to, BigInt(other.#sums.at(group)))
    if (other.#wide.size === 0) return
    const wide = other.#wide.get(group)
    if (wide !== undefined) this.#addWide(to, wide)
  }

  column(groups: Int32Array, count: number): Column {
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) nulls[i] = this.counts.at(groups[i]!) === 0 ? 1 : 0
    return this.#name === 'sum' ? this.#sumColumn(groups, count, nulls) : this.#meanColumn(groups, count, nulls)
  }

  #sumColumn(groups: Int32Array, count: number, nulls: Uint8Array): Column {
    const sink = new TextSink(count, 'latin1')
    for (let i = 0; i < count; i++) {
      if (nulls[i] === 1) continue
      if (!this.#wide.has(groups[i]!)) {
        sink.putDecimal(i, this.#sums.at(groups[i]!), this.#scale)
        continue
      }
      const total = this.#total(groups[i]!)
      if (total >= this.#limit || total <= -this.#limit) overflow(this.#scale === 0 ? 'HUGEINT' : 'DECIMAL')
      sink.put(i, decimalText(total, this.#scale))
    }
    return sink.column(nulls)
  }

  #meanColumn(groups: Int32Array, count: number, nulls: Uint8Array): Column {
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) values[i] = Number(this.#total(groups[i]!)) / (this.counts.at(groups[i]!) * 10 ** this.#scale)
    return { kind: 'number', values, nulls }
  }

  clear(group: number): void {
    this.counts.put(group, 0)
    this.#sums.put(group, 0)
    if (this.#wide.size > 0) this.#wide.delete(group)
  }

  write(group: number, out: RecordWriter): void {
    out.number(this.counts.at(group))
    out.number(this.#sums.at(group))
    const wide = this.#wide.get(group)
    out.byte(wide === undefined ? 0 : 1)
    if (wide !== undefined) out.string(String(wide))
  }

  read(group: number, from: RecordReader): void {
    this.counts.put(group, from.number())
    this.#sums.put(group, from.number())
    if (from.byte() === 1) this.#wide.set(group, BigInt(from.string()))
  }

  get bytes(): number {
    return this.counts.bytes + this.#sums.bytes + 88 * this.#wide.size
  }

  save(size: number): unknown {
    return {
      counts: this.counts.freeze(size),
      sums: this.#sums.freeze(size),
      wide: [...this.#wide].map(([group, sum]) => [group, String(sum)]),
    }
  }

  restore(saved: unknown): void {
    const { counts, sums, wide } = saved as { counts: Packed; sums: Packed; wide: readonly (readonly [number, string])[] }
    this.counts.restore(counts)
    this.#sums.restore(sums)
    this.#wide = new Map(wide.map(([group, sum]) => [group, BigInt(sum)]))
  }
}

/** An integer, or the digits of a decimal without its point. */
export function wholeAt(column: Column, row: number): bigint {
  if (column.kind === 'bytes')
    return unscaled(
      Buffer.from(column.bytes.buffer, column.bytes.byteOffset, column.bytes.byteLength),
      column.start[row]!,
      column.length[row]!,
    )
  return column.kind === 'integer' && column.big ? column.big[row]! : BigInt(column.values[row]!)
}

export class RealSum extends Counted implements AggregateState {
  readonly #name: SumName
  readonly #sums = new RealSums()

  constructor(name: SumName) {
    super()
    this.#name = name
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const { values, nulls } = columns[0] as NumberColumn
    this.count(groups, nulls, rows, count, 1)
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls === null || nulls[row] === 0) this.#sums.add(groups[i]!, values[row]!)
    }
  }

  /** Takes finite rows away that were added. */
  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const { values, nulls } = columns[0] as NumberColumn
    this.count(groups, nulls, rows, count, -1)
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (nulls === null || nulls[row] === 0) this.#sums.add(groups[i]!, -values[row]!)
    }
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    for (let group = 0; group < count; group++) this.mergeGroup(from, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const other = from as RealSum
    this.counts.put(to, this.counts.at(to) + other.counts.at(group))
    this.#sums.mergeGroup(other.#sums, group, to)
  }

  column(groups: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const group = groups[i]!
      nulls[i] = this.counts.at(group) === 0 ? 1 : 0
      values[i] = this.#name === 'sum' ? this.#sums.at(group) : this.#sums.at(group) / this.counts.at(group)
    }
    return { kind: 'number', values, nulls }
  }

  clear(group: number): void {
    this.counts.put(group, 0)
    this.#sums.clear(group)
  }

  write(group: number, out: RecordWriter): void {
    out.number(this.counts.at(group))
    this.#sums.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    this.counts.put(group, from.number())
    this.#sums.read(group, from)
  }

  get bytes(): number {
    return this.counts.bytes + this.#sums.bytes
  }

  save(size: number): unknown {
    return { counts: this.counts.freeze(size), ...this.#sums.save(size) }
  }

  restore(saved: unknown): void {
    const { counts, ...sums } = saved as { counts: Packed } & SavedSums
    this.counts.restore(counts)
    this.#sums.restore(sums)
  }
}
