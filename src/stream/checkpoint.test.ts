// Checkpoints come back as they were, whatever has changed between them and wherever a crash falls; what is written is in
// proportion to what has changed; an owner that was replaced removes nothing of the one that replaced it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { VirtualClock } from '../core/clock.ts'
import { seededRandom } from '../core/random.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { DataKey, KeyRing } from '../objects/seal/key-ring.ts'
import { type CheckpointStore, openCheckpoints, type SealedState } from './checkpoint.ts'
import type { ChainContent, ChainLeaf, FrozenLeaf } from './state-tree.ts'

interface MemoryStore extends ObjectStore {
  readonly files: Map<string, Buffer>
  written: number
  /** Calls until it fails; what it was asked to do is done or not, by turns. */
  failAfter: number
}

function memoryStore(): MemoryStore {
  const files = new Map<string, Buffer>()
  const step = <T>(done: () => T): T => {
    if (self.failAfter-- !== 0) return done()
    if (self.written % 2 === 0) done()
    throw new Error('crash')
  }
  const self = {
    files,
    written: 0,
    failAfter: -1,
    makeDirectory: async () => {},
    put: async (path: string, content: Uint8Array) =>
      step(() => {
        assert.ok(!files.has(path))
        files.set(path, Buffer.from(content))
        self.written += content.length
      }),
    read: async (path: string, range?: { start: number; length: number }) => {
      const content = files.get(path)
      if (!content) throw new Error(`no ${path}`)
      return range ? content.subarray(range.start, range.start + range.length) : content
    },
    stat: async (path: string) => {
      const content = files.get(path)
      return content && { path, sizeBytes: content.length, modifiedMs: 0, etag: '' }
    },
    list: async function* (directory: string) {
      for (const [path, { length }] of [...files]) if (path.startsWith(`${directory}/`)) yield { path, sizeBytes: length, modifiedMs: 0 }
    },
    remove: async (path: string) => step(() => void files.delete(path)),
  }
  return self as unknown as MemoryStore
}

const PIPELINE = 'live:a@1'

/** One key for every pipeline; a rotation gives it another secret. */
function sealedState(): SealedState & { rotate(): void } {
  const made: DataKey[] = []
  const rotate = (): void => void made.push({ id: Buffer.alloc(16, made.length), secret: Buffer.alloc(32, made.length), scope: 'a' })
  rotate()
  const keys = { forWriting: async () => made.at(-1)!, byId: (id: Uint8Array) => made[id[0]!]! } as unknown as KeyRing
  return { keys, scopeOf: () => 'a', rotate }
}

interface World {
  readonly store: MemoryStore
  readonly clock: VirtualClock
  checkpoints: CheckpointStore
}

function world(): World {
  const store = memoryStore()
  const clock = new VirtualClock(Date.UTC(2026, 0, 1))
  return { store, clock, checkpoints: openCheckpoints(store, clock, seededRandom(1), '/c') }
}

function bytesOf(length: number, seed: number): Uint8Array {
  const random = seededRandom(seed)
  return Uint8Array.from({ length }, () => Math.floor(random.next() * 256))
}

test('only what is older than the committed checkpoint is removed', async () => {
  const { store, clock, checkpoints } = world()
  const write = async (state: unknown): Promise<string> => {
    await clock.advance(5)
    return checkpoints.write(PIPELINE, state, null)
  }
  const [old, own, newer] = [await write({ n: 1 }), await write({ n: 0.1, text: 'é', none: null }), await write({ n: 3 })]
  await checkpoints.write('live:b', { n: 4 }, null)
  await checkpoints.prune(PIPELINE, own)
  assert.equal(store.files.has(old), false)
  assert.deepEqual(await checkpoints.read(own), { n: 0.1, text: 'é', none: null })
  assert.deepEqual(await checkpoints.read(newer), { n: 3 })
  assert.equal(store.files.size, 3)
})

test('a checkpoint that is damaged, missing or of another version says so; one of before is read', async () => {
  const { store, checkpoints } = world()
  const location = await checkpoints.write('p', { n: 1 }, null)
  store.files.get(location)![6]! ^= 0xff
  const old = (version: number): Buffer => zstdCompressSync(Buffer.from(JSON.stringify({ version, state: { n: 2 } })))
  store.files.set('/c/p/old', old(1))
  store.files.set('/c/p/newer', old(3))
  const { checkpoints: again } = { checkpoints: openCheckpoints(store, new VirtualClock(0), seededRandom(2), '/c') }
  for (const path of [location, '/c/p/gone', '/c/p/newer'])
    await assert.rejects(again.read(path), { code: 'MR_STREAM_STATE', message: new RegExp(path) })
  assert.deepEqual(await again.read('/c/p/old'), { n: 2 })
})

