// Position delete files with other paths in them (Iceberg spec, "Position Delete Files"): the relocation of a warehouse needs them
// written anew, ordered as before. Columns that copy the deleted row are left out, which the specification allows.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { systemRandom, uuidV7 } from '../core/random.ts'
import { FILE_PATH_ID, POSITION_ID } from '../lake/deletes/delete-manifest.ts'
import { toUri } from '../lake/location.ts'
import type { Move } from '../lake/relocation/move.ts'
import type { Engine } from './duckdb.ts'
import { quoteText } from './sql-text.ts'

/** The bytes of the file after the move. @throws MR_SQL_RUNTIME when it is no such file. */
export async function movePositions(engine: Engine, bytes: Buffer, { from, to }: Move): Promise<Buffer> {
  const session = await engine.session()
  const path = `${session.exportDirectory}/${uuidV7(session.clock.nowMs(), systemRandom)}`
  const [source, target] = [`${path}-old.parquet`, `${path}-new.parquet`]
  try {
    await mkdir(session.exportDirectory, { recursive: true })
    await writeFile(source, bytes)
    const plain = `regexp_replace(file_path, '^file:(//)?', '')`
    const isBelow = `starts_with(${plain}, ${quoteText(`${from}/`)})`
    const moved = `${quoteText(toUri(to))} || substr(${plain}, length(${quoteText(from)}) + 1)`
    const select = `SELECT CASE WHEN ${isBelow} THEN ${moved} ELSE file_path END AS file_path, pos FROM read_parquet(${quoteText(source)}) ORDER BY ALL`
    const ids = `file_path: ${FILE_PATH_ID}, pos: ${POSITION_ID}`
    await session.run(`COPY (${select}) TO ${quoteText(target)} (FORMAT parquet, COMPRESSION zstd, FIELD_IDS {${ids}})`)
    return await readFile(target)
  } finally {
    session.close()
    for (const file of [source, target]) await rm(file, { force: true })
  }
}
