// A lake in S3 when things go wrong between here and there: throttling, lost answers, broken uploads, a crash between upload and
// commit. The server is a real one, behind a proxy that breaks requests. Skipped where the server cannot be had.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, beforeEach, test } from 'node:test'
import { startS3 } from '../../scripts/servers/versitygw.ts'
import { type Clock, systemClock, VirtualClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { seededRandom } from '../../src/core/random.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { LakeTable, TableChange } from '../../src/lake/types.ts'
import { openS3 } from '../../src/objects/amazon/s3-store.ts'
import { diskStore } from '../../src/objects/disk-store.ts'
import { FileCache } from '../../src/objects/file-cache.ts'
import { routeStores } from '../../src/objects/route.ts'
import type { Catalog } from '../../src/store/catalog.ts'
import { fakeDataFile } from '../simulation/fake-data-file.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'
import { type Fault, openFaultProxy } from './fault-proxy.ts'

const home = mkdtempSync(join(tmpdir(), 'millrace-faults-'))
after(() => rmSync(home, { recursive: true }))

const s3 = await startS3()
if ('missing' in s3) test('a lake in S3 when things go wrong', { skip: s3.missing }, () => {})
else {
  after(() => s3.stop())
  s3.makeBucket('lake')
  const proxy = await openFaultProxy(s3.endpoint)
  after(() => proxy.close())
  beforeEach(() => {
    proxy.fault = () => null
    proxy.seen.length = 0
  })
  const { region, accessKeyId, secretAccessKey } = s3
  const store = openS3(
    { clock: systemClock, random: seededRandom(1), tryMax: 4, waitMs: 5 },
    {
      bucket: 'lake',
      region,
      endpoint: proxy.endpoint,
      pathStyle: true,
      credentials: async () => ({ accessKeyId, secretAccessKey }),
      credentialsFrom: 'the test',
    },
  )
  /** The fault for the first `times` requests that match. */
  const breakFirst = (pattern: RegExp, fault: Fault, times = 1): void => {
    let left = times
    proxy.fault = (request) => (pattern.test(request) && left-- > 0 ? fault : null)
  }
  const local = (bytes: number) => {
    const path = join(home, `file-${bytes}`)
    writeFileSync(path, Buffer.alloc(bytes, 'abcdefg'))
    return nodeDisk.open(path, 'read')
  }

  for (const fault of ['busy', 'unsent', 'lost'] as const) {
    test(`put: ${fault} three times, then done, once`, async () => {
      breakFirst(/^PUT/, fault, 3)
      await store.put(`s3://lake/put/${fault}`, Buffer.from('content'))
      assert.equal((await store.read(`s3://lake/put/${fault}`)).toString(), 'content')
      assert.ok(proxy.seen.filter((request) => request.startsWith('PUT')).length === 4)
    })

    test(`an upload in parts: ${fault} at each kind of request`, async () => {
      for (const [index, pattern] of [/^POST .*uploads=/, /^PUT .*partNumber=2/, /^POST .*uploadId=/].entries()) {
        const path = `s3://lake/parts/${fault}-${index}`
        breakFirst(pattern, fault)
        const from = await local((16 << 20) + 1_000_000)
        try {
          await store.upload(path, from)
          assert.equal((await store.stat(path))?.sizeBytes, (16 << 20) + 1_000_000)
          assert.ok((await store.read(path)).equals(await from.read(0, 1 << 26)))
        } finally {
          await from.close()
        }
      }
    })

    test(`reading: ${fault}`, async () => {
      await store.put(`s3://lake/read/${fault}`, Buffer.from('content'))
      breakFirst(/^GET/, fault, 2)
      assert.equal((await store.read(`s3://lake/read/${fault}`)).toString(), 'content')
    })
  }

  test('a lost answer is no excuse: what somebody else wrote under the name is not ours', async () => {
    await store.put('s3://lake/other', Buffer.from('theirs'))
    breakFirst(/^PUT/, 'lost')
    await assert.rejects(store.put('s3://lake/other', Buffer.from('ours')), { code: 'MR_OBJECT_EXISTS' })
    assert.equal((await store.read('s3://lake/other')).toString(), 'theirs')
  })

  test('an upload that fails midway for good leaves no object and no parts', async () => {
    proxy.fault = (request) => (/partNumber=2/.test(request) ? 'busy' : null)
    const from = await local((16 << 20) + 5)
    try {
      await assert.rejects(store.upload('s3://lake/half', from), (error: { code: string; message: string }) => {
        assert.equal(error.code, 'MR_OBJECT_BUSY')
        assert.match(error.message, /s3:\/\/lake\/half.*SlowDown/)
        return true
      })
    } finally {
      await from.close()
    }
    assert.equal(await store.stat('s3://lake/half'), undefined)
    assert.ok(proxy.seen.some((request) => /^DELETE .*uploadId=/.test(request)))
  })

  test('an answer that is cut is read again', async () => {
    await store.put('s3://lake/cut', Buffer.alloc(200_000, 'x'))
    breakFirst(/^GET/, 'cut', 2)
    const directory = join(home, 'cut-cache')
    const options = { disk: nodeDisk, clock: systemClock, random: seededRandom(2), store, directory, sizeMaxBytes: 1e9 }
    const cache = await FileCache.open(options)
    const held = await cache.hold('s3://lake/cut')
    assert.equal((await nodeDisk.readFile(held.path)).length, 200_000)
    held.release()
    breakFirst(/^GET/, 'cut')
    assert.equal((await store.read('s3://lake/cut')).length, 200_000)
  })

  let lakes = 0
  interface Opened {
    readonly lake: Lake
    readonly table: LakeTable
    readonly cache: FileCache
    readonly directory: string
    readonly staging: string
    open(with_?: { catalog?: Catalog; clock?: Clock }): Lake
    append(lake: Lake, name: string): Promise<TableChange>
    names(lake: Lake): Promise<string[]>
  }
  async function openOwn(): Promise<Opened> {
    const root = join(home, `lake-${lakes}`)
    const directory = `s3://lake/lakes/${lakes++}`
    const random = seededRandom(lakes)
    const all = routeStores(diskStore(nodeDisk), [{ prefix: 's3://lake/', store }])
    const cache = await FileCache.open({
      disk: nodeDisk,
      clock: systemClock,
      random,
      store: all,
      directory: join(root, 'cache'),
      sizeMaxBytes: 1e9,
    })
    const catalog = modelCatalog()
    const clock = systemClock
    const staging = join(root, 'staging')
    const open: Opened['open'] = (other = {}) =>
      openLake({ disk: nodeDisk, clock, random, catalog, directory, remote: { store: all, cache, stagingDirectory: staging }, ...other })
    const lake = open()
    const shape = { fields: [{ name: 'id', type: { kind: 'long' as const }, optional: false }] }
    const table = await lake.create({ name: 'orders', shape, partition: [], cluster: [], key: [] })
    return {
      ...{ lake, table, cache, directory, staging, open },
      append: async (by, name) => ({
        table: 'orders',
        operation: 'append',
        add: [await fakeDataFile(nodeDisk, by, await by.table('orders'), { name, rows: 1 })],
        remove: [],
      }),
      names: async (by) => (await by.files(await by.table('orders'))).map(({ path }) => path.split('/').at(-1)!).sort(),
    }
  }
  const stored = async (directory: string): Promise<string[]> =>
    (await Array.fromAsync(store.list(directory), ({ path }) => path.slice(directory.length + 1))).sort()

  test('a commit uploads first; when that fails the table is as it was, and the same change can be committed again', async () => {
    const { lake, append, names, open, staging, cache } = await openOwn()
    await lake.commit([await append(lake, 'a')])
    assert.deepEqual(await names(lake), ['a.parquet'])
    const change = await append(lake, 'b')
    proxy.fault = (request) => (/PUT .*b\.parquet/.test(request) ? 'busy' : null)
    await assert.rejects(lake.commit([change]), { code: 'MR_OBJECT_BUSY' })
    assert.deepEqual(await names(open()), ['a.parquet'])
    proxy.fault = () => null
    await lake.commit([change])
    assert.deepEqual(await names(open()), ['a.parquet', 'b.parquet'])
    // What was staged is the copy now: reading it asks nobody.
    proxy.seen.length = 0
    const lease = open().lease()
    const [a, b] = await lease.local(await lake.files(await lake.table('orders')))
    assert.deepEqual([(await nodeDisk.readFile(a!.path)).toString(), (await nodeDisk.readFile(b!.path)).toString()].sort(), ['a', 'b'])
    lease.release()
    assert.deepEqual(
      proxy.seen.filter((request) => request.includes('.parquet')),
      [],
    )
    assert.equal(cache.figures.misses, 0)
    assert.deepEqual(
      readdirSync(staging, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
      [],
    )
  })

  test('a commit that loses the race uploads its files once', async () => {
    const { lake, append, names, open } = await openOwn()
    const other = open()
    const [one, two] = [await append(lake, 'a'), await append(other, 'b')]
    await Promise.all([lake.commit([one]), other.commit([two])])
    assert.deepEqual(await names(open()), ['a.parquet', 'b.parquet'])
    assert.equal(proxy.seen.filter((request) => /^PUT .*\.parquet/.test(request)).length, 2)
  })

  test('what a crash between upload and commit leaves is seen by nobody and collected, what is needed stays', async () => {
    const { lake, append, names, open, directory } = await openOwn()
    await lake.commit([await append(lake, 'a')])
    const catalog: Catalog = { ...lake.catalog, commit: () => Promise.reject(new Error('killed')) }
    const dying = open({ catalog })
    await assert.rejects(dying.commit([await append(dying, 'b')]), { message: 'killed' })
    const before = await stored(directory)
    assert.ok(before.includes('orders/data/b.parquet'))
    const later = open({ clock: new VirtualClock(Date.now() + 10 * 86_400_000) })
    assert.deepEqual(await names(later), ['a.parquet'])
    // Younger than the limit it may belong to a commit on its way.
    assert.equal((await open().removeOrphans(3 * 86_400_000)).files, 0)
    assert.ok((await later.removeOrphans(3 * 86_400_000)).files >= 4)
    const kept = await stored(directory)
    assert.ok(!kept.includes('orders/data/b.parquet') && kept.includes('orders/data/a.parquet'))
    assert.deepEqual(await names(open()), ['a.parquet'])
    assert.deepEqual(
      (await open().check('orders')).snapshots.flatMap(({ damage }) => damage),
      [],
    )
    await later.commit([await append(later, 'c')])
    assert.deepEqual(await names(open()), ['a.parquet', 'c.parquet'])
  })

  test('expiry and purge remove objects; a client may not place a table elsewhere', async () => {
    const { lake, append, directory, open } = await openOwn()
    for (const name of ['a', 'b', 'c']) await lake.commit([await append(lake, name)])
    const files = await lake.files(await lake.table('orders'))
    await lake.commit([{ table: 'orders', operation: 'delete', add: [], remove: files.slice(0, 2).map(({ path }) => path) }])
    const later = open({ clock: new VirtualClock(Date.now() + 10 * 86_400_000) })
    const expired = await later.expire('orders', { olderThanMs: 0, retainLast: 1 })
    assert.ok(expired.snapshots >= 2 && expired.files >= 2, JSON.stringify(expired))
    assert.equal((await stored(`${directory}/orders/data`)).length, 1)
    const schema = { type: 'struct' as const, fields: [{ id: 1, name: 'id', required: true, type: 'long' }] }
    const asked = { name: 'x', schema, location: 's3://other/x' } as unknown as Parameters<Lake['outside']['stage']>[1]
    await assert.rejects(lake.outside.stage('x', asked), { code: 'MR_LAKE_LOCATION' })
    await later.drop('orders', { purge: true })
    assert.deepEqual(await stored(`${directory}/orders/data`), [])
    assert.ok(!existsSync(join(home, 's3:')))
  })
}
