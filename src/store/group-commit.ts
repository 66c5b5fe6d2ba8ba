// Group commit: the writes that are asked for in one turn of the event loop share one transaction and one fsync, each
// behind its own savepoint. The fsync is none of SQLite's: it would stop the event loop for as long as the disk takes. So a
// group is committed, then made durable while others work, then answered. Relies on a connection that nobody else writes through.
import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import { MillraceError } from '../core/errors.ts'
import type { Tables } from './tables.ts'

/** One indivisible change; its result is handed out when the group is durable. */
export type Unit<T> = (tx: Kysely<Tables>) => Promise<T>

export interface GroupCommit {
  write<T>(unit: Unit<T>): Promise<T>
  /** Resolves once what is committed now is durable. @throws MR_DATA_DIRECTORY when that failed. */
  durable(): Promise<void>
  /** Resolves when nothing is pending. */
  idle(): Promise<void>
}

interface Pending {
  readonly unit: Unit<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Units in one transaction at most: bounds how much one failed commit takes with it. */
const GROUP_MAX = 1_000

/**
 * `sync` makes everything durable that was committed before it is called.
 * @throws MR_DATA_FULL from `write` when the disk is full; nothing of the group is then stored. MR_DATA_DIRECTORY when `sync` failed,
 *   and from then on: whether the group is stored shows when the database is opened again.
 */
export function groupCommit(kysely: Kysely<Tables>, database: DatabaseSync, sync: () => Promise<void>): GroupCommit {
  const statements = transactionStatements(database)
  let queue: Pending[] = []
  let running: Promise<void> | null = null
  /** Rejected for good once a sync has failed: what lies on the disk is not known then. */
  let durable: Promise<void> = Promise.resolve()

  /** Answers what is to be said to each when the group is durable. */
  const commit = (group: readonly Pending[]): Promise<(() => void)[]> =>
    kysely.connection().execute(async (tx) => {
      statements.begin()
      try {
        const answers: (() => void)[] = []
        for (const pending of group) answers.push(await runUnit(tx, statements, pending))
        statements.commit()
        durable = sync().catch(throwNotDurable)
        return answers
      } catch (error) {
        rollback(statements)
        throw error
      }
    })

  const commitGroup = async (group: readonly Pending[]): Promise<void> => {
    try {
      await durable
      const answers = await commit(group)
      await durable
      for (const answer of answers) answer()
    } catch (error) {
      for (const pending of group) pending.reject(storeError(error))
    }
  }

  const run = async (): Promise<void> => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (queue.length > 0) {
      const group = queue.slice(0, GROUP_MAX)
      queue = queue.slice(GROUP_MAX)
      await commitGroup(group)
    }
    running = null
  }

  return {
    write: <T>(unit: Unit<T>) =>
      new Promise<T>((resolve, reject) => {
        queue.push({ unit, resolve: resolve as (value: unknown) => void, reject })
        running ??= run()
      }),
    durable: () => durable,
    async idle() {
      while (running) await running
    },
  }
}

// Past Kysely: they have no parameters and no result, and there are two for every unit.
function transactionStatements(database: DatabaseSync) {
  const statement = (text: string) => {
    const prepared = database.prepare(text)
    return () => prepared.run()
  }
  return {
    begin: statement('begin immediate'),
    commit: statement('commit'),
    rollback: statement('rollback'),
    savepoint: statement('savepoint unit'),
    release: statement('release unit'),
    undo: statement('rollback to unit'),
  }
}

type Statements = ReturnType<typeof transactionStatements>

async function runUnit(tx: Kysely<Tables>, statements: Statements, pending: Pending): Promise<() => void> {
  statements.savepoint()
  try {
    const value = await pending.unit(tx)
    statements.release()
    return () => pending.resolve(value)
  } catch (error) {
    statements.undo()
    statements.release()
    return () => pending.reject(storeError(error))
  }
}

function rollback(statements: Statements): void {
  try {
    statements.rollback()
  } catch {
    // SQLite has rolled back by itself, as it does when the disk is full.
  }
}

function throwNotDurable(cause: Error): never {
  throw new MillraceError('MR_DATA_DIRECTORY', `the control database could not be made durable: ${cause.message}`, {
    fix: 'check the disk, then restart: nothing that was acknowledged is lost',
    cause,
  })
}

const SQLITE_FULL = 13

const storeError = (error: unknown): unknown =>
  (error as { errcode?: number } | null)?.errcode === SQLITE_FULL
    ? new MillraceError('MR_DATA_FULL', 'the control database cannot grow: the disk is full', { fix: 'free disk space', cause: error })
    : error
