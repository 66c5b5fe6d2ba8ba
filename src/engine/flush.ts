// From frozen tail generations to data files: plain appends, or merges by key for keyed tables.
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable, TableChange } from '../lake/types.ts'
import type { Engine, Session } from './duckdb.ts'
import { mergeRows } from './merge.ts'
import { writeParquet } from './write.ts'

export interface FlushParts {
  readonly engine: Engine
  readonly lake: Lake
  readonly table: LakeTable
  /** SELECT of the rows to flush. */
  readonly source: string
  /** SELECT of the keys of all rows that go or are replaced; absent: those of the rows. */
  readonly keys?: string
}

/** A limit that no rows reach: DuckDB runs what is limited on one thread. */
const ON_ONE_THREAD = ` LIMIT ${2n ** 63n - 1n}`

/**
 * On one thread, though it takes longer then: nobody waits for a flush, while requests, live models and questions wait for the
 * processors that it takes. `source` reads no column batch: see `runAside`.
 */
export function flushAppend({ engine, lake, table, source }: FlushParts): Promise<TableChange> {
  return withSession(engine, async (session) => {
    const select = `SELECT * FROM (${source})${ON_ONE_THREAD}`
    const add = await writeParquet(session, { select, table, directory: lake.dataDirectory(table), aside: true })
    return { table: table.name, operation: 'append', add, remove: [] }
  })
}

/** @throws MR_LAKE_CONFLICT at the commit, when another writer changed one of the files meanwhile; then flush again. */
export function flushKeyed({ engine, lake, table, source, keys }: FlushParts, key: readonly string[]): Promise<TableChange> {
  return withSession(engine, (session) => mergeRows(session, { lake, table, key, rows: source, ...(keys === undefined ? {} : { keys }) }))
}

/** Instead of everything that the table holds. @throws MR_LAKE_CONFLICT as `flushKeyed`. */
export function flushReplacing({ engine, lake, table, source }: FlushParts): Promise<TableChange> {
  return withSession(engine, async (session) => {
    const add = await writeParquet(session, { select: source, table, directory: lake.dataDirectory(table) })
    const remove = (await lake.files(table)).map((file) => file.path)
    const operation = add.length === 0 ? 'delete' : 'overwrite'
    return { table: table.name, operation, add, remove, validateFrom: table.current?.id ?? null }
  })
}

async function withSession<T>(engine: Engine, action: (session: Session) => Promise<T>): Promise<T> {
  const session = await engine.session()
  try {
    return await action(session)
  } finally {
    session.close()
  }
}
