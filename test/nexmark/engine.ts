// Nexmark's queries in the engine alone: bytes of NDJSON through the scanner and the chain of operators of a live model, as a pipeline
// runs them, without log, classification, tail and commit. For the comparison with Flink, row for row and by processor time.

import { closeSync, openSync, readSync } from 'node:fs'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { columnsRead } from '../../src/engine/algebra/columns-read.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { type Column, type ColumnBatch, valueAt } from '../../src/schema/batch.ts'
import { isoDate } from '../../src/schema/calendar.ts'
import { Decimal } from '../../src/schema/decimal.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import { type Field, fieldOf, type Shape } from '../../src/schema/type.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { BID, SHAPES, type StreamName } from './events.ts'

export const LATENESS_MS = 4_000
const READ_BYTES = 4 << 20
const START_MS = Date.UTC(2026, 0, 1)

/** `arriving` has the bytes of `bid`. */
export type InputName = StreamName | 'arriving'
export const shapeOf = (stream: string): Shape => (stream === 'arriving' ? BID : SHAPES[stream as StreamName])
export const storedShapeOf = (stream: string): Shape => ({ fields: [...shapeOf(stream).fields, ...SYSTEM_FIELDS] })

/** The files of each partition: whole lines in the order of event time. */
export type Partitions = readonly string[]

/** One query over one stream; everything that comes out goes to `out`. Nothing is kept between runs but compiled code. */
export class NexmarkRun {
  readonly #chain: Chain
  readonly #scan: (bytes: Uint8Array) => ColumnBatch
  readonly #shape: Shape
  readonly #timeIndex: number
  readonly output: Shape

  constructor(query: LiveQuery) {
    const own = shapeOf(query.stream)
    const read = columnsRead(query)
    const time = query.stream === 'arriving' ? undefined : 'date_time'
    const columns = own.fields.filter(({ name }) => read.has(name) || name === time)
    const scanner = compileScanner(own)
    const names = columns.map(({ name }) => name)
    this.#scan = (bytes) => scanner.scan(bytes, { trusted: true, columns: names }).batch
    this.#shape = { fields: [...columns, ...SYSTEM_FIELDS] }
    this.#timeIndex = names.indexOf('date_time')
    this.output = shapeOfRelation(query.root, storedShapeOf(query.stream))
    this.#chain = new Chain(query, this.#shape, this.output)
  }

  /** Partitions in turn, the watermark after each read; at the end every window closes. */
  run(partitions: Partitions, out: (batch: ColumnBatch) => void): void {
    const chain = this.#chain
    chain.restore(null)
    const keep = (batch: ColumnBatch | null): void => {
      if (batch) out(batch)
    }
    const files = partitions.map((path) => new LineFile(path))
    const marks = partitions.map(() => Number.NEGATIVE_INFINITY)
    const offsets = partitions.map(() => 0)
    while (marks.some((mark) => mark < Number.POSITIVE_INFINITY)) {
      for (const [partition, file] of files.entries()) {
        const lines = file.next()
        if (lines === null) {
          marks[partition] = Number.POSITIVE_INFINITY
          continue
        }
        const scanned = this.#scan(lines)
        const arrivedUs = START_MS * 1_000 + offsets[partition]! * 100
        const batch = this.#withSystem(scanned, partition, offsets[partition]!, arrivedUs)
        offsets[partition]! += scanned.rows
        keep(chain.take(batch, null, batch.rows))
        marks[partition] = this.#lastTime(scanned, arrivedUs)
      }
      keep(chain.changed())
      keep(chain.advance(Math.min(Math.min(...marks) - LATENESS_MS * 1_000, Number.MAX_SAFE_INTEGER)))
    }
  }

  #lastTime(batch: ColumnBatch, arrivedUs: number): number {
    if (this.#timeIndex < 0) return arrivedUs
    return (batch.columns[this.#timeIndex] as Extract<Column, { kind: 'integer' }>).values[batch.rows - 1]!
  }

  #withSystem(batch: ColumnBatch, partition: number, from: number, arrivedUs: number): ColumnBatch {
    const { rows } = batch
    const offsets = new Float64Array(rows)
    for (let row = 0; row < rows; row++) offsets[row] = from + row
    const system: Column[] = [
      { kind: 'number', values: new Float64Array(rows).fill(partition), nulls: null },
      { kind: 'integer', values: offsets, big: null, nulls: null },
      { kind: 'integer', values: new Float64Array(rows).fill(arrivedUs), big: null, nulls: null },
    ]
    return { shape: this.#shape, rows, columns: [...batch.columns, ...system] }
  }
}

/** Whole lines of a file, some megabytes at a time; what `next` gives holds until the next call. */
class LineFile {
  readonly #file: number
  readonly #buffer = Buffer.allocUnsafe(READ_BYTES)
  /** Bytes of a line that was cut, at the start of the buffer. */
  #kept = 0
  #end = 0

  constructor(path: string) {
    this.#file = openSync(path, 'r')
  }

  next(): Buffer | null {
    this.#buffer.copy(this.#buffer, 0, this.#end - this.#kept, this.#end)
    const read = readSync(this.#file, this.#buffer, this.#kept, READ_BYTES - this.#kept, null)
    this.#end = this.#kept + read
    if (this.#end === 0) {
      closeSync(this.#file)
      return null
    }
    const lines = this.#buffer.lastIndexOf(10, this.#end - 1) + 1
    this.#kept = this.#end - lines
    return this.#buffer.subarray(0, lines)
  }
}

/** Rows of the whole run: all that came out, or the last of each key. Values as `comparable` gives them. */
export function rowsOf(query: LiveQuery, partitions: Partitions): string[][] {
  const run = new NexmarkRun(query)
  const { fields } = run.output
  const key = query.key.map((name) => fields.findIndex((candidate) => candidate.name === name))
  const rows = new Map<string, string[]>()
  let count = 0
  run.run(partitions, (batch) => {
    for (let row = 0; row < batch.rows; row++) {
      const values = fields.map((field, i) => comparable(textAt(batch, i, row, field), field))
      rows.set(query.result === 'keyed' ? JSON.stringify(key.map((i) => values[i])) : String(count++), values)
    }
  })
  return [...rows.values()]
}

function textAt(batch: ColumnBatch, index: number, row: number, { type }: Field): string | null {
  const value = valueAt(batch, index, row)
  if (value === null) return null
  if (type.kind === 'date') return isoDate(value as number)
  if (type.kind === 'decimal' && typeof value === 'bigint') return new Decimal(value, type.scale).toString()
  return String(value)
}

/** Timestamps are microseconds; doubles are compared to eleven digits, since engines divide in different ways. */
export function comparable(text: string | null, { type }: Field): string {
  if (text === null) return 'NULL'
  return type.kind === 'double' ? String(Number(Number(text).toPrecision(11))) : text
}

/** The time of a stream, for those who write its table elsewhere. */
export const timeOf = (stream: string): string | undefined =>
  fieldOf(shapeOf(stream), 'date_time') && stream !== 'arriving' ? 'date_time' : undefined
