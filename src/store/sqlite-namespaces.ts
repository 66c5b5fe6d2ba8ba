// Namespaces in the control database: rows with properties. `main` exists without anybody having made it, and a table of a
// new namespace makes it. Not here: what lies in them, see `sqlite-catalog.ts`.
import type { Kysely } from 'kysely'
import type { Catalog, Namespace } from './catalog.ts'
import { MAIN, namespaceOf, namespacesUpTo } from './identifier.ts'
import type { Tables } from './tables.ts'

export async function listNamespaces(db: Kysely<Tables>): Promise<Namespace[]> {
  const rows = await db.selectFrom('namespaces').select(['name', 'properties']).orderBy('name').execute()
  return rows.map(read)
}

const read = ({ name, properties }: Tables['namespaces']): Namespace => ({
  name,
  properties: JSON.parse(properties) as Record<string, string>,
})

async function find(tx: Kysely<Tables>, name: string): Promise<Namespace | null> {
  const row = await tx.selectFrom('namespaces').select(['name', 'properties']).where('name', '=', name).executeTakeFirst()
  return row ? read(row) : null
}

/** Makes a namespace and those around it, as far as they are missing. */
export async function ensureNamespace(tx: Kysely<Tables>, namespace: string): Promise<void> {
  const rows = namespacesUpTo(namespace).map((name) => ({ name, properties: '{}' }))
  await tx
    .insertInto('namespaces')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function createNamespace(tx: Kysely<Tables>, { name, properties }: Namespace): Promise<boolean> {
  if (await find(tx, name)) return false
  await ensureNamespace(tx, name)
  await write(tx, name, properties)
  return true
}

const write = (tx: Kysely<Tables>, name: string, properties: Namespace['properties']) =>
  tx
    .updateTable('namespaces')
    .set({ properties: JSON.stringify(properties) })
    .where('name', '=', name)
    .execute()

type Change = Parameters<Catalog['alterNamespace']>[1]

export async function alterNamespace(tx: Kysely<Tables>, name: string, { set, remove }: Change): Promise<Namespace | null> {
  const before = await find(tx, name)
  if (!before) return null
  const kept = Object.entries({ ...before.properties, ...set }).filter(([key]) => !remove.includes(key))
  await write(tx, name, Object.fromEntries(kept))
  return before
}

export async function dropNamespace(tx: Kysely<Tables>, name: string): ReturnType<Catalog['dropNamespace']> {
  if (!(await find(tx, name))) return 'unknown'
  const entries = await tx.selectFrom('pointers').select('name').execute()
  const namespaces = await tx.selectFrom('namespaces').select('name').execute()
  const isFull = entries.some((entry) => namespaceOf(entry.name) === name) || namespaces.some((other) => other.name.startsWith(`${name}.`))
  if (isFull || name === MAIN) return 'full'
  await tx.deleteFrom('namespaces').where('name', '=', name).execute()
  return 'dropped'
}
