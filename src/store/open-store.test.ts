// The control database: versions, group commit, isolation of reads and what a second process sees.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { mock, test } from 'node:test'
import { openStore, type Store } from './open-store.ts'

async function withPath(body: (path: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  try {
    await body(join(directory, 'control.db'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const setCursor = (store: Store, name: string, value: string): Promise<void> =>
  store.write(async (tx) => {
    await tx.insertInto('cursors').values({ name, value }).execute()
  })

test('what was written is there after closing and opening again', () =>
  withPath(async (path) => {
    const store = openStore(path)
    await setCursor(store, 'a', '1')
    await store.close()
    const again = openStore(path)
    assert.equal(await again.catalog.cursor('a'), '1')
    await again.close()
  }))

test('the journal is a WAL that checkpoints sync by themselves; commits are synced by their group', () =>
  withPath(async (path) => {
    const store = openStore(path)
    const pragmas = await store.write(async (tx) => {
      const { sql } = await import('kysely')
      const one = async (name: string) => Object.values((await sql.raw(`pragma ${name}`).execute(tx)).rows[0] as object)[0] as unknown
      return [await one('journal_mode'), await one('synchronous'), await one('foreign_keys')]
    })
    assert.deepEqual(pragmas, ['wal', 1, 1])
    await store.close()
  }))

test('a write is answered when the journal was synced, and so is what reads it', () =>
  withPath(async (path) => {
    const store = openStore(path)
    const handle = await open(path, 'r')
    const said: string[] = []
    const datasync = mock.method(Object.getPrototypeOf(handle) as FileHandle, 'datasync', async function sync(this: FileHandle) {
      said.push((await this.stat()).ino === statSync(`${path}-wal`).ino ? 'syncing the journal' : 'syncing another file')
      await new Promise((resolve) => setTimeout(resolve, 20))
      said.push('synced')
    })
    try {
      const written = setCursor(store, 'a', '1').then(() => said.push('written'))
      while (said.length === 0) await new Promise((resolve) => setImmediate(resolve))
      await store.catalog.cursor('a').then((value) => said.push(`read ${value}`))
      await written
      assert.deepEqual(
        [said.slice(0, 2), said.slice(2).toSorted()],
        [
          ['syncing the journal', 'synced'],
          ['read 1', 'written'],
        ],
      )
    } finally {
      datasync.mock.restore()
      await handle.close()
      await store.close()
    }
  }))

test('a newer database is refused and left alone', () =>
  withPath(async (path) => {
    await openStore(path).close()
    const database = new DatabaseSync(path)
    database.exec('update store_version set version = 99')
    database.close()
    assert.throws(
      () => openStore(path),
      (error: { code: string; message: string }) => error.code === 'MR_STORE_VERSION' && error.message.includes('99'),
    )
  }))

test('a database of the first version gets namespaces for the tables that it has', () =>
  withPath(async (path) => {
    await openStore(path).close()
    const database = new DatabaseSync(path)
    database.exec(`drop table namespaces; drop table finished_requests; drop table intents; alter table pointers drop column kind;
      update store_version set version = 1;
      insert into pointers values ('orders', 'a', null, 1), ('marts.daily', 'b', '7', 1), ('marts.weekly', 'c', null, 1)`)
    database.close()
    const store = openStore(path)
    assert.deepEqual(
      (await store.catalog.namespaces()).map(({ name }) => name),
      ['main', 'marts'],
    )
    assert.deepEqual(await store.catalog.table('marts.daily'), { name: 'marts.daily', location: 'b', snapshotId: '7' })
    assert.deepEqual(await store.catalog.views(), [])
    await store.close()
  }))

test('writes of one turn share a transaction, in order; one that throws changes nothing and hurts no other', () =>
  withPath(async (path) => {
    const store = openStore(path)
    const boom = store.write(async (tx) => {
      await tx.insertInto('cursors').values({ name: 'half', value: 'x' }).execute()
      throw new Error('boom')
    })
    const before = setCursor(store, 'a', '1')
    const duplicate = setCursor(store, 'a', '2')
    const after = setCursor(store, 'b', '3')
    await assert.rejects(boom, /boom/)
    await assert.rejects(duplicate, /UNIQUE/)
    await Promise.all([before, after])
    const rows = await store.read.selectFrom('cursors').selectAll().orderBy('name').execute()
    assert.deepEqual(
      rows.map((row) => `${row.name}=${row.value}`),
      ['a=1', 'b=3'],
    )
    await store.close()
  }))

test('readers see committed rows only', () =>
  withPath(async (path) => {
    const store = openStore(path)
    let seen: string | null = 'unset'
    await store.write(async (tx) => {
      await tx.insertInto('cursors').values({ name: 'a', value: '1' }).execute()
      seen = await store.catalog.cursor('a')
    })
    assert.equal(seen, null)
    assert.equal(await store.catalog.cursor('a'), '1')
    await assert.rejects(store.read.insertInto('cursors').values({ name: 'b', value: '1' }).execute(), /readonly/)
    await store.close()
  }))

test('closing waits for writes on their way', () =>
  withPath(async (path) => {
    const store = openStore(path)
    const writes = Promise.all(Array.from({ length: 50 }, (_, i) => setCursor(store, `c${i}`, 'x')))
    await store.close()
    await writes
    const again = openStore(path)
    assert.equal((await again.read.selectFrom('cursors').selectAll().execute()).length, 50)
    await again.close()
  }))

test('another process on the same file sees commits and takes part in the compare-and-set', () =>
  withPath(async (path) => {
    const [one, two] = [openStore(path), openStore(path)]
    const set = (store: Store, from: string | null, to: string) =>
      store.catalog.commit({ tables: [{ name: 't', from, to, snapshotId: null }], nowMs: 1 })
    assert.equal((await set(one, null, 'a')).kind, 'committed')
    assert.equal((await set(two, null, 'b')).kind, 'conflict')
    assert.equal((await set(two, 'a', 'b')).kind, 'committed')
    assert.equal((await one.catalog.table('t'))?.location, 'b')
    await one.close()
    await two.close()
  }))
