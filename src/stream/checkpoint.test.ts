// Checkpoints come back as they were; an owner that was replaced removes nothing of the one that replaced it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { seededRandom } from '../core/random.ts'
import { diskStore } from '../objects/disk-store.ts'
import { openCheckpoints } from './checkpoint.ts'

/** As much of a disk as checkpoints use. */
function memoryDisk(): Disk & { readonly files: Map<string, Buffer> } {
  const files = new Map<string, Buffer>()
  return {
    files,
    makeDirectory: async () => {},
    writeNew: async (path: string, content: Uint8Array) => void files.set(path, Buffer.from(content)),
    readFile: async (path: string) => files.get(path) ?? Promise.reject(new Error('ENOENT')),
    list: async (path: string) =>
      [...files.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)),
    stat: async (path: string) => {
      const content = files.get(path)
      return content && { sizeBytes: content.length, modifiedMs: 0, isDirectory: false }
    },
    remove: async (path: string) => void files.delete(path),
  } as unknown as Disk & { readonly files: Map<string, Buffer> }
}

test('only what is older than the committed checkpoint is removed', async () => {
  const disk = memoryDisk()
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  const checkpoints = openCheckpoints(diskStore(disk), clock, seededRandom(1), '/c')
  const write = async (state: unknown): Promise<string> => {
    await clock.advance(5)
    return checkpoints.write('live:a@1', state)
  }
  const [old, own, newer] = [await write({ n: 1 }), await write({ n: 0.1, text: 'é', none: null }), await write({ n: 3 })]
  await checkpoints.write('live:b', { n: 4 })
  await checkpoints.prune('live:a@1', own)
  assert.equal(disk.files.has(old), false)
  assert.deepEqual(await checkpoints.read(own), { n: 0.1, text: 'é', none: null })
  assert.deepEqual(await checkpoints.read(newer), { n: 3 })
  assert.equal(disk.files.size, 3)
})

test('a checkpoint that is damaged, missing or of another version says so', async () => {
  const disk = memoryDisk()
  const checkpoints = openCheckpoints(diskStore(disk), new VirtualClock(0), seededRandom(1), '/c')
  const location = await checkpoints.write('p', { n: 1 })
  disk.files.get(location)![6]! ^= 0xff
  for (const path of [location, '/c/p/gone'])
    await assert.rejects(checkpoints.read(path), { code: 'MR_STREAM_STATE', message: new RegExp(path) })
})
