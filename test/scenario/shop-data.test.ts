// The shop's data, traffic and SQL, without a server: the files hold what their README says, the replay is the same for
// the same seed and counts what it sends, rows fit the declared shapes, and every query runs in DuckDB over the real data.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { detect } from '../../bench/fraud/detect.ts'
import shop from '../../examples/shop/millrace.ts'
import { suspects } from '../../examples/shop/processors.ts'
import * as streams from '../../examples/shop/streams.ts'
import * as tables from '../../examples/shop/tables.ts'
import { DAMAGES, type Event, printEvent, type StreamName } from '../../examples/shop/traffic/event.ts'
import { orderMonths, readClicks, readOrders } from '../../examples/shop/traffic/files.ts'
import { invoicesOf, isPaid } from '../../examples/shop/traffic/orders.ts'
import { type TimelineOptions, timelineOf } from '../../examples/shop/traffic/timeline.ts'
import { type ReplayOptions, replay } from '../../examples/shop/traffic.ts'
import { VirtualClock } from '../../src/core/clock.ts'
import type { FieldSpec } from '../../src/define/field.ts'
import type { Manifest, SqlText } from '../../src/define/manifest.ts'

import { compile } from '../../src/plan/compile.ts'
import { openBinder } from '../../src/plan/open-binder.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { Shape } from '../../src/schema/type.ts'

const UNTIL = Date.UTC(2026, 10, 25, 16, 20)
const options = (over: Partial<TimelineOptions> = {}): TimelineOptions => ({
  seed: 1,
  untilMs: UNTIL,
  months: 2,
  whole: false,
  faults: { duplicates: 0.002, late: 0.002, bad: 0.001 },
  fraud: 0.012,
  ...over,
})

test('the transactions are those of the README', () => {
  const rows = [42481, 35147, 27707, 36748, 29916, 37030, 36874, 39518, 35284, 50226, 60742, 84711, 25525]
  const seen = { rows: [] as number[], invoices: 0, paid: 0, anonymous: 0, bare: 0, negative: 0, cancelled: 0, free: 0, mills: 0 }
  const products = new Set<string>()
  const customers = new Set<string>()
  const countries = new Set<string>()
  for (const month of orderMonths()) {
    const lines = readOrders(month)
    const invoices = invoicesOf(lines)
    seen.rows.push(lines.length)
    seen.invoices += invoices.length
    seen.paid += invoices.filter(isPaid).length
    for (const line of lines) {
      products.add(line.product)
      countries.add(line.country)
      if (line.customer === undefined) seen.anonymous++
      else customers.add(line.customer)
      if (line.description === undefined) seen.bare++
      if (line.quantity < 0) seen.negative++
      if (line.invoice.startsWith('C')) seen.cancelled++
      if (line.unitPriceMills <= 0) seen.free++
      seen.mills += line.quantity * line.unitPriceMills
    }
  }
  assert.deepEqual(seen, {
    rows,
    invoices: 25900,
    paid: 18532,
    anonymous: 135080,
    bare: 1454,
    negative: 10624,
    cancelled: 9288,
    free: 2517,
    mills: 9747747934,
  })
  assert.equal(
    rows.reduce((sum, n) => sum + n, 0),
    541909,
  )
  assert.deepEqual([products.size, customers.size, countries.size], [4070, 4372, 38])
})

test('the clicks are those of the README', () => {
  const clicks = readClicks()
  assert.equal(clicks.length, 165474)
  assert.equal(new Set(clicks.map((click) => click.session)).size, 24026)
  assert.equal(new Set(clicks.map((click) => click.product)).size, 217)
  assert.equal(new Date(clicks[0]!.dayMs).toISOString().slice(0, 10), '2008-04-01')
  assert.equal(new Date(clicks.at(-1)!.dayMs).toISOString().slice(0, 10), '2008-08-13')
})

/** The first `count` events, printed and hashed. */
function fingerprint(over: Partial<TimelineOptions>, count = 20_000): string {
  const digest = createHash('sha256')
  for (const event of timelineOf(options(over)).history()) {
    digest.update(printEvent(event))
    if (--count === 0) break
  }
  return digest.digest('hex')
}

test('the same seed gives the same traffic, another seed another', () => {
  assert.equal(fingerprint({}), fingerprint({}))
  assert.notEqual(fingerprint({}), fingerprint({ seed: 2 }))
})

