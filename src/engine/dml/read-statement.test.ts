// Statements are cut at their outer keywords, whatever stands between them; what is no such statement is a question.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readWrite } from './read-statement.ts'
import { textOf, tokensOf } from './tokens.ts'

const read = (text: string) => {
  const statement = readWrite(text)
  assert.ok(statement, `${text} is no statement`)
  return statement
}

test('questions are left alone, also those with such words in them', () => {
  for (const text of [
    'SELECT 1',
    'SELECT \'delete\' AS "update"',
    'FROM update_log',
    '-- delete from x\nSELECT 1',
    'WITH deletes AS (SELECT 1) SELECT * FROM deletes, merge',
    'WITH x AS (SELECT 1 AS insert) FROM x',
    'WITH update AS (SELECT 1), merge (a) AS (SELECT 2) SELECT * FROM update, merge',
    'WITH x AS (SELECT 1) SELECT (1) delete FROM x',
    "SELECT 'unfinished delete",
    '(DELETE FROM t)',
    'EXPLAIN UPDATE t SET a = 1',
    '',
  ])
    assert.equal(readWrite(text), undefined, text)
})

test('brackets, CASE, quotes and comments hide keywords', () => {
  const update = read(`/* c */ UPDATE "a.b" AS t SET "x y" = CASE WHEN a THEN 'WHERE' ELSE (SELECT max(b) FROM u WHERE c) END -- FROM
    , z = $$ WHERE $$ || E'\\' WHERE' FROM (SELECT 1 AS k) s WHERE s.k = t.k AND "WHERE" IS DISTINCT FROM 1;`)
  assert.deepEqual(update, {
    kind: 'update',
    ctes: '',
    parameters: new Set(),
    target: { schema: '', name: 'a.b', alias: 't' },
    set: [
      { column: 'x y', value: "CASE WHEN a THEN 'WHERE' ELSE (SELECT max(b) FROM u WHERE c) END" },
      { column: 'z', value: "$$ WHERE $$ || E'\\' WHERE'" },
    ],
    from: '(SELECT 1 AS k) s',
    where: 's.k = t.k AND "WHERE" IS DISTINCT FROM 1',
  })
  const merge = read(
    `MERGE INTO s.t USING (SELECT 1) q ON CASE WHEN a THEN b END WHEN NOT MATCHED BY SOURCE AND CASE WHEN c THEN d END THEN DELETE`,
  )
  assert.equal(merge.kind === 'merge' && merge.on, 'CASE WHEN a THEN b END')
  assert.deepEqual(merge.kind === 'merge' && merge.whens, [
    { when: 'not matched by source', condition: 'CASE WHEN c THEN d END', action: { kind: 'delete' } },
  ])
})

test('an INSERT ends where ON CONFLICT begins, not where a join does', () => {
  const insert = read('INSERT INTO t (a) SELECT a FROM b JOIN c ON b.x = c.x ON CONFLICT (a) DO UPDATE SET a = excluded.a WHERE t.a > 1')
  assert.equal(insert.kind, 'insert')
  if (insert.kind !== 'insert') return
  assert.deepEqual(insert.sources, [{ kind: 'query', query: 'SELECT a FROM b JOIN c ON b.x = c.x' }])
  assert.deepEqual(insert.onConflict, { set: [{ column: 'a', value: 'excluded.a' }], where: 't.a > 1' })
  assert.deepEqual(insert.conflictColumns, ['a'])
})

test('VALUES: rows with the same defaults are one source; anything behind them makes a query of it', () => {
  const sources = (values: string) => {
    const insert = read(`INSERT INTO t ${values}`)
    return insert.kind === 'insert' ? insert.sources : null
  }
  assert.deepEqual(sources("VALUES (1, DEFAULT), ((2), default), (f(3, ','), 'DEFAULT')"), [
    { kind: 'values', rows: [['1'], ['(2)']], defaults: [1] },
    { kind: 'values', rows: [["f(3, ',')", "'DEFAULT'"]], defaults: [] },
  ])
  assert.deepEqual(sources('VALUES (1), (2) ORDER BY 1'), [{ kind: 'query', query: 'VALUES (1), (2) ORDER BY 1' }])
  assert.deepEqual(sources('DEFAULT VALUES'), [])
})

test('parameters without names are numbered in the order of the text', () => {
  const update = read("UPDATE t SET a = ?, b = '?' FROM x WHERE c = ? AND d = $name")
  assert.deepEqual([...update.parameters], ['1', '2', 'name'])
  assert.equal(update.kind === 'update' && update.where, 'c = $2 AND d = $name')
})

test('tokens put together are the same tokens', () => {
  const piece = fc.constantFrom(
    "'a''b'",
    '"x""y"',
    'CASE',
    'END',
    '(',
    ')',
    '[1]',
    '$1',
    '$$a;b$$',
    '1.5e-3',
    '.5',
    '--c\n',
    '/*a/*b*/c*/',
    'wörd',
    '::',
    ',',
    '->',
    ' ',
    '?',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const text = pieces.join(' ')
      let tokens: ReturnType<typeof tokensOf>
      try {
        tokens = tokensOf(text)
      } catch (error) {
        assert.match((error as Error).message, /closes nothing|is not closed/)
        return
      }
      assert.deepEqual(
        tokensOf(textOf(tokens)).map(({ kind, text, depth }) => [kind, text, depth]),
        tokens.map(({ kind, text, depth }) => [kind, text, depth]),
      )
      assert.ok(tokens.every(({ start, end, text: token }) => text.slice(start, end) === token))
    }),
    { numRuns: 500 },
  )
})
