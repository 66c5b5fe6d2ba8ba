// Copies are whole or made again, made once for many readers, kept while held, and go by use when there are too many.
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { FakeDisk, SimulatedCrash } from '../../test/simulation/fake-disk.ts'
import { systemClock, VirtualClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { seededRandom } from '../core/random.ts'
import { diskStore } from './disk-store.ts'
import { FileCache } from './file-cache.ts'
import type { ObjectStore, ObjectStream } from './object-store.ts'

const home = mkdtempSync(join(tmpdir(), 'file-cache-'))
after(() => rmSync(home, { recursive: true }))
let count = 0

interface Bench {
  readonly store: ObjectStore
  readonly far: string
  readonly near: string
  /** Streams that were asked for. */
  readonly asked: string[]
  open(sizeMaxBytes?: number): Promise<FileCache>
  /** Content of the copy, which is released. */
  read(cache: FileCache, name: string): Promise<string>
  copies(): string[]
}

/** `before` may refuse a stream, or change it. */
function bench(before: (path: string, stream: ObjectStream) => ObjectStream = (_, stream) => stream): Bench {
  const [far, near] = [join(home, `far-${count}`), join(home, `near-${count++}`)]
  const disk = diskStore(nodeDisk)
  const asked: string[] = []
  const store: ObjectStore = {
    ...disk,
    async stream(path) {
      asked.push(path)
      return before(path, await disk.stream(path))
    },
  }
  return {
    store,
    far,
    near,
    asked,
    open: (sizeMaxBytes = 1_000_000) =>
      FileCache.open({ disk: nodeDisk, clock: systemClock, random: seededRandom(1), store, directory: near, sizeMaxBytes }),
    async read(cache, name) {
      const held = await cache.hold(`${far}/${name}`)
      try {
        return await readFile(held.path, 'utf8')
      } finally {
        held.release()
      }
    },
    copies: () => readdirSync(near),
  }
}

async function put({ store, far }: Bench, name: string, content: string): Promise<void> {
  await store.makeDirectory(far)
  await store.put(`${far}/${name}`, Buffer.from(content))
}

test('many readers of one object cause one download, later ones none', async () => {
  const here = bench()
  await put(here, 'a', 'content of a')
  const cache = await here.open()
  assert.deepEqual(await Promise.all(Array.from({ length: 20 }, () => here.read(cache, 'a'))), Array(20).fill('content of a'))
  assert.equal(await here.read(cache, 'a'), 'content of a')
  assert.equal(here.asked.length, 1)
  assert.deepEqual(cache.figures, { hits: 1, misses: 20, readBytes: 12, evicted: 0, damaged: 0, sizeBytes: 12 })
  // The next process begins with what is there.
  assert.equal(await here.read(await here.open(), 'a'), 'content of a')
  assert.equal(here.asked.length, 1)
})

for (const [what, damage] of Object.entries({
  cut: (path: string) => truncateSync(path, 3),
  empty: (path: string) => truncateSync(path, 0),
  longer: (path: string) => appendFileSync(path, 'x'),
  garbled: (path: string) => writeFileSync(path, 'CONTENT OF A'),
  missing: (path: string) => rmSync(path),
})) {
  test(`a copy that is ${what} is noticed and made again, in this process and in the next`, async () => {
    const here = bench()
    await put(here, 'a', 'content of a')
    const cache = await here.open()
    await here.read(cache, 'a')
    for (const reader of [cache, await here.open()]) {
      const path = join(here.near, here.copies()[0]!)
      damage(path)
      // A change within one tick of the file system's clock is one all the same.
      if (what === 'garbled') utimesSync(path, 1, 1)
      const reads = await Promise.all([here.read(reader, 'a'), here.read(reader, 'a')])
      assert.deepEqual(reads, ['content of a', 'content of a'])
      assert.equal(reader.figures.damaged >= 1, true)
      assert.equal(here.copies().length, 1)
      assert.equal(reader.figures.sizeBytes, 12)
    }
  })
}

test('the least recently used go when there is too much, those that are held stay', async () => {
  const here = bench()
  for (const name of ['a', 'b', 'c', 'd']) await put(here, name, name.repeat(10))
  const cache = await here.open(25)
  const held = await cache.hold(`${here.far}/a`)
  await here.read(cache, 'b')
  await here.read(cache, 'c')
  assert.equal(cache.figures.sizeBytes, 20)
  assert.equal(await readFile(held.path, 'utf8'), 'aaaaaaaaaa')
  assert.equal(cache.figures.evicted, 1)
  await here.read(cache, 'c')
  assert.deepEqual(here.asked.length, 3, 'c is still there')
  // More than the limit is held at once: all of it stays until it is released.
  const more = await Promise.all(['b', 'c', 'd'].map((name) => cache.hold(`${here.far}/${name}`)))
  assert.equal(cache.figures.sizeBytes, 40)
  for (const one of [held, ...more]) assert.equal((await readFile(one.path, 'utf8')).length, 10)
  for (const one of [held, held, ...more]) one.release()
  for (let tries = 0; here.copies().length > 2 && tries < 100; tries++) await systemClock.sleep(10)
  assert.ok(cache.figures.sizeBytes <= 25)
  assert.equal(here.copies().length * 10, cache.figures.sizeBytes)
  // A smaller limit holds from the start.
  assert.ok((await here.open(10)).figures.sizeBytes <= 10)
})

test('a download that breaks is begun again; one that fails leaves nothing and is no one else’s copy', async () => {
  let breaks = 2
  const cut = async function* (chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    for await (const chunk of chunks) {
      yield chunk.subarray(0, 4)
      throw new MillraceError('MR_OBJECT_BUSY', 'the connection broke')
    }
  }
  const here = bench((_, stream) => (breaks-- > 0 ? { ...stream, chunks: cut(stream.chunks) } : stream))
  await put(here, 'a', 'content of a')
  const cache = await here.open()
  assert.equal(await here.read(cache, 'a'), 'content of a')
  assert.equal(here.asked.length, 3)
  await put(here, 'b', 'content of b')
  breaks = 100
  await assert.rejects(here.read(cache, 'b'), { code: 'MR_OBJECT_BUSY' })
  assert.equal(here.copies().length, 1)
  breaks = 0
  assert.equal(await here.read(cache, 'b'), 'content of b')
  await assert.rejects(here.read(cache, 'absent'), { code: 'MR_OBJECT_MISSING' })
})

test('a file that was uploaded becomes the copy, unfinished downloads of an earlier process go', async () => {
  const here = bench()
  await put(here, 'a', 'content of a')
  const cache = await here.open()
  writeFileSync(join(home, 'own'), 'content of a')
  await cache.adopt(`${here.far}/a`, join(home, 'own'))
  assert.equal(await here.read(cache, 'a'), 'content of a')
  assert.equal(here.asked.length, 0)
  writeFileSync(join(here.near, 'half.tmp'), 'con')
  await here.open()
  assert.equal(here.copies().length, 1)
  await cache.forget(`${here.far}/a`)
  assert.deepEqual([here.copies(), cache.figures.sizeBytes], [[], 0])
})

test('a copy that somebody holds stays, although the file that was uploaded comes later', async () => {
  const here = bench()
  await put(here, 'a', 'content of a')
  const own = join(home, 'own-late')
  writeFileSync(own, 'content of a')
  const { promise: isHeld, resolve: goOn } = Promise.withResolvers<void>()
  // The checksum of the uploaded file takes until a reader has its own copy.
  const disk: typeof nodeDisk = {
    ...nodeDisk,
    async open(path, mode) {
      if (path === own) await isHeld
      return nodeDisk.open(path, mode)
    },
  }
  const { store } = here
  const cache = await FileCache.open({
    disk,
    clock: systemClock,
    random: seededRandom(1),
    store,
    directory: here.near,
    sizeMaxBytes: 1_000_000,
  })
  const adopting = cache.adopt(`${here.far}/a`, own)
  const held = await cache.hold(`${here.far}/a`)
  const { ino } = statSync(held.path)
  goOn()
  await adopting
  assert.equal(statSync(held.path).ino, ino)
  assert.equal(here.copies().length, 1)
  held.release()
})

test('a crash at every call: afterwards copies are whole or made again, and nothing else is left', async () => {
  const content = (name: string): string => `${name} `.repeat(400)
  const names = ['a', 'b', 'c', 'd']
  const withCrash = async (call: number): Promise<boolean> => {
    const random = seededRandom(call)
    const clock = new VirtualClock(1_000)
    let disk = new FakeDisk(random, { nowMs: () => clock.nowMs() })
    const store: ObjectStore = {
      ...diskStore(disk),
      stat: async (path) => ({ path, etag: path, sizeBytes: content(path).length, modifiedMs: 0 }),
      stream: async (path) => ({ etag: path, sizeBytes: content(path).length, chunks: [Buffer.from(content(path))].values() as never }),
    }
    // Two copies fit.
    const open = () => FileCache.open({ disk, clock, random, store, directory: '/near', sizeMaxBytes: 2_000 })
    const read = async (cache: FileCache, name: string): Promise<void> => {
      const held = await cache.hold(name)
      assert.equal((await disk.readFile(held.path)).toString(), content(name), `call ${call}`)
      held.release()
    }
    disk.crashAt(call)
    const work = async (): Promise<void> => {
      const cache = await open()
      for (const name of ['a', 'b', 'a', 'c']) await read(cache, name)
      await disk.writeNew('/made', Buffer.from(content('d')))
      await cache.adopt('d', '/made')
      await cache.forget('a')
      await read(cache, 'd')
    }
    await work().catch((error) => assert.ok(error instanceof SimulatedCrash, error))
    const { isCrashed } = disk
    if (isCrashed) disk = disk.crash()
    else disk.disarm()
    const cache = await open()
    for (const name of names) await read(cache, name)
    assert.ok(cache.figures.sizeBytes <= 2_000, `${cache.figures.sizeBytes} bytes`)
    const left = await disk.list('/near')
    assert.equal(new Set(left.map((file) => file.slice(0, 32))).size, left.length, 'one copy of each')
    assert.ok(left.every((file) => !file.endsWith('.tmp')))
    return isCrashed
  }
  let calls = 0
  while (await withCrash(calls + 1)) calls++
  assert.ok(calls >= 30, `only ${calls} calls`)
})
