// Creating and dropping tables: the pointer appears with an empty table and goes with everything.
import { MillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/random.ts'
import { newMetadata } from './apply-definition.ts'
import { type CommitContext, loadBase, movePointers } from './commit.ts'
import { toPath, toUri } from './location.ts'
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

/** Removes the pointer; the files are orphans from then on. @throws MR_LAKE_TABLE_UNKNOWN, MR_LAKE_CONFLICT */
export async function dropTable(context: CommitContext, name: string): Promise<void> {
  await context.locks.run([name], async () => {
    const base = await loadBase(context, name)
    const outcome = await context.catalog.drop(name, base.table.metadataLocation, context.clock.nowMs())
    if (outcome.kind === 'committed') return
    throw new MillraceError('MR_LAKE_CONFLICT', `the table ${name} changed while it was dropped`, { fix: 'drop it again' })
  })
}
