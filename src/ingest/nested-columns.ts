// Nested columns of files: each value goes as JSON text through the scanner, as if it had been sent, so that a file and a
// request are held to the same rules and a refused row says where in the value. Values that the file has as JSON keep what
// DuckDB's reader of JSON keeps: of a number that is no integer about 17 digits.
import { appendBatch, createSql, tableName, typedSql } from '../engine/batch-table.ts'
import { cellOf, type Plain } from '../engine/cell.ts'
import type { Engine, Session } from '../engine/duckdb.ts'
import type { BytesColumn, Column, ColumnBatch } from '../schema/batch.ts'
import { compileScanner, type Scan } from '../schema/scan/scanner.ts'
import type { Field, Shape } from '../schema/type.ts'

export interface NestedColumns {
  /** SELECT of a row's number, from 1, and then of the values of `fields`, in `session`. */
  readonly select: string
  readonly fields: readonly Field[]
  /** The values are JSON texts, not of DuckDB's nested types. */
  readonly isText: boolean
}

export interface ParsedColumns {
  /** SELECT of `__row`, the columns with their types, and of refused rows `__code`, `__message` and `__field`. */
  readonly sql: string
  drop(): Promise<void>
}

const ROW: Field = { name: '__row', type: { kind: 'long' }, optional: false }
const REASONS = ['__code', '__message', '__field'].map((name): Field => ({ name, type: { kind: 'string' }, optional: true }))

/** Of all nested values of a row together. */
const ROW_BYTES_MAX = 64 * 1024 * 1024

let count = 0

/** Parses all rows. What it answers holds until `drop`. */
export async function parseNested(engine: Engine, session: Session, { select, fields, isText }: NestedColumns): Promise<ParsedColumns> {
  const name = `load#${count++}`
  const shape: Shape = { fields: [ROW, ...fields, ...REASONS] }
  const scanner = compileScanner({ fields: fields.map((field) => ({ ...field, optional: true })) }, { maxRowBytes: ROW_BYTES_MAX })
  // The session is busy with what is read.
  const writer = await engine.session()
  const drop = async (): Promise<void> => {
    await writer.run(`DROP TABLE IF EXISTS ${tableName(name)}`)
    writer.close()
  }
  try {
    await writer.run(createSql(shape, name))
    for await (const { rows } of session.stream(select)) {
      const lines = rows.map((row) => lineOf(fields, row.slice(1), isText))
      const scan = scanner.scan(Buffer.from(lines.join('\n')))
      const numbers = rows.map((row) => Number(row[0]))
      for (const batch of batchesOf(shape, scan, numbers)) await appendBatch(writer, name, batch)
    }
  } catch (cause) {
    await drop()
    throw cause
  }
  return { sql: typedSql(shape, tableName(name)), drop }
}

/** Line breaks of a text stand between tokens of JSON, or it is no JSON and refused as it stands. */
function lineOf(fields: readonly Field[], values: readonly Plain[], isText: boolean): string {
  const members = fields.map(({ name }, index) => {
    const value = values[index] ?? null
    const text = isText && value !== null ? String(value).replaceAll('\n', ' ') : JSON.stringify(cellOf(value, ''))
    return `${JSON.stringify(name)}:${text}`
  })
  return `{${members.join(',')}}`
}

function batchesOf(shape: Shape, scan: Scan, numbers: readonly number[]): ColumnBatch[] {
  const { batch, rejects } = scan
  const good = Array.from({ length: batch.rows }, (_, row) => numbers[scan.lines[row]!]!)
  const none = REASONS.map(() => nullsColumn(batch.rows))
  const bad = rejects.map(({ line }) => numbers[line]!)
  const lost = batch.columns.map(() => nullsColumn(bad.length))
  const reasons = [rejects.map(({ code }) => code), rejects.map(({ message }) => message), rejects.map(({ field }) => field ?? '')]
  return [
    { shape, rows: good.length, columns: [numberColumn(good), ...batch.columns, ...none] },
    { shape, rows: bad.length, columns: [numberColumn(bad), ...lost, ...reasons.map(textColumn)] },
  ]
}

const numberColumn = (numbers: readonly number[]): Column => ({
  kind: 'integer',
  values: Float64Array.from(numbers),
  big: null,
  nulls: null,
})

const nullsColumn = (rows: number): BytesColumn => ({
  kind: 'bytes',
  bytes: Buffer.alloc(0),
  start: new Int32Array(rows),
  length: new Int32Array(rows),
  nulls: new Uint8Array(rows).fill(1),
})

function textColumn(texts: readonly string[]): BytesColumn {
  const parts = texts.map((text) => Buffer.from(text))
  const length = Int32Array.from(parts, (part) => part.length)
  const start = new Int32Array(parts.length)
  for (let i = 1; i < parts.length; i++) start[i] = start[i - 1]! + length[i - 1]!
  return { kind: 'bytes', bytes: Buffer.concat(parts), start, length, nulls: null }
}
