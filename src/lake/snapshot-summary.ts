// A snapshot's summary: what it added and removed, and the totals after it (Iceberg spec, appendix F). Readers show these
// numbers, so they are kept exact; all are text.
import type { DataFile } from './types.ts'

/** In the summary of a snapshot that has the files of an earlier one again: which one. */
export const RESTORED_FROM = 'millrace.restored-from'

/**
 * In the summary of a snapshot that rows left because they were old: the field id of the time that says so, and its value (days
 * or microseconds since 1970) before which they are gone. To models that read the table they did not change.
 */
export const RETAINED_BY = 'millrace.retained-by'
export const RETAINED_FROM = 'millrace.retained-from'

const sum = (files: readonly DataFile[], of: (file: DataFile) => number): number => files.reduce((total, file) => total + of(file), 0)

/** Totals come from the parent's summary; a parent of another writer without totals counts as zero. */
export function summarizeSnapshot(
  operation: string,
  added: readonly DataFile[],
  removed: readonly DataFile[],
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
    'total-delete-files': parent?.['total-delete-files'] ?? '0',
    'total-position-deletes': parent?.['total-position-deletes'] ?? '0',
    'total-equality-deletes': parent?.['total-equality-deletes'] ?? '0',
  }
}

/** Equal for files of one partition. */
export const partitionKey = (file: Pick<DataFile, 'specId' | 'partition'>): string =>
  `${file.specId} ${JSON.stringify(file.partition, (_name, value) => (typeof value === 'bigint' ? `${value}n` : value))}`
