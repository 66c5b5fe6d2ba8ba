// A whole project over an external catalog, killed while it writes: every row that was acknowledged is in the catalog's tables
// once, and the newest of each key.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { root, startServer, type TestServer } from '../server/server.ts'

const KILLS = 3
const ROWS_A_LIFE = 60

export interface WholeProject {
  /** Address of the catalog, without `/v1`. */
  readonly uri: string
  readonly token: string
  readonly data: string
}

export interface Wrote {
  /** id, page, name; as the SQL of Millrace has them. */
  readonly clicks: unknown[][]
  readonly people: unknown[][]
  readonly pages: unknown[][]
}

/** A reading of a clock, as it is sent and answered. */
const localOf = (id: number): string => `${new Date(id * 1_000).toISOString().slice(0, -1)}000`

/** Answers what the project says is in its tables, when all of it is committed and the project is stopped. */
export async function runWholeProject({ uri, token, data }: WholeProject): Promise<Wrote> {
  const start = (flushMs: number) =>
    startServer({
      project: join(root, 'test', 'external', 'project'),
      data,
      env: { CATALOG_URI: uri, CATALOG_TOKEN: token, MILLRACE_FLUSH_MS: String(flushMs) },
    })
  const send = async (server: TestServer, stream: string, rows: readonly object[]): Promise<void> => {
    const body = rows.map((row) => JSON.stringify(row)).join('\n')
    const answer = await server.post(`/streams/${stream}`, body, { 'content-type': 'application/x-ndjson' })
    assert.equal(answer.status, 202, await answer.text())
  }
  let id = 0
  let server = await start(50)
  for (let life = 0; life <= KILLS; life++) {
    for (let batch = 0; batch < 6; batch++) {
      const clicks = Array.from({ length: ROWS_A_LIFE / 6 }, () => ({
        id: id++,
        page: `p${id % 3}`,
        seen: new Date(1_700_000_000_000 + id).toISOString(),
        local: localOf(id),
      }))
      await send(server, 'clicks', clicks)
      await send(server, 'people', [{ id: batch, name: `life ${life}` }])
      // So that flushes fall between the batches, and the kill in the middle of one.
      await new Promise((resolve) => setTimeout(resolve, 60))
    }
    if (life === KILLS) break
    await server.kill('SIGKILL')
    server = await start(50)
  }
  const total = (KILLS + 1) * ROWS_A_LIFE
  assert.deepEqual(await server.sql('SELECT count(*), count(DISTINCT id) FROM clicks'), [[total, total]])
  assert.equal(await server.stop(), 0, server.errors())
  server = await start(60_000)
  const wrote = {
    clicks: await server.sql('SELECT id, page, epoch_ms(seen) FROM clicks ORDER BY id'),
    people: await server.sql('SELECT id, name FROM people ORDER BY id'),
    pages: await settled(server, 'SELECT page, views FROM marts.pages ORDER BY page', total),
  }
  assert.deepEqual(
    await server.sql('SELECT local FROM clicks ORDER BY id'),
    wrote.clicks.map(([id]) => [localOf(Number(id) + 1)]),
  )
  assert.equal(await server.stop(), 0, server.errors())
  return wrote
}

/** The model's rows once they count everything. */
async function settled(server: TestServer, question: string, total: number): Promise<unknown[][]> {
  for (let tries = 0; tries < 100; tries++) {
    const rows = await server.sql(question)
    if (rows.reduce((sum, [, views]) => sum + Number(views), 0) === total) return rows
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`the model does not count ${total} rows: ${server.errors()}`)
}
