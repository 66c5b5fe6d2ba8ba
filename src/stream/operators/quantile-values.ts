// What quantiles come to: of each result the two values between which it is, and what is there. As DuckDB has it: integers and
// doubles in doubles; floats, decimals and times in their own type, decimals rounded down, times to the nearest microsecond. Decimals of
// more than 18 digits are 128 bits in DuckDB: they go through doubles and are cut off.
import type { ValueType } from '../../engine/algebra/expression.ts'
import type { QuantileFunction } from '../../engine/algebra/relation.ts'
import { type BytesColumn, type Column, type IntegerColumn, indexes, type NumberColumn } from '../../schema/batch.ts'
import { decimalText } from '../../schema/value-text.ts'
import { roundAway } from '../expression/runtime.ts'
import { TextSink } from '../expression/text-sink.ts'
import { makeLane } from '../memory/make-lane.ts'
import type { ValueLane } from '../memory/value-lane.ts'
import type { OrderedSlots } from './ordered-slots.ts'
import { wholeAt } from './sum.ts'

/** Which quantile of what. */
export interface QuantileOf {
  readonly function: QuantileFunction
  readonly type: ValueType
  /** See `Aggregate`. */
  readonly fraction: string
}

/** So many results, each put in once. */
export class QuantileValues {
  readonly #of: QuantileOf
  readonly #isBetween: boolean
  readonly #fraction: number
  readonly #lows: ValueLane
  readonly #highs: ValueLane
  readonly #shares: Float64Array
  readonly #nulls: Uint8Array

  constructor(of: QuantileOf, count: number) {
    this.#of = of
    this.#isBetween = of.function === 'quantile_cont'
    this.#fraction = fractionIn(of.fraction)
    this.#lows = makeLane(of.type)
    this.#highs = makeLane(of.type)
    this.#shares = new Float64Array(count)
    this.#nulls = new Uint8Array(count)
  }

