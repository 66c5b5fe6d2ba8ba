// Is a Parquet file what its manifest says? The footer's number of rows, then every value of every column against the
// counts and bounds of the manifest. Parquet's pages carry no checksum here, so that a flipped bit which leaves all of
// that true is not found.
import { asMillraceError } from '../core/errors.ts'
import type { ColumnStats, DataFile, LakeField, LakeTable } from '../lake/types.ts'
import { flatType, isIcebergType, parseIcebergType } from '../lake/value/iceberg-type.ts'
import { decodeValue } from '../lake/value/single-value.ts'
import { decimalText } from '../schema/value-text.ts'
import type { Session } from './duckdb.ts'
import { initialOf, parquetSql } from './parquet.ts'
import { fileColumn } from './renamed-parts.ts'
import { literal, quoteText } from './sql-text.ts'

/** What is wrong with the file, in words that follow its path; null when nothing is. */
export async function checkParquet(session: Session, table: LakeTable, file: DataFile): Promise<string | null> {
  try {
    // The footer of an encrypted file cannot be asked; its rows are counted below.
    if (!file.seal) {
      const footer = await session.rows(`SELECT num_rows FROM parquet_file_metadata([${quoteText(file.path)}])`)
      const rows = Number(footer.rows[0]?.[0])
      if (rows !== file.rows) return `has ${rows} rows instead of ${file.rows}`
    }
    // Columns of types that Millrace does not hold, which another engine wrote, are not looked into.
    const fields = table.schema.fields.filter(({ type }) => isIcebergType(type))
    const checks = fields.flatMap((field) => columnChecks(field, file))
    const columns = fields.map((field) => ({
      id: field.id,
      name: nameOf(field),
      type: fileColumn(field, file.names ?? null).type,
      ...initialOf(field),
    }))
    const list = ['count(*)', ...checks.map(({ sql }) => sql)]
    const found = await session.rows(`SELECT ${list.join(', ')} FROM ${parquetSql([file], columns)}`)
    const [count, ...values] = found.rows[0]!.map(Number)
    if (count !== file.rows) return `has ${count} rows instead of ${file.rows}`
    const wrong = checks.findIndex(({ wanted }, index) => values[index] !== wanted)
    return wrong < 0 ? null : checks[wrong]!.what(values[wrong]!)
  } catch (cause) {
    const { message } = asMillraceError(cause)
    return /^No files found that match/.test(message) ? 'is missing' : `cannot be read: ${message}`
  }
}

interface Check {
  readonly sql: string
  readonly wanted: number
  readonly what: (found: number) => string
}

const nameOf = (field: LakeField): string => `f${field.id}`

/** Reads the values also of a column that the manifest says nothing of. */
const readOnly = (name: string): Check => ({ sql: `0 * bit_xor(hash(${name}))`, wanted: 0, what: () => '' })

function columnChecks(field: LakeField, file: DataFile): Check[] {
  const stats = file.columns.get(field.id)
  const name = nameOf(field)
  if (!stats) return [readOnly(name)]
  const nulls = {
    sql: `count(*) - count(${name})`,
    wanted: stats.nulls,
    what: (found: number) => `has ${found} nulls in ${field.name} instead of ${stats.nulls}`,
  }
  const outside = outsideSql(field, stats)
  if (outside === null) return [nulls, readOnly(name)]
  return [
    nulls,
    { sql: `count(*) FILTER (WHERE ${outside})`, wanted: 0, what: (found) => `has ${found} values in ${field.name} outside of its bounds` },
  ]
}

/** Whether a value is outside of the manifest's bounds; null when there are none to compare with. */
function outsideSql(field: LakeField, { lower, upper }: ColumnStats): string | null {
  const name = nameOf(field)
  const type = flatType(field.type)
  const [low, high] = [lower && boundSql(type, lower), upper && boundSql(type, upper)]
  const isFloat = type === 'float' || type === 'double'
  const parts = [
    ...(low ? [`${name} < ${low}`] : []),
    ...(high ? [isFloat ? `(${name} > ${high} AND NOT isnan(${name}))` : `${name} > ${high}`] : []),
  ]
  return parts.length === 0 ? null : parts.join(' OR ')
}

/** A bound as a constant of the column's type; null for types whose bounds are not compared. */
function boundSql(typeText: string, bytes: Uint8Array): string | null {
  const value = decodeValue(typeText, bytes)
  const type = parseIcebergType(typeText)
  switch (type.kind) {
    case 'boolean':
    case 'int':
    case 'long':
      return literal(value)
    case 'float':
    case 'double':
      return `CAST(${literal(value)} AS ${type.kind})`
    case 'decimal':
      return `CAST('${decimalText(BigInt(value), type.scale)}' AS DECIMAL(${type.precision}, ${type.scale}))`
    case 'date':
      return `(DATE '1970-01-01' + ${value})`
    case 'timestamp':
      return `make_timestamp(${value})`
    case 'timestamptz':
      return `(make_timestamp(${value}) AT TIME ZONE 'UTC')`
    case 'uuid':
      return `CAST(${literal(value)} AS UUID)`
    case 'string':
      return literal(value)
    default:
      return null
  }
}
