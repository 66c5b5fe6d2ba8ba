// Defaults: one spelling of each value, what is refused, and rows that lack a column, by every path of the scanner.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { valueAt } from './batch.ts'
import { readDefault } from './default-value.ts'
import { compileScanner } from './scan/scanner.ts'
import type { Type } from './type.ts'

const CASES: readonly (readonly [Type, unknown, string | null])[] = [
  [{ kind: 'int' }, -3, '-3'],
  [{ kind: 'int' }, 2 ** 31, null],
  [{ kind: 'long' }, 2n ** 63n - 1n, '9223372036854775807'],
  [{ kind: 'long' }, 2n ** 63n, null],
  [{ kind: 'double' }, Number.NaN, null],
  [{ kind: 'decimal', precision: 4, scale: 2 }, '1.5', '1.50'],
  [{ kind: 'decimal', precision: 4, scale: 2 }, '1.505', null],
  [{ kind: 'date' }, '2026-02-28', '2026-02-28'],
  [{ kind: 'date' }, '2026-02-29', null],
  [{ kind: 'timestamp' }, '2026-01-01T00:00:00+01:00', '2025-12-31T23:00:00.000000Z'],
  [{ kind: 'datetime' }, '2026-01-01 00:00:00.5', '2026-01-01T00:00:00.500000'],
  [{ kind: 'datetime' }, '2026-01-01T00:00:00Z', null],
  [{ kind: 'binary' }, Uint8Array.of(0, 255), 'AP8='],
  [{ kind: 'enum', values: ['a'] }, 'b', null],
  [{ kind: 'string' }, null, null],
  [{ kind: 'list', element: { type: { kind: 'int' }, optional: false } }, [], null],
]

test('a default is a value of its column, in one spelling, or refused with the reason', () => {
  for (const [type, given, text] of CASES) {
    const read = readDefault('c', type, given)
    if (text === null) assert.ok('why' in read && read.why.length > 10, `${type.kind} ${String(given)}`)
    else assert.deepEqual(read, { text })
  }
})

test('rows that lack a column have the default, rows that say null do not', () => {
  const scanner = compileScanner({
    fields: [
      { name: 'id', type: { kind: 'long' }, optional: false },
      { name: 's', type: { kind: 'string' }, optional: false, default: 'n\'ü"w' },
      { name: 'n', type: { kind: 'long' }, optional: true, default: '9223372036854775807' },
    ],
  })
  const rows = Array.from({ length: 200 }, (_, id) => [{ id }, { id, s: `x${id}` }, { id, n: null }, { id, n: 5 }][(id * 7) % 4]!)
  const bytes = Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
  for (const options of [{}, { trusted: true }, { reuse: true }]) {
    const { batch, rejects } = scanner.scan(bytes, options)
    assert.deepEqual(rejects, [])
    for (const [index, row] of rows.entries()) {
      const { id, s = 'n\'ü"w', n = 2n ** 63n - 1n } = row as { id: number; s?: string; n?: number | null }
      const expected = [BigInt(id), s, n === null ? null : BigInt(n)]
      assert.deepEqual(
        [0, 1, 2].map((column) => valueAt(batch, column, index)),
        expected,
      )
    }
  }
  assert.equal(scanner.scan(Buffer.from('{"id":1,"s":null}\n')).rejects[0]?.code, 'MR_ROW_MISSING')
})
