// Views by their text: shared while used, dropped when many are idle, made again when needed.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { openEngine } from '../engine/duckdb.ts'
import { SECURED, Views } from './views.ts'

test('one view for one text, kept while used, dropped by age', async () => {
  const engine = await openEngine({ clock: systemClock, directories: [tmpdir()], tempDirectory: tmpdir() })
  const session = await engine.session()
  const views = new Views(session, 4)
  await views.open()
  const count = async (): Promise<unknown> =>
    (await session.rows("SELECT count(*) FROM duckdb_views() WHERE database_name = 'secured' AND NOT internal")).rows[0]![0]
  const held = await Promise.all([1, 2, 3].map(() => views.use(SECURED, 'x', 'SELECT 1 AS a')))
  assert.equal(new Set(held.map((view) => view.name)).size, 1)
  assert.equal(await count(), 1n)
  for (let i = 0; i < 20; i++) (await views.use(SECURED, 'x', `SELECT ${i + 2} AS a`)).release()
  assert.ok(views.size <= 5)
  assert.deepEqual((await session.rows(`SELECT a FROM secured.main."${held[0]!.name}"`)).rows, [[1]])
  const again = await views.use(SECURED, 'x', 'SELECT 2 AS a')
  assert.deepEqual((await session.rows(`SELECT a FROM secured.main."${again.name}"`)).rows, [[2]])
  await assert.rejects(views.use(SECURED, 'x', 'SELECT * FROM nowhere'), { code: 'MR_SQL_UNKNOWN' })
  await assert.rejects(views.use(SECURED, 'x', 'SELECT * FROM nowhere'), { code: 'MR_SQL_UNKNOWN' })
  for (const view of [...held, again]) view.release()
  session.close()
  engine.close()
})
