// The door: where rows go, what it answers, what it refuses before anything is written, and that a retry writes what is missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import type { Append, Appended, Log } from '../log/log.ts'
import { partitionOf } from '../schema/partition-hash.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { type CollectRequest, collect, type Door } from './collect.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'int' }, optional: false },
    { name: 'key', type: { kind: 'string' }, optional: true },
  ],
}
const LIMITS = { bodyBytesMax: 10_000 }

/** A log that keeps what it is given. */
function keeping(): { log: Log; parts: Append[] } {
  const parts: Append[] = []
  const append = async (_topic: string, given: readonly Append[]): Promise<Appended[]> => {
    parts.push(...given)
    return given.map(({ partition, count }) => ({ partition, first: 10, last: 9 + count, duplicate: false }))
  }
  return { log: { append } as unknown as Log, parts }
}

const door = (partitions: number, keyIndex = 1): Door => ({ topic: 's', partitions, keyIndex, scanner: compileScanner(SHAPE) })
const request = (body: string | Buffer, how: Partial<CollectRequest> = {}): CollectRequest => ({
  contentType: 'application/x-ndjson',
  contentEncoding: undefined,
  idempotencyKey: undefined,
  body: Buffer.from(body),
  ...how,
})
const text = (append: Append | undefined): string => Buffer.from(append!.payload).toString()

test('a clean body for one partition is passed on as it is; any other is gathered', async () => {
  const { log, parts } = keeping()
  const clean = Buffer.from('{"id":1}\n{"id":2,"key":"a"}\n')
  const answer = await collect(log, door(1), request(clean), LIMITS)
  assert.deepEqual(answer, {
    status: 202,
    accepted: 2,
    rejected: 0,
    offsets: [{ partition: 0, first: 10, last: 11 }],
    errors: [],
    duplicate: false,
  })
  assert.equal(parts[0]!.count, 2)
  assert.equal(parts[0]!.payload.byteLength, clean.byteLength)
  for (const dirty of ['{"id":1}\r\n{"id":2}\r\n', '{"id":1}\n\n{"id":2}', ' \n{"id":1}\n{"id":2}\n', '{"id":1}\n{"id":2}\n  \n']) {
    await collect(log, door(1), request(dirty), LIMITS)
    assert.equal(text(parts.at(-1)), '{"id":1}\n{"id":2}\n', JSON.stringify(dirty))
  }
})

test('rows go to the partition of their key, as Kafka would choose it; a null key is the empty text', async () => {
  const { log, parts } = keeping()
  const keys = ['a', 'b', 'c', 'é', '', null, 'a']
  const answer = await collect(log, door(3), request(keys.map((key, id) => `${JSON.stringify({ id, key })}\n`).join('')), LIMITS)
  assert.equal(answer.accepted, keys.length)
  const seen = new Map(
    parts.flatMap((part) =>
      text(part)
        .trim()
        .split('\n')
        .map((line) => [(JSON.parse(line) as { id: number }).id, part.partition] as const),
    ),
  )
  for (const [id, key] of keys.entries()) {
    const bytes = Buffer.from(key ?? '')
    assert.equal(seen.get(id), partitionOf(bytes, 0, bytes.length, 3), String(key))
  }
  assert.deepEqual(
    answer.offsets.map(({ partition }) => partition),
    [...new Set(seen.values())].sort(),
  )
  assert.ok(
    parts.every((part) => part.fingerprint === compileScanner(SHAPE).fingerprint && part.count === text(part).trim().split('\n').length),
  )
})

test('refused rows are kept in the same append, with where and why', async () => {
  const { log, parts } = keeping()
  const answer = await collect(log, door(2), request('{"id":1}\nnonsense\n{"id":"x"}\n{"key":"a"}\n'), LIMITS)
  assert.deepEqual([answer.status, answer.accepted, answer.rejected], [202, 1, 3])
  assert.deepEqual(
    answer.errors.map(({ index, code }) => [index, code]),
    [
      [1, 'MR_ROW_JSON'],
      [2, 'MR_ROW_TYPE'],
      [3, 'MR_ROW_MISSING'],
    ],
  )
  const rejects = parts.filter((part) => part.kind === 'rejects')
  assert.equal(rejects.length, 1)
  assert.deepEqual(
    text(rejects[0])
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { raw: string }).raw),
    ['nonsense', '{"id":"x"}', '{"key":"a"}'],
  )
})

