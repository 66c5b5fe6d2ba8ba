// `kill -9` while statements are carried out: each that was acknowledged is there afterwards, none is there in half, and one that was not
// answered is there once at most. Rounds: 4 in `npm test`, 30 with MILLRACE_TEST_ALL.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { integer, seededRandom } from '../../src/core/random.ts'
import { SEED } from '../seed.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const ROUNDS = Number(process.env['MILLRACE_ROUNDS'] ?? (process.env['MILLRACE_TEST_ALL'] ? 30 : 4))
const ROWS = 2_000
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** True when it was acknowledged, false when nobody knows. */
async function write(server: TestServer, sql: string): Promise<boolean> {
  let answer: Response
  try {
    answer = await server.post('/sql', JSON.stringify({ sql }), { 'content-type': 'application/json' })
    await answer.clone().text()
  } catch {
    return false
  }
  assert.ok(answer.ok, `${sql}: ${await answer.text()}`)
  return true
}

/** Carries out one kind of statement until the server is gone; what came of the last one may not be known. */
async function work(server: TestServer, sql: string): Promise<{ done: number; unknown: number }> {
  for (let done = 0; ; done++) if (!(await write(server, sql))) return { done, unknown: 1 }
}

test(`${ROUNDS} kills during statements: acknowledged ones are there, none in half (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const data = mkdtempSync(join(tmpdir(), 'millrace-killed-'))
  const start = (): Promise<TestServer> =>
    startServer({ project: join(root, 'test', 'writes', 'project'), data, env: { MILLRACE_FLUSH_MS: String(200 + integer(random, 600)) } })
  const bounds = { added: [0, 0], moved: [0, 0] } as Record<'added' | 'moved', [number, number]>
  try {
    let server = await start()
    // Of counters all are added to at once; of copies half of the rows get other keys at once, and back, which takes keys away and adds rows.
    await write(server, `INSERT INTO counters SELECT i, 0 FROM range(${ROWS}) r(i)`)
    await write(server, `INSERT INTO copies (id, owner) SELECT i, '0' FROM range(${ROWS}) r(i)`)
    for (let round = 0; round < ROUNDS; round++) {
      const working = Promise.all([
        work(server, 'UPDATE counters SET n = n + 1'),
        work(
          server,
          `UPDATE copies SET id = CASE WHEN id >= 100000 THEN id - 100000 ELSE id + 100000 END, owner = CAST(owner::INT + 1 AS VARCHAR) WHERE id % 2 = 0`,
        ),
      ])
      await sleep(300 + integer(random, 1_500))
      await server.kill('SIGKILL')
      const [added, moved] = await working
      for (const [name, { done, unknown }] of [
        ['added', added],
        ['moved', moved],
      ] as const)
        bounds[name] = [bounds[name][0] + done, bounds[name][1] + done + unknown]
      server = await start()
      const [[least, most, count]] = (await server.sql('SELECT min(n), max(n), count(*) FROM counters')) as [[number, number, number]]
      assert.deepEqual([least, count], [most, ROWS], 'all rows were added to equally often')
      assert.ok(least >= bounds.added[0] && least <= bounds.added[1], `${least} of ${bounds.added}`)
      bounds.added = [least, least]
      const halves = (await server.sql(
        `SELECT id % 2 AS half, count(*), count(DISTINCT id % 100000), min(owner::INT), max(owner::INT), count(DISTINCT id >= 100000), bool_or(id >= 100000) FROM copies GROUP BY 1 ORDER BY 1`,
      )) as [number, number, number, number, number, number, boolean][]
      const [even, odd] = halves as [(typeof halves)[0], (typeof halves)[0]]
      assert.deepEqual(odd.slice(1), [ROWS / 2, ROWS / 2, 0, 0, 1, false])
      assert.deepEqual([even[1], even[2], even[5]], [ROWS / 2, ROWS / 2, 1], 'all of them have moved, or none')
      assert.equal(even[3], even[4])
      assert.equal(even[6], even[3] % 2 === 1)
      assert.ok(even[3] >= bounds.moved[0] && even[3] <= bounds.moved[1], `${even[3]} of ${bounds.moved}`)
      bounds.moved = [even[3], even[3]]
    }
    assert.ok(bounds.added[0] > ROUNDS && bounds.moved[0] > ROUNDS, JSON.stringify(bounds))
    await server.stop()
  } finally {
    rmSync(data, { recursive: true, force: true })
  }
})