  /** The result of these slots of the lane. */
  put(row: number, lane: ValueLane, slots: OrderedSlots): void {
    const total = slots.weight
    if (total === 0) {
      this.#nulls[row] = 1
      return
    }
    const place = this.#isBetween ? (total - 1) * this.#fraction : placeOf(this.#of.fraction, total)
    const low = Math.floor(place)
    const slot = slots.slotBeyond(low)
    this.#lows.copy(row, lane, slot)
    if (!this.#isBetween) return
    this.#shares[row] = place - low
    this.#highs.copy(row, lane, place === low ? slot : slots.slotBeyond(low + 1))
  }

  column(): Column {
    const all = indexes(this.#nulls.length)
    const [lows, highs] = [this.#lows, this.#highs].map((lane) => withoutMinusZero(lane.column(all, all.length))) as [Column, Column]
    const picked = { ...lows, nulls: this.#nulls }
    return this.#isBetween ? between(this.#of.type, picked, highs, this.#shares) : picked
  }
}

/** 0 and -0 are equal: which of them is found would depend on the order of rows. */
const withoutMinusZero = (column: Column): Column =>
  column.kind === 'number' ? { ...column, values: column.values.map((value) => value + 0) } : column

/** As DuckDB casts a decimal to a double. */
function fractionIn(text: string): number {
  const digits = text.split('.')[1]
  return text.includes('e') || digits === undefined ? Number(text) : Number(text.replace('.', '')) / Number(`1e${digits.length}`)
}

/** The first value that at least this fraction of all is not above. */
function placeOf(fraction: string, total: number): number {
  const above = fraction.includes('e') ? Math.floor(total - total * Number(fraction)) : wholeAbove(fraction, BigInt(total))
  return Math.max(1, total - above) - 1
}

function wholeAbove(fraction: string, total: bigint): number {
  const [whole, digits = ''] = fraction.split('.')
  const scale = 10n ** BigInt(digits.length)
  return Number((total * scale - total * BigInt(whole + digits)) / scale)
}

/** Of each row the value that lies a share of the way from the low one to the high one; `nulls` of the low ones. */
function between(type: ValueType, lows: Column, highs: Column, shares: Float64Array): Column {
  switch (type.kind) {
    case 'float':
      return numbers(lows, shares, (row) => floatBetween(numberAt(lows, row), numberAt(highs, row), shares[row]!))
    case 'decimal':
      return type.precision <= 18 ? wholes(lows, highs, shares, DECIMALS) : wideBetween(type.scale, lows as BytesColumn, highs, shares)
    case 'time':
    case 'timestamp':
    case 'datetime':
      return wholes(lows, highs, shares, TIMES)
    default:
      return numbers(lows, shares, (row) => mixed(numberAt(lows, row), numberAt(highs, row), shares[row]!))
  }
}

const numberAt = (column: Column, row: number): number => {
  if (column.kind === 'bytes') return doubleOf(wholeAt(column, row))
  return column.kind === 'integer' && column.big ? Number(column.big[row]!) : column.values[row]!
}

const mixed = (low: number, high: number, share: number): number => (share === 0 ? low : low * (1 - share) + high * share)

function floatBetween(low: number, high: number, share: number): number {
  return share === 0 ? low : Math.fround(low + Math.fround(Math.fround(high - low) * share))
}

function numbers({ nulls }: Column, shares: Float64Array, valueAt: (row: number) => number): NumberColumn {
  const values = new Float64Array(shares.length)
  for (let row = 0; row < shares.length; row++) if (nulls![row] === 0) values[row] = valueAt(row)
  return { kind: 'number', values, nulls }
}

/** Whole numbers of 64 bits, as numbers where all are safe: what is between them is so too. */
function wholes(lows: Column, highs: Column, shares: Float64Array, { ofNumbers, ofLongs }: WholesBetween): IntegerColumn {
  const { nulls } = lows
  const isBig = [lows, highs].some((column) => column.kind === 'integer' && column.big !== null)
  if (!isBig)
    return {
      ...numbers(lows, shares, (row) => ofNumbers(numberAt(lows, row), numberAt(highs, row), shares[row]!)),
      kind: 'integer',
      big: null,
    }
  const big = new BigInt64Array(shares.length)
  for (let row = 0; row < shares.length; row++)
    if (nulls![row] === 0)
      big[row] = shares[row] === 0 ? wholeAt(lows, row) : ofLongs(wholeAt(lows, row), wholeAt(highs, row), shares[row]!)
  return { kind: 'integer', values: new Float64Array(0), big, nulls }
}

interface WholesBetween {
  readonly ofNumbers: (low: number, high: number, share: number) => number
  readonly ofLongs: (low: bigint, high: bigint, share: number) => bigint
}

const DECIMALS: WholesBetween = {
  ofNumbers: (low, high, share) => low + Math.trunc((high - low) * share),
  ofLongs: (low, high, share) => low + BigInt(Math.trunc(Number(high - low) * share)),
}

const TIMES: WholesBetween = {
  ofNumbers: (low, high, share) => roundAway(mixed(low, high, share)) + 0,
  ofLongs: (low, high, share) => BigInt(roundAway(mixed(Number(low), Number(high), share))),
}

function wideBetween(scale: number, lows: BytesColumn, highs: Column, shares: Float64Array): Column {
  const sink = new TextSink(shares.length, 'latin1')
  for (let row = 0; row < shares.length; row++) {
    if (lows.nulls![row] === 1) continue
    const low = wholeAt(lows, row)
    const share = shares[row]!
    sink.put(row, decimalText(share === 0 ? low : wholeOf(mixed(doubleOf(low), doubleOf(wholeAt(highs, row)), share)), scale))
  }
  return sink.column(lows.nulls)
}

const TWO_64 = 2 ** 64
const MASK_64 = (1n << 64n) - 1n

/** As DuckDB casts 128 bits to a double: by halves, each rounded. */
function doubleOf(whole: bigint): number {
  const [upper, lower] = [whole >> 64n, whole & MASK_64]
  return upper === -1n ? -Number(MASK_64 - lower) - 1 : Number(lower) + Number(upper) * TWO_64
}

/** As DuckDB casts a double to 128 bits: cut off. */
const wholeOf = (value: number): bigint => BigInt(Math.trunc(value))
