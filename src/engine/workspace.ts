// A place where SQL of definitions runs: a session whose default catalog holds views of just the relations that it may
// read, under their own names. For models, loads and checks, which run with the rights of their definer; users' questions
// go through govern.
import type { Engine, Session } from './duckdb.ts'
import { quoteName, quoteRelation } from './sql-text.ts'

let count = 0

/** Runs `action` with each relation visible as the given SELECT. Everything that it creates is temporary. */
export async function withRelations<T>(
  engine: Engine,
  relations: Readonly<Record<string, string>>,
  action: (session: Session) => Promise<T>,
): Promise<T> {
  const catalog = quoteName(`work_${count++}`)
  const session = await engine.session()
  try {
    await session.run(`ATTACH ':memory:' AS ${catalog}`)
    await session.run(`USE ${catalog}`)
    const schemas = new Set(Object.keys(relations).flatMap((name) => (name.includes('.') ? [name.split('.')[0]!] : [])))
    for (const schema of schemas) await session.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`)
    for (const [name, select] of Object.entries(relations)) await session.run(`CREATE VIEW ${quoteRelation(name)} AS ${select}`)
    return await action(session)
  } finally {
    await session.run('USE memory').catch(() => {})
    await session.run(`DETACH ${catalog}`).catch(() => {})
    session.close()
  }
}
