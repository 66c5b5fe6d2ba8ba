// Deletes rows of a keyed table by their keys. Of a table with a log it is said there, in one record, and the table's own pipeline
// takes the rows out; a row that is in the log after the deletion stays. From a table without a log they go in one commit, by
// deletion vectors where the table has them. Processors that are told of the table are told of rows, never that they are gone.
import { MillraceError } from '../core/errors.ts'
import type { Relation, TableManifest } from '../define/manifest.ts'
import { isLogged } from '../define/system-columns.ts'
import { typedSql } from '../engine/batch-table.ts'
import type { Engine } from '../engine/duckdb.ts'
import { mergeRows } from '../engine/merge.ts'
import { scanSql } from '../engine/scan.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Log } from '../log/log.ts'
import type { ColumnBatch } from '../schema/batch.ts'
import { keyScanner } from '../schema/scan/key-scanner.ts'
import { type CollectLimits, type CollectRequest, readLines } from './collect.ts'

export interface DeleteParts {
  readonly engine: Engine
  readonly lake: Lake
  readonly log: Pick<Log, 'append'>
  /** Resolves when what the log has of the table so far is shown. */
  catchUp(table: string): Promise<unknown>
  onCommitted(table: LakeTable): void
}

/** Other writers may be faster so many times. */
const TRY_MAX = 5

const NEWLINE = Buffer.from('\n')

/**
 * `request` has rows of JSON with at least the key columns; how many there were is answered once none of their keys is in the
 * table, durably. A key that is not there is no error: deleting again changes nothing.
 * @throws MR_INGEST_UNKNOWN_STREAM, MR_USAGE for what has no rows to delete by key; MR_INGEST_MEDIA, MR_INGEST_TOO_LARGE,
 *   MR_INGEST_BODY, MR_INGEST_REJECTED when a row has no sound key: then nothing is deleted; MR_LAKE_CONFLICT; as `Log.append`.
 */
export async function deleteRows(
  parts: DeleteParts,
  name: string,
  relation: Relation | undefined,
  request: Omit<CollectRequest, 'idempotencyKey'>,
  limits: CollectLimits,
): Promise<{ readonly accepted: number }> {
  const table = mustHaveKey(name, relation)
  const { keys, lines } = await readKeys(table, request, limits)
  if (keys.rows === 0) return { accepted: 0 }
  if (isLogged(table)) {
    await parts.log.append(name, [{ partition: 0, kind: 'deletes', payload: lines, count: keys.rows, fingerprint: '' }])
    await parts.catchUp(name)
  } else await deleteStored(parts, table, keys)
  return { accepted: keys.rows }
}

async function deleteStored({ engine, lake, onCommitted }: DeleteParts, { name, key }: TableManifest, keys: ColumnBatch): Promise<void> {
  const session = await engine.session()
  using gone = session.batchRows(keys)
  try {
    for (let attempt = 1; ; attempt++) {
      const table = await lake.table(name)
      const rows = scanSql({ table, files: [], tails: [] })
      const change = await mergeRows(session, { lake, table, key, rows, keys: typedSql(keys.shape, gone.sql) })
      if (change.remove.length === 0 && !change.delete) return
      try {
        for (const committed of (await lake.commit([change])).tables) onCommitted(committed)
        return
      } catch (error) {
        if ((error as MillraceError).code !== 'MR_LAKE_CONFLICT' || attempt === TRY_MAX) throw error
      }
    }
  } finally {
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
): Promise<{ readonly keys: ColumnBatch; readonly lines: Uint8Array }> {
  const payload = await readLines(request, limits)
  const { batch, rejects, lineStart, lineEnd } = keyScanner(table).scan(payload)
  const [first] = rejects
  const lineOf = (_: unknown, row: number): Buffer => Buffer.concat([payload.subarray(lineStart[row]!, lineEnd[row]!), NEWLINE])
  if (!first) return { keys: batch, lines: Buffer.concat(Array.from({ length: batch.rows }, lineOf)) }
  throw new MillraceError('MR_INGEST_REJECTED', `row ${first.line}: ${first.message}; nothing was deleted`, {
    fix: `give every row its key: ${table.key.join(', ')}`,
  })
}