test('what is written is in proportion to what has changed', async () => {
  const { store, clock, checkpoints } = world()
  const leaf = bytesOf(8 << 20, 7)
  const states: ChainLeaf[] = Array.from({ length: 256 }, (_, i) => ({ $chain: `s${i}`, base: [bytesOf(8 << 10, i)], added: [] }))
  const spent = async (state: unknown, before: string | null): Promise<[string, number]> => {
    await clock.advance(5)
    const from = store.written
    const location = await checkpoints.write(PIPELINE, state, before)
    return [location, store.written - from]
  }
  const [first, whole] = await spent({ leaf, states }, null)
  assert.ok(whole > 9 << 20, `${whole}`)
  const same = states.map((chain): ChainLeaf => ({ ...chain, base: null }))
  const [second, nothing] = await spent({ leaf, states: same }, first)
  assert.ok(nothing < 80_000, `${nothing} bytes though nothing changed`)
  leaf[5_000_000] = 1
  const added = same.map((chain, i): ChainLeaf => (i < 3 ? { ...chain, added: [bytesOf(1_000, 300 + i)] } : chain))
  const [, little] = await spent({ leaf, states: added }, second)
  assert.ok(little - nothing < 30_000, `${little} bytes for one block and 3,000 bytes`)
})

for (const sealed of [null, sealedState()])
  test(`a checkpoint at another place than the one before has all of it, and goes on from there${sealed ? ', encrypted' : ''}`, async () => {
    const { store, clock } = world()
    const at = (directory: string): CheckpointStore => openCheckpoints(store, clock, seededRandom(2), directory, sealed)
    const [leaf, base, added] = [bytesOf(100_000, 1), bytesOf(5_000, 2), bytesOf(100, 3)]
    const first = await at('/old').write(PIPELINE, { leaf, chain: { $chain: 's', base: [base], added: [] } }, null)
    await clock.advance(5)
    const second = await at('/new').write(PIPELINE, { leaf, chain: { $chain: 's', base: null, added: [added] } }, first)
    for (const path of [...store.files.keys()]) if (path.startsWith('/old/')) store.files.delete(path)
    await clock.advance(5)
    const third = await at('/new').write(PIPELINE, { leaf, chain: { $chain: 's', base: null, added: [] } }, second)
    for (const location of [second, third]) {
      const { leaf: read, chain } = (await at('/new').read(location)) as { leaf: Buffer; chain: ChainContent }
      assert.deepEqual([read, Buffer.concat(chain.parts)], [Buffer.from(leaf), Buffer.concat([base, added])])
    }
  })

interface Step {
  readonly set: readonly (readonly [leaf: number, at: number])[]
  readonly grow: number
  readonly chains: readonly ('none' | 'base' | 'add')[]
  readonly failAfter: number | null
}

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    set: fc.array(fc.tuple(fc.nat(2), fc.nat(99_999)), { maxLength: 5 }),
    grow: fc.nat(20_000),
    chains: fc.array(fc.constantFrom('none', 'base', 'add', 'add'), { minLength: 4, maxLength: 4 }),
    failAfter: fc.option(fc.nat(2), { freq: 3 }),
  }),
  { minLength: 1, maxLength: 25, size: 'max' },
)

for (const sealed of [null, sealedState()])
  test(`after a crash between any two steps the committed state is there, whole, and nothing else stays for long${sealed ? ', encrypted' : ''}`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const { store, clock } = world()
        let { checkpoints } = world()
        const reopen = (seed: number): void => {
          sealed?.rotate()
          checkpoints = openCheckpoints(store, clock, seededRandom(seed), '/c', sealed)
        }
        reopen(0)
        let leaves = [bytesOf(40_000, 1), bytesOf(100_000, 2), bytesOf(10, 3)]
        let chains: Uint8Array[][] = Array.from({ length: 4 }, () => [])
        let committed: { location: string | null; leaves: Uint8Array[]; chains: Uint8Array[][] } = { location: null, leaves, chains }
        for (const [n, { set, grow, chains: how, failAfter }] of list.entries()) {
          await clock.advance(2)
          leaves = leaves.map((leaf, i) => (i === n % 3 ? new Uint8Array(Buffer.concat([leaf, bytesOf(grow, n)])) : new Uint8Array(leaf)))
          for (const [leaf, at] of set) if (at < leaves[leaf]!.length) leaves[leaf]![at] = n
          const given = how.map((kind, i): ChainLeaf => {
            const isFirst = chains[i]!.length === 0
            const text = bytesOf(1 + ((n * 37) % 900), n * 4 + i)
            if (kind === 'none' && !isFirst) return { $chain: `${i}`, base: null, added: [] }
            return kind === 'add' && !isFirst ? { $chain: `${i}`, base: null, added: [text] } : { $chain: `${i}`, base: [text], added: [] }
          })
          chains = chains.map((own, i) => {
            const { base, added } = given[i]!
            return base ? [...base] : [...own, ...added]
          })
          store.failAfter = failAfter ?? -1
          let location: string | null = null
          try {
            location = await checkpoints.write(PIPELINE, { leaves, given, n }, committed.location)
            committed = { location, leaves, chains }
            await checkpoints.prune(PIPELINE, location)
            const live = store.files.get(location)!.length + [...leaves, ...chains.flat()].reduce((sum, { length }) => sum + length, 0)
            const stored = [...store.files.values()].reduce((sum, { length }) => sum + length, 0)
            assert.ok(stored < 8 * live + 200_000, `${stored} bytes are kept for ${live}`)
          } catch (error) {
            assert.equal((error as Error).message, 'crash')
            store.failAfter = -1
            reopen(n + 1)
            const before = committed
            leaves = before.leaves
            chains = before.chains
            if (before.location === null) continue
            const read = (await checkpoints.read(before.location)) as { leaves: Uint8Array[]; given: ChainContent[]; n: number }
            assert.deepEqual(
              read.leaves.map((leaf) => Buffer.from(leaf)),
              leaves.map((leaf) => Buffer.from(leaf)),
            )
            assert.deepEqual(
              read.given.map(({ parts }) => parts.map((part) => Buffer.from(part))),
              chains.map((parts) => parts.map((part) => Buffer.from(part))),
            )
          }
          store.failAfter = -1
        }
      }),
      { numRuns: 60 },
    )
  })

