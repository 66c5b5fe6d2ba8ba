// Kafka's own test values, and keys of every lane.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillPartitions, murmur2, partitionOf } from './partition-hash.ts'
import { compileScanner } from './scan/scanner.ts'
import type { Type } from './type.ts'

test('murmur2 as in org.apache.kafka.common.utils.UtilsTest', () => {
  const known = {
    '21': -973932308,
    foobar: -790332482,
    'a-little-bit-long-string': -985981536,
    'a-little-bit-longer-string': -1486304829,
    lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8: -58897971,
    abc: 479470107,
  }
  for (const [text, hash] of Object.entries(known)) assert.equal(murmur2(Buffer.from(text)), hash, text)
  assert.equal(murmur2(Buffer.from('xxabcx'), 2, 3), known.abc)
})

function partitionsOf(type: Type, values: readonly unknown[]): number[] {
  const scanner = compileScanner({ fields: [{ name: 'k', type, optional: true }] })
  const { batch } = scanner.scan(Buffer.from(values.map((value) => `${JSON.stringify({ k: value })}\n`).join('')))
  assert.equal(batch.rows, values.length)
  return [...fillPartitions(batch, 0, 7, new Int32Array(values.length))]
}

const textPartition = (text: string): number => partitionOf(Buffer.from(text), 0, Buffer.byteLength(text), 7)

test('a row goes where a Kafka client with the same key text sends it', () => {
  const cases: [Type, unknown[], string[]][] = [
    [{ kind: 'string' }, ['a', 'é', 'tab\t', '', null], ['a', 'é', 'tab\t', '', '']],
    [{ kind: 'long' }, [5, '9223372036854775807', -1], ['5', '9223372036854775807', '-1']],
    [{ kind: 'decimal', precision: 10, scale: 2 }, ['1.5', 2], ['1.50', '2.00']],
    [{ kind: 'timestamp' }, ['2026-01-02T03:04:05Z'], ['2026-01-02T03:04:05.000000Z']],
    [{ kind: 'date' }, ['2026-01-02'], ['2026-01-02']],
    [{ kind: 'boolean' }, [true, false], ['true', 'false']],
    [{ kind: 'binary' }, ['YWJj'], ['abc']],
  ]
  for (const [type, values, texts] of cases) assert.deepEqual(partitionsOf(type, values), texts.map(textPartition), type.kind)
})

test('keys spread evenly', () => {
  const counts = new Array<number>(7).fill(0)
  for (const partition of partitionsOf(
    { kind: 'string' },
    Array.from({ length: 7000 }, (_, i) => `key-${i}`),
  ))
    counts[partition]!++
  assert.ok(Math.min(...counts) > 850 && Math.max(...counts) < 1150, counts.join())
})
