// Rows that quarantine sets aside are those that the same check counts in SQL; what cannot be decided row by row is left out.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CheckManifest } from '../define/manifest.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { compileRowChecks } from './row-checks.ts'

const SHAPE: Shape = {
  fields: [
    { name: 'id', type: { kind: 'int' }, optional: true },
    { name: 'price', type: { kind: 'decimal', precision: 10, scale: 2 }, optional: true },
    { name: 'name', type: { kind: 'string' }, optional: true },
    { name: 'seen', type: { kind: 'timestamp' }, optional: true },
    { name: 'tags', type: { kind: 'list', element: { type: { kind: 'string' }, optional: true } }, optional: true },
  ],
}
const { batch } = compileScanner(SHAPE).scan(
  Buffer.from(
    [
      '{"id":1,"price":"1.50","name":"abc","seen":"2026-01-01T00:00:00Z"}',
      '{"id":2,"price":"-0.01","name":"XbX","tags":["a",null]}',
      '{}',
      '{"id":3,"price":"100","name":""}',
    ]
      .map((line) => `${line}\n`)
      .join(''),
  ),
)

const compile = (rule: CheckManifest['rule'], severity: CheckManifest['severity'] = 'quarantine') =>
  compileRowChecks([{ name: 'set', at: 'c.ts:1', on: 's', checks: [{ name: 'c', severity, rule }] }], 's', SHAPE)

const failing = (rule: CheckManifest['rule'], severity?: CheckManifest['severity']): number[] => {
  const failed = compile(rule, severity)
  return [0, 1, 2, 3].filter((row) => failed(batch, row) !== null)
}

test('each row rule, with null passing except where the rule is about it', () => {
  assert.deepEqual(failing({ kind: 'not_null', column: 'id' }), [2])
  assert.deepEqual(failing({ kind: 'between', column: 'price', min: '0', max: '99.99' }), [1, 3])
  assert.deepEqual(failing({ kind: 'between', column: 'price', max: '1.499' }), [0, 3])
  assert.deepEqual(failing({ kind: 'between', column: 'seen', max: '2025-12-31T23:59:59.999999Z' }), [0])
  assert.deepEqual(failing({ kind: 'in', column: 'name', values: ['abc', ''] }), [1])
  assert.deepEqual(failing({ kind: 'in', column: 'id', values: ['1', '3'] }), [1])
  assert.deepEqual(failing({ kind: 'matches', column: 'name', pattern: 'b' }), [3])
  assert.deepEqual(failing({ kind: 'matches', column: 'name', pattern: '(?i)^x.x$' }), [0, 3])
  assert.deepEqual(failing({ kind: 'not_null', column: 'tags' }), [0, 2, 3])
  assert.deepEqual(compile({ kind: 'not_null', column: 'id' })(batch, 2), { check: 'c', column: 'id' })
})

test('other severities, other relations, and rules about other rows set nothing aside', () => {
  assert.deepEqual(failing({ kind: 'not_null', column: 'id' }, 'warn'), [])
  assert.deepEqual(failing({ kind: 'unique', columns: ['id'] }), [])
  assert.deepEqual(failing({ kind: 'references', column: 'id', to: { relation: 'o', column: 'id' } }), [])
  assert.equal(compileRowChecks([], 's', SHAPE)(batch, 2), null)
})

test('a constant or pattern that means nothing is refused with the name of the check', () => {
  assert.throws(() => compile({ kind: 'between', column: 'price', min: 'cheap' }), { code: 'MR_PLAN_CHECK', message: /^check c: "cheap"/ })
  assert.throws(() => compile({ kind: 'matches', column: 'name', pattern: '(' }), { code: 'MR_PLAN_CHECK', message: /check c/ })
})
