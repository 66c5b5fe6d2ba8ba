// Pages of a result as NDJSON or CSV: one buffer about every 64 KiB, each column read by its own writer.
import type { Page, ResultColumn } from '../duckdb.ts'
import { openVector } from '../result-vector.ts'
import { ByteSink } from './byte-sink.ts'
import { type CellStyle, cellWriter, writeCsvText, writeJsonText } from './cell-writer.ts'

const SEND_BYTES = 64 * 1024

/** What stands around the values of one format. */
interface Frame extends CellStyle {
  /** Before the rows; there even when there are none. */
  head(sink: ByteSink, columns: readonly ResultColumn[]): void
  /** Before each value of a row; the first is before the row. */
  before(columns: readonly ResultColumn[]): readonly Uint8Array[]
  readonly rowEnd: string
}

const jsonText = (text: string): Uint8Array => {
  const sink = new ByteSink()
  writeJsonText(sink, Buffer.from(text))
  return Buffer.from(sink.take())
}

export const NDJSON: Frame = {
  style: 'json',
  numbersAsText: false,
  head: () => {},
  before: (columns) =>
    columns.map(({ name }, index) => Buffer.concat([Buffer.from(index === 0 ? '{' : ','), jsonText(name), Buffer.from(':')])),
  rowEnd: '}\n',
}

/** RFC 4180 with a header line. */
export const CSV: Frame = {
  style: 'csv',
  numbersAsText: false,
  head(sink, columns) {
    for (const [index, { name }] of columns.entries()) {
      if (index > 0) sink.ascii(',')
      writeCsvText(sink, Buffer.from(name))
    }
    sink.ascii('\r\n')
  },
  before: (columns) => columns.map((_, index) => Buffer.from(index === 0 ? '' : ',')),
  rowEnd: '\r\n',
}

export async function* encodeText(pages: AsyncIterable<Page>, frame: Frame): AsyncGenerator<Uint8Array> {
  const sink = new ByteSink()
  let isFirst = true
  for await (const page of pages) {
    if (isFirst) frame.head(sink, page.columns)
    isFirst = false
    writePage(sink, page, frame)
    if (sink.length >= SEND_BYTES) yield sink.take()
  }
  if (sink.length > 0) yield sink.take()
}

function writePage(sink: ByteSink, { columns, types, chunk, rowCount }: Page, frame: Frame): void {
  const before = frame.before(columns)
  const writers = columns.map((_, index) => cellWriter(sink, openVector(chunk, index, types[index]!, rowCount), types[index]!, frame))
  for (let row = 0; row < rowCount; row++) {
    for (let index = 0; index < writers.length; index++) {
      sink.bytes(before[index]!)
      writers[index]!(row)
    }
    sink.ascii(frame.rowEnd)
  }
}
