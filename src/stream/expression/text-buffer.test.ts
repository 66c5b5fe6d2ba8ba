// Texts that are written to a buffer: digits of exact numbers against those of bigint, and what is refused.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decimalText } from '../../schema/value-text.ts'
import { TextBuffer } from './text-buffer.ts'

const written = (buffer: TextBuffer): string => buffer.bytes.toString('utf8', 0, buffer.length)

test('the digits of a number are those of its decimal', () => {
  const buffer = new TextBuffer('utf8', 1)
  const safe = fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -1_000, max: 1_000 }))
  fc.assert(
    fc.property(safe, fc.integer({ min: 0, max: 38 }), (unscaled, scale) => {
      buffer.clear()
      buffer.addDecimal(unscaled, scale)
      assert.equal(written(buffer), decimalText(BigInt(unscaled), scale))
    }),
    { numRuns: 2_000 },
  )
})

test('texts lie one behind the other while the buffer grows', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 60 })), (texts) => {
      const buffer = new TextBuffer('utf8', 1)
      for (const [at, text] of texts.entries()) {
        const bytes = Buffer.from(`-${text}-`)
        if (at % 2 === 0) buffer.addText(text)
        else buffer.add(bytes, 1, bytes.length - 2)
      }
      assert.equal(written(buffer), texts.join(''))
    }),
  )
})

test('nothing pads nothing, and no text is longer than 16 MiB', () => {
  const [buffer, text, none] = [new TextBuffer(), Buffer.from('ab'), Buffer.alloc(0)]
  const isRefused = { code: 'MR_SQL_RUNTIME' }
  assert.throws(() => buffer.addLeftPadded(text, 0, 2, 3, none, 0, 0), isRefused)
  assert.throws(() => buffer.addRightPadded(text, 0, 2, 1 << 25, text, 0, 2), isRefused)
  assert.throws(() => buffer.addRepeated(text, 0, 2, 2 ** 23 + 1), isRefused)
  buffer.clear()
  buffer.addLeftPadded(text, 0, 2, 1, none, 0, 0)
  buffer.addRepeated(none, 0, 0, Number.MAX_SAFE_INTEGER)
  assert.equal(written(buffer), 'a')
})
