// Searches in bytes against those in strings: parts, patterns, sets and separators, over texts whose characters have one to four bytes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { found } from './text-ranges.ts'
import { Part, Pattern, Splitter, TextSet } from './text-search.ts'

/** Few characters, so that parts occur; of one to four bytes. */
const text = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom('a', 'a', 'b', 'é', '🤦'), { maxLength }).map((characters) => characters.join(''))

/** The text between others, which no search may look at. */
const within = (value: string): readonly [bytes: Buffer, start: number, length: number] => {
  const [before, bytes, after] = [Buffer.from('ab'), Buffer.from(value), Buffer.from('aab')]
  return [Buffer.concat([before, bytes, after]), before.length, bytes.length]
}

test('a part stands where a text has it first', () => {
  const changing = new Part(Buffer.from('b'))
  fc.assert(
    fc.property(text(40), text(4), (value, wanted) => {
      const [bytes, start, length] = within(value)
      const at = value.indexOf(wanted)
      const place = at < 0 ? -1 : start + Buffer.byteLength(value.slice(0, at))
      changing.set(...within(wanted))
      for (const part of [new Part(Buffer.from(wanted)), changing]) {
        assert.equal(part.find(bytes, start, start + length), place)
        assert.equal(part.position(bytes, start, length), at < 0 ? 0 : [...value.slice(0, at)].length + 1)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('a part may be longer than a byte counts', () => {
  const long = `${'a'.repeat(300)}b${'a'.repeat(299)}`
  for (const [value, wanted] of [
    [`${'a'.repeat(777)}${long}a`, long],
    [`c${long}`, long],
    [`${'a'.repeat(600)}b${'a'.repeat(298)}`, long],
    [`${'c'.repeat(256)}d`, `${'c'.repeat(255)}d`],
  ] as const) {
    const bytes = Buffer.from(value)
    assert.equal(new Part(Buffer.from(wanted)).find(bytes, 0, bytes.length), value.indexOf(wanted))
  }
})

test('a pattern matches what its regular expression matches', () => {
  fc.assert(
    fc.property(
      text(12),
      fc.array(fc.array(fc.oneof(text(2), fc.constant('_')), { maxLength: 3 }), { minLength: 1, maxLength: 4 }),
      (value, pieces) => {
        const like = pieces.map((piece) => piece.join('')).join('%')
        const expected = new RegExp(`^${like.replaceAll('%', '.*').replaceAll('_', '.')}$`, 'u').test(value)
        assert.equal(new Pattern(like).test(...within(value)), expected, `${value} LIKE ${like}`)
      },
    ),
    { numRuns: 5_000 },
  )
})

test('a set has its texts and no others', () => {
  fc.assert(
    fc.property(fc.array(text(4), { minLength: 1 }), fc.array(text(4)), (held, asked) => {
      const set = new TextSet(held.map((value) => Buffer.from(value)))
      for (const value of [...held, ...asked]) assert.equal(set.has(...within(value)), held.includes(value))
    }),
  )
})

test('one splitter gives the parts of each row in any order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text(20), fc.array(fc.integer({ min: -4, max: 6 })))), text(2), (rows, separator) => {
      const [splitter, by] = [new Splitter(), new Part(Buffer.from(separator))]
      for (const [row, [value, indexes]] of rows.entries()) {
        const [bytes, start, length] = within(value)
        const parts = separator === '' ? [...value] : value.split(separator)
        for (const index of indexes) {
          splitter.split(row, bytes, start, length, by, index)
          const given = bytes.toString('utf8', found[0], found[0]! + found[1]!)
          assert.equal(
            given,
            (index > 0 ? parts[index - 1] : parts[parts.length + index]) ?? '',
            `part ${index} of ${value} by ${separator}`,
          )
        }
      }
    }),
  )
})
