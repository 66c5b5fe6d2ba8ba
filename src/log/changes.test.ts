// Changes of a table as lines of one append: what was put together comes apart the same, with its offsets.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeChanges, type Lines, openChanges } from './changes.ts'
import type { LogBatch } from './log.ts'

const line = fc.string({ maxLength: 12 }).map((text) => `${JSON.stringify({ text })}\n`)

const batchOf = (payload: Uint8Array, count: number): LogBatch => ({
  ...{ partition: 0, baseOffset: 40, count, appendTimeMs: 1, kind: 'changes', fingerprint: 'f' },
  payload,
})
const printed = ({ payload, offsets }: Lines) => [String(Buffer.from(payload)), [...offsets]]

test('keys and rows come back as they were put in', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.array(line, { maxLength: 6 }), (deletes, rows) => {
      const payload = encodeChanges({ deletes: Buffer.from(deletes.join('')), rows: Buffer.from(rows.join('')) })
      const opened = openChanges(batchOf(payload, deletes.length + rows.length))
      assert.deepEqual(printed(opened.keys), [deletes.join(''), deletes.map((_, at) => 40 + at)])
      assert.deepEqual(printed(opened.rows), [rows.join(''), rows.map((_, at) => 40 + deletes.length + at)])
    }),
  )
})

test('several changes of one batch keep their order by their offsets', () => {
  const one = (deletes: string, rows: string): Buffer => encodeChanges({ deletes: Buffer.from(deletes), rows: Buffer.from(rows) })
  const payload = Buffer.concat([one('{"k":1}\n', '{"k":2}\n{"k":3}\n'), one('{"k":2}\n{"k":3}\n', '')])
  const { keys, rows } = openChanges(batchOf(payload, 5))
  assert.deepEqual(printed(keys), ['{"k":1}\n{"k":2}\n{"k":3}\n', [40, 43, 44]])
  assert.deepEqual(printed(rows), ['{"k":2}\n{"k":3}\n', [41, 42]])
})
