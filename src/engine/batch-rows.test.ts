// Batches that statements read while they run: as often and in as many places as they like, in their order, whatever ends the statement;
// and an end of the process that does not wait for one.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import type { ColumnBatch } from '../schema/batch.ts'
import { addSmallRows } from './batch-rows.ts'
import { batchOf, openTestEngine, type TestEngine } from './testing.ts'

let parts: TestEngine
before(async () => {
  parts = await openTestEngine({ threads: 4 })
})
after(() => parts[Symbol.asyncDispose]())

const numbers = (count: number, from = 0): ColumnBatch =>
  batchOf(
    { n: { kind: 'long' }, name: { kind: 'string' } },
    Array.from({ length: count }, (_, row) => [BigInt(from + row), row % 3 === 0 ? null : Buffer.from(`a longer name ${from + row}`)]),
  )
const ask = async (sql: string): Promise<unknown> => (await parts.session.rows(sql)).rows

test('in their order, once for each place where the statement has them', async () => {
  using rows = parts.session.batchRows(numbers(10_000))
  assert.deepEqual(await ask(`SELECT n FROM ${rows.sql} LIMIT 3 OFFSET 5000`), [[5000n], [5001n], [5002n]])
  assert.deepEqual(await ask(`SELECT count(*), count(a.name), sum(b.n) FROM ${rows.sql} a JOIN ${rows.sql} b ON a.n = b.n + 1`), [
    [9_999n, 6_666n, 49_985_001n],
  ])
  await parts.session.run(`CREATE OR REPLACE TABLE tail.copied AS SELECT * FROM ${rows.sql}`)
  assert.deepEqual(await ask('SELECT bool_and(rowid = n) FROM tail.copied'), [[true]])
})

test('what is disposed of is no more', async () => {
  const rows = parts.session.batchRows(numbers(1))
  rows[Symbol.dispose]()
  await assert.rejects(ask(`SELECT * FROM ${rows.sql}`), /there is no such batch/)
})

test('a place of small batches shows what is in it, of any number of rows', async () => {
  const open = addSmallRows(parts.session.connection, numbers(0).shape)
  const [place, other] = [open(), open()]
  other.batch = numbers(7, 1_000_000)
  const seen = new Set<string>()
  for (const count of [0, 1, 15, 16, 17, 2047, 2048, 2049, 4096]) {
    place.batch = numbers(count)
    const sql = `SELECT count(*), count(name), coalesce(sum(n), 0), coalesce(max(name), '') FROM ${place.sql}`
    const [found] = (await ask(sql)) as [unknown[]]
    const names = Array.from({ length: count }, (_, row) => row).filter((row) => row % 3 !== 0)
    const greatest =
      names
        .map((row) => `a longer name ${row}`)
        .toSorted()
        .at(-1) ?? ''
    assert.deepEqual(found, [BigInt(count), BigInt(names.length), BigInt((count * Math.max(0, count - 1)) / 2), greatest])
    seen.add(place.sql)
  }
  assert.equal(seen.size, 4, 'the text changes as the number doubles')
  assert.deepEqual(await ask(`SELECT min(n) FROM ${other.sql}`), [[1_000_000n]])
  place.batch = null
  await assert.rejects(ask(`SELECT * FROM ${place.sql}`), /what is read is held/)
})

test('a result that nobody reads to its end, and a question that is cancelled, hold nobody up', { timeout: 60_000 }, async () => {
  using rows = parts.session.batchRows(numbers(200_000))
  for (let round = 0; round < 8; round++) {
    const session = await parts.engine.session()
    const pages = session.pages(`SELECT n FROM ${rows.sql} UNION ALL SELECT a.n FROM ${rows.sql} a JOIN ${rows.sql} b USING (n)`)
    await pages.next()
    if (round % 2 === 0) await pages.return(undefined)
    session.close()
    const cancel = new AbortController()
    const cancelled = parts.session.rows(`SELECT count(*) FROM ${rows.sql} a, ${rows.sql} b WHERE a.n + b.n < 0`, undefined, {
      signal: cancel.signal,
    })
    setTimeout(() => cancel.abort(), round)
    await assert.rejects(cancelled, { code: 'MR_CANCELLED' })
  }
  assert.deepEqual(await ask(`SELECT count(*) FROM ${rows.sql}`), [[200_000n]])
})

for (const how of ['process.exit(3)', "throw new Error('unforeseen')"])
  test(`the process ends by ${how} while a statement waits for rows`, { timeout: 60_000 }, async () => {
    const program = `
      const { batchOf, openTestEngine } = await import('${new URL('./testing.ts', import.meta.url).href}')
      const { engine } = await openTestEngine()
      const session = await engine.session()
      using rows = session.batchRows(batchOf({ n: { kind: 'long' } }, Array.from({ length: 500_000 }, () => [1n])))
      void session.rows('SELECT sum(n) FROM ' + rows.sql)
      await new Promise((resolve) => setTimeout(resolve, 5))
      const until = Date.now() + 50
      while (Date.now() < until);
      ${how}`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'ignore', 'pipe'] })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    const [status, signal] = await new Promise<[number | null, string | null]>((resolve) => child.on('exit', (...ended) => resolve(ended)))
    assert.deepEqual([status, signal], [null, 'SIGKILL'])
    assert.equal(errors.includes('unforeseen'), how.includes('unforeseen'), 'what went wrong is said')
  })
