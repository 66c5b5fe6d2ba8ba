// The driver against DuckDB itself: values, errors, limits, and streams that must not end silently.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ErrorCode, MillraceError } from '../core/errors.ts'
import { openTestEngine } from './testing.ts'

/** Fails in a row that a stream reaches only after several chunks. */
const BROKEN = "SELECT CASE WHEN range = 500000 THEN error('boom') ELSE range::VARCHAR END AS v FROM range(1000000)"
const ENDLESS = 'SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE (a.range * b.range) % 7 = 3'

const thrown = async (action: () => Promise<unknown>): Promise<MillraceError> => {
  try {
    await action()
  } catch (error) {
    return error as MillraceError
  }
  return assert.fail('nothing was thrown')
}

test('values come out exact', async () => {
  await using parts = await openTestEngine()
  const { columns, rows } = await parts.session.rows(`SELECT
    9007199254740993::BIGINT AS big, -5::INTEGER AS whole, 0.1::FLOAT AS short, 1e300::DOUBLE AS wide, 'nan'::DOUBLE AS nan, true AS yes,
    -12.30::DECIMAL(4, 2) AS d4, 0.05::DECIMAL(9, 2) AS d9, -123456789012.345::DECIMAL(18, 3) AS d18, 12345678901234567890.5::DECIMAL(38, 1) AS d38,
    TIMESTAMPTZ '2026-01-02 03:04:05.000006+00' AS t, TIMESTAMP '1969-12-31 23:59:59.999999' AS early, DATE '1969-12-31' AS day,
    TIME '03:04:05.5' AS clock, 'short' AS s, 'a text that is longer than twelve bytes é' AS l, NULL::VARCHAR AS n,
    'aé'::VARCHAR || chr(0) || 'b' AS zero, UUID '01234567-89ab-cdef-0123-456789abcdef' AS u, '\\x00\\xff'::BLOB AS b,
    170141183460469231731687303715884105727::HUGEINT AS huge, [1, NULL, 3] AS list, {a: 1, b: [DATE '2020-01-01']} AS struct, MAP {'k': 1} AS map`)
  assert.deepEqual(columns.slice(0, 3), [
    { name: 'big', type: 'BIGINT' },
    { name: 'whole', type: 'INTEGER' },
    { name: 'short', type: 'FLOAT' },
  ])
  const row = Object.fromEntries(columns.map(({ name }, index) => [name, rows[0]![index]]))
  assert.deepEqual(row, {
    big: 9007199254740993n,
    whole: -5,
    short: 0.1,
    wide: 1e300,
    nan: Number.NaN,
    yes: true,
    d4: '-12.30',
    d9: '0.05',
    d18: '-123456789012.345',
    d38: '12345678901234567890.5',
    t: '2026-01-02T03:04:05.000006Z',
    early: '1969-12-31T23:59:59.999999',
    day: '1969-12-31',
    clock: '03:04:05.500000',
    s: 'short',
    l: 'a text that is longer than twelve bytes é',
    n: null,
    zero: 'aé\0b',
    u: '01234567-89ab-cdef-0123-456789abcdef',
    b: 'AP8=',
    huge: 170141183460469231731687303715884105727n,
    list: [1, null, 3],
    struct: { a: 1, b: ['2020-01-01'] },
    map: { k: 1 },
  })
})

test('many rows of long and short texts and nulls, over chunks', async () => {
  await using parts = await openTestEngine()
  const { rows } = await parts.session.rows(
    "SELECT range, CASE WHEN range % 3 = 0 THEN NULL WHEN range % 3 = 1 THEN repeat(range::VARCHAR || '-', 12) ELSE range::VARCHAR END FROM range(10000)",
  )
  assert.equal(rows.length, 10_000)
  for (const [n, text] of rows as [bigint, string | null][]) {
    const index = Number(n)
    assert.equal(text, index % 3 === 0 ? null : index % 3 === 1 ? `${index}-`.repeat(12) : String(index))
  }
})

test('a second column of a name gets another one; rows are capped', async () => {
  await using parts = await openTestEngine()
  const twice = await parts.session.rows('SELECT 1 AS a, 2 AS a, 3 AS "A"')
  assert.deepEqual(
    twice.columns.map((column) => column.name),
    ['a', 'a_1', 'A_2'],
  )
  const some = await parts.session.rows('SELECT range FROM range(100000) ORDER BY range DESC -- all', undefined, { rowMax: 3 })
  assert.deepEqual(some.rows, [[99_999n], [99_998n], [99_997n]])
  assert.equal(some.truncated, true)
  const all = await parts.session.rows('SELECT range FROM range(3)', undefined, { rowMax: 3 })
  assert.equal(all.rows.length, 3)
  assert.equal(all.truncated, false)
})

