// Requests that were carried out, by their idempotency key: kept in the transaction of what they changed, so that a request
// whose answer was lost is not carried out twice (Iceberg REST, "Idempotency-Key"). They are forgotten after an hour.
import type { Kysely } from 'kysely'
import type { Finished } from './catalog.ts'
import type { Tables } from './tables.ts'

export const FINISHED_KEPT_MS = 3_600_000

export async function writeFinished(tx: Kysely<Tables>, finished: Finished | undefined, nowMs: number): Promise<void> {
  if (!finished) return
  await tx
    .deleteFrom('finishedRequests')
    .where('finishedMs', '<', nowMs - FINISHED_KEPT_MS)
    .execute()
  await tx
    .insertInto('finishedRequests')
    .values({ ...finished, finishedMs: nowMs })
    .execute()
}

export async function finishedOf(db: Kysely<Tables>, key: string, nowMs: number): Promise<Finished | null> {
  const row = await db
    .selectFrom('finishedRequests')
    .select(['key', 'request', 'answer'])
    .where('key', '=', key)
    .where('finishedMs', '>=', nowMs - FINISHED_KEPT_MS)
    .executeTakeFirst()
  return row ?? null
}
