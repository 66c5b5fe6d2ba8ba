// Data files: DuckDB writes Parquet with Iceberg's field ids and answers the statistics, so that no footer is read back. Rows
// are sorted by the table's sort order and split by its partition spec. Nothing is durable or visible before lake's commit.
import { systemRandom, uuidV7 } from '../core/random.ts'
import { partitionFromText } from '../lake/partition-spec.ts'
import type { ColumnStats, DataFile, LakeField, LakePartitionField, LakeTable } from '../lake/types.ts'
import { encodeBound } from '../lake/value/bound.ts'
import { addBucketFunction } from './bucket.ts'
import type { Session } from './duckdb.ts'
import { duckTypeOfIceberg } from './scan.ts'
import { quoteName, quoteText } from './sql-text.ts'

export interface WriteOptions {
  /** SELECT with (at least) the table's columns by name. */
  readonly select: string
  readonly table: LakeTable
  /** The table's data directory: plain path. */
  readonly directory: string
  readonly signal?: AbortSignal
}

/** Writes new files and answers them; none for no rows. They are removed when the statement fails. */
export async function writeParquet(session: Session, { select, table, directory, signal }: WriteOptions): Promise<DataFile[]> {
  const { fields } = table.schema
  const partitions = table.spec.fields.map((field, index) => ({ field, column: `__p_${index}` }))
  if (partitions.some(({ field }) => field.transform.startsWith('bucket'))) addBucketFunction(session)
  const columns = fields.map((field) => `CAST(${quoteName(field.name)} AS ${duckTypeOfIceberg(field.type)}) AS ${quoteName(field.name)}`)
  const values = partitions.map(({ field, column }) => `${transformSql(field, sourceOf(table, field))} AS ${column}`)
  const order = table.sort.flatMap((id) => fields.filter((field) => field.id === id).map((field) => quoteName(field.name)))
  const rows = `SELECT ${[...columns, ...values].join(', ')} FROM (${select})${order.length > 0 ? ` ORDER BY ${order.join(', ')}` : ''}`
  const target = `${directory}/${uuidV7(session.clock.nowMs(), systemRandom)}${partitions.length > 0 ? '' : '.parquet'}`
  const ids = fields.map((field) => `${quoteName(field.name)}: ${field.id}`).join(', ')
  const split =
    partitions.length > 0
      ? `, PARTITION_BY (${partitions.map(({ column }) => column).join(', ')}), WRITE_PARTITION_COLUMNS false, FILENAME_PATTERN 'f-{uuid}'`
      : ''
  const result = await session.rows(
    `COPY (${rows}) TO ${quoteText(target)} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS, FIELD_IDS {${ids}}${split})`,
    undefined,
    signal ? { signal } : {},
  )
  return result.rows.filter((row) => Number(row[1]) > 0).map((row) => dataFile(table, partitions, row))
}

function sourceOf(table: LakeTable, { sourceId, name }: LakePartitionField): LakeField {
  const field = table.schema.fields.find((candidate) => candidate.id === sourceId)
  if (!field) throw new TypeError(`the partition field ${name} has no column in ${table.name}`)
  return field
}

function transformSql({ transform }: LakePartitionField, source: LakeField): string {
  const column = quoteName(source.name)
  switch (transform) {
    case 'identity':
      return column
    case 'day':
      return `CAST(${column} AS DATE)`
    case 'month':
      return `CAST(date_diff('month', DATE '1970-01-01', CAST(${column} AS DATE)) AS INTEGER)`
    case 'year':
      return `CAST(date_diff('year', DATE '1970-01-01', CAST(${column} AS DATE)) AS INTEGER)`
    case 'hour':
      return `CAST(floor(epoch_us(${column}) / 3600000000) AS INTEGER)`
    default:
      return `iceberg_bucket(${quoteText(transform)}, ${quoteText(source.type)}, CAST(${column} AS VARCHAR))`
  }
}

type Pairs = readonly { readonly key: string; readonly value: string | null }[]

function dataFile(
  table: LakeTable,
  partitions: readonly { field: LakePartitionField; column: string }[],
  row: readonly unknown[],
): DataFile {
  const [path, count, size, , statistics, keys] = row as [
    string,
    bigint,
    bigint,
    bigint,
    readonly { key: string; value: Pairs }[],
    Pairs | null,
  ]
  const texts = Object.fromEntries(
    partitions.map(({ field, column }) => [field.name, (keys ?? []).find((pair) => pair.key === column)?.value ?? null]),
  )
  const columns = new Map<number, ColumnStats>()
  for (const { key, value } of statistics) {
    const field = table.schema.fields.find((candidate) => quoteName(candidate.name) === key)
    if (field) columns.set(field.id, columnStats(field, value, Number(count)))
  }
  return {
    path,
    rows: Number(count),
    sizeBytes: Number(size),
    specId: table.spec.id,
    partition: partitionFromText(table, table.spec, texts),
    columns,
  }
}

function columnStats(field: LakeField, pairs: Pairs, rows: number): ColumnStats {
  const values = new Map(pairs.map(({ key, value }) => [key, value]))
  const nulls = Number(values.get('null_count') ?? 0)
  const isFloat = field.type === 'float' || field.type === 'double'
  const hasNan = values.get('has_nan') === 'true'
  const bound = (key: 'min' | 'max', side: 'lower' | 'upper'): Uint8Array | undefined => {
    const text = values.get(key)
    return text === undefined || text === null || hasNan ? undefined : encodeBound(field.type, text, side)
  }
  const lower = bound('min', 'lower')
  const upper = bound('max', 'upper')
  return {
    sizeBytes: Number(values.get('column_size_bytes') ?? 0),
    values: rows,
    nulls,
    ...(isFloat && !hasNan ? { nans: 0 } : {}),
    ...(lower ? { lower } : {}),
    ...(upper ? { upper } : {}),
  }
}
