// Alerts under a virtual clock: when they fire and end, that they wait as long as asked, survive a restart, and go out signed,
// in order and again when a channel fails.
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { seededRandom } from '../core/random.ts'
import type { AlertManifest, Manifest } from '../define/manifest.ts'
import type { Engine } from '../engine/duckdb.ts'
import { RelationStore } from '../engine/relations.ts'
import { openTestEngine } from '../engine/testing.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import type { CheckOutcome } from '../quality/run-checks.ts'
import { openStore } from '../store/open-store.ts'
import type { StreamEvent } from '../stream/stream-event.ts'
import { Alerts } from './alerts.ts'

const alertOf = (name: string, when: AlertManifest['when'], forMs = 0): AlertManifest => ({
  name,
  at: 'a.ts:1',
  when,
  forMs,
  to: [{ kind: 'webhook', url: 'http://hook' } as AlertManifest['to'][number]],
})

interface Sent {
  readonly alert: string
  readonly state: string
  readonly key: string
  readonly text: string
}

interface Setting {
  readonly engine?: Engine
  readonly relations?: RelationStore
  readonly manifest?: object
}

async function setUp(alerts: readonly AlertManifest[], setting: Setting = {}) {
  const engine = setting.engine ?? (undefined as unknown as Engine)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-alerts-'))
  const store = openStore(join(directory, 'control.db'))
  const clock = new VirtualClock(1_000_000)
  const sent: Sent[] = []
  const headers: Record<string, string>[] = []
  const errors: string[] = []
  const channel = { failures: 0 }
  const answer = async (_url: unknown, init: { body: string; headers: Record<string, string> }): Promise<Response> => {
    if (channel.failures-- > 0) return new Response(null, { status: 503 })
    sent.push(JSON.parse(init.body) as Sent)
    headers.push({ ...init.headers, body: init.body })
    return new Response('ok')
  }
  const open = (): Alerts =>
    new Alerts({
      clock,
      store,
      manifest: { alerts, relations: [{ name: 'orders', freshMs: 60_000 }], jobs: [], ...setting.manifest } as unknown as Manifest,
      engine,
      relations: setting.relations ?? new RelationStore(engine, {} as Lake),
      text: (text) => String(text),
      signingKey: 'key',
      random: seededRandom(1),
      fetch: answer as unknown as typeof fetch,
      onError: (message, error) => errors.push(`${message}: ${error.message}`),
    })
  /** Lets what is on its way arrive: a write is done when those before it are durable. */
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      await store.write(async () => {})
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  return {
    clock,
    channel,
    errors,
    headers,
    open,
    async pass(ms: number): Promise<void> {
      await settle()
      await clock.advance(ms)
      await settle()
    },
    async seen(): Promise<string[]> {
      await settle()
      return sent.splice(0).map(({ alert, state }) => `${alert} ${state}`)
    },
    sent,
    rows: async () => (await store.read.selectFrom('alerts').select(['name', 'state', 'sinceMs']).orderBy('id').execute()) as unknown[],
    async [Symbol.asyncDispose]() {
      await settle()
      await store.close()
      rmSync(directory, { recursive: true })
    },
  }
}

const outcome = (status: CheckOutcome['status'], set = 'sane'): CheckOutcome => ({
  set,
  check: { name: 'sane.x', severity: 'warn', rule: { kind: 'row_count' } },
  status,
  failedRows: 3,
  totalRows: 9,
  measured: null,
  value: 3,
})

test('a failing check fires once and ends once; another set does not matter', async () => {
  await using world = await setUp([alertOf('bad', { kind: 'checks', set: 'sane' })])
  const alerts = world.open()
  alerts.start()
  alerts.checked([outcome('fail', 'other')])
  alerts.checked([outcome('fail')])
  alerts.checked([outcome('error')])
  assert.deepEqual(await world.seen(), ['bad firing'])
  alerts.checked([])
  alerts.checked([outcome('pass')])
  alerts.checked([outcome('pass')])
  assert.deepEqual(await world.seen(), ['bad resolved'])
  assert.deepEqual(await world.rows(), [{ name: 'bad', state: 'resolved', sinceMs: 1_000_000 }])
})

test('a condition must hold as long as asked, without anything else happening', async () => {
  await using world = await setUp([alertOf('bad', { kind: 'run', asset: 'm' }, 60_000)])
  const alerts = world.open()
  alerts.start()
  alerts.ran('m', 'failed', 'no')
  await world.pass(59_999)
  assert.deepEqual(await world.seen(), [])
  await world.pass(1)
  assert.deepEqual(await world.seen(), ['bad firing'])
  alerts.ran('m', 'succeeded', null)
  await world.pass(0)
  alerts.ran('m', 'failed', 'no')
  await world.pass(30_000)
  alerts.ran('m', 'succeeded', null)
  await world.pass(90_000)
  assert.deepEqual(await world.seen(), ['bad resolved'])
})

