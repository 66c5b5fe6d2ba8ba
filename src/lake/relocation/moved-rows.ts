// Rows of manifests and of manifest lists with other places in them (Iceberg spec, "Manifests", "Manifest Lists"). They are written
// back under the schema and header that they came with, so that whatever another engine put there stays as it was. Bytes only.
import type { Random } from '../../core/random.ts'
import { readContainer, writeContainer } from '../avro/container.ts'
import { compileWriter } from '../avro/encode.ts'
import type { AvroValue } from '../avro/schema.ts'
import { FILE_PATH_ID } from '../deletes/delete-manifest.ts'
import { type Move, movedUri } from './move.ts'

export type Row = { readonly [field: string]: AvroValue }

/** The bytes of an Avro file with its rows replaced, one after the other. @throws MR_LAKE_CORRUPT when it cannot be read. */
export async function replaceRows(bytes: Buffer, name: string, replace: (row: Row) => Promise<Row>, random: Random): Promise<Buffer> {
  const { schema, meta, rows } = readContainer(bytes, name)
  const replaced: Row[] = []
  for (const row of rows) replaced.push(await replace(row as Row))
  const kept = [...meta].filter(([key]) => key !== 'avro.schema' && key !== 'avro.codec')
  return writeContainer(schema, compileWriter(schema), replaced, Object.fromEntries(kept), random)
}

/** What a manifest says of a file, with its places moved: itself, the data file that it is about, bounds of such paths. */
export function movedFile(move: Move, file: Row): Row {
  const referenced = file['referenced_data_file']
  return {
    ...file,
    file_path: movedUri(move, file['file_path'] as string),
    ...(typeof referenced === 'string' ? { referenced_data_file: movedUri(move, referenced) } : {}),
    ...(Number(file['content'] ?? 0) === 1 ? movedBounds(move, file) : {}),
  }
}

interface Bound {
  readonly key: number
  readonly value: Uint8Array
}

// All paths between two that begin alike begin so too; otherwise bounds of moved paths are not known.
function movedBounds(move: Move, file: Row): Row {
  const of = (side: string) => ((file[side] ?? null) as readonly Bound[] | null)?.find(({ key }) => key === FILE_PATH_ID)
  const [lower, upper] = [of('lower_bounds'), of('upper_bounds')]
  if (!lower && !upper) return {}
  const moved = (bound: Bound | undefined): string | null => {
    const text = bound && Buffer.from(bound.value).toString()
    return text === undefined || movedUri(move, text) === text ? null : movedUri(move, text)
  }
  const [low, high] = [moved(lower), moved(upper)]
  const sideOf = (side: string, text: string | null): AvroValue =>
    (file[side] as readonly Bound[] | null)?.flatMap((bound): Row[] => {
      if (bound.key !== FILE_PATH_ID) return [{ key: bound.key, value: bound.value }]
      return low === null || high === null || text === null ? [] : [{ key: bound.key, value: Buffer.from(text) }]
    }) ?? null
  return { lower_bounds: sideOf('lower_bounds', low), upper_bounds: sideOf('upper_bounds', high) }
}
