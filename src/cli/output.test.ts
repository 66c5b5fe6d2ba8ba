// Tables for people: what stands in them, and where.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { printTable } from './output.ts'

test('columns are aligned, numbers to the right; null has its word, nested values are JSON', () => {
  const rows = [
    [1, 'a', [{ sku: 'x', n: null }]],
    [12, null, { k: 'v' }],
    [null, 'long text', null],
  ]
  assert.equal(
    printTable(['n', 'text', 'nested'], rows, '-'),
    [
      ' n  text       nested',
      '--  ---------  ----------------------',
      ' 1  a          [{"sku":"x","n":null}]',
      '12  -          {"k":"v"}',
      ' -  long text  -',
    ].join('\n'),
  )
})
