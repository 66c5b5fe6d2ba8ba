// Opens the control database: one SQLite file, journal in WAL mode, every commit fsynced. Two connections: one writes, in
// the order of the calls, all writes of one turn of the event loop in one transaction (group commit); one reads, and sees
// committed rows only. Not here: what the tables mean, see one file per subject beside this.
import { DatabaseSync } from 'node:sqlite'
import { CamelCasePlugin, Kysely } from 'kysely'
import type { Catalog } from './catalog.ts'
import { groupCommit, type Unit } from './group-commit.ts'
import { type Intents, openIntents } from './intents.ts'
import { migrate } from './migrations.ts'
import { sqliteCatalog } from './sqlite-catalog.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import type { Tables } from './tables.ts'

/** How long a writer waits for another process that holds the write lock; the event loop stands still meanwhile. */
const BUSY_MS = 5_000

export interface Store {
  readonly path: string
  readonly catalog: Catalog
  /** What a commit leaves here when the tables are in an external catalog. */
  readonly intents: Intents
  /** Committed rows only; for queries. */
  readonly read: Kysely<Tables>
  /**
   * Runs `unit` in a transaction and resolves with its result when that is durable. Units run one after the other; one that
   * throws changes nothing and rejects alone. A unit awaits nothing but queries of the transaction it is given.
   */
  write<T>(unit: Unit<T>): Promise<T>
  /** Finishes the writes that were begun, then closes. */
  close(): Promise<void>
}

/**
 * Opens or creates the control database at `path`.
 * @throws MR_STORE_VERSION when a newer Millrace wrote it.
 */
export function openStore(path: string): Store {
  const writer = connect(path)
  writer.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
  try {
    migrate(writer, path)
  } catch (error) {
    writer.close()
    throw error
  }
  const reader = connect(path)
  reader.exec('pragma query_only = on')
  const write = kysely(writer)
  const read = kysely(reader)
  const group = groupCommit(write, writer)
  return {
    path,
    catalog: sqliteCatalog({ read, write: group.write }),
    intents: openIntents({ read, write: group.write }),
    read,
    write: group.write,
    async close() {
      await group.idle()
      await read.destroy()
      await write.destroy()
      // Kysely closes a database only after its first query.
      for (const database of [reader, writer]) if (database.isOpen) database.close()
    },
  }
}

const connect = (path: string): DatabaseSync => new DatabaseSync(path, { timeout: BUSY_MS })

const kysely = (database: DatabaseSync): Kysely<Tables> =>
  new Kysely<Tables>({ dialect: sqliteDialect(database), plugins: [new CamelCasePlugin()] })