test('whole: every row of the files is history, by time, and weekdays stay', () => {
  const rows: Record<string, number> = {}
  const last = new Map<StreamName, Event>()
  for (const event of timelineOf(options({ months: 13, whole: true, fraud: 0 })).history()) {
    const before = last.get(event.stream)
    assert.ok(!before || before.atMs <= event.atMs, `${event.stream} is not in order of time`)
    last.set(event.stream, event)
    if (event.kind === 'row') rows[event.stream] = (rows[event.stream] ?? 0) + 1
  }
  assert.deepEqual(rows, { order_lines: 541909, payments: 18532, clicks: 165474 })
  const end = new Date(last.get('order_lines')!.atMs)
  assert.equal(end.toISOString(), '2026-11-20T12:50:00.000Z') // 2011-12-09 was a Friday too
  assert.equal(end.getUTCDay(), 5)
})

/** The columns of each relation that the replay fills, and the scanner that the server would use. */
const shapes = new Map<string, Shape>(
  [streams.clicks, streams.payments, streams.fraudLabels, tables.orderLines].map((relation) => [relation.$name, shapeOf(relation.$shape)]),
)
const scanners = new Map([...shapes].map(([name, shape]) => [name, compileScanner(shape)]))

function shapeOf(columns: Readonly<Record<string, { readonly $field: FieldSpec }>>): Shape {
  return { fields: Object.entries(columns).map(([name, { $field }]) => ({ name, type: $field.type!, optional: $field.optional })) }
}

/** Codes of the rejected lines, by line. */
function rejectsOf(stream: string, lines: readonly string[]): Map<number, string> {
  const { rejects } = scanners.get(stream)!.scan(Buffer.from(lines.join('\n')))
  return new Map(rejects.map((reject) => [reject.line, reject.code]))
}

test('rows fit the declared shapes; bad ones are refused for the reason that was meant', () => {
  const faults = { duplicates: 0.01, late: 0.01, bad: 0.01 }
  const events = Map.groupBy(timelineOf(options({ months: 1, faults })).history(), (event) => event.stream)
  assert.deepEqual([...events.keys()].sort(), [...shapes.keys()].sort())
  for (const [stream, list] of events) {
    const rejects = rejectsOf(
      stream,
      list.map((event) => printEvent(event)),
    )
    for (const [i, event] of list.entries()) assert.equal(rejects.get(i), event.damage && DAMAGES[event.damage], printEvent(event))
    const ids = list
      .filter((event) => event.kind === 'row' || event.kind === 'late')
      .map((event) => event.row['id'] ?? event.row['payment'])
    assert.equal(new Set(ids).size, ids.length, `${stream}: ids are unique`)
    const kinds = [...new Set(list.map((event) => event.kind))].sort()
    const expected = { fraud_labels: ['row'], order_lines: ['bad', 'duplicate', 'row'] }[stream as string] ?? [
      'bad',
      'duplicate',
      'late',
      'row',
    ]
    assert.deepEqual(kinds, expected, stream)
  }
  const lines = events.get('order_lines')!.filter((event) => event.kind === 'row')
  assert.equal(lines.length, 42481 - trimmedAfter('2010-12'))
})

/** How many lines of a month come after the moment to which history is cut (`UNTIL`, back by whole weeks). */
function trimmedAfter(month: string): number {
  const lines = readOrders(month)
  const week = 7 * 24 * 3600 * 1000
  const cutMs = UNTIL - Math.ceil((UNTIL - lines.at(-1)!.placedMs) / week) * week
  return lines.filter((line) => line.placedMs > cutMs).length
}

/** A server that keeps what it is sent, once a key, and is now and then busy or loses its answer. */
function fakeServer() {
  const kept = new Map<string, { stream: string; lines: string[] }>()
  let calls = 0
  const answer: typeof fetch = async (url, init) => {
    const key = new Headers(init?.headers).get('idempotency-key')!
    const lines = String(init?.body).trimEnd().split('\n')
    const stream = String(url).split('/').at(-1)!
    calls++
    if (calls % 7 === 0) return new Response('{"code":"MR_INGEST_PRESSURE"}', { status: 429, headers: { 'retry-after': '0' } })
    assert.ok(!kept.has(key) || kept.get(key)!.lines.join() === lines.join(), 'one key, two bodies')
    kept.set(key, { stream, lines })
    if (calls % 11 === 0) throw new TypeError('connection lost')
    const rejected = rejectsOf(stream, lines).size
    return Response.json({ accepted: lines.length - rejected, rejected, offsets: [], errors: [] }, { status: 202 })
  }
  return { kept, answer }
}

async function replayed(over: Partial<ReplayOptions>) {
  const clock = new VirtualClock(UNTIL)
  const server = fakeServer()
  const running = replay({ url: 'http://shop.test', months: 1, clock, fetch: server.answer, ...over })
  let done = false
  running.finally(() => (done = true)).catch(() => undefined)
  while (!done) await clock.advance(50)
  return { report: await running, kept: [...server.kept.values()], nowMs: clock.nowMs() }
}

