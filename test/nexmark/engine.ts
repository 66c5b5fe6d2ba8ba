// Nexmark's queries in the engine alone: bytes of NDJSON through the scanner and the chain of operators of a live model, as a pipeline
// runs them, without log, classification, tail and commit. For the comparison with Flink, row for row and by processor time.

import { closeSync, openSync, readSync } from 'node:fs'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { columnsRead } from '../../src/engine/algebra/columns-read.ts'
import type { StreamShape } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { type Column, type ColumnBatch, valueAt } from '../../src/schema/batch.ts'
import { isoDate } from '../../src/schema/calendar.ts'
import { Decimal } from '../../src/schema/decimal.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import { type Field, fieldOf, type Shape } from '../../src/schema/type.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { BID, SHAPES, SIDE_INPUT, type StreamName } from './events.ts'

export const LATENESS_MS = 4_000
const READ_BYTES = 4 << 20
const START_MS = Date.UTC(2026, 0, 1)

/** `arriving` has the bytes of `bid`. */
export const shapeOf = (stream: string): Shape =>
  stream === 'arriving' ? BID : stream === 'side_input' ? SIDE_INPUT : SHAPES[stream as StreamName]
export const storedShapeOf = (stream: string): Shape => ({ fields: [...shapeOf(stream).fields, ...SYSTEM_FIELDS] })

/** As the planner sees a stream: people and auctions are unique by their ids. */
export const liveShapeOf = (stream: string): StreamShape => ({
  ...storedShapeOf(stream),
  time: timeOf(stream) ?? '_ingested_at',
  unique: stream === 'person' || stream === 'auction' ? ['id'] : [],
  ...(stream === 'side_input' ? { tableKey: ['key'] } : {}),
})

/** The files of each partition: whole lines in the order of event time. */
export type Partitions = readonly string[]

/** A stream as a query reads it. */
class StreamReader {
  readonly shape: Shape
  readonly #scan: (bytes: Uint8Array) => ColumnBatch
  readonly #timeIndex: number
  /** Read to its end before anything else, as what was there before. */
  readonly isTable: boolean

  constructor(stream: string, read: ReadonlySet<string>) {
    const own = shapeOf(stream)
    this.isTable = stream === 'side_input'
    const columns = own.fields.filter(({ name }) => read.has(name) || name === timeOf(stream))
    const names = columns.map(({ name }) => name)
    const scanner = compileScanner(own)
    this.#scan = (bytes) => scanner.scan(bytes, { trusted: true, columns: names }).batch
    this.#timeIndex = names.indexOf(timeOf(stream) ?? '')
    this.shape = { fields: [...columns, ...SYSTEM_FIELDS] }
  }

  /** Rows with the system columns, and the time of the last one, microseconds. */
  read(lines: Uint8Array, partition: number, from: number): { readonly batch: ColumnBatch; readonly lastUs: number } {
    const { rows, columns } = this.#scan(lines)
    const arrivedUs = this.isTable ? (START_MS - 1) * 1_000 : START_MS * 1_000 + from * 100
    const offsets = new Float64Array(rows)
    for (let row = 0; row < rows; row++) offsets[row] = from + row
    const system: Column[] = [
      { kind: 'number', values: new Float64Array(rows).fill(partition), nulls: null },
      { kind: 'integer', values: offsets, big: null, nulls: null },
      { kind: 'integer', values: new Float64Array(rows).fill(arrivedUs), big: null, nulls: null },
    ]
    const times = this.#timeIndex < 0 ? null : (columns[this.#timeIndex] as Extract<Column, { kind: 'integer' }>).values
    return {
      batch: { shape: this.shape, rows, columns: [...columns, ...system] },
      lastUs: times ? times[rows - 1]! : this.isTable ? Number.NEGATIVE_INFINITY : arrivedUs,
    }
  }
}

/** One query; everything that comes out goes to `out`. Nothing is kept between runs but compiled code. */
export class NexmarkRun {
  readonly #chain: Chain
  readonly #readers: ReadonlyMap<string, StreamReader>
  readonly output: Shape

  constructor(query: LiveQuery) {
    const read = columnsRead(query)
    const readers = new Map(query.streams.map((stream) => [stream, new StreamReader(stream, read)]))
    this.#readers = readers
    this.output = shapeOfRelation(query.root, storedShapeOf)
    this.#chain = new Chain(query, (stream) => readers.get(stream)!.shape, this.output)
  }

  /** Of all partitions the one that is behind comes next, and the watermark after it; at the end every window closes. */
  run(partitionsOf: (stream: string) => Partitions, out: (batch: ColumnBatch) => void): void {
    const chain = this.#chain
    chain.restore(null)
    const keep = (batch: ColumnBatch | null): void => {
      if (batch) out(batch)
    }
    const tablesFirst = [...this.#readers].sort(([, a], [, b]) => Number(b.isTable) - Number(a.isTable))
    const inputs = tablesFirst.flatMap(([stream, reader]) =>
      partitionsOf(stream).map((path, partition) => ({
        stream,
        reader,
        partition,
        file: new LineFile(path),
        rows: 0,
        lastUs: Number.NEGATIVE_INFINITY,
      })),
    )
    for (;;) {
      const next = inputs.reduce((behind, input) => (input.lastUs < behind.lastUs ? input : behind))
      if (next.lastUs === Number.POSITIVE_INFINITY) break
      const lines = next.file.next()
      if (lines === null) next.lastUs = Number.POSITIVE_INFINITY
      else {
        const { batch, lastUs } = next.reader.read(lines, next.partition, next.rows)
        next.rows += batch.rows
        next.lastUs = lastUs
        keep(chain.take(next.stream, batch, null, batch.rows))
      }
      const least = inputs.reduce((mark, { lastUs }) => Math.min(mark, lastUs), Number.POSITIVE_INFINITY)
      if (least > Number.NEGATIVE_INFINITY) keep(chain.advance(Math.min(least - LATENESS_MS * 1_000, Number.MAX_SAFE_INTEGER)))
      keep(chain.changed())
    }
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
export function rowsOf(query: LiveQuery, partitionsOf: (stream: string) => Partitions): string[][] {
  const run = new NexmarkRun(query)
  const { fields } = run.output
  const key = query.key.map((name) => fields.findIndex((candidate) => candidate.name === name))
  const rows = new Map<string, string[]>()
  let count = 0
  run.run(partitionsOf, (batch) => {
    for (let row = 0; row < batch.rows; row++) {
      const values = fields.map((field, i) => comparable(textAt(batch, i, row, field), field))
      const id = query.result === 'keyed' ? JSON.stringify(key.map((i) => values[i])) : String(count++)
      if (query.loses && valueAt(batch, fields.length, row) === true) rows.delete(id)
      else rows.set(id, values)
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
