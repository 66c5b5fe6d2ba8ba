// The values of rows in numbered slots: a lane for each column, and one memory for the texts of a row where it has several.
import { compareBytes } from '../../core/bytes.ts'
import type { ValueType } from '../../engine/algebra/expression.ts'
import { type BytesColumn, type Column, indexes } from '../../schema/batch.ts'
import { laneOfValue } from '../expression/lane.ts'
import { BytesLane } from './bytes-lane.ts'
import { compareOf, makeLane } from './make-lane.ts'
import type { RecordReader, RecordWriter } from './record.ts'
import { TextRows } from './text-rows.ts'
import { NULL, VALUE, type ValueLane } from './value-lane.ts'

/** Rows that are copied at once. */
const AT_ONCE = 4_096

export interface SavedRows {
  /** By column; null where it is one of the texts. */
  readonly lanes: readonly unknown[]
  /** Checkpoints of before had a lane for each text. */
  readonly texts?: unknown
}

export class RowLanes {
  readonly #types: readonly ValueType[]
  /** By column; null for one of the texts. */
  #lanes: readonly (ValueLane | null)[]
  #texts: TextRows
  /** Columns that are texts of `#texts`, and by column which text it is. */
  readonly #textColumns: readonly number[]
  readonly #textOf: readonly number[]

  /** `areApart`: a lane for each text too, for those who ask for values by lane. */
  constructor(types: readonly ValueType[], areApart = false) {
    this.#types = types
    const texts = areApart ? [] : types.flatMap((type, column) => (laneOfValue(type) === 'bytes' ? [column] : []))
    this.#textColumns = texts.length > 1 ? texts : []
    this.#textOf = types.map((_, column) => this.#textColumns.indexOf(column))
    this.#lanes = this.#makeLanes()
    this.#texts = new TextRows(this.#textColumns.length)
  }

  #makeLanes(): (ValueLane | null)[] {
    return this.#types.map((type, column) => (this.#textOf[column] === -1 ? makeLane(type) : null))
  }

  #textsOf(columns: readonly Column[]): BytesColumn[] {
    return this.#textColumns.map((column) => columns[column] as BytesColumn)
  }

  /** Row `rows[i]` (i where null) into `slots[i]`. */
  putAll(slots: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    for (const [index, lane] of this.#lanes.entries()) lane?.putAll(slots, columns[index]!, rows, count)
    if (this.#textColumns.length > 0) this.#texts.putAll(slots, this.#textsOf(columns), rows, count)
  }

  put(slot: number, columns: readonly Column[], row: number): void {
    for (let i = 0; i < this.#lanes.length; i++) this.#lanes[i]?.put(slot, columns[i]!, row)
    if (this.#textColumns.length > 0) this.#texts.put(slot, this.#textsOf(columns), row)
  }

  /** Of a column that is none of the texts. */
  lane(column: number): ValueLane {
    return this.#lanes[column]!
  }

  /** Values of some slots, of the columns `which`. */
  columns(slots: Int32Array, count: number, which: readonly number[]): Column[] {
    const texts = new Set(which.filter((column) => this.#lanes[column] === null))
    const whole = texts.size > 1 && texts.size === this.#textColumns.length ? this.#texts.columns(slots, count) : []
    return which.map((column) => {
      const text = this.#textOf[column]!
      return this.#lanes[column]?.column(slots, count) ?? whole[text] ?? this.#texts.column(text, slots, count)
    })
  }

  /** Below zero where slot a comes before slot b by a column; null comes first. */
  compare(a: number, b: number, column: number): number {
    const lane = this.#lanes[column]!
    const text = this.#textOf[column]!
    const isNull = (slot: number): boolean => (lane ? lane.isNull(slot) : this.#texts.isNull(slot, text))
    if (isNull(a) || isNull(b)) return Number(isNull(b)) - Number(isNull(a))
    if (lane) return lane.compareSlot(b, lane, a)
    const [x, y] = [this.#texts.at(a, text), this.#texts.at(b, text)]
    return compareOf(this.#types[column]!)(x.bytes, x.start, x.length, y.bytes, y.start, y.length)
  }

  write(slot: number, out: RecordWriter): void {
    for (const [column, lane] of this.#lanes.entries()) {
      const text = this.#textOf[column]!
      if (lane) lane.write(slot, out)
      else if (this.#texts.isNull(slot, text)) out.byte(NULL)
      else {
        const { bytes, start, length } = this.#texts.at(slot, text)
        out.byte(VALUE)
        out.text(bytes, start, length)
      }
    }
  }

  read(slot: number, from: RecordReader): void {
    const texts = this.#lanes.flatMap((lane): BytesColumn[] => {
      if (lane) {
        lane.read(slot, from)
        return []
      }
      const isNull = from.byte() === NULL
      const length = isNull ? 0 : from.int()
      const nulls = isNull ? Uint8Array.of(1) : null
      return [{ kind: 'bytes', bytes: from.bytes, start: Int32Array.of(from.skip(length)), length: Int32Array.of(length), nulls }]
    })
    if (texts.length > 0) this.#texts.put(slot, texts, 0)
  }

  get bytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + (lane?.bytes ?? 0), this.#texts.bytes)
  }

  save(slots: number): SavedRows {
    const lanes = this.#lanes.map((lane) => lane?.save(slots) ?? null)
    return this.#textColumns.length > 0 ? { lanes, texts: this.#texts.save(slots) } : { lanes }
  }

  /** `slots`: how many were saved. */
  restore({ lanes, texts }: SavedRows, slots: number): void {
    this.#lanes = this.#makeLanes()
    for (const [column, lane] of this.#lanes.entries()) lane?.restore(lanes[column])
    this.#texts = new TextRows(this.#textColumns.length)
    if (texts) this.#texts.restore(texts)
    else if (this.#textColumns.length > 0) this.#restoreApart(lanes, slots)
  }

  #restoreApart(lanes: readonly unknown[], slots: number): void {
    const apart = this.#textColumns.map((column) => {
      const lane = new BytesLane(compareBytes)
      lane.restore(lanes[column])
      return lane
    })
    const all = indexes(slots)
    for (let from = 0; from < slots; from += AT_ONCE) {
      const some = all.subarray(from, from + AT_ONCE)
      const columns = apart.map((lane) => lane.column(some, some.length))
      this.#texts.putAll(some, columns, null, some.length)
    }
  }
}