test('encrypted state shows nothing, and is refused when any byte of it was changed, or it lies where plain state belongs', async () => {
  const { store, clock } = world()
  const text = Buffer.from('a text that is easy to find '.repeat(3))
  const sealed = sealedState()
  const checkpoints = openCheckpoints(store, clock, seededRandom(1), '/c', sealed)
  const state = { leaf: bytesOf(70, 1), given: { $chain: 'x', base: [new Uint8Array(text)], added: [] }, name: 'a name in the state' }
  const location = await checkpoints.write(PIPELINE, state, null)
  const file = store.files.get(location)!
  for (const shown of ['easy to find', 'name', Buffer.from(bytesOf(16, 1))]) assert.equal(file.includes(shown), false)
  const read = () => openCheckpoints(store, clock, seededRandom(2), '/c', sealed).read(location) as Promise<{ name: string }>
  assert.equal((await read()).name, 'a name in the state')
  for (let at = 0; at < file.length; at++) {
    file[at]! ^= 1
    await assert.rejects(read(), ({ code }: { code: string }) => code === 'MR_SEAL_DAMAGED' || code === 'MR_STREAM_STATE', `byte ${at}`)
    file[at]! ^= 1
  }
  await assert.rejects(openCheckpoints(store, clock, seededRandom(3), '/c').read(location), {
    code: 'MR_SEAL_DAMAGED',
    message: /its pipeline is not/,
  })
  const plain = await openCheckpoints(store, clock, seededRandom(4), '/c').write('live:b', { n: 1 }, null)
  await assert.rejects(openCheckpoints(store, clock, seededRandom(5), '/c', sealed).read(plain), { code: 'MR_SEAL_DAMAGED' })
})

test('an owner that was replaced, and goes on, removes nothing that the new one needs', async () => {
  const { store, clock, checkpoints } = world()
  const write = async (of: CheckpointStore, state: unknown, before: string | null): Promise<string> => {
    await clock.advance(5)
    return of.write(PIPELINE, state, before)
  }
  const leaf = bytesOf(100_000, 1)
  const first = await write(checkpoints, { leaf, n: 1 }, null)
  const zombie = await write(checkpoints, { leaf, n: 2 }, first)
  const owner = openCheckpoints(store, clock, seededRandom(9), '/c')
  await owner.read(zombie)
  const newer = await write(owner, { leaf, n: 3 }, zombie)
  await checkpoints.prune(PIPELINE, zombie)
  const read = (await openCheckpoints(store, clock, seededRandom(3), '/c').read(newer)) as { leaf: Uint8Array; n: number }
  assert.deepEqual([Buffer.from(read.leaf).equals(leaf), read.n], [true, 3])
})

test('blocks of what never changes are read once while the committed checkpoint has them, and again where it has not', async () => {
  const { checkpoints } = world()
  const content = bytesOf(100_000, 7)
  let reads = 0
  const hashes: string[] = []
  const leaf = (length: number): FrozenLeaf => ({
    $frozen: true,
    length,
    hashes,
    block: (start, size) => {
      reads++
      return content.slice(start, start + size)
    },
    release: () => {},
  })
  const first = await checkpoints.write(PIPELINE, { leaf: leaf(50_000) }, null)
  assert.equal(reads, 4)
  const second = await checkpoints.write(PIPELINE, { leaf: leaf(100_000) }, first)
  // Three whole blocks are known; what the fourth held was not all of it.
  assert.equal(reads, 4 + 4)
  assert.deepEqual(await checkpoints.read(second), { leaf: Buffer.from(content) })
  const anew = await checkpoints.write(PIPELINE, { leaf: leaf(100_000) }, null)
  assert.equal(reads, 8 + 7)
  assert.deepEqual(await checkpoints.read(anew), { leaf: Buffer.from(content) })
})
