// var_samp, var_pop and their roots: (n * sum(x * x) - sum(x)^2) / (n * (n - 1)), or / n^2, of exact sums. A product of doubles is two
// doubles (Veltkamp, Dekker), so the sum of squares is exact too, and no order of rows matters; what is subtracted has all of its digits.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { VarianceFunction } from '../../engine/algebra/relation.ts'
import type { Column, IntegerColumn, NumberColumn } from '../../schema/batch.ts'
import { plus, ratio, sumOf, times } from '../exact-ratio.ts'
import { overflow } from '../expression/runtime.ts'
import type { Packed } from '../memory/pack.ts'
import { Doubles } from '../memory/paged.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { AggregateState } from './aggregate-state.ts'
import { RealSums, type SavedSums } from './real-sums.ts'
import { wholeAt } from './sum.ts'

/** The square of what is larger may have no double. */
const LARGEST = 2 ** 500

interface Saved {
  readonly counts: Packed
  readonly beyond: Packed
  readonly sums: SavedSums
  readonly squares: SavedSums
}

export class Variance implements AggregateState {
  readonly #isOfSample: boolean
  readonly #isRoot: boolean
  /** What the square of the unit of the digits is: 10^(2 * scale). */
  readonly #unit: bigint
  readonly #counts = new Doubles()
  /** How many are no number, infinite or too large: with another row there is no variance. */
  readonly #beyond = new Doubles()
  readonly #sums = new RealSums()
  readonly #squares = new RealSums()

  constructor(name: VarianceFunction, of: ValueType) {
    this.#isOfSample = name.endsWith('_samp')
    this.#isRoot = name.startsWith('stddev')
    this.#unit = of.kind === 'decimal' ? 10n ** BigInt(2 * of.scale) : 1n
  }

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#count(groups, columns[0]!, rows, count, 1)
  }

  /** Takes rows away that were added. */
  remove(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    this.#count(groups, columns[0]!, rows, count, -1)
  }

  #count(groups: Int32Array, column: Column, rows: Int32Array | null, count: number, sign: 1 | -1): void {
    const isWide = column.kind === 'bytes' || (column.kind === 'integer' && column.big !== null)
    for (let i = 0; i < count; i++) {
      const row = rows === null ? i : rows[i]!
      if (column.nulls !== null && column.nulls[row] === 1) continue
      const group = groups[i]!
      this.#counts.put(group, this.#counts.at(group) + sign)
      if (isWide) this.#addWhole(group, wholeAt(column, row), sign)
      else this.#addNumber(group, (column as NumberColumn | IntegerColumn).values[row]!, sign)
    }
  }

  #addNumber(group: number, x: number, sign: 1 | -1): void {
    if (!(Math.abs(x) <= LARGEST)) {
      this.#beyond.put(group, this.#beyond.at(group) + sign)
      return
    }
    this.#sums.add(group, sign * x)
    this.#addProduct(group, sign * x, x)
  }

  /** As numbers that are together what it is. */
  #addWhole(group: number, whole: bigint, sign: 1 | -1): void {
    const parts: number[] = []
    for (let rest = whole; rest !== 0n; rest -= BigInt(parts.at(-1)!)) parts.push(Number(rest))
    for (const [i, part] of parts.entries()) {
      this.#addNumber(group, part, sign)
      for (const other of parts.slice(i + 1)) this.#addProduct(group, sign * 2 * part, other)
    }
  }

  #addProduct(group: number, a: number, b: number): void {
    const product = a * b
    const [aHigh, bHigh] = [highOf(a), highOf(b)]
    const [aLow, bLow] = [a - aHigh, b - bHigh]
    this.#squares.add(group, product)
    this.#squares.add(group, aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow))
  }

  merge(from: AggregateState, target: Int32Array, count: number): void {
    for (let group = 0; group < count; group++) this.mergeGroup(from, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const other = from as Variance
    this.#counts.put(to, this.#counts.at(to) + other.#counts.at(group))
    this.#beyond.put(to, this.#beyond.at(to) + other.#beyond.at(group))
    this.#sums.mergeGroup(other.#sums, group, to)
    this.#squares.mergeGroup(other.#squares, group, to)
  }

  column(groups: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    const nulls = new Uint8Array(count)
    for (let i = 0; i < count; i++) {
      const rows = this.#counts.at(groups[i]!)
      if (rows < (this.#isOfSample ? 2 : 1)) nulls[i] = 1
      else if (rows > 1) values[i] = this.#valueOf(groups[i]!, rows)
    }
    return { kind: 'number', values, nulls }
  }

  #valueOf(group: number, rows: number): number {
    const variance = this.#beyond.at(group) > 0 ? Number.POSITIVE_INFINITY : this.#varianceOf(group, BigInt(rows))
    if (variance === Number.POSITIVE_INFINITY) overflow('DOUBLE')
    return this.#isRoot ? Math.sqrt(variance) : variance
  }

  #varianceOf(group: number, rows: bigint): number {
    const sum = sumOf(this.#sums.termsOf(group))
    const squares = sumOf(this.#squares.termsOf(group))
    const apart = plus(times(squares, { digits: rows, exponent: 0 }), times(sum, { ...sum, digits: -sum.digits }))
    // Squares below the smallest doubles are rounded.
    return apart.digits <= 0n ? 0 : ratio(apart, rows * (this.#isOfSample ? rows - 1n : rows) * this.#unit)
  }

  clear(group: number): void {
    this.#counts.put(group, 0)
    this.#beyond.put(group, 0)
    this.#sums.clear(group)
    this.#squares.clear(group)
  }

  write(group: number, out: RecordWriter): void {
    out.number(this.#counts.at(group))
    out.number(this.#beyond.at(group))
    this.#sums.write(group, out)
    this.#squares.write(group, out)
  }

  read(group: number, from: RecordReader): void {
    this.#counts.put(group, from.number())
    this.#beyond.put(group, from.number())
    this.#sums.read(group, from)
    this.#squares.read(group, from)
  }

  get bytes(): number {
    return this.#counts.bytes + this.#beyond.bytes + this.#sums.bytes + this.#squares.bytes
  }

  save(size: number): unknown {
    const [counts, beyond] = [this.#counts.freeze(size), this.#beyond.freeze(size)]
    return { counts, beyond, sums: this.#sums.save(size), squares: this.#squares.save(size) }
  }

  restore(saved: unknown): void {
    const { counts, beyond, sums, squares } = saved as Saved
    this.#counts.restore(counts)
    this.#beyond.restore(beyond)
    this.#sums.restore(sums)
    this.#squares.restore(squares)
  }
}

const HALF = 2 ** 27 + 1

/** The upper half of its digits (Veltkamp). */
function highOf(x: number): number {
  const scaled = HALF * x
  return scaled - (scaled - x)
}
