// Replacing spans and finding the way back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { applyEdits, callEnd, parameterSpans } from './edits.ts'

test('positions outside of replacements map back to the same character', () => {
  const cuts = fc.array(
    fc.record({ keep: fc.string({ maxLength: 5 }), cut: fc.string({ maxLength: 5 }), text: fc.string({ maxLength: 5 }) }),
    { maxLength: 6 },
  )
  fc.assert(
    fc.property(cuts, fc.string({ maxLength: 5 }), (pieces, tail) => {
      let old = ''
      const edits = pieces.map(({ keep, cut, text }) => {
        old += keep + cut
        return { start: old.length - cut.length, end: old.length, text }
      })
      old += tail
      const edited = applyEdits(old, edits)
      assert.equal(edited.text, pieces.map(({ keep, text }) => keep + text).join('') + tail)
      let position = 0
      for (const { keep, text } of pieces) {
        for (let i = 0; i < keep.length; i++) assert.equal(old[edited.original(position + i)], keep[i])
        position += keep.length + text.length
      }
      for (let i = 0; i < tail.length; i++) assert.equal(old[edited.original(position + i)], tail[i])
    }),
  )
})

test('parameters in strings, names and comments are none', () => {
  const text = `SELECT $1, '$2', "$3", /* $4 */ $12 -- $5\n, $$ $6 $$`
  assert.deepEqual(
    parameterSpans(text).map(({ start, end }) => text.slice(start, end)),
    ['$1', '$12'],
  )
})

test('a call ends at its own parenthesis', () => {
  const text = `SELECT * FROM tumble(a, f(")", ')', (x)), 1) AS t (y)`
  assert.equal(text.slice(14, callEnd(text, 14)), `tumble(a, f(")", ')', (x)), 1)`)
})
