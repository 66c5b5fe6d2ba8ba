// A batch comes back as it was written, and its header is one that Kafka's tools can read.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { tableCrc32c } from './crc32c.ts'
import { type BatchContent, decodeBatch, decodeMemory, encodeBatch, isIntact, parseHeader, zstdOptions } from './record-batch.ts'

const OFFSETS = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })

const contents: fc.Arbitrary<BatchContent & { readonly raw: Buffer }> = fc
  .record({
    baseOffset: OFFSETS,
    count: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    kind: fc.constantFrom('rows', 'rejects', 'control'),
    appendTimeMs: OFFSETS,
    groupPosition: OFFSETS,
    label: fc.record(
      {
        fingerprint: fc.string({ unit: 'binary' }),
        redriveOf: fc.string({ unit: 'binary' }),
        emissions: fc.array(fc.tuple(fc.constantFrom('__proto__', 'sessions'), OFFSETS), { minLength: 1 }),
      },
      { requiredKeys: ['fingerprint'] },
    ),
    keys: fc.array(
      fc.record({ key: fc.string({ unit: 'binary' }), hash: fc.string(), delta: fc.nat(), count: fc.nat() }, { noNullPrototype: true }),
    ),
    raw: fc.uint8Array({ minLength: 1, maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
    isCompressed: fc.boolean(),
  })
  .map(({ isCompressed, ...content }) => ({
    ...content,
    ...(isCompressed
      ? { lines: [zstdCompressSync(content.raw, zstdOptions(content.raw.length))], rawBytes: content.raw.length }
      : { lines: [content.raw.subarray(0, 100), content.raw.subarray(100)] }),
  }))

test('what is encoded is decoded, at any place of a buffer', () => {
  fc.assert(
    fc.property(contents, fc.nat(100), (content, at) => {
      const bytes = Buffer.concat([Buffer.alloc(at, 7), ...encodeBatch(content, tableCrc32c), Buffer.from('what follows')])
      const header = parseHeader(bytes, at)
      assert.ok(header && isIntact(bytes, at, header, tableCrc32c))
      const { baseOffset, count, kind, appendTimeMs, groupPosition, label, keys, raw } = content
      assert.deepEqual(header, {
        ...{ baseOffset, count, kind, appendTimeMs, groupPosition },
        ...{ sizeBytes: bytes.length - at - 12, compressed: content.rawBytes !== undefined },
      })
      const { payload, ...batch } = decodeBatch(bytes, at, header, 3)
      assert.deepEqual(Buffer.from(payload), raw)
      const redriveOf = label.redriveOf === undefined ? {} : { redriveOf: label.redriveOf }
      assert.deepEqual(batch, { partition: 3, baseOffset, count, appendTimeMs, kind, fingerprint: label.fingerprint, ...redriveOf })
      const memory = decodeMemory(bytes, at)
      assert.deepEqual(memory.keys, keys)
      assert.deepEqual(memory.label.emissions, label.emissions)
    }),
  )
})

test('the base offset lies outside the checksum', () => {
  const content: BatchContent = {
    ...{ baseOffset: 5, count: 1, kind: 'rows', appendTimeMs: 1, groupPosition: 0 },
    ...{ label: { fingerprint: 'f' }, keys: [], lines: [Buffer.from('{}\n')] },
  }
  const bytes = Buffer.concat(encodeBatch(content, tableCrc32c))
  bytes.writeBigInt64BE(77n, 0)
  const header = parseHeader(bytes, 0)
  assert.equal(header?.baseOffset, 77)
  assert.ok(isIntact(bytes, 0, header, tableCrc32c))
})

test('bytes that are no batch have no header', () => {
  assert.equal(parseHeader(Buffer.alloc(61), 0), undefined)
  assert.equal(parseHeader(Buffer.alloc(200, 0xff), 0), undefined)
  assert.equal(parseHeader(Buffer.alloc(60), 0), undefined)
})