test('the replay counts what the server has, through lost answers and back-pressure', async () => {
  const { report, kept } = await replayed({ mode: 'history', faults: { bad: 0.01 } })
  for (const [stream, counts] of Object.entries(report.streams)) {
    const lines = kept.filter((batch) => batch.stream === stream).flatMap((batch) => batch.lines)
    const { row, duplicate, late, bad } = counts
    assert.equal(lines.length, row + duplicate + late + bad, stream)
    assert.equal(counts.accepted + counts.rejected, lines.length, stream)
    assert.equal(counts.rejected, bad, stream)
    assert.equal(
      Object.values(counts.badBy).reduce((sum, n) => sum + n, 0),
      bad,
    )
  }
  assert.equal(report.sent, kept.flatMap((batch) => batch.lines).length)
  assert.ok(report.streams.clicks.retried > 0)
  assert.equal(report.phase, 'done')
})

test('the live part keeps its pace, takes the moment of sending as time, and ends', async () => {
  const { report, kept, nowMs } = await replayed({ mode: 'live', months: 13, speed: 50, liveMs: 20_000, faults: { bad: 0, late: 0 } })
  assert.ok(Math.abs(report.sent - 1000) < 50, `sent ${report.sent} in 20 s`)
  for (const line of kept.filter((batch) => batch.stream === 'clicks').flatMap((batch) => batch.lines)) {
    const seenMs = Date.parse(JSON.parse(line).seen)
    assert.ok(seenMs >= UNTIL && seenMs <= nowMs, line)
  }
  assert.ok(report.streams.clicks.row > 0 && report.streams.order_lines.row > 0)
})

/** Options are no part of a relation's type. */
const howOf = (relation: object): unknown => (relation as { $how: unknown }).$how

/** Statement and parameters as DuckDB takes them; windows over streams as the plain SQL that they mean. */
function runnable(text: SqlText, request: Record<string, string | number> = {}) {
  const windows = /tumble\(("\w+"), ("\w+"\.)?("\w+"), (INTERVAL 1 MINUTE)\)/g
  const plain = text.text.replace(windows, '(SELECT *, time_bucket($4, $3) AS window_start FROM $1)')
  return { plain, values: text.params.map((param) => (param.kind === 'value' ? param.value : request[param.name]!)) }
}

