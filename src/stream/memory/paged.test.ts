// A cut holds exactly the numbers and texts of its moment, whatever is written, grown or cut again while it is read; and what it
// gives is what a restart begins with. Against plain arrays.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { FrozenLeaf } from '../state-tree.ts'
import { Bytes, Doubles, Ints, Longs, PAGE_MASK } from './paged.ts'
import { TextMemory } from './text-memory.ts'

const BLOCK = 16 << 10

/** As a checkpoint reads it, from a block on. */
function contentOf(leaf: FrozenLeaf, from = 0): Buffer {
  const blocks: Uint8Array[] = []
  for (let at = from * BLOCK; at < leaf.length; at += BLOCK) blocks.push(leaf.block(at, Math.min(BLOCK, leaf.length - at)))
  return Buffer.concat(blocks)
}

/** Slots near each other, on both sides of a page's end, and far beyond. */
const slot = fc.oneof(fc.nat(40), fc.integer({ min: PAGE_MASK - 20, max: PAGE_MASK + 20 }), fc.nat(3 * PAGE_MASK))
const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('put' as const), slot, value: fc.integer({ min: 0, max: 255 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), slot, value: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release' as const), slot, value: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restore' as const), slot, value: fc.constant(0) }) },
)

const PAGED = {
  doubles: [() => new Doubles(), Float64Array],
  ints: [() => new Ints(-1), Int32Array],
  bytes: [() => new Bytes(), Uint8Array],
  longs: [() => new Longs(), BigInt64Array],
} as const

for (const [name, [make, Plain]] of Object.entries(PAGED)) {
  test(`a cut of ${name} stays what it was`, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 120 }), (steps) => {
        const isBig = name === 'longs'
        const paged = make() as unknown as Ints
        const model = new Map<number, number>()
        const fill = name === 'ints' ? -1 : 0
        const at = (slot: number): number => model.get(slot) ?? fill
        let open: { readonly leaf: FrozenLeaf; readonly was: Buffer }[] = []
        const check = (): void => {
          for (const { leaf, was } of open) assert.ok(contentOf(leaf).equals(was))
        }
        const cut = (slots: number): { leaf: FrozenLeaf; was: Buffer } => {
          const was = new Plain(slots) as unknown as Int32Array
          for (let i = 0; i < slots; i++) was[i] = (isBig ? BigInt(at(i)) : at(i)) as number
          return { leaf: paged.freeze(slots), was: Buffer.from(was.buffer) }
        }
        for (const { do: what, slot, value } of steps) {
          if (what === 'put' && value % 2 === 0) {
            paged.put(slot, (isBig ? BigInt(value) : value) as number)
            model.set(slot, value)
          } else if (what === 'put') {
            // As a hot loop does it.
            paged.fit(slot + 1)
            paged.touch(Int32Array.of(slot), 1)
            paged.pages[Math.floor(slot / (PAGE_MASK + 1))]![slot & PAGE_MASK] = (isBig ? BigInt(value) : value) as number
            model.set(slot, value)
          } else if (what === 'cut') open.push(cut(Math.max(slot, ...model.keys()) + 1))
          else if (what === 'release') {
            check()
            for (const { leaf } of open) leaf.release()
            open = []
          } else {
            check()
            const slots = Math.max(0, ...model.keys()) + 1
            assert.equal(paged.restore(contentOf(cut(slots).leaf)), slots)
          }
          assert.equal(Number(paged.at(slot)), at(slot))
        }
        check()
      }),
      { numRuns: 60 },
    )
  })
}

const text = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.integer({ min: 0, max: 70 }).map((n) => 'x'.repeat(n * 1_000)),
  fc.constantFrom('y'.repeat(65_536), 'z'.repeat(140_000)),
)

test('a cut of texts stays what it was', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('put', 'put', 'put', 'copy', 'cut', 'release', 'restore'), fc.nat(30), text), { maxLength: 80 }),
      (steps) => {
        const texts = new TextMemory()
        const model = new Map<number, string>()
        let open: { readonly leaves: readonly FrozenLeaf[]; readonly was: readonly Buffer[] }[] = []
        const check = (): void => {
          for (const { leaves, was } of open) for (const [i, leaf] of leaves.entries()) assert.ok(contentOf(leaf).equals(was[i]!))
        }
        const cut = (): readonly FrozenLeaf[] => {
          const leaves = texts.save(31)
          open.push({ leaves, was: leaves.map((leaf) => contentOf(leaf)) })
          return leaves
        }
        for (const [what, slot, value] of steps) {
          if (what === 'put') {
            const bytes = Buffer.from(value)
            texts.put(slot, bytes, 0, bytes.length)
            model.set(slot, value)
          } else if (what === 'copy') {
            const { bytes, start, length } = texts.at(slot)
            texts.put((slot + 1) % 31, bytes, start, length)
            model.set((slot + 1) % 31, model.get(slot) ?? '')
          } else if (what === 'cut') cut()
          else if (what === 'release') {
            check()
            for (const { leaves } of open) for (const leaf of leaves) leaf.release()
            open = []
          } else {
            const [memory, start, length] = cut().map((leaf) => contentOf(leaf)) as [Buffer, Buffer, Buffer]
            check()
            texts.restore(memory, start, length)
            open = []
          }
          const { bytes, start } = texts.column(
            Int32Array.from({ length: 31 }, (_, i) => i),
            31,
          )
          for (let i = 0; i < 31; i++) {
            const own = Buffer.from(model.get(i) ?? '')
            assert.ok(texts.holds(i, own, 0, own.length))
            assert.equal(Buffer.compare(bytes.subarray(start[i]!, start[i]! + own.length), own), 0)
          }
        }
        check()
      },
    ),
    { numRuns: 150 },
  )
})