test('new rows are a pulse of a minute', async () => {
  await using world = await setUp([alertOf('fraud', { kind: 'rows', relation: 'suspects' }, 5_000)])
  const alerts = world.open()
  alerts.start()
  alerts.arrived('orders')
  alerts.arrived('suspects')
  alerts.arrived('suspects')
  assert.deepEqual(await world.seen(), ['fraud firing'])
  await world.pass(60_000)
  assert.deepEqual(await world.seen(), ['fraud resolved'])
  alerts.arrived('suspects')
  assert.deepEqual(await world.seen(), ['fraud firing'])
})

test('late: no new data for longer than the target', async () => {
  await using world = await setUp([alertOf('late', { kind: 'late', relation: 'orders' })])
  const alerts = world.open()
  alerts.start()
  await world.pass(60_000)
  assert.deepEqual(await world.seen(), [])
  await world.pass(15_000)
  assert.deepEqual(await world.seen(), ['late firing'])
  alerts.arrived('orders')
  await world.pass(15_000)
  assert.deepEqual(await world.seen(), ['late resolved'])
  alerts.stop()
  await world.pass(600_000)
  assert.deepEqual(await world.seen(), [])
})

test('SQL is asked on its clock; what it cannot answer is reported and asked again', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const when = (text: string): AlertManifest['when'] => ({ kind: 'sql', sql: { text, params: [] }, everyMs: 10_000 })
  await using world = await setUp([alertOf('always', when('SELECT 1 < 2')), alertOf('broken', when('SELECT nonsense'))], {
    engine: tested.engine,
  })
  const alerts = world.open()
  alerts.start()
  await world.pass(10_000)
  while (world.errors.length === 0 || world.sent.length === 0) await world.pass(0)
  assert.deepEqual(await world.seen(), ['always firing'])
  assert.match(world.errors[0]!, /alert broken could not be evaluated/)
  alerts.stop()
})

test('an incident outlives a restart: it is not sent again, and ends when its condition does', async () => {
  await using world = await setUp([
    alertOf('bad', { kind: 'checks', set: 'sane' }),
    alertOf('fraud', { kind: 'rows', relation: 'suspects' }),
  ])
  const first = world.open()
  first.start()
  first.checked([outcome('fail')])
  first.arrived('suspects')
  assert.deepEqual(await world.seen(), ['bad firing', 'fraud firing'])
  first.stop()
  await world.pass(120_000)
  const second = world.open()
  second.start()
  assert.deepEqual(await world.seen(), ['fraud resolved'])
  second.checked([outcome('fail')])
  assert.deepEqual(await world.seen(), [])
  second.checked([outcome('pass')])
  assert.deepEqual(await world.seen(), ['bad resolved'])
  second.stop()
})

test('messages are signed and keyed, tried again, and never overtake each other', async () => {
  await using world = await setUp([alertOf('bad', { kind: 'run', asset: 'm' })])
  const alerts = world.open()
  alerts.start()
  world.channel.failures = 2
  alerts.ran('m', 'failed', 'no')
  alerts.ran('m', 'succeeded', null)
  assert.deepEqual(await world.seen(), [])
  await world.pass(5_000)
  await world.pass(5_000)
  assert.deepEqual(await world.seen(), ['bad firing', 'bad resolved'])
  const [{ body, 'millrace-signature': signature, 'idempotency-key': key } = {}] = world.headers
  const [, t, v1] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature!)!
  assert.equal(v1, createHmac('sha256', 'key').update(`${t}.${body}`).digest('hex'))
  assert.equal(key, 'bad:1000000:firing')
  world.channel.failures = 9
  alerts.ran('m', 'failed', 'no')
  await world.pass(20_000)
  await world.pass(20_000)
  assert.match(world.errors[0]!, /alert bad could not be sent: .*503/)
})

const JOB = { manifest: { jobs: [{ name: 'nightly', run: ['a', 'b'] }] } }

test('an alert on a job holds until nothing of it is broken', async () => {
  await using world = await setUp([alertOf('bad', { kind: 'run', asset: 'nightly' })], JOB)
  const alerts = world.open()
  alerts.start()
  alerts.ran('a', 'failed', 'no')
  alerts.ran('b', 'succeeded', null)
  assert.deepEqual(await world.seen(), ['bad firing'])
  alerts.ran('b', 'failed', null)
  alerts.ran('a', 'succeeded', null)
  assert.deepEqual(await world.seen(), [])
  alerts.ran('b', 'succeeded', null)
  assert.deepEqual(await world.seen(), ['bad resolved'])
})

