// From frozen tail generations to data files: plain appends, or copy-on-write by key for keyed tables, where only the files
// whose key range meets the new keys are read and written again.
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable, PruneTerm, TableChange } from '../lake/types.ts'
import type { Engine, Session } from './duckdb.ts'
import { scanSql } from './scan.ts'
import { quoteName } from './sql-text.ts'
import { writeParquet } from './write.ts'

export interface FlushParts {
  readonly engine: Engine
  readonly lake: Lake
  readonly table: LakeTable
  /** SELECT of the rows to flush. */
  readonly source: string
}

export function flushAppend({ engine, lake, table, source }: FlushParts): Promise<TableChange> {
  return withSession(engine, async (session) => {
    const add = await writeParquet(session, { select: source, table, directory: lake.dataDirectory(table) })
    return { table: table.name, operation: 'append', add, remove: [] }
  })
}

/** @throws MR_LAKE_CONFLICT at the commit, when another writer rewrote one of the files meanwhile; then flush again. */
export function flushKeyed({ engine, lake, table, source }: FlushParts, key: readonly string[]): Promise<TableChange> {
  return withSession(engine, async (session) => {
    using lease = lake.lease()
    const touched = table.current ? await lake.files(table, table.current, await keyRange(session, source, key[0]!)) : []
    const match = key.map((column) => `o.${quoteName(column)} = n.${quoteName(column)}`).join(' AND ')
    const columns = table.schema.fields.map((field) => quoteName(field.name)).join(', ')
    const kept = `SELECT ${columns} FROM (${scanSql({ table, files: await lease.local(touched), tails: [] })}) AS o ANTI JOIN (${source}) AS n ON ${match}`
    const select = touched.length > 0 ? `${kept} UNION ALL SELECT ${columns} FROM (${source})` : source
    const add = await writeParquet(session, { select, table, directory: lake.dataDirectory(table) })
    return {
      table: table.name,
      operation: touched.length > 0 ? 'overwrite' : 'append',
      add,
      remove: touched.map((file) => file.path),
      validateFrom: table.current?.id ?? null,
    }
  })
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

async function keyRange(session: Session, source: string, column: string): Promise<PruneTerm[]> {
  const name = quoteName(column)
  const { rows } = await session.rows(`SELECT min(${name}), max(${name}) FROM (${source})`)
  const [min, max] = rows[0]! as [string | number | bigint | boolean | null, string | number | bigint | boolean | null]
  if (min === null || max === null) return []
  return [
    { column, op: '>=', values: [min] },
    { column, op: '<=', values: [max] },
  ]
}
