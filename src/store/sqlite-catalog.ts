// The catalog in the control database: the one transaction by which data becomes visible (PROTOCOL rules 14 to 16). All
// checks come first and writes after, so a refused request has written nothing.
import type { Kysely } from 'kysely'
import { type Catalog, type CommitOutcome, type CommitRequest, type Finished, offsetsOf, type TablePointer } from './catalog.ts'
import { finishedOf, writeFinished } from './finished-requests.ts'
import type { Unit } from './group-commit.ts'
import { namespaceOf } from './identifier.ts'
import { alterNamespace, createNamespace, dropNamespace, ensureNamespace, listNamespaces } from './sqlite-namespaces.ts'
import type { Tables } from './tables.ts'

export interface CatalogStore {
  readonly read: Kysely<Tables>
  write<T>(unit: Unit<T>): Promise<T>
}

/** Rows of `changes` that are kept: a follower that is further behind reads all tables anew. */
const CHANGES_MAX = 100_000

export function sqliteCatalog({ read, write }: CatalogStore): Catalog {
  return {
    tables: () => pointersOf(read, 'table').orderBy('name').execute(),
    async table(name) {
      return (await pointersOf(read, 'table').where('name', '=', name).executeTakeFirst()) ?? null
    },
    views: () => read.selectFrom('pointers').select(['name', 'location']).where('kind', '=', 'view').orderBy('name').execute(),
    async view(name) {
      const row = await pointersOf(read, 'view').where('name', '=', name).executeTakeFirst()
      return row ? { name: row.name, location: row.location } : null
    },
    commit: (request) => write((tx) => commit(tx, request)),
    drop: (name, from, nowMs, finished) => write((tx) => drop(tx, { name, from, nowMs, finished })),
    rename: (name, from, to, nowMs, finished) => write((tx) => rename(tx, { name, from, nowMs, finished }, to)),
    namespaces: () => listNamespaces(read),
    createNamespace: (namespace, nowMs, finished) =>
      write(async (tx) => {
        const isNew = await createNamespace(tx, namespace)
        if (isNew) await writeFinished(tx, finished, nowMs)
        return isNew
      }),
    alterNamespace: (name, change, nowMs, finished) =>
      write(async (tx) => {
        const before = await alterNamespace(tx, name, change)
        if (before) await writeFinished(tx, finished, nowMs)
        return before
      }),
    dropNamespace: (name, nowMs, finished) =>
      write(async (tx) => {
        const outcome = await dropNamespace(tx, name)
        if (outcome === 'dropped') await writeFinished(tx, finished, nowMs)
        return outcome
      }),
    finished: (key, nowMs) => finishedOf(read, key, nowMs),
    finish: (finished, nowMs) => write((tx) => writeFinished(tx, finished, nowMs)),
    denied: async () => [],
    begun: async () => [],
    acquire: (pipeline, generation) => write((tx) => acquire(tx, pipeline, generation)),
    progress: (pipeline) => read.transaction().execute((tx) => progress(tx, pipeline)),
    committed: (topic) => committed(read, topic),
    refreshOf: (model) => refreshOf(read, model),
    async cursor(name) {
      return (await read.selectFrom('cursors').select('value').where('name', '=', name).executeTakeFirst())?.value ?? null
    },
    changesAfter: (sequence) =>
      read
        .selectFrom('changes')
        .select(['sequence', 'tableName as table', 'snapshotId', 'committedMs'])
        .where('sequence', '>', sequence)
        .orderBy('sequence')
        .execute(),
  }
}

const pointersOf = (db: Kysely<Tables>, kind: 'table' | 'view') =>
  db.selectFrom('pointers').select(['name', 'location', 'snapshotId']).where('kind', '=', kind)

interface Entry extends TablePointer {
  readonly kind: 'table' | 'view'
}

/** What has the name, whatever it is. */
async function entryOf(db: Kysely<Tables>, name: string): Promise<Entry | undefined> {
  return db.selectFrom('pointers').select(['name', 'kind', 'location', 'snapshotId']).where('name', '=', name).executeTakeFirst()
}

