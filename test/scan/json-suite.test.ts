// JSONTestSuite (Nicolas Seriot, MIT, test/corpora/json-test-suite): every file that must be accepted or refused is
// decided right, and the free ones end, by the document reader and by the scanner alike.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MillraceError } from '../../src/core/errors.ts'
import { isValidJson, linesOfJson } from '../../src/schema/scan/document.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'

const folder = join(import.meta.dirname, '../corpora/json-test-suite/test_parsing')
const cases = readdirSync(folder).map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))
const of = (letter: string) => cases.filter(({ name }) => name.startsWith(`${letter}_`))

test('283 of 283 decided right, 35 free ones without a crash', () => {
  assert.deepEqual([of('y').length, of('n').length, of('i').length], [95, 188, 35])
  const wrong = [...of('y').filter(({ bytes }) => !isValidJson(bytes)), ...of('n').filter(({ bytes }) => isValidJson(bytes))]
  assert.deepEqual(
    wrong.map(({ name }) => name),
    [],
  )
  for (const { bytes } of of('i')) assert.equal(typeof isValidJson(bytes), 'boolean')
})

test('a body is refused with a position when it is malformed, and only then', () => {
  for (const { name, bytes } of cases) {
    const container = /^\s*[[{]/.test(bytes.toString('latin1'))
    let lines: Uint8Array | undefined
    try {
      lines = linesOfJson(bytes)
    } catch (error) {
      assert.ok(error instanceof MillraceError && error.code === 'MR_INGEST_BODY', name)
      assert.match(error.message, /byte \d+|UTF-8/)
    }
    if (name.startsWith('y_')) assert.equal(lines !== undefined, container, name)
    if (name.startsWith('n_')) assert.equal(lines, undefined, name)
  }
})

test('the scanner takes the same decisions for a value of type json', () => {
  const scanner = compileScanner({ fields: [{ name: 'v', type: { kind: 'json' }, optional: true }] })
  let seen = 0
  for (const { name, bytes } of cases) {
    // A line feed is space in a document and the end of a line here.
    if (bytes.includes(10)) continue
    const line = Buffer.concat([Buffer.from('{"v":'), bytes, Buffer.from('}')])
    for (const input of [line, Buffer.concat([line, Buffer.alloc(400, '\n')])]) {
      const { batch, rejects } = scanner.scan(input)
      assert.equal(batch.rows + rejects.length, 1, name)
      if (name.startsWith('y_')) assert.equal(batch.rows, 1, `${name} ${rejects[0]?.message}`)
      if (name.startsWith('n_')) assert.equal(batch.rows, 0, name)
    }
    seen++
  }
  assert.ok(seen > 280, `saw ${seen}`)
})