test('what was broken before a restart still holds an alert', async () => {
  await using world = await setUp([alertOf('bad', { kind: 'run', asset: 'nightly' })], JOB)
  const first = world.open()
  first.start()
  first.ran('a', 'failed', 'no')
  assert.deepEqual(await world.seen(), ['bad firing'])
  first.stop()
  const second = world.open()
  second.start([['a', 'no']])
  await world.pass(0)
  second.ran('b', 'succeeded', null)
  assert.deepEqual(await world.seen(), [])
  second.ran('a', 'succeeded', null)
  assert.deepEqual(await world.seen(), ['bad resolved'])
})

const tableOf = (operation: string, summary: Record<string, string>): LakeTable =>
  ({ name: 'daily', current: { id: 1n, operation, summary } }) as unknown as LakeTable

test('a load or refresh has new rows when its snapshot added some, or does not say', async () => {
  const fires = async (table: LakeTable): Promise<boolean> => {
    await using world = await setUp([alertOf('news', { kind: 'rows', relation: 'daily' })])
    const alerts = world.open()
    alerts.start()
    alerts.stored(table)
    return (await world.seen()).length > 0
  }
  assert.equal(await fires(tableOf('append', { 'added-records': '3', 'total-records': '9' })), true)
  assert.equal(await fires(tableOf('overwrite', {})), true)
  assert.equal(await fires(tableOf('overwrite', { 'added-records': '0', 'total-records': '0' })), false)
  assert.equal(await fires(tableOf('delete', { 'deleted-records': '3', 'total-records': '0' })), false)
  assert.equal(await fires(tableOf('replace', { 'added-records': '3', 'total-records': '9' })), false)
})

test('rows of a stream are new when its own pipeline lets them through', async () => {
  await using world = await setUp([
    alertOf('fraud', { kind: 'rows', relation: 'suspects' }),
    alertOf('minute', { kind: 'rows', relation: 'per_minute' }),
  ])
  const alerts = world.open()
  const applied = (pipeline: string, out: number): StreamEvent =>
    ({ kind: 'applied', pipeline, partition: 0, lag: 0, delivery: { classified: { out: new Int32Array(out) } } }) as unknown as StreamEvent
  const flushed = (pipeline: string, tables: readonly string[]): StreamEvent => ({ kind: 'flushed', pipeline, tables, rows: 1, tookMs: 1 })
  alerts.start()
  alerts.streamed(applied('process:suspects', 5))
  alerts.streamed(applied('live:per_minute@1', 5))
  alerts.streamed(applied('stream:suspects', 0))
  alerts.streamed(flushed('stream:suspects', ['suspects']))
  alerts.streamed(flushed('live:per_minute@1', []))
  assert.deepEqual(await world.seen(), [])
  alerts.streamed(applied('stream:suspects', 1))
  alerts.streamed(flushed('live:per_minute@1', ['per_minute']))
  assert.deepEqual(await world.seen(), ['fraud firing', 'minute firing'])
})

test('SQL reads views too; every pin is released, also when another one fails', async () => {
  await using tested = await openTestEngine({ threads: 1 })
  const held = new Set<string>()
  const refused = new Set<string>()
  const relations = {
    has: (name: string) => name !== 'doubled',
    async pin(relation: string) {
      if (refused.has(relation)) throw new Error(`no ${relation}`)
      await new Promise((resolve) => setTimeout(resolve, 1))
      held.add(relation)
      return { relation, scanSql: 'SELECT 21 AS n', release: () => void held.delete(relation) }
    },
  } as unknown as RelationStore
  const view = {
    kind: 'model',
    refresh: 'view',
    name: 'doubled',
    inputs: ['numbers'],
    sql: { text: 'SELECT n * $1 AS n FROM numbers', params: [{ kind: 'value', value: 2, type: 'integer' }] },
  }
  const sql = { text: 'SELECT n = 42 FROM doubled', params: [] }
  await using world = await setUp([alertOf('twice', { kind: 'sql', sql, everyMs: 10_000 })], {
    engine: tested.engine,
    relations,
    manifest: { relations: [{ kind: 'table', name: 'numbers' }, { kind: 'table', name: 'others' }, view] },
  })
  const alerts = world.open()
  alerts.start()
  await world.pass(10_000)
  while (world.errors.length === 0 && world.sent.length === 0) await world.pass(0)
  assert.deepEqual([world.errors, await world.seen(), [...held]], [[], ['twice firing'], []])
  refused.add('others')
  await world.pass(10_000)
  while (world.errors.length === 0) await world.pass(0)
  assert.match(world.errors[0]!, /no others/)
  assert.deepEqual([...held], [])
  alerts.stop()
})
