// The head of messages, by bytes that were written down by hand.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Undecodable } from './decoder.ts'
import { bodyOf, headOf, pathBytes, readPath, schemaIdOf } from './wire-format.ts'

test('the id of a schema', () => {
  assert.deepEqual([...headOf(0x01020304)], [0, 1, 2, 3, 4])
  assert.deepEqual([...headOf(0xffffffff)], [0, 255, 255, 255, 255])
  assert.equal(schemaIdOf(Buffer.of(0, 255, 255, 255, 255)), 0xffffffff)
  assert.deepEqual([...bodyOf(Buffer.of(0, 0, 0, 0, 7, 9, 8))], [9, 8])
  for (const none of [[], [0, 0, 0, 1], [1, 0, 0, 0, 7], [...Buffer.from('{"a":1}')]]) assert.equal(schemaIdOf(Buffer.from(none)), null)
})

const PATHS: readonly (readonly [path: readonly number[], bytes: readonly number[]])[] = [
  [[0], [0]],
  [[1], [2, 2]],
  [
    [0, 1],
    [4, 0, 2],
  ],
  [
    [0, 0],
    [4, 0, 0],
  ],
  [
    [2, 0, 1],
    [6, 4, 0, 2],
  ],
  [[63], [2, 126]],
  [[64], [2, 0x80, 1]],
  [[300], [2, 0xd8, 4]],
]

test('which message of the file it is', () => {
  for (const [path, bytes] of PATHS) {
    assert.deepEqual([...pathBytes(path)], bytes)
    assert.deepEqual(readPath(Buffer.from([...bytes, 8, 1])), { path, end: bytes.length })
  }
  // Spelled out, as some serializers do.
  assert.deepEqual(readPath(Buffer.of(2, 0)), { path: [0], end: 2 })
})

test('paths there and back', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 ** 30 - 1 }), { minLength: 1, maxLength: 20 }), (path) => {
      const bytes = pathBytes(path)
      assert.deepEqual(readPath(bytes), { path, end: bytes.length })
    }),
  )
})

test('bytes that say no message', () => {
  for (const bytes of [[], [2], [4, 0], [0x80], [2, 0x80], [1, 0], [2, 0xff, 0xff, 0xff, 0xff, 0xff], [0xfe, 0xff, 0xff, 0xff, 0x0f, 0]])
    assert.throws(() => readPath(Buffer.from(bytes)), Undecodable, String(bytes))
})
