// Deletes rows of a keyed table by their keys: what was acknowledged before is flushed, then the rows go in one commit of their
// own, by deletion vectors where the table has them. Rows that are sent while it runs may come before or after. PROTOCOL rule 14.
// What reads the log and not the table (processors that are told of it) is told of rows, never that they are gone.
import { MillraceError } from '../core/errors.ts'
import type { Relation, TableManifest } from '../define/manifest.ts'
import type { Engine } from '../engine/duckdb.ts'
import { appendBatch } from '../engine/ingest.ts'
import { mergeRows } from '../engine/merge.ts'
import { scanSql } from '../engine/scan.ts'
import { createSql, tableName, typedSql } from '../engine/tail.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import { type CollectLimits, type CollectRequest, readLines } from './collect.ts'

export interface DeleteParts {
  readonly engine: Engine
  readonly lake: Lake
  /** Commits the rows of the table that were acknowledged so far. */
  flush(table: string): Promise<void>
  onCommitted(table: LakeTable): void
}

/** Other writers, the table's own pipeline among them, may be faster so many times. */
const TRY_MAX = 5

let count = 0

/**
 * `request` has rows of JSON with at least the key columns; how many there were is answered once none of their keys is in the
 * table, durably. A key that is not there is no error: deleting again changes nothing.
 * @throws MR_INGEST_UNKNOWN_STREAM, MR_USAGE for what has no rows to delete by key; MR_INGEST_MEDIA, MR_INGEST_TOO_LARGE,
 *   MR_INGEST_BODY, MR_INGEST_REJECTED when a row has no sound key: then nothing is deleted; MR_LAKE_CONFLICT.
 */
export async function deleteRows(
  parts: DeleteParts,
  name: string,
  relation: Relation | undefined,
  request: Omit<CollectRequest, 'idempotencyKey'>,
  limits: CollectLimits,
): Promise<{ readonly accepted: number }> {
  const table = mustHaveKey(name, relation)
  const keys = await readKeys(table, request, limits)
  if (keys.rows === 0) return { accepted: 0 }
  await parts.flush(name)
  const session = await parts.engine.session()
  const place = `${name}#deleted${count++}`
  try {
    await session.run(createSql(keys.shape, place))
    await appendBatch(session.connection, 'tail', place, keys)
    for (let attempt = 1; ; attempt++) {
      const now = await parts.lake.table(name)
      const rows = scanSql({ table: now, files: [], tails: [] })
      const change = await mergeRows(session, { lake: parts.lake, table: now, key: table.key, rows, keys: typedSql(keys.shape, place) })
      if (change.remove.length === 0 && !change.delete) break
      try {
        for (const committed of (await parts.lake.commit([change])).tables) parts.onCommitted(committed)
        break
      } catch (error) {
        if ((error as MillraceError).code !== 'MR_LAKE_CONFLICT' || attempt === TRY_MAX) throw error
      }
    }
    return { accepted: keys.rows }
  } finally {
    await session.run(`DROP TABLE IF EXISTS ${tableName(place)}`).catch(() => {})
    session.close()
  }
}

function mustHaveKey(name: string, relation: Relation | undefined): TableManifest {
  if (!relation)
    throw new MillraceError('MR_INGEST_UNKNOWN_STREAM', `there is no table "${name}"`, { fix: 'check the name with `millrace status`' })
  if (relation.kind === 'table' && relation.key.length > 0 && relation.source.kind !== 'files') return relation
  const what =
    relation.kind === 'table'
      ? relation.key.length === 0
        ? 'a table without a key'
        : 'a table that is loaded from files'
      : `a ${relation.kind}`
  throw new MillraceError('MR_USAGE', `${name} is ${what}: its rows are not deleted by key`, {
    fix: relation.kind === 'table' ? 'delete them where they come from' : 'delete rows of a table with a key',
  })
}

async function readKeys(
  table: TableManifest,
  request: Omit<CollectRequest, 'idempotencyKey'>,
  limits: CollectLimits,
): Promise<ColumnBatch> {
  const fields = table.key.map((column) => {
    const { default: _, ...field } = table.shape.fields.find(({ name }) => name === column)! // what is deleted is said, not assumed
    return field
  })
  const { batch, rejects } = compileScanner({ fields }, { unknown: 'ignore' }).scan(await readLines(request, limits))
  const [first] = rejects
  if (!first) return batch
  throw new MillraceError('MR_INGEST_REJECTED', `row ${first.line}: ${first.message}; nothing was deleted`, {
    fix: `give every row its key: ${table.key.join(', ')}`,
  })
}
