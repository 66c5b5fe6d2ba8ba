// Rows of a page as JSON objects, each in bytes of its own: what is sent one by one. The forms are those of NDJSON.
import type { Page } from '../duckdb.ts'
import { type BytesVector, isValid, openVector } from '../result-vector.ts'
import { ByteSink } from './byte-sink.ts'
import { cellWriter, type WriteCell } from './cell-writer.ts'
import { NDJSON } from './text-rows.ts'

export interface NamedColumn {
  /** Of the page. */
  readonly index: number
  readonly name: string
  /** Its text is JSON, and stands in the object as what it is. */
  readonly isJson?: boolean
}

/** An object a row of these columns. */
export function jsonObjects({ types, chunk, rowCount }: Page, columns: readonly NamedColumn[]): Uint8Array[] {
  const sink = new ByteSink()
  const before = NDJSON.before(columns.map(({ name, index }) => ({ name, type: String(types[index]) })))
  const writers = columns.map(({ index, isJson }) => {
    const vector = openVector(chunk, index, types[index]!, rowCount)
    return isJson && vector.kind === 'bytes' ? rawWriter(sink, vector) : cellWriter(sink, vector, types[index]!, NDJSON)
  })
  const ends: number[] = []
  for (let row = 0; row < rowCount; row++) {
    for (let index = 0; index < writers.length; index++) {
      sink.bytes(before[index]!)
      writers[index]!(row)
    }
    sink.ascii('}')
    ends.push(sink.length)
  }
  const all = sink.take()
  return ends.map((end, row) => all.subarray(row === 0 ? 0 : ends[row - 1]!, end))
}

const rawWriter =
  (sink: ByteSink, vector: BytesVector): WriteCell =>
  (row) => {
    if (vector.valid === null || isValid(vector.valid, row)) sink.bytes(vector.bytesAt(row))
    else sink.ascii('null')
  }
