// approx_count_distinct: HyperLogLog with 2,048 registers (standard error 2.3 %), and the hashes themselves while there are at
// most 256, which is exact. The result depends on the set of values alone. Source: Flajolet et al., "HyperLogLog: the analysis
// of a near-optimal cardinality estimation algorithm" (2007). DuckDB's own sketch has other registers: figures differ a little.
import type { Column } from '../../schema/batch.ts'
import { hashColumn } from '../memory/key-table.ts'
import type { RecordReader, RecordWriter } from '../memory/record.ts'
import type { AggregateState } from './aggregate-state.ts'

const BITS = 11
const REGISTERS = 1 << BITS
const EXACT_MAX = 256
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS)

/** Of a sketch without content, and of a hash in a set. */
const SKETCH_BYTES = 160
const HASH_BYTES = 24

/** In a record, in the place of how many hashes follow: registers do. */
const FULL = -1

/** A set of 64-bit hashes as [high, low] in one number of 53 bits, or registers of the longest runs of zeros. */
type Sketch = Set<number> | Uint8Array

export class ApproximateCount implements AggregateState {
  #sketches = new Map<number, Sketch>()
  /** Counted as sketches are made and filled. */
  #bytes = 0

  add(groups: Int32Array, columns: readonly Column[], rows: Int32Array | null, count: number): void {
    const column = columns[0]!
    const first = hashColumn(column, rows, count, 0x1b873593)
    const second = hashColumn(column, rows, count, 0x38b34ae5)
    for (let i = 0; i < count; i++) {
      if (column.nulls !== null && column.nulls[rows === null ? i : rows[i]!] === 1) continue
      this.#put(groups[i]!, (first[i]! >>> 0) * 2 ** 21 + (second[i]! >>> 11))
    }
  }

  #put(group: number, hash: number): void {
    let sketch = this.#sketches.get(group)
    if (!sketch) {
      sketch = new Set()
      this.#sketches.set(group, sketch)
      this.#bytes += SKETCH_BYTES
    }
    if (sketch instanceof Uint8Array) register(sketch, hash)
    else if (sketch.add(hash).size > EXACT_MAX) {
      this.#sketches.set(group, registersOf(sketch))
      this.#bytes += REGISTERS - EXACT_MAX * HASH_BYTES
    } else this.#bytes += HASH_BYTES
  }

  merge(from: AggregateState, target: Int32Array, _count: number): void {
    for (const group of (from as ApproximateCount).#sketches.keys()) this.mergeGroup(from, group, target[group]!)
  }

  mergeGroup(from: AggregateState, group: number, to: number): void {
    const sketch = (from as ApproximateCount).#sketches.get(group)
    if (!sketch) return
    if (!(sketch instanceof Uint8Array)) {
      for (const hash of sketch) this.#put(to, hash)
      return
    }
    const own = this.#sketches.get(to)
    const registers = own instanceof Uint8Array ? own : registersOf(own ?? new Set())
    for (let i = 0; i < REGISTERS; i++) registers[i] = Math.max(registers[i]!, sketch[i]!)
    if (!(own instanceof Uint8Array)) this.#bytes += REGISTERS + (own ? 0 : SKETCH_BYTES)
    this.#sketches.set(to, registers)
  }

  column(groups: Int32Array, count: number): Column {
    const values = new Float64Array(count)
    for (let i = 0; i < count; i++) {
      const sketch = this.#sketches.get(groups[i]!)
      values[i] = sketch instanceof Uint8Array ? estimate(sketch) : (sketch?.size ?? 0)
    }
    return { kind: 'integer', values, big: null, nulls: null }
  }

  clear(group: number): void {
    const sketch = this.#sketches.get(group)
    if (!sketch) return
    this.#bytes -= sizeOf(sketch)
    this.#sketches.delete(group)
  }

  write(group: number, out: RecordWriter): void {
    const sketch = this.#sketches.get(group)
    const isFull = sketch instanceof Uint8Array
    out.int(isFull ? FULL : (sketch?.size ?? 0))
    if (isFull) out.copy(sketch, 0, REGISTERS)
    else for (const hash of sketch ?? []) out.number(hash)
  }

  read(group: number, from: RecordReader): void {
    const size = from.int()
    if (size === 0) return
    const start = from.at
    const sketch = size === FULL ? from.bytes.slice(start, start + REGISTERS) : new Set<number>()
    if (sketch instanceof Uint8Array) from.skip(REGISTERS)
    else for (let i = 0; i < size; i++) sketch.add(from.number())
    this.#sketches.set(group, sketch)
    this.#bytes += sizeOf(sketch)
  }

  get bytes(): number {
    return this.#bytes
  }

  save(): unknown {
    return [...this.#sketches].map(([group, sketch]) => [
      group,
      sketch instanceof Uint8Array ? Buffer.from(sketch).toString('base64') : [...sketch],
    ])
  }

  restore(saved: unknown): void {
    const entries = saved as readonly (readonly [number, string | number[]])[]
    this.#sketches = new Map(
      entries.map(([group, sketch]) => [
        group,
        typeof sketch === 'string' ? new Uint8Array(Buffer.from(sketch, 'base64')) : new Set(sketch),
      ]),
    )
    this.#bytes = 0
    for (const sketch of this.#sketches.values()) this.#bytes += sizeOf(sketch)
  }
}

const sizeOf = (sketch: Sketch): number => SKETCH_BYTES + (sketch instanceof Uint8Array ? REGISTERS : HASH_BYTES * sketch.size)

function registersOf(hashes: ReadonlySet<number>): Uint8Array {
  const registers = new Uint8Array(REGISTERS)
  for (const hash of hashes) register(registers, hash)
  return registers
}

function register(registers: Uint8Array, hash: number): void {
  const high = Math.floor(hash / 2 ** 21)
  const index = high & (REGISTERS - 1)
  // 21 bits of the one half and 21 of the other.
  const rest = (high >>> BITS) * 2 ** 21 + (hash - high * 2 ** 21)
  const zeros = rest === 0 ? 42 : 41 - Math.floor(Math.log2(rest))
  registers[index] = Math.max(registers[index]!, zeros + 1)
}

function estimate(registers: Uint8Array): number {
  let sum = 0
  let empty = 0
  for (const value of registers) {
    sum += 2 ** -value
    if (value === 0) empty++
  }
  const raw = (ALPHA * REGISTERS * REGISTERS) / sum
  return Math.round(raw <= 2.5 * REGISTERS && empty > 0 ? REGISTERS * Math.log(REGISTERS / empty) : raw)
}
