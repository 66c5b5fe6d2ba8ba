// The simulated disk keeps its own promises: what was synced survives, what was not may be lost, torn or kept, and the
// same seed gives the same run.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../../src/core/random.ts'
import { type DiskCall, FakeDisk, SimulatedCrash } from './fake-disk.ts'

const SECTOR = 512

async function newDisk(seed = 1, capacityBytes = Number.POSITIVE_INFINITY): Promise<FakeDisk> {
  const disk = new FakeDisk(seededRandom(seed), { capacityBytes })
  await disk.makeDirectory('/d')
  return disk
}

/** Outcomes over many seeds. */
async function outcomes(story: (disk: FakeDisk) => Promise<string>): Promise<Set<string>> {
  const seen = new Set<string>()
  for (let seed = 1; seed <= 60; seed++) seen.add(await story(await newDisk(seed)))
  return seen
}

test('synced files survive; a name not synced may be gone', async () => {
  const seen = await outcomes(async (disk) => {
    await disk.writeNew('/d/durable', 'a')
    const file = await disk.open('/d/new', 'create')
    await file.write([Buffer.from('b')], 0)
    await file.sync()
    const after = disk.crash()
    assert.equal(String(after.peek('/d/durable')), 'a')
    return after.paths().join()
  })
  assert.deepEqual([...seen].sort(), ['/d/durable', '/d/durable,/d/new'])
})

test('a write not synced is kept, lost or torn between sectors', async () => {
  const seen = await outcomes(async (disk) => {
    await disk.writeNew('/d/f', Buffer.alloc(3 * SECTOR, 'o'))
    const file = await disk.open('/d/f', 'write')
    await file.write([Buffer.alloc(2 * SECTOR, 'n'), Buffer.alloc(SECTOR, 'n')], 0)
    const bytes = disk.crash().peek('/d/f')
    for (let at = 0; at < bytes.length; at++) assert.equal(bytes[at], bytes[at - (at % SECTOR)], 'a sector is of one piece')
    return [0, 1, 2].map((sector) => String.fromCharCode(bytes[sector * SECTOR]!)).join('')
  })
  assert.equal(seen.size, 8)
})

test('a rename is all or nothing, an un-synced removal may come back', async () => {
  const seen = await outcomes(async (disk) => {
    await disk.writeNew('/d/a', 'a')
    await disk.writeNew('/d/c', 'c')
    await disk.rename('/d/a', '/d/b')
    await disk.remove('/d/c')
    return disk.crash().paths().join()
  })
  assert.deepEqual([...seen].sort(), ['/d/a', '/d/a,/d/c', '/d/b', '/d/b,/d/c'])
})

test('a kill loses nothing, and makes nothing durable', async () => {
  const seen = await outcomes(async (disk) => {
    await disk.writeNew('/d/f', '')
    const file = await disk.open('/d/f', 'write')
    await file.write([Buffer.from('x')], 0)
    const next = disk.kill()
    assert.equal(String(next.peek('/d/f')), 'x')
    await assert.rejects(file.sync(), SimulatedCrash)
    return String(next.crash().peek('/d/f'))
  })
  assert.deepEqual([...seen].sort(), ['', 'x'])
})

test('after a failed sync the bytes are visible, and a later sync does not save them', async () => {
  const disk = await newDisk()
  await disk.writeNew('/d/f', '')
  const file = await disk.open('/d/f', 'write')
  await file.write([Buffer.from('x')], 0)
  disk.failAt(1, 'EIO')
  await assert.rejects(file.sync(), { code: 'EIO' })
  await file.sync()
  assert.equal(String(await file.read(0, 9)), 'x')
  assert.equal(String(disk.crash().peek('/d/f')), '')
})

test('faults: the nth call of a kind, a short write, no room', async () => {
  const disk = await newDisk(1, 4)
  const file = await disk.open('/d/f', 'create')
  disk.failAt(2, 'short', ({ operation }: DiskCall) => operation === 'write')
  await file.write([Buffer.from('ab')], 0)
  await assert.rejects(file.write([Buffer.from('cd')], 2), { code: 'MR_DATA_FULL' })
  await file.write([Buffer.from('cd')], 2)
  await assert.rejects(file.write([Buffer.from('e')], 4), { code: 'ENOSPC' })
  await disk.remove('/d/f')
  await disk.writeNew('/d/g', 'efgh')
})

test('the rules of a file system', async () => {
  const disk = await newDisk()
  await assert.rejects(disk.open('/d/none', 'read'), { code: 'ENOENT' })
  await assert.rejects(disk.open('/no/f', 'create'), { code: 'ENOENT' })
  await disk.writeNew('/d/f', 'hello')
  await assert.rejects(disk.writeNew('/d/f', ''), { code: 'EEXIST' })
  const reader = await disk.open('/d/f', 'read')
  await assert.rejects(reader.write([Buffer.from('x')], 0), { code: 'EBADF' })
  await disk.remove('/d/f')
  await disk.remove('/d/f')
  assert.equal(String(await reader.read(1, 100)), 'ello', 'an open file outlives its name')
  await reader.close()
  await assert.rejects(reader.read(0, 1), { code: 'EBADF' })
  await disk.makeDirectory('/d/x/y')
  assert.deepEqual(await disk.list('/d'), ['x'])
  assert.deepEqual(await disk.list('/none'), [])
  assert.equal((await disk.stat('/d/x'))?.isDirectory, true)
  assert.equal(await disk.stat('/d/f'), undefined)
})

test('the same seed gives the same run', async () => {
  const run = async (): Promise<string> => {
    const disk = await newDisk(7)
    const files = await Promise.all(['a', 'b', 'c'].map((name) => disk.open(`/d/${name}`, 'create')))
    disk.crashAt(9)
    const writes = files.map((file) => file.write([Buffer.alloc(2_000, 'x')], 0).then(() => file.sync()))
    const ends = await Promise.allSettled([...writes, disk.syncDirectory('/d'), disk.list('/d')])
    const after = disk.crash()
    return JSON.stringify([ends, after.paths(), after.paths().map((path) => after.peek(path).length)])
  }
  assert.equal(await run(), await run())
})
