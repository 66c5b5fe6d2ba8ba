// Manifests of delete files (Iceberg spec, "Manifests", content 1): what writers of merge-on-read tables leave beside the data.
// Millrace reads all three kinds and writes deletion vectors. Which data files they are about is decided in `match-deletes.ts`.
import { MillraceError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { toPath, toUri } from '../location.ts'
import {
  type Entry,
  fileRows,
  type Inherited,
  type ManifestContext,
  type ManifestRow,
  readEntries,
  type WriteContext,
  writeEntries,
} from '../manifest.ts'
import type { DataFile } from '../types.ts'

export interface DeleteFile {
  readonly kind: 'position' | 'equality' | 'vector'
  readonly path: string
  /** Of position and equality deletes, see `DataFile`. */
  readonly format?: string
  readonly rows: number
  readonly sizeBytes: number
  readonly specId: number
  readonly partition: DataFile['partition']
  /** Statistics of position and equality deletes. */
  readonly columns: DataFile['columns']
  /** The only data file that it is about, when that is known. */
  readonly dataFile: string | null
  /** Field ids that a deleted row is equal in. */
  readonly equalityIds: readonly number[]
  /** Where a vector lies in its file. */
  readonly offset: number
  readonly lengthBytes: number
}

/** Column of position delete files that names the data file (reserved field ids of the spec). */
export const FILE_PATH_ID = 2147483546
export const POSITION_ID = 2147483545

/** @throws MR_LAKE_CORRUPT when it cannot be read; MR_LAKE_VERSION for a kind of deletes that is not known. */
export function readDeleteManifest(bytes: Buffer, from: Inherited, context: ManifestContext): Entry<DeleteFile>[] {
  return readEntries(bytes, from, context, (row, file) => ({
    kind: kindOf(row, file, from.path),
    path: file.path,
    ...(file.format === undefined || file.format === PUFFIN ? {} : { format: file.format }),
    rows: file.rows,
    sizeBytes: file.sizeBytes,
    specId: file.specId,
    partition: file.partition,
    columns: file.columns,
    dataFile: dataFileOf(row, file, from.path),
    equalityIds: (row['equality_ids'] as readonly number[] | null | undefined) ?? [],
    offset: Number(row['content_offset'] ?? 0),
    lengthBytes: Number(row['content_size_in_bytes'] ?? 0),
  }))
}

const PUFFIN = 'PUFFIN'

function kindOf(row: ManifestRow, { format }: DataFile, manifest: string): DeleteFile['kind'] {
  if (row['content'] === 1) return format === PUFFIN ? 'vector' : 'position'
  if (row['content'] === 2 && format !== PUFFIN) return 'equality'
  throw new MillraceError(
    'MR_LAKE_VERSION',
    `${manifest} lists ${String(row['file_path'])}, deletes of kind ${String(row['content'])} as ${format ?? 'PARQUET'}, which are not known`,
    { fix: 'rewrite the table without delete files, with the engine that wrote them' },
  )
}

/** Named by the manifest, or by bounds that leave room for one path only. */
function dataFileOf(row: ManifestRow, file: DataFile, manifest: string): string | null {
  const named = row['referenced_data_file'] as string | null | undefined
  if (named) return toPath(named)
  if (kindOf(row, file, manifest) === 'vector')
    throw new MillraceError('MR_LAKE_CORRUPT', `${manifest} lists a deletion vector in ${file.path} and not of which data file`, {
      fix: 'read an earlier snapshot',
    })
  const { lower, upper } = file.columns.get(FILE_PATH_ID) ?? {}
  return lower && upper && Buffer.from(lower).equals(upper) ? toPath(Buffer.from(lower).toString()) : null
}

/** The bytes of a manifest of delete files, all of one partition spec. */
export function writeDeleteManifest(entries: readonly Entry<DeleteFile>[], context: WriteContext, random: Random): Buffer {
  const toRow = fileRows(context)
  return writeEntries(entries, context, 'deletes', random, ({ file }) => ({
    ...toRow(file),
    content: file.kind === 'equality' ? 2 : 1,
    ...(file.kind === 'vector' ? { file_format: PUFFIN } : {}),
    equality_ids: file.equalityIds.length > 0 ? file.equalityIds : null,
    sort_order_id: null,
    first_row_id: null,
    referenced_data_file: file.dataFile === null ? null : toUri(file.dataFile),
    content_offset: file.kind === 'vector' ? file.offset : null,
    content_size_in_bytes: file.kind === 'vector' ? file.lengthBytes : null,
  }))
}
