// A snapshot's summary: what it added and removed, and the totals after it (Iceberg spec, appendix F). Readers show these
// numbers, so they are kept exact; all are text.
import type { DeleteFile } from './deletes/delete-manifest.ts'
import type { DataFile } from './types.ts'

/** In the summary of a snapshot that has the files of an earlier one again: which one. */
export const RESTORED_FROM = 'millrace.restored-from'

interface ChangedFiles {
  readonly added: readonly DataFile[]
  readonly removed: readonly DataFile[]
  readonly deletes: { readonly added: readonly DeleteFile[]; readonly removed: readonly DeleteFile[] }
}

const sum = <F>(files: readonly F[], of: (file: F) => number): number => files.reduce((total, file) => total + of(file), 0)

/** Totals come from the parent's summary; a parent of another writer without totals counts as zero. */
export function summarizeSnapshot(
  operation: string,
  { added, removed, deletes }: ChangedFiles,
  parent: Readonly<Record<string, string>> | undefined,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> & { operation: string } {
  const rows = [sum(added, (file) => file.rows), sum(removed, (file) => file.rows)] as const
  const bytes = [sum(added, (file) => file.sizeBytes), sum(removed, (file) => file.sizeBytes)] as const
  const total = (name: string, [plus, minus]: readonly [number, number]): string => String(Number(parent?.[name] ?? 0) + plus - minus)
  return {
    ...extra,
    operation,
    ...(added.length > 0
      ? { 'added-data-files': String(added.length), 'added-records': String(rows[0]), 'added-files-size': String(bytes[0]) }
      : {}),
    ...(removed.length > 0
      ? { 'deleted-data-files': String(removed.length), 'deleted-records': String(rows[1]), 'removed-files-size': String(bytes[1]) }
      : {}),
    'changed-partition-count': String(new Set([...added, ...removed].map(partitionKey)).size),
    'total-data-files': total('total-data-files', [added.length, removed.length]),
    'total-records': total('total-records', rows),
    'total-files-size': total('total-files-size', bytes),
    ...countsOf('added', deletes.added),
    ...countsOf('removed', deletes.removed),
    'total-delete-files': total('total-delete-files', [deletes.added.length, deletes.removed.length]),
    'total-position-deletes': total('total-position-deletes', [positions(deletes.added), positions(deletes.removed)]),
    'total-equality-deletes': total('total-equality-deletes', [equalities(deletes.added), equalities(deletes.removed)]),
  }
}

const positions = (files: readonly DeleteFile[]): number => sum(files, (file) => (file.kind === 'equality' ? 0 : file.rows))
const equalities = (files: readonly DeleteFile[]): number => sum(files, (file) => (file.kind === 'equality' ? file.rows : 0))

/** As the reference names them. */
function countsOf(what: 'added' | 'removed', files: readonly DeleteFile[]): Record<string, string> {
  const ofKind = (kind: DeleteFile['kind']) => files.filter((file) => file.kind === kind).length
  const counts = {
    [`${what}-delete-files`]: files.length,
    [`${what}-dvs`]: ofKind('vector'),
    [`${what}-position-delete-files`]: ofKind('position'),
    [`${what}-equality-delete-files`]: ofKind('equality'),
    [`${what}-position-deletes`]: positions(files),
    [`${what}-equality-deletes`]: equalities(files),
  }
  return Object.fromEntries(Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [[name, String(count)]] : [])))
}

/** Equal for files of one partition. */
export const partitionKey = (file: Pick<DataFile, 'specId' | 'partition'>): string =>
  `${file.specId} ${JSON.stringify(file.partition, (_name, value) => (typeof value === 'bigint' ? `${value}n` : value))}`
