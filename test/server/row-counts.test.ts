// How many rows a relation is said to have is how many a question finds, also while rows by key are in the hot tail; of a large one
// what is committed is told apart from its changes. Over HTTP and by `millrace status`.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Overview } from '../../src/serve/answers/overview.ts'
import type { RelationDetail, Relations } from '../../src/serve/answers/relations.ts'
import { type Printed, runMillrace } from '../cli/millrace.ts'
import { root, startServer, type TestServer } from './server.ts'

const data = mkdtempSync(join(tmpdir(), 'millrace-counts-'))
// Nothing is committed before an orderly stop.
const start = (): Promise<TestServer> =>
  startServer({ project: join(root, 'test', 'server', 'project'), data, env: { MILLRACE_FLUSH_MS: '600000' } })
let server: TestServer
before(async () => {
  server = await start()
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

interface Told {
  readonly rows: number | null
  readonly changes?: number | undefined
}

/** What every route says of a relation, which is the same. */
async function told(name: string): Promise<Told> {
  const get = async <T>(path: string): Promise<T> => (await (await server.get(path)).json()) as T
  const { relation } = await get<RelationDetail>(`/admin/relations/${name}`)
  const lists = await Promise.all(['/admin/relations', '/admin/overview'].map((path) => get<Relations | Overview>(path)))
  const { rows, changes } = relation
  for (const { relations } of lists) {
    const one = relations.find((candidate) => candidate.name === name)!
    assert.deepEqual([one.rows, one.changes], [rows, changes])
  }
  return { rows, changes }
}
/** When a question finds so many rows. */
async function found(name: string, rows: number): Promise<void> {
  for (let tries = 0; ; tries++) {
    const [[count]] = (await server.sql(`SELECT count(*) FROM ${name}`)) as [[number]]
    if (count === rows) return
    assert.ok(tries < 300, `${name} has ${count} rows, not ${rows}`)
    await sleep(50)
  }
}
const row = (i: number, amount = '1.00') => ({ id: `o${i}`, shop: 0, amount })
const send = async (name: string, rows: readonly object[]): Promise<void> => {
  const body = rows.map((one) => `${JSON.stringify(one)}\n`).join('')
  assert.equal((await server.post(`/streams/${name}`, body, { 'content-type': 'application/x-ndjson' })).status, 202)
}
const again = async (): Promise<void> => {
  assert.equal(await server.stop(), 0)
  server = await start()
}
const status = (): Promise<Printed> => runMillrace(['status', '--data', data])
const lineOf = ({ out }: Printed, name: string): string => out.split('\n').find((line) => line.startsWith(`${name} `))!

for (const name of ['plain', 'orders'])
  test(`${name}: keys are counted once, whether they are in the tail or in files`, async () => {
    assert.deepEqual(await told(name), { rows: null, changes: undefined }, 'nothing came yet')
    await send(name, [row(1), row(2), row(3)])
    await send(name, [row(1, '2.00'), row(2, '2.00'), row(1, '3.00'), row(4)])
    await found(name, 4)
    assert.deepEqual(await told(name), { rows: 4, changes: undefined })
    assert.match(lineOf(await status(), name), / 4( |$)/)
    await again()
    assert.equal((await told(name)).rows, 4)
    await send(name, [row(1, '4.00'), row(5)])
    await found(name, 5)
    assert.deepEqual(await told(name), { rows: 5, changes: undefined })
    const gone = [row(2), row(5), row(99)].map(({ id, shop }) => ({ id, shop }))
    const answer = await fetch(`${server.url}/streams/${name}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(gone),
    })
    assert.equal(answer.status, 200)
    await found(name, 3)
    assert.deepEqual(await told(name), { rows: 3, changes: undefined })
  })

test('rows that are only added are those of files and tail', async () => {
  await send('clicks', [{ page: 'home' }, { page: 'home' }])
  await found('clicks', 2)
  assert.deepEqual(await told('clicks'), { rows: 2, changes: undefined })
})

test('of a large relation the committed rows are told, and the changes beside them', { timeout: 120_000 }, async () => {
  const many = Array.from({ length: 100_001 }, (_, i) => row(1_000 + i))
  for (let from = 0; from < many.length; from += 20_000) await send('plain', many.slice(from, from + 20_000))
  const before = many.length + 3
  await found('plain', before)
  assert.deepEqual(await told('plain'), { rows: before, changes: undefined }, 'the large part is in the tail')
  await again()
  assert.deepEqual(await told('plain'), { rows: before, changes: undefined })
  await send('plain', [row(1_000, '9.00'), row(900_000)])
  await found('plain', before + 1)
  assert.deepEqual(await told('plain'), { rows: before, changes: 2 })
  assert.match(lineOf(await status(), 'plain'), new RegExp(` ${before} \\+ 2 changes`))
})