test('all rows refused is 422; no rows at all is nothing to do', async () => {
  const { log, parts } = keeping()
  assert.equal((await collect(log, door(1), request('x\n'), LIMITS)).status, 422)
  assert.equal(parts.length, 1)
  for (const empty of ['', '\n \n', '[]']) {
    const how = empty === '[]' ? { contentType: 'application/json' } : {}
    assert.deepEqual((await collect(log, door(1), request(empty, how), LIMITS)).status, 202)
  }
  assert.equal(parts.length, 1)
})

test('documents: an object or an array of objects', async () => {
  const { log, parts } = keeping()
  const json = { contentType: 'application/json; charset=utf-8' }
  assert.equal((await collect(log, door(1), request('{"id":\n1}', json), LIMITS)).accepted, 1)
  const answer = await collect(log, door(1), request('[{"id":1}, 5, {"id":2}]', json), LIMITS)
  assert.deepEqual([answer.accepted, answer.errors.map(({ index }) => index)], [2, [1]])
  assert.equal(text(parts[1]), '{"id":1}\n{"id":2}\n')
})

test('what is refused before anything is written', async () => {
  const { log, parts } = keeping()
  const line = Buffer.from('{"id":1}\n')
  const bomb = Buffer.alloc(1_000_000, '{"id":1}\n')
  const cases: [CollectRequest, string][] = [
    [request(line, { contentType: 'text/plain' }), 'MR_INGEST_MEDIA'],
    [request(line, { contentType: undefined }), 'MR_INGEST_MEDIA'],
    [request(line, { contentEncoding: 'br' }), 'MR_INGEST_MEDIA'],
    [request('[{"id":1}', { contentType: 'application/json' }), 'MR_INGEST_BODY'],
    [request('', { contentType: 'application/json' }), 'MR_INGEST_BODY'],
    [request(line, { contentEncoding: 'gzip' }), 'MR_INGEST_BODY'],
    [request(line, { contentEncoding: 'zstd' }), 'MR_INGEST_BODY'],
    [request(gzipSync(line).subarray(0, 15), { contentEncoding: 'gzip' }), 'MR_INGEST_BODY'],
    [request(bomb), 'MR_INGEST_TOO_LARGE'],
    [request(gzipSync(bomb), { contentEncoding: 'gzip' }), 'MR_INGEST_TOO_LARGE'],
    [request(zstdCompressSync(bomb), { contentEncoding: 'zstd' }), 'MR_INGEST_TOO_LARGE'],
  ]
  for (const [own, code] of cases)
    await assert.rejects(collect(log, door(1), own, LIMITS), { code }, `${own.contentType} ${own.contentEncoding}`)
  assert.equal(parts.length, 0)
  for (const [own, encoding] of [
    [gzipSync(line), 'gzip'],
    [zstdCompressSync(line), ' ZSTD '],
    [line, 'identity'],
  ] as const)
    assert.equal((await collect(log, door(1), request(own, { contentEncoding: encoding }), LIMITS)).accepted, 1, encoding)
})

test('an idempotency key marks every part, and leads a retry to the same partitions', async () => {
  const { log, parts } = keeping()
  const send = (partitions: number, keyIndex: number, body: string, idempotencyKey = 'k') =>
    collect(log, door(partitions, keyIndex), request(body, { idempotencyKey }), LIMITS)
  await send(4, -1, '{"id":1}\n')
  await send(4, -1, '{"id":1}\n')
  assert.equal(parts[0]!.partition, parts[1]!.partition)
  assert.deepEqual(parts[0]!.idempotency, parts[1]!.idempotency)
  await send(4, -1, '{"id":2}\n')
  assert.notEqual(parts[2]!.idempotency!.hash, parts[0]!.idempotency!.hash)
  await send(2, 1, '{"id":1,"key":"a"}\n{"id":2,"key":"b"}\nbad\n')
  assert.ok(parts.slice(3).length >= 2 && parts.slice(3).every((part) => part.idempotency !== undefined))
})

test('without a key whole requests take turns', async () => {
  const { log, parts } = keeping()
  for (let i = 0; i < 6; i++) await collect(log, door(3, -1), request(`{"id":${i}}\n`), LIMITS)
  assert.deepEqual(
    [0, 1, 2].map((partition) => parts.filter((part) => part.partition === partition).length),
    [2, 2, 2],
  )
})
