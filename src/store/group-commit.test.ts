// When a group is answered: after its sync, not before, and never again after a sync that failed.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, test } from 'node:test'
import { Kysely } from 'kysely'
import { groupCommit } from './group-commit.ts'
import { openStore } from './open-store.ts'
import { sqliteDialect } from './sqlite-dialect.ts'
import type { Tables } from './tables.ts'

const directory = mkdtempSync(join(tmpdir(), 'group-commit-'))
after(() => rmSync(directory, { recursive: true }))

/** A group over a new database, whose syncs are ended by hand. */
async function opened(name: string) {
  const path = join(directory, name)
  await openStore(path).close()
  const database = new DatabaseSync(path)
  const syncs: PromiseWithResolvers<void>[] = []
  const group = groupCommit(new Kysely<Tables>({ dialect: sqliteDialect(database) }), database, () => {
    const sync = Promise.withResolvers<void>()
    syncs.push(sync)
    return sync.promise
  })
  const put = (key: string) => group.write((tx) => tx.insertInto('cursors').values({ name: key, value: '' }).execute())
  const stored = () => database.prepare('select name from cursors order by name').all()
  return { database, group, syncs, put, stored }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('a group is answered when its sync is over; the next one has a sync of its own', async () => {
  const { database, group, syncs, put, stored } = await opened('order')
  const said: string[] = []
  put('a').then(() => said.push('a'))
  put('b').then(() => said.push('b'))
  await turns()
  assert.deepEqual([said, syncs.length, stored().length], [[], 1, 2])
  group.durable().then(() => said.push('durable'))
  const last = put('c').then(() => said.push('c'))
  await turns()
  assert.deepEqual([said, syncs.length], [[], 1], 'one group at a time')
  syncs[0]!.resolve()
  await turns()
  assert.deepEqual([said.toSorted(), syncs.length], [['a', 'b', 'durable'], 2])
  syncs[1]!.resolve()
  await last
  await group.idle()
  database.close()
})

test('after a sync that failed nothing is acknowledged or called durable any more', async () => {
  const { database, group, syncs, put, stored } = await opened('failed')
  const first = put('a')
  await turns()
  syncs[0]!.reject(new Error('EIO'))
  await assert.rejects(first, { code: 'MR_DATA_DIRECTORY', message: /EIO/ })
  await assert.rejects(group.durable(), { code: 'MR_DATA_DIRECTORY' })
  await assert.rejects(put('b'), { code: 'MR_DATA_DIRECTORY' })
  assert.deepEqual([stored().length, syncs.length], [1, 1], 'the second was not even tried')
  await group.idle()
  database.close()
})
