// What every match contains, of patterns of all forms; and of random ones: no text that matches lacks it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { requiredText } from './required-text.ts'

test('the longest text outside of groups and alternatives', () => {
  const wanted: Readonly<Record<string, string>> = {
    '(&|^)channel_id=([^&]*)': 'channel_id=',
    'abc|abd': '',
    '(abc|abd)': '',
    'ab*c': 'a',
    'ab+cd': 'ab',
    'abc?def': 'def',
    'ab{2}cd': 'cd',
    '^a\\.b$': 'a.b',
    'x[abc]yz\\d12': 'yz',
    'x[\\]a]yz': 'yz',
    '(?:ab)+': '',
    'é+😀x': '😀x',
    '': '',
    'a.b.ccc.d': 'ccc',
  }
  for (const [pattern, text] of Object.entries(wanted)) assert.equal(requiredText(pattern), text, pattern)
})

const atom = fc.constantFrom('a', 'b', 'ab', '.', '[ab]', '[^a]', '\\d', '\\.', '(a|b)', '(?:ab|)', '(a(b|c)?)', '^', '$')
const piece = fc.tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{0,1}', '+?', '*?')).map(([of, times]) => {
  const isAnchor = of === '^' || of === '$'
  return isAnchor ? of : of + times
})
const pattern = fc.oneof(
  fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join('')),
  fc.tuple(piece, piece).map((pieces) => pieces.join('|')),
)

test('no text that a random pattern matches lacks it', () => {
  let matched = 0
  fc.assert(
    fc.property(pattern, fc.array(fc.constantFrom('a', 'b', 'c', '.', '1'), { maxLength: 8 }), (of, characters) => {
      const text = characters.join('')
      const match = new RegExp(of, 'u').exec(text)
      if (!match) return
      matched++
      assert.ok(match[0].includes(requiredText(of)), `${of} matches ${text} without ${requiredText(of)}`)
    }),
    { numRuns: 3_000 },
  )
  assert.ok(matched > 300, `only ${matched} matched`)
})
