// Group commit: the writes that are asked for in one turn of the event loop share one transaction and one fsync, each
// behind its own savepoint. Relies on a connection that nobody else writes through.
import type { DatabaseSync } from 'node:sqlite'
import type { Kysely } from 'kysely'
import { MillraceError } from '../core/errors.ts'
import type { Tables } from './tables.ts'

/** One indivisible change; its result is handed out when the group is durable. */
export type Unit<T> = (tx: Kysely<Tables>) => Promise<T>

export interface GroupCommit {
  write<T>(unit: Unit<T>): Promise<T>
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

/** @throws MR_DATA_FULL from `write` when the disk is full; nothing of the group is then stored. */
export function groupCommit(kysely: Kysely<Tables>, database: DatabaseSync): GroupCommit {
  const statements = transactionStatements(database)
  let queue: Pending[] = []
  let running: Promise<void> | null = null

  const run = async (): Promise<void> => {
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (queue.length > 0) {
      const group = queue.slice(0, GROUP_MAX)
      queue = queue.slice(GROUP_MAX)
      await commitGroup(kysely, statements, group)
    }
    running = null
  }

  return {
    write: <T>(unit: Unit<T>) =>
      new Promise<T>((resolve, reject) => {
        queue.push({ unit, resolve: resolve as (value: unknown) => void, reject })
        running ??= run()
      }),
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

async function commitGroup(kysely: Kysely<Tables>, statements: Statements, group: readonly Pending[]): Promise<void> {
  const answers: (() => void)[] = []
  try {
    await kysely.connection().execute(async (tx) => {
      statements.begin()
      try {
        for (const pending of group) answers.push(await runUnit(tx, statements, pending))
        statements.commit()
      } catch (error) {
        rollback(statements)
        throw error
      }
    })
  } catch (error) {
    for (const pending of group) pending.reject(storeError(error))
    return
  }
  for (const answer of answers) answer()
}

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

const SQLITE_FULL = 13

const storeError = (error: unknown): unknown =>
  (error as { errcode?: number } | null)?.errcode === SQLITE_FULL
    ? new MillraceError('MR_DATA_FULL', 'the control database cannot grow: the disk is full', { fix: 'free disk space', cause: error })
    : error
