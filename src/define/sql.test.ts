// Holes of `sql`, how they print, and that a value never becomes SQL.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { t } from './field.ts'
import { model } from './model.ts'
import { renderSql } from './render-sql.ts'
import { type Sql, type SqlHole, sql } from './sql.ts'
import { table } from './table.ts'

const orders = table('marts.orders', { id: t.string(), 'we"ird': t.int() }, { key: 'id' })

const inline = (query: Sql): string => renderSql(query, 'inline').text

test('relations, columns, aliases and nested SQL', () => {
  const o = orders.$as('o')
  assert.equal(
    inline(sql`SELECT ${orders.id}, ${orders['we"ird']} FROM ${orders}`),
    'SELECT "orders"."id", "orders"."we""ird" FROM "marts"."orders"',
  )
  assert.equal(inline(sql`SELECT ${o.id} FROM ${o}`), 'SELECT "o"."id" FROM "marts"."orders" AS "o"')
  assert.equal(inline(sql`SELECT * FROM (${sql`SELECT ${1}`})`), 'SELECT * FROM (SELECT 1)')
  const later = model('later', sql`SELECT 1 AS x`)
  assert.equal(inline(sql`SELECT ${later.anything} FROM ${later}`), 'SELECT "later"."anything" FROM "later"')
})

test('values inline and as parameters', () => {
  const query = sql`${"it's"} ${3} ${2 ** 40} ${1.5} ${-7n} ${true} ${null}`
  assert.equal(inline(query), `'it''s' 3 CAST(1099511627776 AS BIGINT) CAST('1.5' AS DOUBLE) CAST(-7 AS BIGINT) TRUE NULL`)
  const bound = renderSql(query, 'bind')
  assert.equal(
    bound.text,
    'CAST($1 AS VARCHAR) CAST($2 AS INTEGER) CAST($3 AS BIGINT) CAST($4 AS DOUBLE) CAST($5 AS BIGINT) CAST($6 AS BOOLEAN) NULL',
  )
  assert.deepEqual(
    bound.params.map((param) => param.kind === 'value' && [param.value, param.type]),
    [
      ["it's", 'string'],
      [3, 'int'],
      [2 ** 40, 'long'],
      [1.5, 'double'],
      ['-7', 'long'],
      [true, 'boolean'],
    ],
  )
})

test('a text stays one literal, whatever it holds', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
      (text) => {
        const printed = inline(sql`${text}`)
        assert.match(printed, /^'(?:[^']|'')*'$/)
        assert.equal(printed.slice(1, -1).replaceAll("''", "'"), text)
      },
    ),
  )
  assert.throws(() => inline(sql`${'a\0b'}`), { code: 'MR_DEFINE_VALUE' })
})

test('what cannot be a hole is refused where it stands', () => {
  const refuse = (hole: unknown, message: RegExp): void =>
    assert.throws(() => sql`SELECT ${hole as SqlHole}`, { code: 'MR_DEFINE_VALUE', message, at: /sql\.test\.ts:\d+$/ })
  refuse(undefined, /hole 1 of the SQL is undefined/)
  refuse({ a: 1 }, /an object/)
  refuse(['a'], /an array/)
  refuse(() => 1, /a function/)
})

test('definitions know their place', () => {
  const here = sql`SELECT 1`
  const line = Number(/:(\d+):\d+\)?$/m.exec(new Error('here').stack!.split('\n')[1]!)![1])
  assert.ok(here.$at.endsWith(`/define/sql.test.ts:${line - 1}`), here.$at)
})