test('parameters are bound by position and by name, with types', async () => {
  await using parts = await openTestEngine()
  const { session } = parts
  const one = async (sql: string, values: Parameters<typeof session.rows>[1]): Promise<unknown> => (await session.rows(sql, values)).rows[0]
  assert.deepEqual(await one('SELECT $1 + 1, typeof($1), typeof($2), typeof($3)', [1, 2 ** 40, 0.5]), [2, 'INTEGER', 'BIGINT', 'DOUBLE'])
  assert.deepEqual(await one('SELECT $b, $A', { a: 'x', b: null }), [null, 'x'])
  assert.deepEqual(
    await one("SELECT DATE '2026-01-01' = $d, TIMESTAMPTZ '2026-01-01' < $d, 1.5::DECIMAL(5, 2) = $n", { d: '2026-01-01', n: '1.5' }),
    [true, false, true],
  )
  assert.deepEqual(
    await one('SELECT 2 IN $1, typeof($1), typeof($2)', [
      [1, 2, null],
      [1, 2.5],
    ]),
    [true, 'INTEGER[]', 'DOUBLE[]'],
  )
  assert.deepEqual(await one('SELECT $1', [170141183460469231731687303715884105727n]), [170141183460469231731687303715884105727n])
  for (const [sql, values] of [
    ['SELECT $1, $2', [1]],
    ['SELECT $1', [1, 2]],
    ['SELECT $x', { y: 1 }],
    ['SELECT $x', { x: 1, y: 1 }],
    ['SELECT 1', [1]],
    ['SELECT $1', [[1, 'a']]],
    ['SELECT $1', [{ a: 1 } as never]],
  ] as const) {
    assert.equal((await thrown(() => session.rows(sql, values))).code, 'MR_SQL_PARAMETER', sql)
  }
})

test('a prepared statement answers each call with its own values, also after one that failed', async () => {
  await using parts = await openTestEngine()
  const twice = parts.session.prepared('SELECT $1::VARCHAR || $1, $1::INTEGER')
  const calls = Array.from({ length: 40 }, (_, n) => (n % 7 === 3 ? 'no number' : String(n)))
  const answers = await Promise.allSettled(calls.map((value) => twice([value])))
  for (const [n, answer] of answers.entries()) {
    if (n % 7 === 3) assert.ok(answer.status === 'rejected' && (answer.reason as MillraceError).code === 'MR_SQL_RUNTIME')
    else assert.deepEqual(answer.status === 'fulfilled' && answer.value.rows, [[`${n}${n}`, n]])
  }
})

test('errors have a code, a place and a suggestion, and no internals', async () => {
  await using parts = await openTestEngine()
  const cases: readonly (readonly [string, ErrorCode, string])[] = [
    ['SELEC 1', 'MR_SQL_SYNTAX', 'syntax error at or near "SELEC" (line 1, column 1)'],
    ["SELECT 'é',\n 'é' FROM WHERE", 'MR_SQL_SYNTAX', 'syntax error at or near "WHERE" (line 2, column 11)'],
    [
      "SELECT 'é',\n 'é', foo FROM (SELECT 1 AS fox)",
      'MR_SQL_UNKNOWN',
      'Referenced column "foo" not found in FROM clause! Candidate bindings: "fox" (line 2, column 7)',
    ],
    ["SELECT lenght('a')", 'MR_SQL_UNKNOWN', 'Scalar Function with name lenght does not exist! Did you mean "length"? (line 1, column 8)'],
    ['SELECT * FROM foo', 'MR_SQL_UNKNOWN', 'Table with name foo does not exist! (line 1, column 15)'],
    ["SELECT DATE '2026-01-01' + 'x'::BLOB", 'MR_SQL_TYPE', ''],
    ["SELECT CAST('abc' AS INTEGER)", 'MR_SQL_RUNTIME', "Could not convert string 'abc' to INT32 (line 1, column 8)"],
    ['SELECT 9223372036854775807 + 1', 'MR_SQL_RUNTIME', ''],
    ["SELECT error('mine')", 'MR_SQL_RUNTIME', 'mine'],
    ["SELECT * FROM read_csv('/etc/passwd')", 'MR_SQL_FORBIDDEN', ''],
    ["COPY (SELECT 1) TO '/tmp/outside.csv'", 'MR_SQL_FORBIDDEN', ''],
    ["ATTACH '/tmp/outside.db'", 'MR_SQL_FORBIDDEN', ''],
    ['LOAD httpfs', 'MR_SQL_FORBIDDEN', ''],
    ["SET memory_limit = '1GB'", 'MR_SQL_RUNTIME', ''],
  ]
  for (const [sql, code, message] of cases) {
    const error = await thrown(() => parts.session.rows(sql))
    assert.equal(error.code, code, `${sql}: ${error.message}`)
    if (message !== '') assert.equal(error.message, message)
    assert.doesNotMatch(error.message, /exception_type|\bSET \w+=|Candidate functions/)
    assert.ok(error.fix)
  }
  const capped = await thrown(() => parts.session.rows('SELECT foo FROM (SELECT 1 AS fox)', undefined, { rowMax: 5 }))
  assert.match(capped.message, /\(line 1, column 8\)$/)
})

