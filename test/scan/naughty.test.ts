// The Big List of Naughty Strings (Max Woolf, MIT, test/corpora/naughty-strings) as values, as json, as keys and as enum
// values: each comes out byte for byte as it went in.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { type ColumnBatch, valueAt } from '../../src/schema/batch.ts'
import { linesOfJson } from '../../src/schema/scan/document.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { Shape } from '../../src/schema/type.ts'
import { encodeRow, rowAt } from '../../src/stream/value.ts'

const strings = JSON.parse(readFileSync(join(import.meta.dirname, '../corpora/naughty-strings/blns.json'), 'utf8')) as string[]
const escapeAll = (text: string): string =>
  `"${Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`

test('as values, raw and escaped, strict and trusted, in lines and in a document', () => {
  assert.equal(strings.length, 515)
  const shape: Shape = {
    fields: [
      { name: 's', type: { kind: 'string' }, optional: false },
      { name: 'j', type: { kind: 'json' }, optional: false },
    ],
  } // prettier-ignore
  const scanner = compileScanner(shape)
  for (const spell of [JSON.stringify, escapeAll]) {
    const input = Buffer.from(strings.map((text) => `{"s":${spell(text)},"j":[${spell(text)}]}\n`).join(''))
    const document = Buffer.from(
      JSON.stringify(
        strings.map((text) => ({ s: text, j: [text] })),
        null,
        2,
      ),
    )
    const emitted = (batch: ColumnBatch): Buffer =>
      Buffer.from(strings.map((_, row) => `${encodeRow(shape, rowAt(batch, row, shape), 'p')}\n`).join(''))
    for (const { batch, rejects } of [
      scanner.scan(input),
      scanner.scan(input, { trusted: true }),
      scanner.scan(linesOfJson(document)),
      scanner.scan(emitted(scanner.scan(input).batch)),
    ]) {
      assert.deepEqual(rejects, [])
      const values = strings.map((_, row) => [valueAt(batch, 0, row), JSON.parse(String(valueAt(batch, 1, row)))])
      assert.deepEqual(
        values,
        strings.map((text) => [text, [text]]),
      ) // prettier-ignore
    }
  }
})

test('as names of fields', () => {
  const names = [...new Set(strings)]
  const shape: Shape = { fields: names.map((name) => ({ name, type: { kind: 'string' }, optional: true })) }
  const scanner = compileScanner(shape)
  const line = (fields: readonly string[], spell: (text: string) => string): string =>
    `{${fields.map((name) => `${spell(name)}:${spell(name)}`).join(',')}}\n`
  const input = [
    line(names, JSON.stringify),
    line(names, escapeAll),
    line(names.toReversed(), JSON.stringify),
    ...names.map((name) => line([name], JSON.stringify)),
  ]
  const { batch, rejects } = scanner.scan(Buffer.from(input.join('') + '\n'.repeat(20_000)))
  assert.deepEqual(rejects, [])
  for (const [column, name] of names.entries()) {
    assert.deepEqual(
      [0, 1, 2, column + 3].map((row) => valueAt(batch, column, row)),
      [name, name, name, name],
    ) // prettier-ignore
  }
})

test('as values of an enum', () => {
  const scanner = compileScanner({ fields: [{ name: 'e', type: { kind: 'enum', values: strings }, optional: false }] })
  const input = [...strings.map((e) => `{"e":${JSON.stringify(e)}}\n`), '{"e":"not naughty"}\n', '\n'.repeat(200)].join('')
  const { batch, rejects } = scanner.scan(Buffer.from(input))
  assert.deepEqual(
    strings.map((_, row) => valueAt(batch, 0, row)),
    strings,
  ) // prettier-ignore
  assert.deepEqual(
    rejects.map(({ code }) => code),
    ['MR_ROW_ENUM'],
  ) // prettier-ignore
})
