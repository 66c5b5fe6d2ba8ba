// Sinks and topics in the console's lineage: where they stand, what is known of them, and who is told how much of it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Lineage, LineageNode } from '../../src/serve/answers/lineage.ts'
import { startServer } from './server.ts'

// Nobody listens there.
const PROJECT = `
import { alert, failed, grant, http, policy, project, role, sink, stream, t, table, webhook } from 'millrace'
import { kafka } from 'millrace/kafka'
const bus = kafka('bus', { brokers: '127.0.0.1:9' })
export const orders = table('orders', { id: t.string(), shop: t.string(), note: t.string().optional() }, { from: http(), key: 'id' })
export const clicks = stream('clicks', { page: t.string() }, { from: bus.topic('shop.clicks') })
export const out = sink('orders_out', orders, { to: bus.topic('shop.orders'), columns: ['id', 'shop'], every: '2 seconds', doc: 'For the shops.' })
export const told = alert('told', { when: failed(out), to: [webhook('http://127.0.0.1:9/')] })
export const analyst = role('analyst', { shop: t.string() })
export const reads = grant('reads', { to: [analyst], on: [orders] })
export const own = policy('own', { on: orders, to: analyst, rows: (row, user) => row.shop.eq(user.shop) })
export default project('flows', [orders, clicks, out, told, analyst, reads, own])
`

test('a sink stands behind its relation, with what stops it', { timeout: 60_000 }, async (t) => {
  const place = mkdtempSync(join(tmpdir(), 'millrace-lineage-'))
  writeFileSync(join(place, 'millrace.ts'), PROJECT)
  const server = await startServer({ project: place, data: join(place, 'data'), env: { MILLRACE_LOG: 'fatal' } })
  t.after(() => {
    server.child.kill('SIGKILL')
    rmSync(place, { recursive: true, force: true })
  })
  const graph = async (path = '/admin/lineage', headers: Record<string, string> = {}): Promise<Lineage> =>
    (await (await server.get(path, headers)).json()) as Lineage
  const node = ({ nodes }: Lineage, id: string): LineageNode => nodes.find((one) => one.id === id)!

  let seen = await graph()
  for (let tries = 0; !node(seen, 'sink:orders_out').flow?.stopped || !node(seen, 'source:kafka clicks').flow?.stopped; tries++) {
    assert.ok(tries < 300, JSON.stringify(seen.nodes))
    await sleep(50)
    seen = await graph()
  }
  const { flow, ...sink } = node(seen, 'sink:orders_out')
  assert.deepEqual(sink, {
    id: 'sink:orders_out',
    kind: 'sink',
    name: 'orders_out',
    note: 'topic shop.orders of bus',
    at: 'millrace.ts:7',
    doc: 'For the shops.',
    columns: [
      { name: 'id', type: 'string' },
      { name: 'shop', type: 'string' },
    ],
  })
  const { stopped, ...known } = flow!
  assert.deepEqual(known, { topic: 'shop.orders', bus: 'bus', format: 'json', lag: null, key: ['id'], everyMs: 2_000 })
  assert.equal(stopped!.code, 'MR_KAFKA_BUSY')
  assert.ok(stopped!.message.length > 0)
  const { topic, format, stopped: why } = node(seen, 'source:kafka clicks').flow!
  assert.deepEqual([topic, format, why!.code], ['shop.clicks', 'json', 'MR_KAFKA_BUSY'])
  const edges = [...seen.edges].map(({ from, to, stopped: is }) => [from, to, is])
  assert.deepEqual(edges.toSorted(), [
    ['relation:orders', 'sink:orders_out', true],
    ['sink:orders_out', 'alert:told', true],
    ['source:http orders', 'relation:orders', false],
    ['source:kafka clicks', 'relation:clicks', true],
  ])

  const around = await graph('/admin/relations/orders/lineage?up=0&down=1')
  assert.deepEqual(around.nodes.map(({ id }) => id).toSorted(), ['relation:orders', 'sink:orders_out'])

  const analyst = await graph('/admin/lineage', { 'millrace-as': 'analyst', 'millrace-as-attributes': '{"shop":"x"}' })
  assert.deepEqual(analyst.nodes.map(({ id }) => id).toSorted(), ['relation:orders', 'sink:orders_out', 'source:http orders'])
  const hidden = node(analyst, 'sink:orders_out').flow!
  assert.deepEqual([hidden.topic, hidden.lag, hidden.stopped], ['shop.orders', null, null], 'no figures of rows that are hidden')
})
