// A statement that threads of the engine carry out by themselves: its result, its error, and its end when it is cancelled.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTestEngine } from './testing.ts'

const SLOW = 'SELECT count(*) FROM range(40_000_000) a WHERE hash(range) % 7 = 3 AND hash(range + 1) % 11 < 5'

for (const threads of [1, 2])
  test(`with ${threads} threads: the result, an error with its class, and an end by a signal`, { timeout: 60_000 }, async () => {
    await using parts = await openTestEngine({ threads })
    const aside = (sql: string, signal?: AbortSignal) => parts.session.rows(sql, undefined, { aside: true, ...(signal ? { signal } : {}) })
    assert.deepEqual((await aside('SELECT sum(range) FROM range(1_000_000)')).rows, [[499_999_500_000n]])
    await assert.rejects(aside("SELECT CAST(range || 'x' AS INT) FROM range(10_000)"), { code: 'MR_SQL_RUNTIME' })
    await assert.rejects(aside('SELECT nothing'), { code: 'MR_SQL_UNKNOWN' })
    const cancel = new AbortController()
    setTimeout(() => cancel.abort(), 20)
    await assert.rejects(aside(SLOW, cancel.signal), { code: 'MR_CANCELLED' })
    assert.deepEqual((await aside('SELECT 1')).rows, [[1]])
  })

test('it is carried out, too, when the threads of the engine have other work', { timeout: 60_000 }, async () => {
  await using parts = await openTestEngine({ threads: 2 })
  const other = await parts.engine.session()
  const long = other.rows(`${SLOW} AND hash(range + 2) % 3 = 1`)
  assert.deepEqual((await parts.session.rows('SELECT sum(range) FROM range(1_000_000)', undefined, { aside: true })).rows, [
    [499_999_500_000n],
  ])
  await long
  other.close()
})
