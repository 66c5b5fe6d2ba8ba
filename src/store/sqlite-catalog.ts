// The catalog in the control database: the one transaction by which data becomes visible (PROTOCOL rules 14 to 16). All
// checks come first and writes after, so a refused request has written nothing.
import type { Kysely } from 'kysely'
import { type Catalog, type CommitOutcome, type CommitRequest, offsetsOf, type TablePointer } from './catalog.ts'
import type { Unit } from './group-commit.ts'
import type { Tables } from './tables.ts'

export interface CatalogStore {
  readonly read: Kysely<Tables>
  write<T>(unit: Unit<T>): Promise<T>
}

/** Rows of `changes` that are kept: a follower that is further behind reads all tables anew. */
const CHANGES_MAX = 100_000

export function sqliteCatalog({ read, write }: CatalogStore): Catalog {
  return {
    tables: () => read.selectFrom('pointers').select(['name', 'location', 'snapshotId']).orderBy('name').execute(),
    table: (name) => pointerOf(read, name),
    commit: (request) => write((tx) => commit(tx, request)),
    drop: (name, from, nowMs) => write((tx) => drop(tx, name, from, nowMs)),
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

async function pointerOf(db: Kysely<Tables>, name: string): Promise<TablePointer | null> {
  const row = await db.selectFrom('pointers').select(['name', 'location', 'snapshotId']).where('name', '=', name).executeTakeFirst()
  return row ?? null
}

async function commit(tx: Kysely<Tables>, request: CommitRequest): Promise<CommitOutcome> {
  const refused = (await fencedOut(tx, request)) ?? (await conflicting(tx, request))
  if (refused) return refused
  for (const { name, to, snapshotId } of request.tables) {
    const row = { location: to, snapshotId, updatedMs: request.nowMs }
    await tx
      .insertInto('pointers')
      .values({ name, ...row })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(row))
      .execute()
  }
  await writeProgress(tx, request)
  await writeRefresh(tx, request)
  for (const cursor of request.cursors ?? []) {
    await tx
      .insertInto('cursors')
      .values(cursor)
      .onConflict((conflict) => conflict.column('name').doUpdateSet({ value: cursor.value }))
      .execute()
  }
  return { kind: 'committed', sequence: await writeChanges(tx, request.tables, request.nowMs) }
}

/** The first owner check that fails: the pipeline's generation, or the token of a model's refresh. */
async function fencedOut(tx: Kysely<Tables>, request: CommitRequest): Promise<CommitOutcome | null> {
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
  for (const { name, from } of request.tables) {
    const current = await pointerOf(tx, name)
    if ((current?.location ?? null) !== from) return { kind: 'conflict', table: name, current }
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

async function drop(tx: Kysely<Tables>, name: string, from: string, nowMs: number): Promise<CommitOutcome> {
  const current = await pointerOf(tx, name)
  if (current?.location !== from) return { kind: 'conflict', table: name, current }
  await tx.deleteFrom('pointers').where('name', '=', name).execute()
  return { kind: 'committed', sequence: await writeChanges(tx, [{ name, snapshotId: null }], nowMs) }
}

async function acquire(tx: Kysely<Tables>, pipeline: string, generation: string): Promise<void> {
  await tx
    .insertInto('generations')
    .values({ pipeline, generation })
    .onConflict((conflict) => conflict.column('pipeline').doUpdateSet({ generation }))
    .execute()
}

// In one read transaction: the three reads see one state (rule 16).
async function progress(tx: Kysely<Tables>, pipeline: string): ReturnType<Catalog['progress']> {
  const offsets = await tx
    .selectFrom('offsets')
    .select(['topic', 'partition', 'next'])
    .where('pipeline', '=', pipeline)
    .orderBy('topic')
    .orderBy('partition')
    .execute()
  const checkpoint = await tx.selectFrom('checkpoints').select(['location', 'code']).where('pipeline', '=', pipeline).executeTakeFirst()
  const tables = await tx.selectFrom('pointers').select(['name', 'location', 'snapshotId']).orderBy('name').execute()
  return { offsets, checkpoint: checkpoint ?? null, tables }
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
