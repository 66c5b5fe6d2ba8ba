// Commits to an external catalog: what is to be committed is written here before the first request goes out, and the local
// part (offsets, checkpoint, refresh, cursors, changes) is applied in the transaction that removes it. What is found here at
// a start was interrupted. Not here: the tables themselves, see `src/lake/external/`.
import type { CommitOutcome, CommitRequest } from './catalog.ts'
import { type CatalogStore, fencedOut, writeLocal } from './sqlite-catalog.ts'

export interface Intent {
  readonly id: string
  readonly request: CommitRequest
}

export interface Intents {
  /** Durable when resolved; answers why not when the pipeline or refresh has another owner, and has written nothing then. */
  begin(intent: Intent): Promise<CommitOutcome | null>
  /** Applies the local part and forgets the intent; answers the newest number of `changes`. */
  finish(intent: Intent): Promise<number>
  /** Applies the local part of what is done outside by one request that no intent was written for. */
  note(request: CommitRequest): Promise<number>
  /** None of its tables was committed. */
  forget(id: string): Promise<void>
  /** Oldest first. */
  unfinished(): Promise<readonly Intent[]>
}

export const openIntents = ({ read, write }: CatalogStore): Intents => ({
  begin: ({ id, request }) =>
    write(async (tx) => {
      const refused = await fencedOut(tx, request)
      if (refused) return refused
      await tx
        .insertInto('intents')
        .values({ id, request: JSON.stringify(request), begunMs: request.nowMs })
        .execute()
      return null
    }),
  // The owner was checked when it began: tables that have it decide, whoever owns the pipeline by now.
  finish: ({ id, request }) =>
    write(async (tx) => {
      await tx.deleteFrom('intents').where('id', '=', id).execute()
      return writeLocal(tx, request)
    }),
  note: (request) => write((tx) => writeLocal(tx, request)),
  forget: (id) =>
    write(async (tx) => {
      await tx.deleteFrom('intents').where('id', '=', id).execute()
    }),
  unfinished: async () =>
    (await read.selectFrom('intents').select(['id', 'request']).orderBy('begunMs').orderBy('id').execute()).map(({ id, request }) => ({
      id,
      request: JSON.parse(request) as CommitRequest,
    })),
})
