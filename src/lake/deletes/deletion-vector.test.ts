// Deletion vectors: any set of positions comes back, and no damaged blob is taken for a whole one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import fc from 'fast-check'
import { joinPositions, readDeletionVector, writeDeletionVector } from './deletion-vector.ts'
import { writePuffin } from './puffin.ts'

const u16 = (...values: number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer)
const u32 = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer)

type Kind = 'list' | 'bits' | 'runs'

function container(kind: Kind, low: readonly number[]): Buffer {
  if (kind === 'list') return u16(...low)
  if (kind === 'bits') {
    const bits = Buffer.alloc(8192)
    for (const value of low) bits[value >> 3]! |= 1 << (value & 7)
    return bits
  }
  const runs: [number, number][] = []
  for (const value of low) {
    const last = runs.at(-1)
    if (last && last[0] + last[1] + 1 === value) last[1]++
    else runs.push([value, 0])
  }
  return u16(runs.length, ...runs.flat())
}

/** A blob as the specification writes it; runs where `asRuns` says so. */
function blobOf(positions: readonly number[], asRuns: boolean): Buffer {
  const groups = new Map<number, Map<number, number[]>>()
  for (const position of positions) {
    const [high, key] = [Math.floor(position / 2 ** 32), Math.floor((position % 2 ** 32) / 65_536)]
    const containers = groups.get(high) ?? groups.set(high, new Map()).get(high)!
    const low = containers.get(key) ?? containers.set(key, []).get(key)!
    low.push(position % 65_536)
  }
  const parts: Buffer[] = [Buffer.from(BigUint64Array.of(BigInt(groups.size)).buffer)]
  for (const [high, containers] of groups) {
    const all = [...containers]
    const bodies = all.map(([, low]) => container(asRuns ? 'runs' : low.length > 4096 ? 'bits' : 'list', low))
    const heads = u16(...all.flatMap(([key, low]) => [key, low.length - 1]))
    const flags = asRuns ? Buffer.alloc(Math.ceil(all.length / 8), 0xff) : Buffer.alloc(0)
    const cookie = asRuns ? u32(((all.length - 1) << 16) | 12347) : u32(12346, all.length)
    // Where containers begin is not what a reader of all of them goes by.
    const offsets = !asRuns || all.length >= 4 ? Buffer.alloc(4 * all.length) : Buffer.alloc(0)
    parts.push(u32(high), cookie, flags, heads, offsets, ...bodies)
  }
  const body = Buffer.concat([Buffer.from('d1d33964', 'hex'), ...parts])
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length)
  checksum.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, checksum])
}

const sorted = (positions: readonly number[]): number[] => [...new Set(positions)].sort((a, b) => a - b)

const positions = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 300 }),
    fc.array(fc.integer({ min: 0, max: 2 ** 34 }), { maxLength: 20 }),
    fc.tuple(fc.integer({ min: 0, max: 200_000 }), fc.integer({ min: 0, max: 9_000 })),
  )
  .map(([near, far, [start, count]]) => sorted([...near, ...far, ...Array.from({ length: count }, (_, i) => start + i)]))

test('any set of positions comes back from lists, bits and runs', () => {
  fc.assert(
    fc.property(positions, fc.boolean(), (wanted, asRuns) => {
      assert.deepEqual([...readDeletionVector(blobOf(wanted, asRuns), wanted.length, 'x')], wanted)
    }),
    { numRuns: 200 },
  )
})

test('a damaged, cut or miscounted blob is refused with the name of its file', () => {
  const blob = blobOf([1, 5, 70_000], false)
  const refused = (bytes: Buffer, count = 3) =>
    assert.throws(
      () => readDeletionVector(bytes, count, 'a.puffin'),
      (error: { code: string; message: string }) => error.code === 'MR_LAKE_CORRUPT' && error.message.startsWith('a.puffin'),
    )
  for (let at = 0; at < blob.length; at++) {
    const changed = Buffer.from(blob)
    changed[at]! ^= 0x10
    refused(changed)
    refused(blob.subarray(0, at))
  }
  refused(blob, 4)
})

test('any set of positions is written as it is read; a list and its successor are laid out as the specification says', () => {
  fc.assert(
    fc.property(positions, (wanted) => {
      const blob = writeDeletionVector(Float64Array.from(wanted))
      assert.deepEqual([...readDeletionVector(blob, wanted.length, 'x')], wanted)
      // The other writer of this test leaves out where containers begin: nothing else may differ.
      const other = blobOf(wanted, false)
      assert.equal(blob.length, other.length)
    }),
    { numRuns: 200 },
  )
  // Length and magic; one bitmap, of the high bits 0; two containers, 1 and 2 positions, at bytes 24 and 26; then these.
  const body = 'd1d339640100000000000000000000003a30000002000000000000000100010018000000' + '1a000000' + '0500' + '00000100'
  const blob = writeDeletionVector(Float64Array.of(5, 65_536, 65_537)).toString('hex')
  assert.equal(blob.slice(0, 8), '0000002e')
  assert.equal(blob.slice(8, -8), body)
})

test('vectors join; a position in both is none', () => {
  fc.assert(
    fc.property(positions, positions, (a, b) => {
      const joined = joinPositions(Float64Array.from(a), Float64Array.from(b))
      if (a.some((position) => b.includes(position))) assert.equal(joined, null)
      else assert.deepEqual([...joined!], sorted([...a, ...b]))
    }),
  )
})

test('a Puffin file says where each vector lies and what it is about', () => {
  const vectors = [Float64Array.of(1, 2), Float64Array.of(70_000)].map((all, i) => ({ path: `/t/data/${i}.parquet`, positions: all }))
  const { bytes, placed } = writePuffin(vectors)
  for (const { offset, lengthBytes, positions: all } of placed)
    assert.deepEqual([...readDeletionVector(bytes.subarray(offset, offset + lengthBytes), all.length, 'x')], [...all])
  assert.deepEqual([bytes.toString('latin1', 0, 4), bytes.toString('latin1', bytes.length - 4)], ['PFA1', 'PFA1'])
  const size = bytes.readUInt32LE(bytes.length - 12)
  assert.equal(bytes.readUInt32LE(bytes.length - 8), 0, 'no flag: the footer is not compressed')
  const footer = JSON.parse(bytes.toString('utf8', bytes.length - 12 - size, bytes.length - 12)) as { blobs: Record<string, unknown>[] }
  assert.equal(bytes.toString('latin1', bytes.length - 16 - size, bytes.length - 12 - size), 'PFA1')
  assert.deepEqual(footer.blobs[1], {
    type: 'deletion-vector-v1',
    fields: [2147483645],
    'snapshot-id': -1,
    'sequence-number': -1,
    offset: placed[1]!.offset,
    length: placed[1]!.lengthBytes,
    properties: { 'referenced-data-file': 'file:///t/data/1.parquet', cardinality: '1' },
  })
})
