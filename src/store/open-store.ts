// Opens the control database: one SQLite file, journal in WAL mode, every commit made durable. Two connections: one writes, in
// the order of the calls, all writes of one turn of the event loop in one transaction (group commit); one reads, and hands out
// durable rows only. Not here: what the tables mean, see one file per subject beside this.
import { type FileHandle, open } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { CamelCasePlugin, Kysely, type KyselyPlugin } from 'kysely'
import type { Catalog } from './catalog.ts'
import { groupCommit, type Unit } from './group-commit.ts'
import { type Intents, openIntents } from './intents.ts'
import { migrate } from './migrations.ts'
import { sqliteCatalog } from './sqlite-catalog.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import type { Tables } from './tables.ts'

/** How long a writer waits for another process that holds the write lock; the event loop stands still meanwhile. */
const BUSY_MS = 5_000
const CHECKPOINT_PAGES = 8_000

export interface Store {
  readonly path: string
  readonly catalog: Catalog
  /** What a commit leaves here when the tables are in an external catalog. */
  readonly intents: Intents
  /** Rows that are durable only; for queries. */
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
  // A checkpoint has the event loop wait for the disk, and writes a page once, however often it is in the journal.
  writer.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
  try {
    migrate(writer, path)
  } catch (error) {
    writer.close()
    throw error
  }
  // From here on a commit is durable when the group's own sync of the journal is.
  writer.exec('pragma synchronous = normal')
  const reader = connect(path)
  reader.exec('pragma query_only = on')
  const journal = new Journal(path)
  const write = kysely(writer)
  const group = groupCommit(write, writer, () => journal.sync())
  const read = kysely(
    reader,
    afterwards(() => group.durable()),
  )
  return {
    path,
    catalog: sqliteCatalog({ read, write: group.write }),
    intents: openIntents({ read, write: group.write }),
    read,
    write: group.write,
    async close() {
      await group.idle()
      await journal.close()
      await read.destroy()
      await write.destroy()
      // Kysely closes a database only after its first query.
      for (const database of [reader, writer]) if (database.isOpen) database.close()
    },
  }
}

const connect = (path: string): DatabaseSync => new DatabaseSync(path, { timeout: BUSY_MS })

const kysely = (database: DatabaseSync, ...plugins: KyselyPlugin[]): Kysely<Tables> =>
  new Kysely<Tables>({ dialect: sqliteDialect(database), plugins: [new CamelCasePlugin(), ...plugins] })

/** Results are handed out when that is done. */
const afterwards = (done: () => Promise<void>): KyselyPlugin => ({
  transformQuery: ({ node }) => node,
  async transformResult({ result }) {
    await done()
    return result
  },
})

/** SQLite's write-ahead log, which stays the same file for as long as a connection is open. */
class Journal {
  readonly #path: string
  #file: Promise<FileHandle> | undefined

  constructor(path: string) {
    this.#path = `${path}-wal`
  }

  /** What was committed before is durable when it resolves. */
  async sync(): Promise<void> {
    this.#file ??= open(this.#path, 'r+')
    await (await this.#file).datasync()
  }

  async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined)
    await file?.close()
  }
}
