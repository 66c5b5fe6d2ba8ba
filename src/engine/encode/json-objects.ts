// Rows of a page as JSON objects, each in bytes of its own: what is sent one by one. The forms are those of NDJSON.
import type { Page } from '../duckdb.ts'
import { openVector } from '../result-vector.ts'
import { ByteSink } from './byte-sink.ts'
import { cellWriter } from './cell-writer.ts'
import { NDJSON } from './text-rows.ts'

export interface NamedColumn {
  /** Of the page. */
  readonly index: number
  readonly name: string
}

/** An object a row of these columns. */
export function jsonObjects({ types, chunk, rowCount }: Page, columns: readonly NamedColumn[]): Uint8Array[] {
  const sink = new ByteSink()
  const before = NDJSON.before(columns.map(({ name, index }) => ({ name, type: String(types[index]) })))
  const writers = columns.map(({ index }) => cellWriter(sink, openVector(chunk, index, types[index]!, rowCount), types[index]!, NDJSON))
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
