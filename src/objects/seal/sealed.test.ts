// What was sealed comes back, and nothing else does: any byte changed, any chunk moved, cut, added or taken from elsewhere.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom, systemRandom } from '../../core/random.ts'
import type { DataKey, KeyRing } from './key-ring.ts'
import { openFile, openPiece, PIECE_BYTES, sealFile, sealPiece } from './sealed.ts'
import { openText, sealText } from './sealed-text.ts'

const keyFrom = (seed: number, scope: string): DataKey => {
  const random = seededRandom(seed)
  return { id: Buffer.from(random.bytes(16)), secret: Buffer.from(random.bytes(32)), scope }
}
const key = keyFrom(1, 'orders')
const other = keyFrom(2, 'clicks')
const ring = {
  byId(id: Uint8Array, what: string) {
    const found = [key, other].find((one) => one.id.equals(id))
    if (found) return found
    throw Object.assign(new Error(what), { code: 'MR_KEY_UNKNOWN' })
  },
} as unknown as KeyRing

const HEADER = 40
const CHUNK = (1 << 16) + 16
const refused = (bytes: Uint8Array, name = 'a.avro') =>
  assert.throws(
    () => openFile(ring, name, bytes),
    ({ code }: { code: string }) => code === 'MR_SEAL_DAMAGED' || code === 'MR_KEY_UNKNOWN',
  )
const bytesOf = (length: number): Buffer => Buffer.from(seededRandom(length).bytes(length))

test('files of every size come back, and no two look alike', () => {
  for (const size of [0, 1, 15, 65_535, 65_536, 65_537, 131_072, 200_001]) {
    const content = bytesOf(size)
    const [a, b] = [sealFile(key, 'a.avro', content, systemRandom), sealFile(key, 'a.avro', content, systemRandom)]
    assert.deepEqual(openFile(ring, 'a.avro', a), { content, scope: 'orders' })
    assert.notDeepEqual(a, b)
    if (size > 15) assert.ok(!a.includes(content.subarray(0, 16)))
  }
})

test('any content round-trips', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4_000 }), fc.string(), (content, name) => {
      assert.deepEqual(openFile(ring, name, sealFile(key, name, content, systemRandom)).content, Buffer.from(content))
      assert.deepEqual(openPiece(ring, name, content.length, sealPiece(key, name, content.length, content)), Buffer.from(content))
    }),
  )
})

test('every flipped bit of a small file is refused', () => {
  const sealed = sealFile(key, 'a.avro', Buffer.from('what nobody else may know'), systemRandom)
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const bytes = Buffer.from(sealed)
    bytes[bit >> 3]! ^= 1 << (bit & 7)
    refused(bytes)
  }
})

test('every length that a file is cut to is refused, and every byte too many', () => {
  const sealed = sealFile(key, 'a.avro', bytesOf(70), systemRandom)
  for (let length = 0; length < sealed.length; length++) refused(sealed.subarray(0, length))
  refused(Buffer.concat([sealed, Buffer.alloc(1)]))
  const large = sealFile(key, 'a.avro', bytesOf(3 * 65_536), systemRandom)
  // At the end of a chunk: what is left is a whole number of them.
  for (const chunks of [0, 1, 2]) refused(large.subarray(0, HEADER + chunks * CHUNK))
})

test('chunks that are swapped, repeated, left out or taken from another file are refused', () => {
  const content = bytesOf(4 * 65_536)
  const [one, two] = [sealFile(key, 'a.avro', content, systemRandom), sealFile(key, 'a.avro', content, systemRandom)]
  const chunk = (of: Buffer, n: number): Buffer => of.subarray(HEADER + n * CHUNK, HEADER + (n + 1) * CHUNK)
  const made = (...chunks: Buffer[]): Buffer => Buffer.concat([one.subarray(0, HEADER), ...chunks])
  const [a, b, c, d] = [0, 1, 2, 3].map((n) => chunk(one, n)) as [Buffer, Buffer, Buffer, Buffer]
  assert.deepEqual(openFile(ring, 'a.avro', made(a, b, c, d)).content, content)
  for (const chunks of [
    [b, a, c, d],
    [a, a, c, d],
    [a, c, d],
    [a, b, d, c],
    [a, b, c, d, d],
    [a, chunk(two, 1), c, d],
  ])
    refused(made(...chunks))
})

test('a file under the name of another, or with the key id of another, is refused', () => {
  const sealed = sealFile(key, 'a.avro', bytesOf(10), systemRandom)
  refused(sealed, 'b.avro')
  refused(Buffer.concat([sealed.subarray(0, 8), other.id, sealed.subarray(24)]))
})

test('text is sealed as text, and other text stays as it is', () => {
  const sealed = sealText(key, 'SELECT 1 -- who', systemRandom)
  assert.match(sealed, /^sealed:[A-Za-z0-9+/]+=*$/)
  assert.equal(openText(ring, sealed), 'SELECT 1 -- who')
  assert.equal(openText(ring, 'SELECT 2'), 'SELECT 2')
})

test('a piece is refused elsewhere: at another place, in another file, changed or cut', () => {
  const sealed = sealPiece(key, 'a.checkpoint', 100, Buffer.from('state'))
  assert.equal(sealed.length, 5 + PIECE_BYTES)
  assert.equal(openPiece(ring, 'a.checkpoint', 100, sealed).toString(), 'state')
  const fails = (name: string, at: number, bytes: Uint8Array) =>
    assert.throws(
      () => openPiece(ring, name, at, bytes),
      ({ code }: { code: string }) => code === 'MR_SEAL_DAMAGED' || code === 'MR_KEY_UNKNOWN',
    )
  fails('a.checkpoint', 101, sealed)
  fails('b.checkpoint', 100, sealed)
  for (let at = 0; at < sealed.length; at++) {
    const bytes = Buffer.from(sealed)
    bytes[at]! ^= 1
    fails('a.checkpoint', 100, bytes)
    fails('a.checkpoint', 100, sealed.subarray(0, at))
  }
})