/** What a conflict tells of the entry that it met. */
const tableOf = (entry: Entry | undefined): TablePointer | null =>
  entry?.kind === 'table' ? { name: entry.name, location: entry.location, snapshotId: entry.snapshotId } : null

async function commit(tx: Kysely<Tables>, request: CommitRequest): Promise<CommitOutcome> {
  const refused = (await fencedOut(tx, request)) ?? (await conflicting(tx, request))
  if (refused) return refused
  for (const { name, kind, from, to, snapshotId } of movesOf(request)) {
    const row = { location: to, snapshotId, updatedMs: request.nowMs }
    if (from === null) await ensureNamespace(tx, namespaceOf(name))
    await tx
      .insertInto('pointers')
      .values({ name, kind, ...row })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
      .execute()
  }
  return { kind: 'committed', sequence: await writeLocal(tx, request) }
}

/** All of a commit but its pointers; answers the newest number of the sequence of changes. */
export async function writeLocal(tx: Kysely<Tables>, request: CommitRequest): Promise<number> {
  await writeFinished(tx, request.finished, request.nowMs)
  await writeProgress(tx, request)
  await moveCheckpoints(tx, request)
  await writeRefresh(tx, request)
  for (const cursor of request.cursors ?? []) {
    await tx
      .insertInto('cursors')
      .values(cursor)
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: cursor.value }))
      .execute()
  }
  return writeChanges(tx, request.tables, request.nowMs)
}

const movesOf = ({ tables, views = [] }: CommitRequest) => [
  ...tables.map((move) => ({ ...move, kind: 'table' as const })),
  ...views.map((move) => ({ ...move, kind: 'view' as const, snapshotId: null })),
]

/** The first owner check that fails: the pipeline's generation, or the token of a model's refresh. */
export async function fencedOut(tx: Kysely<Tables>, request: CommitRequest): Promise<CommitOutcome | null> {
  const claims: (readonly [string, string])[] = []
  if (request.pipeline) claims.push([request.pipeline.name, request.pipeline.generation])
  if (request.refresh?.token !== undefined) claims.push([`refresh:${request.refresh.model}`, request.refresh.token])
  for (const [name, generation] of claims) {
    const owner = await tx.selectFrom('generations').select('generation').where('pipeline', '=', name).executeTakeFirst()
    if (owner?.generation !== generation) return { kind: 'fenced', pipeline: name }
  }
  return null
}

async function conflicting(tx: Kysely<Tables>, request: CommitRequest): Promise<CommitOutcome | null> {
  for (const { name, kind, from } of movesOf(request)) {
    const entry = await entryOf(tx, name)
    const isExpected = from === null ? entry === undefined : entry?.kind === kind && entry.location === from
    if (!isExpected) return { kind: 'conflict', table: name, current: tableOf(entry) }
  }
  return null
}

async function writeProgress(tx: Kysely<Tables>, { pipeline }: CommitRequest): Promise<void> {
  if (!pipeline) return
  for (const { topic, partition, next } of pipeline.offsets) {
    await tx
      .insertInto('offsets')
      .values({ pipeline: pipeline.name, topic, partition, next })
      .onConflict((conflict) => conflict.columns(['pipeline', 'topic', 'partition']).doUpdateSet({ next }))
      .execute()
  }
  if (!pipeline.checkpoint) return
  const { location, code } = pipeline.checkpoint
  await tx
    .insertInto('checkpoints')
    .values({ pipeline: pipeline.name, location, code })
    .onConflict((conflict) => conflict.column('pipeline').doUpdateSet({ location, code }))
    .execute()
}

async function moveCheckpoints(tx: Kysely<Tables>, { moved }: CommitRequest): Promise<void> {
  if (!moved) return
  for (const { pipeline, location } of await tx.selectFrom('checkpoints').select(['pipeline', 'location']).execute()) {
    if (!location.startsWith(`${moved.from}/`)) continue
    const to = `${moved.to}${location.slice(moved.from.length)}`
    await tx.updateTable('checkpoints').set({ location: to }).where('pipeline', '=', pipeline).execute()
  }
}

