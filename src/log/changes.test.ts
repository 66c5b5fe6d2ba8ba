// Changes of a table as lines of one append: what was put together comes apart the same, with its offsets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeChanges, splitChanges } from './changes.ts'

const line = fc.string({ maxLength: 12 }).map((text) => `${JSON.stringify({ text })}\n`)

test('keys and rows come back as they were put in', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.array(line, { maxLength: 6 }), (deletes, rows) => {
      const payload = encodeChanges({ deletes: Buffer.from(deletes.join('')), rows: Buffer.from(rows.join('')) })
      const split = splitChanges({
        partition: 0,
        baseOffset: 40,
        count: deletes.length + rows.length,
        appendTimeMs: 1,
        kind: 'changes',
        fingerprint: 'f',
        payload,
      })
      const parts = split.map(({ kind, baseOffset, count, payload: bytes }) => [kind, baseOffset, count, String(Buffer.from(bytes))])
      assert.deepEqual(parts, [
        ...(deletes.length > 0 ? [['deletes', 40, deletes.length, deletes.join('')]] : []),
        ...(rows.length > 0 ? [['rows', 40 + deletes.length, rows.length, rows.join('')]] : []),
      ])
    }),
  )
})

test('several changes of one batch stay in their order', () => {
  const one = (deletes: string, rows: string): Buffer => encodeChanges({ deletes: Buffer.from(deletes), rows: Buffer.from(rows) })
  const payload = Buffer.concat([one('{"k":1}\n', '{"k":2}\n{"k":3}\n'), one('{"k":2}\n{"k":3}\n', '')])
  const split = splitChanges({ partition: 0, baseOffset: 0, count: 5, appendTimeMs: 1, kind: 'changes', fingerprint: 'f', payload })
  assert.deepEqual(
    split.map(({ kind, baseOffset, count }) => [kind, baseOffset, count]),
    [
      ['deletes', 0, 1],
      ['rows', 1, 2],
      ['deletes', 3, 2],
    ],
  )
})
