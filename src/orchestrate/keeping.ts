// Which rows of a stored table are kept how long: its relation's `keep`, for the tables beside a stream too. Pure.
import type { Manifest } from '../define/manifest.ts'
import { archiveName, lateName, rejectedName } from '../define/system-columns.ts'

export interface Keeping {
  readonly keepMs: number
  /** Column of time that says how old a row is. */
  readonly by: string
  /** The table that old rows move to; null when they go. */
  readonly archive: string | null
}

/** Null for what is kept for ever. */
export function keepingOf({ relations }: Manifest, table: string): Keeping | null {
  for (const { kind, name, keep } of relations) {
    if (keep.tableMs === undefined || keep.by === undefined) continue
    const keepMs = keep.tableMs
    if (table === name) return { keepMs, by: keep.by, archive: keep.archive === undefined ? null : archiveName(name) }
    if (kind === 'stream' && table === lateName(name)) return { keepMs, by: keep.by, archive: null }
    if (kind === 'stream' && table === rejectedName(name)) return { keepMs, by: '_ingested_at', archive: null }
  }
  return null
}