async function writeRefresh(tx: Kysely<Tables>, { refresh, nowMs }: CommitRequest): Promise<void> {
  if (!refresh) return
  const row = { inputs: JSON.stringify(refresh.inputs), runId: refresh.runId, committedMs: nowMs }
  await tx
    .insertInto('refreshes')
    .values({ model: refresh.model, ...row })
    .onConflict((conflict) => conflict.column('model').doUpdateSet(row))
    .execute()
}

/** One row a table; answers the newest number of the sequence. */
async function writeChanges(
  tx: Kysely<Tables>,
  tables: readonly { readonly name: string; readonly snapshotId: string | null }[],
  nowMs: number,
): Promise<number> {
  for (const { name, snapshotId } of tables) {
    await tx.insertInto('changes').values({ tableName: name, snapshotId, committedMs: nowMs }).execute()
  }
  const { last } = await tx
    .selectFrom('changes')
    .select((eb) => eb.fn.coalesce(eb.fn.max('sequence'), eb.lit(0)).as('last'))
    .executeTakeFirstOrThrow()
  if (tables.length > 0)
    await tx
      .deleteFrom('changes')
      .where('sequence', '<=', last - CHANGES_MAX)
      .execute()
  return last
}

interface Removal {
  readonly name: string
  readonly from: string
  readonly nowMs: number
  readonly finished: Finished | undefined
}

async function drop(tx: Kysely<Tables>, { name, from, nowMs, finished }: Removal): Promise<CommitOutcome> {
  const entry = await entryOf(tx, name)
  if (entry?.location !== from) return { kind: 'conflict', table: name, current: tableOf(entry) }
  await tx.deleteFrom('pointers').where('name', '=', name).execute()
  await writeFinished(tx, finished, nowMs)
  return { kind: 'committed', sequence: await writeChanges(tx, entry.kind === 'table' ? [{ name, snapshotId: null }] : [], nowMs) }
}

async function rename(tx: Kysely<Tables>, { name, from, nowMs, finished }: Removal, to: string): Promise<CommitOutcome> {
  const entry = await entryOf(tx, name)
  if (entry?.location !== from) return { kind: 'conflict', table: name, current: tableOf(entry) }
  const taken = await entryOf(tx, to)
  if (taken) return { kind: 'conflict', table: to, current: tableOf(taken) }
  await ensureNamespace(tx, namespaceOf(to))
  await tx.updateTable('pointers').set({ name: to, updatedMs: nowMs }).where('name', '=', name).execute()
  await writeFinished(tx, finished, nowMs)
  const changes = [
    { name, snapshotId: null },
    { name: to, snapshotId: entry.snapshotId },
  ]
  return { kind: 'committed', sequence: await writeChanges(tx, entry.kind === 'table' ? changes : [], nowMs) }
}

async function acquire(tx: Kysely<Tables>, pipeline: string, generation: string): Promise<void> {
  await tx
    .insertInto('generations')
    .values({ pipeline, generation })
    .onConflict((conflict) => conflict.column('pipeline').doUpdateSet({ generation }))
    .execute()
}

// In one read transaction: both reads see one state (rule 16).
async function progress(tx: Kysely<Tables>, pipeline: string): ReturnType<Catalog['progress']> {
  const offsets = await tx
    .selectFrom('offsets')
    .select(['topic', 'partition', 'next'])
    .where('pipeline', '=', pipeline)
    .orderBy('topic')
    .orderBy('partition')
    .execute()
  const checkpoint = await tx.selectFrom('checkpoints').select(['location', 'code']).where('pipeline', '=', pipeline).executeTakeFirst()
  return { offsets, checkpoint: checkpoint ?? null }
}

async function committed(db: Kysely<Tables>, topic: string): Promise<readonly number[]> {
  const rows = await db
    .selectFrom('offsets')
    .select(['partition', (eb) => eb.fn.max('next').as('next')])
    .where('topic', '=', topic)
    .groupBy('partition')
    .execute()
  return offsetsOf(rows)
}

async function refreshOf(db: Kysely<Tables>, model: string): ReturnType<Catalog['refreshOf']> {
  const row = await db.selectFrom('refreshes').select(['inputs', 'runId', 'committedMs']).where('model', '=', model).executeTakeFirst()
  return row ? { ...row, inputs: JSON.parse(row.inputs) as Record<string, string | null> } : null
}
