// Data files: DuckDB writes Parquet with Iceberg's field ids and answers the statistics, so that no footer is read back. Rows
// are sorted by the table's sort order and split by its partition spec. Nothing is durable or visible before lake's commit.
import { mkdir, rm } from 'node:fs/promises'
import { MillraceError } from '../core/errors.ts'
import { systemRandom, uuidV7 } from '../core/random.ts'
import { isNestedType } from '../lake/nested-type.ts'
import { partitionFromText } from '../lake/partition-spec.ts'
import type { ColumnStats, DataFile, LakeField, LakePartitionField, LakeTable } from '../lake/types.ts'
import { encodeBound } from '../lake/value/bound.ts'
import { bucketSql } from './bucket.ts'
import type { Session } from './duckdb.ts'
import { lineageOf } from './lineage.ts'
import { duckTypeOfIceberg, encryptionSql, fieldIdsSql } from './parquet.ts'
import { keyForWriting, sealWritten } from './parquet-keys.ts'
import type { PartNumbers } from './part-numbers.ts'
import { quoteName, quoteText } from './sql-text.ts'

export interface WriteOptions {
  /** SELECT with (at least) the table's columns by name. */
  readonly select: string
  readonly table: LakeTable
  /** The table's data directory: plain path. */
  readonly directory: string
  /** Most rows of a file; files of a partition then hold ranges of the sort order that do not overlap. Default: one file. */
  readonly rowsPerFile?: number
  /** The SELECT has the lineage of rows that move (`lineage.ts`), which version 3 keeps; null for rows that are new. */
  readonly moved?: boolean
  readonly signal?: AbortSignal
  /** Nobody waits for it. */
  readonly aside?: boolean
}

/**
 * Writes new files and answers them; none for no rows. Nothing stays behind when the statement fails.
 * @throws MR_SQL_* of the SELECT; MR_LAKE_SPEC for a partition value that cannot be part of a path.
 */
export async function writeParquet(session: Session, options: WriteOptions): Promise<DataFile[]> {
  const { table, directory, signal } = options
  const key = await keyForWriting(session, table)
  using numbers = key ? session.partNumbers() : null
  const { rows, splits } = rowsSql(session, options, numbers)
  const id = uuidV7(session.clock.nowMs(), systemRandom)
  const target = `${directory}/${id}${splits.length > 0 ? '' : '.parquet'}`
  const split = splits.length > 0 ? `, PARTITION_BY (${splits.join(', ')}), WRITE_PARTITION_COLUMNS false, FILENAME_PATTERN 'f-{uuid}'` : ''
  const encryption = key ? `, ENCRYPTION_CONFIG ${encryptionSql(key.fileKey)}` : ''
  const copy = `COPY (${rows}) TO ${quoteText(target)} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS, FIELD_IDS {${fieldIdsSql(storedFields(options))}}${encryption}${split})`
  await mkdir(directory, { recursive: true })
  try {
    const written = await session.rows(copy, undefined, {
      source: options.select,
      aside: options.aside === true,
      ...(signal ? { signal } : {}),
    })
    const full = written.rows.filter((row) => Number(row[1]) > 0)
    // DuckDB writes a file for no rows too.
    for (const row of written.rows) if (Number(row[1]) === 0) await rm(String(row[0]), { force: true })
    if (full.length === 0) await rm(target, { recursive: true, force: true })
    const files = full.map((row) => dataFile(table, numbers, row))
    return key ? await sealWritten(files, storedFields(options), key) : files
  } catch (cause) {
    await rm(target, { recursive: true, force: true })
    if (/File name too long/.test(String(cause)))
      throw new MillraceError('MR_LAKE_SPEC', `${table.name}: a value that it is partitioned by is too long`, {
        cause,
        fix: 'partition by bucket(n, column) instead of the column itself',
      })
    throw cause
  }
}

const storedFields = ({ table, moved }: Pick<WriteOptions, 'table' | 'moved'>): readonly LakeField[] => [
  ...table.schema.fields,
  ...(moved ? lineageOf(table) : []),
]

/** Column by which files are split: what a field of the partition spec takes. */
const partColumn = (index: number): string => `__p_${index}`
/** Instead of all of those, in encrypted tables. */
const NUMBER_COLUMN = '__p'
/** Within a partition: ranges of the sort order. */
const RANGE_COLUMN = '__n'

