// One key among many is noticed with about the share that it has, and forgotten when it is one among many again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom } from '../core/random.ts'
import type { Column } from '../schema/batch.ts'
import { HotKey } from './hot-key.ts'

const numbers = (values: readonly number[]): Column => ({ kind: 'number', values: Float64Array.from(values), nulls: null })

function texts(values: readonly string[]): Column {
  const all = Buffer.from(values.join(''), 'latin1')
  const length = Int32Array.from(values, (value) => value.length)
  const start = new Int32Array(values.length)
  for (let row = 1; row < values.length; row++) start[row] = start[row - 1]! + length[row - 1]!
  return { kind: 'bytes', bytes: all, start, length, nulls: null }
}

for (const [kind, make] of [
  ['numbers', (keys: readonly number[]) => numbers(keys)],
  ['texts', (keys: readonly number[]) => texts(keys.map((key) => `key ${key}`))],
] as const)
  test(`${kind}: the share of the most frequent key, of recent rows`, () => {
    const random = seededRandom(7)
    const hot = new HotKey()
    const send = (rows: number, share: number): void => {
      for (let left = rows; left > 0; left -= 700)
        hot.take(
          make(Array.from({ length: Math.min(left, 700) }, () => (random.next() < share ? -1 : Math.floor(random.next() * 1e6)))),
          Math.min(left, 700),
        )
    }
    send(10_000, 0.6)
    assert.equal(hot.share, null, 'too few rows')
    send(500_000, 0.6)
    assert.ok(hot.share! > 0.6 - 1 / 17 - 0.02 && hot.share! < 0.62, `${hot.share}`)
    send(3_000_000, 0)
    assert.ok(hot.share! < 0.05, `${hot.share}`)
  })

test('nulls are one key', () => {
  const hot = new HotKey()
  hot.take({ kind: 'number', values: new Float64Array(100_000), nulls: new Uint8Array(100_000).fill(1) }, 100_000)
  assert.equal(hot.share, 1)
})
