// Texts in slots, against an array of strings: whatever is put, given out in columns, and restored.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { asStored } from '../testing.ts'
import { TextMemory } from './text-memory.ts'

/** Slots that a column may take for each other, as they differ in high bits alone. */
const slot = fc.tuple(fc.nat(3), fc.nat(2)).map(([low, high]) => low + high * 4_096)
const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.nat(400).map((length) => 'x'.repeat(length)),
)

test('a column has the text of each slot, also of those that come again', () =>
  fc.assert(
    fc.property(fc.array(fc.tuple(slot, text), { minLength: 1, maxLength: 60 }), fc.array(slot, { maxLength: 60 }), (puts, asked) => {
      let memory = new TextMemory()
      const wanted = new Map<number, string>()
      for (const [at, value] of puts) {
        // It may stand in the middle of other bytes.
        const bytes = Buffer.from(`<${value}>`)
        memory.put(at, bytes, 1, bytes.length - 2)
        wanted.set(at, value)
        const { bytes: all, start, length } = memory.column(Int32Array.from(asked), asked.length)
        const found = asked.map((_, i) => Buffer.from(all.subarray(start[i]!, start[i]! + length[i]!)).toString())
        assert.deepEqual(
          found,
          asked.map((each) => wanted.get(each) ?? ''),
        )
      }
      const [content, places, lengths] = asStored(memory.save(4 * 4_096)) as [Uint8Array, Uint8Array, Uint8Array]
      memory = new TextMemory()
      memory.restore(content, places, lengths)
      for (const [at, value] of wanted) assert.ok(memory.holds(at, Buffer.from(value), 0, Buffer.byteLength(value)))
    }),
  ))
