// Creating, renaming and dropping tables: the pointer appears with an empty table, moves, and goes with everything.
import { MillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/random.ts'
import type { Finished, TablePointer } from '../store/catalog.ts'
import { newMetadata } from './apply-definition.ts'
import { baseAt, type CommitContext, movePointers, pointerOf } from './commit.ts'
import { mayCollect } from './expire.ts'
import { isBelow, toPath, toUri } from './location.ts'
import type { Pins } from './pins.ts'
import { reachableFrom } from './reachable.ts'
import { toLakeTable } from './table-metadata.ts'
import type { CreateTable, LakeTable } from './types.ts'

const NAME = /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$/

/**
 * An empty table under `directory`; its pointer must not exist.
 * @throws MR_LAKE_TABLE_EXISTS, MR_LAKE_SPEC, MR_DEFINE_NAME
 */
export async function createTable(context: CommitContext, directory: string, create: CreateTable): Promise<LakeTable> {
  if (!NAME.test(create.name)) {
    throw new MillraceError('MR_DEFINE_NAME', `"${create.name}" is not a table name`, { fix: 'use [namespace.]snake_case' })
  }
  return context.locks.run([create.name], async () => {
    if (await context.catalog.table(create.name)) throw tableExists(create.name)
    const { files, clock, random } = context
    const nowMs = clock.nowMs()
    const location = toUri(`${directory}/${create.name}`)
    const metadata = newMetadata({ create, uuid: uuidV7(nowMs, random), location, nowMs })
    await files.makeDirectory(`${toPath(location)}/data`)
    await files.makeDirectory(`${toPath(location)}/metadata`)
    const to = await files.writeMetadata(metadata, null)
    const staged = { name: create.name, from: null, to, metadata, written: [to], outdated: [] }
    const outcome = await movePointers(context, [staged], {}, nowMs)
    if (outcome.kind === 'committed') return toLakeTable(create.name, to, metadata)
    await files.discard(staged.written)
    throw tableExists(create.name)
  })
}

const tableExists = (name: string): MillraceError =>
  new MillraceError('MR_LAKE_TABLE_EXISTS', `the table ${name} exists already`, { fix: 'drop it first, or choose another name' })

/** Gives the table another name; its files stay where they are. @throws MR_LAKE_TABLE_UNKNOWN, MR_LAKE_CONFLICT, MR_LAKE_TABLE_EXISTS */
export async function renameTable(context: CommitContext, name: string, to: string, finished?: Finished): Promise<void> {
  await context.locks.run([name, to], async () => {
    const pointer = await pointerOf(context, name)
    const outcome = await context.catalog.rename(name, pointer.location, to, context.clock.nowMs(), finished)
    if (outcome.kind === 'committed') return
    if (outcome.kind === 'conflict' && outcome.table === to) throw tableExists(to)
    throw new MillraceError('MR_LAKE_CONFLICT', `the table ${name} changed while it was renamed`, { fix: 'rename it again' })
  })
}

export interface DropOptions {
  /** Removes the files at once, unless a query of this process reads them; otherwise they are orphans from then on. */
  readonly purge?: boolean
  readonly finished?: Finished
}

/** Removes the pointer, then what `options` say. @throws MR_LAKE_TABLE_UNKNOWN, MR_LAKE_CONFLICT */
export async function dropTable(context: CommitContext, pins: Pins, name: string, options: DropOptions = {}): Promise<void> {
  await context.locks.run([name], async () => {
    const pointer = await pointerOf(context, name)
    const outcome = await context.catalog.drop(name, pointer.location, context.clock.nowMs(), options.finished)
    if (outcome.kind !== 'committed')
      throw new MillraceError('MR_LAKE_CONFLICT', `the table ${name} changed while it was dropped`, { fix: 'drop it again' })
    if (options.purge) await purge(context, pins, pointer)
  })
}

/** What cannot be found out or removed now is an orphan: the table is gone in any case. */
async function purge({ files }: CommitContext, pins: Pins, pointer: TablePointer): Promise<void> {
  try {
    const { table, metadata } = await baseAt(files, pointer)
    if (!mayCollect(table) || table.snapshots.some((snapshot) => pins.isHeld(table.name, snapshot.id))) return
    const reached = await reachableFrom(files, table, table.snapshots)
    const paths = [...reached.keys(), ...metadata['metadata-log'].map((entry) => toPath(entry['metadata-file'])), toPath(pointer.location)]
    await files.discard(paths.filter((path) => isBelow(path, toPath(table.location))))
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
  }
}
