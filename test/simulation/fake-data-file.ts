// Data files without Parquet: a few bytes on the disk and statistics as the engine would give them, for tests of what the
// lake does with files.
import type { Disk } from '../../src/core/disk.ts'
import type { Lake } from '../../src/lake/open-lake.ts'
import type { ColumnStats, DataFile, LakeTable, PartitionValue } from '../../src/lake/types.ts'
import { encodeBound } from '../../src/lake/value/bound.ts'
import { flatType } from '../../src/lake/value/iceberg-type.ts'

export interface FakeFile {
  /** Path below the data directory, without the ending; also the file's content. */
  readonly name: string
  readonly rows: number
  readonly partition?: Readonly<Record<string, PartitionValue>>
  /** Minimum and maximum by column, as DuckDB prints them. */
  readonly bounds?: Readonly<Record<string, readonly [string, string]>>
  readonly specId?: number
  readonly sizeBytes?: number
}

/** Writes the file, not durably: syncing it is the commit's matter. */
export async function fakeDataFile(disk: Disk, lake: Lake, table: LakeTable, fake: FakeFile): Promise<DataFile> {
  const path = `${lake.dataDirectory(table)}/${fake.name}.parquet`
  await disk.makeDirectory(path.slice(0, path.lastIndexOf('/')))
  const file = await disk.open(path, 'create')
  await file.write([Buffer.from(fake.name)], 0)
  await file.close()
  return {
    path,
    rows: fake.rows,
    sizeBytes: fake.sizeBytes ?? fake.name.length,
    specId: fake.specId ?? table.spec.id,
    partition: fake.partition ?? {},
    columns: new Map(Object.entries(fake.bounds ?? {}).map(([column, bounds]) => columnStats(table, column, bounds, fake.rows))),
  }
}

function columnStats(table: LakeTable, column: string, [min, max]: readonly [string, string], rows: number): [number, ColumnStats] {
  const field = table.schema.fields.find((other) => other.name === column)!
  const [lower, upper] = [encodeBound(flatType(field.type), min, 'lower'), encodeBound(flatType(field.type), max, 'upper')]
  return [field.id, { sizeBytes: 8, values: rows, nulls: 0, nans: 0, ...(lower ? { lower } : {}), ...(upper ? { upper } : {}) }]
}
