// What the tests of live SQL compare with: rows of column batches and of DuckDB's batch SQL as text of one form. Means are given to
// eleven digits, since DuckDB divides in another way, and variances to seven; sums of the values that the tests use are exact.
import { DuckDBInstance } from '@duckdb/node-api'
import { printLive, type TableOf } from '../../src/engine/algebra/print-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { type ColumnBatch, selectRows, valueAt } from '../../src/schema/batch.ts'
import { isoDate, isoInstant } from '../../src/schema/calendar.ts'
import { Decimal } from '../../src/schema/decimal.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import type { Shape, Type } from '../../src/schema/type.ts'

export type Ask = (sql: string) => Promise<readonly (readonly unknown[])[]>

/** A DuckDB of its own, on which none of our settings is. */
export async function openOracle(): Promise<Ask> {
  const oracle = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
  await oracle.run("SET TimeZone = 'UTC'")
  return async (sql) => (await oracle.runAndReadAll(sql)).getRowsJson()
}

function literal(value: ReturnType<typeof valueAt>, type: Type): string {
  if (value === null) return 'NULL'
  const text = textOf(value, type)
  return `CAST('${text}' AS ${toDuckType(type)})`
}

function textOf(value: Exclude<ReturnType<typeof valueAt>, null>, type: Type): string {
  switch (type.kind) {
    case 'timestamp':
      return isoInstant(value as bigint)
    case 'date':
      return isoDate(value as number)
    case 'decimal':
      return typeof value === 'bigint' ? new Decimal(value, type.scale).toString() : String(value)
    default:
      return String(value)
  }
}

export async function load(
  ask: Ask,
  table: string,
  shape: Shape,
  reads: readonly { readonly batch: ColumnBatch; readonly out: Int32Array }[],
): Promise<void> {
  const columns = shape.fields.map(({ name, type }) => `"${name}" ${toDuckType(type)}`)
  await ask(`CREATE TABLE ${table} (${columns.join(', ')})`)
  const lines = reads.flatMap(({ batch, out }) =>
    [...out].map((row) => `(${shape.fields.map(({ type }, i) => literal(valueAt(batch, i, row), type)).join(', ')})`),
  )
  await ask(`INSERT INTO ${table} VALUES ${lines.join(', ')}`)
}

const MEAN_DIGITS = 11

/** Of doubles in the rows of a query. */
export const digitsOf = ({ root }: LiveQuery): number => (/"function":"(?:var|stddev)_/.test(JSON.stringify(root)) ? 7 : MEAN_DIGITS)

/** Rows as comparable text. */
export function show(batch: ColumnBatch, digits = MEAN_DIGITS): string[] {
  return Array.from({ length: batch.rows }, (_, row) =>
    batch.shape.fields.map(({ type }, i) => shown(valueAt(batch, i, row), type, digits)).join(' | '),
  )
}

function shown(value: ReturnType<typeof valueAt>, type: Type, digits: number): string {
  if (value === null) return 'NULL'
  if (isReal(type)) return real(value as number, digits)
  return textOf(value, type)
}

const isReal = ({ kind }: Type): boolean => kind === 'float' || kind === 'double'

/** A little more than the value, so that what lies half-way between two roundings is rounded alike on both sides. */
const real = (value: number, digits: number): string =>
  String(Number.isFinite(value) ? Number((value * (1 + 10 ** (-1.5 - digits))).toPrecision(digits)) + 0 : value)

/** `sql`: what is asked; the batch twin of the query where it is not given. */
export async function expectedRows(
  ask: Ask,
  query: LiveQuery,
  shape: Shape,
  tableOf: TableOf,
  sql = printLive(query, tableOf),
): Promise<string[]> {
  const columns = shape.fields.map(({ name, type }) =>
    isReal(type) ? `CAST("${name}" AS DOUBLE)` : type.kind === 'timestamp' ? `epoch_us("${name}")` : `CAST("${name}" AS VARCHAR)`,
  )
  const digits = digitsOf(query)
  const rows = await ask(`SELECT ${columns.join(', ')} FROM (${sql})`)
  return rows.map((row) =>
    row
      .map((value, i) => {
        const { type } = shape.fields[i]!
        if (value === null) return 'NULL'
        if (isReal(type)) return real(Number(String(value)), digits)
        return type.kind === 'timestamp' ? isoInstant(BigInt(String(value))) : String(value)
      })
      .join(' | '),
  )
}

/** The last row of each key. */
export function latest(batches: readonly ColumnBatch[], key: readonly string[], shape: Shape, digits = MEAN_DIGITS): string[] {
  const indexes = key.map((name) => shape.fields.findIndex((candidate) => candidate.name === name))
  const rows = new Map<string, string>()
  for (const batch of batches)
    for (const [row, text] of show(batch, digits).entries())
      rows.set(JSON.stringify(indexes.map((i) => String(valueAt(batch, i, row)))), text)
  return [...rows.values()]
}

/** Of rows that can go, whose last column says whether they have: the last of each key, where it is there. */
export function there(batches: readonly ColumnBatch[], key: readonly string[], shape: Shape): ColumnBatch[] {
  const indexes = key.map((name) => shape.fields.findIndex((candidate) => candidate.name === name))
  const last = new Map<string, ColumnBatch | null>()
  for (const batch of batches)
    for (let row = 0; row < batch.rows; row++) {
      const hasGone = (batch.columns.at(-1) as { values: Float64Array }).values[row] === 1
      const one = selectRows({ ...batch, columns: batch.columns.slice(0, -1) }, Int32Array.of(row))
      last.set(JSON.stringify(indexes.map((i) => String(valueAt(batch, i, row)))), hasGone ? null : one)
    }
  return [...last.values()].flatMap((batch) => batch ?? [])
}