test('a query beyond the memory limit ends with its own code', async () => {
  await using parts = await openTestEngine({ memoryLimitBytes: 60_000_000 })
  const error = await thrown(() => parts.session.rows('SELECT list(range) FROM range(100000000)'))
  assert.equal(error.code, 'MR_SQL_MEMORY')
  assert.deepEqual((await parts.session.rows('SELECT 1')).rows, [[1]])
})

test('large sorts spill to the temporary directory', async () => {
  await using parts = await openTestEngine({ memoryLimitBytes: 64_000_000 })
  const { rows } = await parts.session.rows(
    'SELECT count(*) FROM (SELECT repeat(md5(range::VARCHAR), 2) AS h FROM range(500000) ORDER BY h LIMIT 490000)',
  )
  assert.deepEqual(rows, [[490_000n]])
})

test('a time limit or an abort ends the query and leaves the session usable', async () => {
  await using parts = await openTestEngine()
  const { session } = parts
  assert.equal((await thrown(() => session.rows(ENDLESS, undefined, { timeoutMs: 50 }))).code, 'MR_SQL_TIMEOUT')
  const aborter = new AbortController()
  const running = thrown(() => session.rows(ENDLESS, undefined, { signal: aborter.signal }))
  setImmediate(() => aborter.abort())
  assert.equal((await running).code, 'MR_CANCELLED')
  assert.equal((await thrown(() => session.rows('SELECT 1', undefined, { signal: aborter.signal }))).code, 'MR_CANCELLED')
  assert.deepEqual((await session.rows('SELECT 1')).rows, [[1]])
})

test('the time limit counts while waiting for a slot', async () => {
  await using parts = await openTestEngine({ concurrency: 1 })
  const other = await parts.engine.session()
  const aborter = new AbortController()
  const busy = thrown(() => parts.session.rows(ENDLESS, undefined, { signal: aborter.signal }))
  const waiting = await thrown(() => other.rows('SELECT 1', undefined, { timeoutMs: 30 }))
  assert.equal(waiting.code, 'MR_SQL_TIMEOUT')
  aborter.abort()
  assert.equal((await busy).code, 'MR_CANCELLED')
  assert.deepEqual((await other.rows('SELECT 1')).rows, [[1]])
  other.close()
})

test('a stream gives all rows in order, and an open one holds no slot', async () => {
  await using parts = await openTestEngine({ concurrency: 1 })
  const other = await parts.engine.session()
  let next = 0n
  for await (const part of parts.session.stream('SELECT range AS a, range AS a FROM range($n) ORDER BY a', { n: 100_000 })) {
    assert.deepEqual(
      part.columns.map((column) => column.name),
      ['a', 'a_1'],
    )
    assert.deepEqual((await other.rows('SELECT 1')).rows, [[1]])
    for (const [value] of part.rows) assert.equal(value, next++)
  }
  assert.equal(next, 100_000n)
  other.close()
})

test('a stream that fails throws: it never ends as if it were complete', async () => {
  await using parts = await openTestEngine()
  const { session } = parts
  const drain = async (sql: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<number> => {
    let rows = 0
    for await (const part of session.stream(sql, undefined, options)) rows += part.rows.length
    return rows
  }
  assert.equal((await thrown(() => drain(BROKEN))).code, 'MR_SQL_RUNTIME')
  assert.equal((await thrown(() => drain('SELECT nothing'))).code, 'MR_SQL_UNKNOWN')
  assert.equal((await thrown(() => drain('SELECT true AS __millrace_end'))).code.slice(0, 7), 'MR_SQL_')
  assert.equal((await thrown(() => drain(`SELECT * FROM (${ENDLESS})`, { timeoutMs: 50 }))).code, 'MR_SQL_TIMEOUT')
  const disturbed = await thrown(async () => {
    for await (const part of session.stream('SELECT range FROM range(1000000)')) {
      assert.ok(part.rows.length > 0)
      await session.rows('SELECT 1')
    }
  })
  assert.equal(disturbed.code, 'MR_SQL_RUNTIME')
  assert.equal(await drain('SELECT range FROM range(0)'), 0)
  assert.equal(await drain('SELECT range FROM range(2048)'), 2048)
})