describe('the SQL of the shop over two months of the real data', () => {
  const folder = mkdtempSync(join(tmpdir(), 'shop-'))
  let db: DuckDBConnection
  let manifest: Manifest
  const rows = async (text: string | SqlText, request = {}): Promise<Record<string, unknown>[]> => {
    const { plain, values } = typeof text === 'string' ? { plain: text, values: [] } : runnable(text, request)
    return (await db.runAndReadAll(plain, values)).getRowObjectsJson() as Record<string, unknown>[]
  }
  const only = async (text: string): Promise<unknown[]> => Object.values((await rows(text))[0]!)

  before(async () => {
    const binder = await openBinder()
    const compiled = await compile(shop, binder, { root: join(import.meta.dirname, '../../examples/shop') })
    binder.close()
    assert.deepEqual(compiled.findings, [])
    manifest = compiled.manifest
    db = await (await DuckDBInstance.create()).connect()
    await db.run("SET TimeZone = 'UTC'")
    await loadHistory(db, folder)
    await loadFiles(db)
    for (const relation of manifest.relations) {
      if (relation.kind !== 'model') continue
      const { plain, values } = runnable(relation.sql)
      await db.run(`CREATE TABLE ${relation.name} AS ${plain}`, values)
    }
  })
  after(() => rmSync(folder, { recursive: true }))

  test('every model has rows, its declared columns, and a key that identifies', async () => {
    const models = manifest.relations.filter((relation) => relation.kind === 'model')
    assert.equal(models.length, 11)
    for (const model of models) {
      const [count] = await only(`SELECT count(*)::INT FROM ${model.name}`)
      assert.ok(Number(count) > 0, model.name)
      const columns = (await rows(`DESCRIBE ${model.name}`)).map((column) => column['column_name'])
      assert.deepEqual(
        columns,
        model.shape.fields.map((field) => field.name),
        model.name,
      )
      if (model.key.length === 0) continue
      const key = model.key.join(', ')
      assert.deepEqual(await rows(`SELECT ${key} FROM ${model.name} GROUP BY ${key} HAVING count(*) > 1`), [], model.name)
      for (const field of model.shape.fields.filter((field) => !field.optional))
        assert.deepEqual(
          await only(`SELECT count(*)::INT FROM ${model.name} WHERE ${field.name} IS NULL`),
          [0],
          `${model.name}.${field.name}`,
        )
    }
  })

  test('the star schema loses nothing and knows every country', async () => {
    const [lines, revenue] = await only('SELECT count(*)::INT, sum(amount)::VARCHAR FROM order_lines')
    assert.deepEqual(await only('SELECT count(*)::INT, sum(amount)::VARCHAR FROM fact_sales'), [lines, revenue])
    assert.deepEqual(await only('SELECT sum(lines)::INT, sum(revenue)::VARCHAR FROM daily_revenue'), [lines, revenue])
    assert.deepEqual(
      await only(
        "SELECT count(*)::INT FROM fact_sales WHERE country = 'Unknown' AND id NOT IN (SELECT id FROM order_lines WHERE country IN ('Unspecified', 'European Community'))",
      ),
      [0],
    )
    assert.deepEqual(
      await only("SELECT count(*)::INT FROM fact_sales WHERE product NOT IN (SELECT code FROM dim_product WHERE assortment = 'gifts')"),
      [0],
    )
    assert.deepEqual(await only('SELECT count(*)::INT FROM fact_sales WHERE country NOT IN (SELECT name FROM dim_country)'), [0])
    assert.deepEqual(
      await only("SELECT count(*)::INT FROM clicks WHERE product NOT IN (SELECT code FROM dim_product WHERE assortment = 'clothing')"),
      [0],
    )
    const [usd, eur] = await only('SELECT min(usd / gbp), min(eur / gbp) FROM monthly_revenue')
    assert.ok(Number(usd) > 1.2 && Number(usd) < 1.5 && Number(eur) > 1 && Number(eur) < 1.3, `${usd} USD, ${eur} EUR for a pound`)
  })

  test('fraud is found mostly, and not perfectly', async () => {
    const [recall, precision] = (await only('SELECT recall, precision FROM fraud_quality')).map(Number)
    assert.ok(recall! > 0.7 && recall! < 1, `recall ${recall}`)
    assert.ok(precision! > 0.7 && precision! < 1, `precision ${precision}`)
  })

  test('every endpoint, tile, alert and check of SQL runs', async () => {
    const request = { country: 'France', since: '2026-01-01', limit: 10 }
    const counts = await Promise.all(manifest.endpoints.map(async ({ sql }) => (await rows(sql, request)).length))
    assert.equal(counts.length, 3)
    assert.ok(
      counts.every((count) => count >= 10),
      `rows of endpoints: ${counts}`,
    )
    const tiles = manifest.dashboards.flatMap((board) => board.tiles)
    assert.deepEqual([...new Set(tiles.map((tile) => tile.kind))].sort(), ['bar', 'heat', 'line', 'number', 'table'])
    for (const tile of tiles) assert.ok((await rows(tile.sql)).length > 0, tile.title)
    for (const { name, when } of manifest.alerts) if (when.kind === 'sql') assert.equal((await rows(when.sql)).length, 1, name)
    const rules = manifest.checks.flatMap((set) => set.checks.map((check) => check.rule))
    for (const rule of rules) if (rule.kind === 'sql') assert.deepEqual(await rows(rule.sql), [])
  })
})

/** Streams and order lines from the sound rows of the replay, suspects from the processor. */
async function loadHistory(db: DuckDBConnection, folder: string): Promise<void> {
  const lines = new Map<string, string[]>([...shapes.keys()].map((name) => [name, []]))
  for (const event of timelineOf(options()).history()) if (event.kind === 'row') lines.get(event.stream)!.push(printEvent(event))
  const { suspects: found } = await detect(lines.get('payments')!, 'same thread')
  lines.set(
    'suspects',
    found.map((row) => JSON.stringify(row)),
  )
  for (const [name, shape] of [...shapes, ['suspects', shapeOf(suspects.$shape)] as const]) {
    const path = join(folder, `${name}.ndjson`)
    writeFileSync(path, lines.get(name)!.join('\n'))
    const columns = shape.fields.map((field) => `'${field.name}': '${toDuckType(field.type)}'`).join(', ')
    await db.run(`CREATE TABLE ${name} AS SELECT * FROM read_json('${path}', format = 'newline_delimited', columns = {${columns}})`)
  }
}

/** Tables from files, as they say that they are read. */
async function loadFiles(db: DuckDBConnection): Promise<void> {
  for (const table of Object.values(tables)) {
    const { from } = howOf(table) as { from: { $source: string; path?: string; columns?: Record<string, string> } }
    if (from.$source !== 'files') continue
    const columns = Object.entries(table.$shape).map(
      ([name, field]) => `CAST("${from.columns?.[name] ?? name}" AS ${toDuckType(field.$field.type!)}) AS "${name}"`,
    )
    const path = join(import.meta.dirname, '../../examples/shop', from.path!)
    await db.run(`CREATE TABLE ${table.$name} AS SELECT ${columns.join(', ')} FROM read_csv('${path}', all_varchar = true)`)
  }
}
