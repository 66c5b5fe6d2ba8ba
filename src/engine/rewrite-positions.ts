// A file of position deletes (Iceberg spec, "Position Delete Files") with other names of data files: DuckDB reads the copy of one and
// writes another, with the reserved field ids. Columns of deleted rows, which a writer may add, are left out.
import type { Disk } from '../core/disk.ts'
import { FILE_PATH_ID, POSITION_ID } from '../lake/deletes/delete-manifest.ts'
import type { Session } from './duckdb.ts'
import { quoteText } from './sql-text.ts'

export interface RewriteParts {
  readonly session: Session
  readonly disk: Disk
  /** For files that are gone when it resolves. */
  readonly directory: string
}

/** Names that begin with `from` begin with `to` instead. */
export async function rewritePositions(
  { session, disk, directory }: RewriteParts,
  content: Buffer,
  from: string,
  to: string,
): Promise<Buffer> {
  const [before, after] = [`${directory}/positions-before.parquet`, `${directory}/positions-after.parquet`]
  try {
    await disk.writeNew(before, content)
    const name = `CASE WHEN starts_with(file_path, ${quoteText(from)}) THEN ${quoteText(to)} || substr(file_path, ${from.length + 1}) ELSE file_path END`
    await session.run(
      `COPY (SELECT ${name} AS file_path, pos FROM read_parquet(${quoteText(before)}) ORDER BY ALL) TO ${quoteText(after)} (FORMAT parquet, FIELD_IDS {file_path: ${FILE_PATH_ID}, pos: ${POSITION_ID}})`,
    )
    return await disk.readFile(after)
  } finally {
    await disk.remove(before)
    await disk.remove(after)
  }
}