/** The rows to write and the hidden columns that split them into files. */
function rowsSql(session: Session, options: WriteOptions, numbers: PartNumbers | null): { rows: string; splits: string[] } {
  const { select, table, rowsPerFile } = options
  const fields = storedFields(options)
  const names = fields.map((field) => quoteName(field.name))
  const typed = fields.map((field, index) => `CAST(${names[index]} AS ${duckTypeOfIceberg(field.type)}) AS ${names[index]}`)
  let rows = `SELECT ${typed.join(', ')} FROM (${select})`
  const values: string[] = []
  for (const [index, field] of table.spec.fields.entries()) {
    const source = sourceOf(table, field)
    const bucketed = field.transform.startsWith('bucket') ? bucketSql(session, rows, source, field.transform, index) : null
    if (bucketed) rows = bucketed.sql
    values.push(`${bucketed?.value ?? transformSql(field.transform, source)} AS ${partColumn(index)}`)
  }
  const sort = table.sort.flatMap((id) => fields.filter((field) => field.id === id).map((field) => quoteName(field.name)))
  const parts = values.map((_, index) => partColumn(index))
  const isNumbered = parts.length > 0 && numbers !== null
  const partitions = isNumbered ? [NUMBER_COLUMN] : parts
  if (parts.length > 0) rows = `SELECT ${[...names, ...values].join(', ')} FROM (${rows})`
  if (isNumbered) rows = `SELECT ${names.join(', ')}, ${numbers.sql(parts)} AS ${NUMBER_COLUMN} FROM (${rows})`
  if (rowsPerFile !== undefined) {
    const within = partitions.length > 0 ? `PARTITION BY ${partitions.join(', ')} ` : ''
    const order = sort.length > 0 ? `ORDER BY ${sort.join(', ')}` : ''
    rows = `SELECT *, (row_number() OVER (${within}${order}) - 1) // ${rowsPerFile} AS ${RANGE_COLUMN} FROM (${rows})`
  }
  if (sort.length > 0) rows = `SELECT * FROM (${rows}) ORDER BY ${[...partitions, ...sort].join(', ')}`
  return { rows, splits: rowsPerFile === undefined ? partitions : [...partitions, RANGE_COLUMN] }
}

function sourceOf(table: LakeTable, { sourceId, name }: LakePartitionField): LakeField {
  const field = table.schema.fields.find((candidate) => candidate.id === sourceId)
  if (!field) throw new MillraceError('MR_ASSERT', `cannot be: the partition field ${name} of ${table.name} has no column`)
  return field
}

function transformSql(transform: string, source: LakeField): string {
  const column = quoteName(source.name)
  switch (transform) {
    case 'day':
      return `CAST(${column} AS DATE)`
    case 'month':
    case 'year':
      return `CAST(date_diff('${transform}', DATE '1970-01-01', CAST(${column} AS DATE)) AS INTEGER)`
    case 'hour':
      // Whole-number division rounds to zero: times before 1970 are shifted by the part that it would lose.
      return `CAST((epoch_us(${column}) - (epoch_us(${column}) % 3600000000 + 3600000000) % 3600000000) // 3600000000 AS INTEGER)`
    default:
      return column
  }
}

type Texts = Readonly<Record<string, string | null>>

/** A row of RETURN_STATS. */
function dataFile(table: LakeTable, numbers: PartNumbers | null, row: readonly unknown[]): DataFile {
  const [path, count, size, , statistics, keys] = row as [string, bigint, bigint, bigint, Readonly<Record<string, Texts>>, Texts | null]
  const fields = table.spec.fields
  const hidden = fields.length > 0 ? numbers?.texts(Number(keys![NUMBER_COLUMN])) : undefined
  const texts = Object.fromEntries(fields.map(({ name }, index) => [name, (hidden ? hidden[index] : keys?.[partColumn(index)]) ?? null]))
  const columns = new Map<number, ColumnStats>()
  for (const [key, value] of Object.entries(statistics)) {
    const field = table.schema.fields.find((candidate) => quoteName(candidate.name) === key)
    if (field && !isNestedType(field.type)) columns.set(field.id, columnStats(field.type, value, Number(count)))
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

function columnStats(type: string, values: Texts, rows: number): ColumnStats {
  const isFloat = type === 'float' || type === 'double'
  const hasNan = values['has_nan'] === 'true'
  const bound = (key: 'min' | 'max', side: 'lower' | 'upper'): Uint8Array | undefined => {
    const text = values[key]
    return text === undefined || text === null || hasNan ? undefined : encodeBound(type, text, side)
  }
  const lower = bound('min', 'lower')
  const upper = bound('max', 'upper')
  return {
    sizeBytes: Number(values['column_size_bytes'] ?? 0),
    values: rows,
    nulls: Number(values['null_count'] ?? 0),
    ...(isFloat && !hasNan ? { nans: 0 } : {}),
    ...(lower ? { lower } : {}),
    ...(upper ? { upper } : {}),
  }
}
