// Every finding of the compiler, each by the smallest project that earns it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ModelManifest } from '../define/manifest.ts'
import {
  alert,
  between,
  checks,
  dashboard,
  emitted,
  endpoint,
  failed,
  files,
  fresh,
  grant,
  heat,
  http,
  job,
  keyed,
  late,
  line,
  masks,
  matches,
  model,
  noRows,
  notNull,
  number,
  policy,
  processor,
  project,
  ref,
  references,
  role,
  rowCountAnomaly,
  shared,
  sql,
  stream,
  t,
  table,
  unique,
} from '../index.ts'
import { fieldOf } from '../schema/type.ts'
import type { Binder } from './binder.ts'
import { type Compiled, type CompileOptions, compile } from './compile.ts'
import { diff } from './diff.ts'
import { openBinder } from './open-binder.ts'
import { describeRun } from './plan.ts'

// Most of what follows does not type-check, which is the point: JavaScript and a stale env file get here too.
// biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
type Wrong = any

let binder: Binder & { close(): void }
before(async () => {
  binder = await openBinder()
})
after(() => binder.close())

const clicks = stream(
  'clicks',
  { id: t.uuid(), session: t.string(), email: t.string().pii('email'), ms: t.int(), seen: t.timestamp() },
  { from: http(), key: 'session', time: 'seen' },
)
const orders = table('orders', { id: t.string(), customer: t.string(), amount: t.decimal(12, 2), placed: t.timestamp() }, { key: 'id' })
const customers = table('customers', { id: t.string(), email: t.string().pii('email').optional(), country: t.string() }, { key: 'id' })
const hidden = masks('hidden', { email: 'hash' })

const compiled = (members: readonly object[], options: CompileOptions = {}): Promise<Compiled> =>
  compile(project('sample', members), binder, { root: import.meta.dirname, ...options })

/** Findings of a project of `members`, as `severity code message | fix`. */
async function findings(...members: readonly object[]): Promise<readonly string[]> {
  const { findings: found } = await compiled(members)
  for (const finding of found) assert.match(finding.at, /^compile\.test\.ts:\d+$/, `${finding.message} has no place`)
  return found.map(({ severity, code, message, fix }) => `${severity} ${code} ${message} | ${fix}`)
}

async function expectOne(pattern: RegExp, ...members: readonly object[]): Promise<void> {
  const found = await findings(...members)
  assert.equal(found.length, 1, `expected one finding, got:\n${found.join('\n')}`)
  assert.match(found[0]!, pattern)
}

test('a sound project has no findings', async () => {
  const daily = model(
    'marts.daily',
    sql`SELECT CAST(${orders.placed} AS date) AS day, ${customers.country}, sum(${orders.amount}) AS revenue
      FROM ${orders} JOIN ${customers} ON ${orders.customer} = ${customers.id} GROUP BY ALL`,
    { refresh: 'incremental', by: 'day', key: ['day', 'country'], onChange: 'recompute', fresh: '10 minutes' },
  )
  const views = model(
    'views',
    sql`SELECT session, window_start, count(*) AS n FROM tumble(${clicks}, ${clicks.seen}, INTERVAL 1 MINUTE) GROUP BY ALL`,
    {
      fresh: 'live',
    },
  )
  assert.deepEqual(await findings(clicks, orders, customers, hidden, daily, views), [])
})

test('places point at the line in the SQL, through nested SQL and holes', async () => {
  const inner = sql`SELECT id
    FROM orders
    WHERE nope = 1`
  const bad = model(
    'bad',
    sql`
    SELECT ${'ä'} AS umlaut, id
    FROM (${inner}) AS x`,
  )
  const { findings: found } = await compiled([orders, bad])
  const innerLine = Number(/:(\d+)$/.exec(inner.$at)![1])
  assert.equal(found[0]?.at, `compile.test.ts:${innerLine + 2}`)
  const wrong = sql`
    SELECT 'ää' AS x,
    FROM orders WHERE AND`
  const { findings: second } = await compiled([orders, model('syntax', wrong)])
  assert.equal(second[0]?.code, 'MR_PLAN_SQL')
  assert.equal(second[0]?.at, `compile.test.ts:${Number(/:(\d+)$/.exec(wrong.$at)![1]) + 2}`)
})

test('a window is over a name: where else it is over is said at its place', async () => {
  for (const how of [undefined, { fresh: 'live' }] as const) {
    const windows = sql`SELECT 'ää' AS a, count(*) AS n
      FROM tumble(
        (SELECT * FROM clicks), seen, INTERVAL 1 MINUTE) GROUP BY ALL`
    const { findings: found } = await compiled([clicks, hidden, how ? model('m', windows, how) : model('m', windows)])
    assert.equal(found.length, 1)
    const { code, message, at, fix } = found[0]!
    assert.deepEqual([code, message], ['MR_PLAN_SQL', 'model "m": the first argument of tumble is the name of a relation'])
    assert.equal(fix, 'put the query into WITH, and write the name that it has there')
    assert.equal(at, `compile.test.ts:${Number(/:(\d+)$/.exec(windows.$at)![1]) + 2}`)
  }
})

test('unknown relations and columns, with the nearest name', async () => {
  await expectOne(
    /error MR_PLAN_UNKNOWN model "m": there is no relation "ordrs" \| did you mean "orders"\?/,
    orders,
    model('m', sql`SELECT * FROM ordrs`),
  )
  await expectOne(
    /MR_PLAN_UNKNOWN model "m": there is no column "amont" \| did you mean "amount"/,
    orders,
    model('m', sql`SELECT amont FROM orders`),
  )
  await expectOne(/MR_PLAN_UNKNOWN model "m": "o" has no column "amont"/, orders, model('m', sql`SELECT o.amont FROM orders AS o`))
  await expectOne(
    /MR_PLAN_UNKNOWN model "m": there is no function "summ" \| did you mean "sum"/,
    orders,
    model('m', sql`SELECT summ(amount) AS s FROM orders`),
  )
  await expectOne(
    /model "m": "orders" \(compile.test.ts:\d+\) is not part of the project/,
    customers,
    hidden,
    model('m', sql`SELECT id FROM ${orders}`),
  )
  assert.deepEqual(
    await findings(
      clicks,
      hidden,
      model('m', sql`SELECT raw FROM clicks__rejected`),
      model('l', sql`SELECT _watermark, id FROM clicks__late`),
    ),
    [],
  )
})

test('names: form, namespaces, duplicates', async () => {
  await expectOne(
    /MR_DEFINE_NAME table "dailyRevenue": the name is not \[namespace.\]snake_case \| call it "daily_revenue"/,
    table('dailyRevenue', { id: t.int() }),
  )
  await expectOne(/MR_DEFINE_NAME table "main.orders": "main" is not written \| call it "orders"/, table('main.orders', { id: t.int() }))
  await expectOne(/MR_DEFINE_NAME table "millrace.orders": the namespace "millrace" is reserved/, table('millrace.orders', { id: t.int() }))
  await expectOne(/MR_DEFINE_NAME table "a.b.c": .* \| call it "a.b_c"/, table('a.b.c', { id: t.int() }))
  await expectOne(/MR_DEFINE_NAME table ""/, table('', { id: t.int() }))
  for (const name of ['pg_catalog.x', 'a"b']) {
    const odd = table(name, { id: t.int() })
    await expectOne(/MR_DEFINE_NAME table/, odd, model('reader', sql`SELECT id FROM ${odd}`))
  }
  await expectOne(/MR_DEFINE_NAME table "a__late"/, table('a__late', { id: t.int() }))
  await expectOne(/MR_DEFINE_NAME role "Analyst"/, role('Analyst'))
  await expectOne(
    /MR_DEFINE_DUPLICATE model "orders" has the name of the table at compile.test.ts:\d+/,
    orders,
    model('orders', sql`SELECT 1 AS x`),
  )
})

test('columns: names, reserved words, doubles, types', async () => {
  await expectOne(/warning MR_PLAN_RESERVED table "a": the column "at" is a reserved word/, table('a', { at: t.timestamp() }))
  await expectOne(/MR_DEFINE_NAME table "a": "_offset" is not a column name/, table('a', { _offset: t.int() }))
  await expectOne(/MR_DEFINE_DUPLICATE table "a" has two columns "ID"/, table('a', { id: t.int(), ID: t.int() }))
  await expectOne(/MR_DEFINE_DUPLICATE model "m" has two columns "x"/, model('m', sql`SELECT 1 AS x, 2 AS x`))
  await expectOne(
    /MR_DEFINE_NAME model "m": "count_star\(\)" is not a column name \| name the expression with AS/,
    orders,
    model('m', sql`SELECT count(*) FROM orders`),
  )
  await expectOne(
    /MR_SCHEMA_TYPE model "m": the column "x" is INTERVAL\[\], .* \| write to_json/,
    model('m', sql`SELECT [INTERVAL 1 DAY] AS x`),
  )
  await expectOne(/MR_SCHEMA_TYPE model "m": the column "x" is INTERVAL/, model('m', sql`SELECT INTERVAL 1 DAY AS x`))
  await expectOne(/MR_SCHEMA_TYPE table "a", column "x": decimal\(40, 2\) does not exist/, table('a', { x: t.decimal(40, 2), y: t.int() }))
  await expectOne(/MR_DEFINE_VALUE table "a", column "x" is not a field/, table('a', { x: 'string' as Wrong, y: t.int() }))
  await expectOne(/MR_DEFINE_VALUE table "a" has no columns/, table('a', {}))
})

test('nested columns: sound at every depth, keys stay flat, masks are about the whole', async () => {
  const of = (type: Wrong, how: object = {}) => table('a', { id: t.int(), x: type }, how as Wrong)
  assert.deepEqual(
    await findings(of(t.map(t.uuid(), t.list(t.struct({ 'odd "name': t.decimal(4, 2).optional() })))), model('m', sql`SELECT [1] AS x`)),
    [],
  )
  await expectOne(/MR_SCHEMA_TYPE table "a", column "x", element: decimal\(40, 2\) does not exist/, of(t.list(t.decimal(40, 2))))
  await expectOne(
    /MR_SCHEMA_TYPE table "a", column "x": a map's key cannot be double \| keys are string, /,
    of(t.map(t.double() as Wrong, t.int())),
  )
  await expectOne(/MR_DEFINE_DUPLICATE table "a", column "x" has two members "A"/, of(t.struct({ a: t.int(), A: t.int() })))
  await expectOne(/MR_DEFINE_VALUE table "a", column "x" is a struct without members/, of(t.struct({})))
  await expectOne(/MR_DEFINE_VALUE table "a", column "x", value has no type/, of(t.map(t.string(), 'string' as Wrong)))
  const deep = Array.from({ length: 20 }).reduce<Wrong>((inner) => t.list(inner), t.int())
  await expectOne(/MR_SCHEMA_TYPE table "a", column "x", .* is nested deeper than 16 levels/, of(deep))
  const items = t.list(t.int())
  await expectOne(/MR_PLAN_KEY table "a", key: "x" is a list \| name a flat column/, of(items, { key: 'x' }))
  await expectOne(/MR_PLAN_KEY table "a", cluster: "x" is a list/, of(items, { cluster: ['x'] }))
  await expectOne(/MR_PLAN_KEY table "a": bucket of "x" is not possible, it is list\(int\)/, of(items, { partition: ['bucket(4, x)'] }))
  await expectOne(
    /MR_SCHEMA_TYPE table "a": "x" is a list, which csv cannot hold/,
    of(items, { from: files({ path: 'x', format: 'csv' }) }),
  )
  const s = (how: object) => stream('s', { id: t.int(), x: items }, { from: http(), ...how } as Wrong)
  await expectOne(/MR_PLAN_KEY stream "s", key: "x" is a list/, s({ key: 'x' }))
  await expectOne(/MR_PLAN_KEY stream "s", dedupe.by: "x" is a list/, s({ dedupe: { by: 'x', within: '1 hour' } }))
  await expectOne(/MR_PLAN_KEY stream "s": the time "x" is list\(int\)/, s({ time: 'x' }))
  await expectOne(
    /MR_PLAN_POLICY table "a", column "x" holds personal data \("email"\), but masks are about whole columns \| add \.pii\('email'\)/,
    of(t.struct({ mail: t.string().pii('email') })),
    hidden,
  )
  const mail = t.string().pii('email')
  for (const type of [t.list(mail), t.map(t.string(), mail), t.map(mail, t.int()), t.list(t.map(t.int(), t.list(mail)))]) {
    await expectOne(
      /MR_PLAN_POLICY table "a", column "x" holds personal data \("email"\), but masks are about whole columns/,
      of(type),
      hidden,
    )
    assert.deepEqual(await findings(of(type.pii('email')), hidden), [])
  }
  await expectOne(
    /MR_PLAN_POLICY table "a", column "x" is tagged "person" and holds "email", but masks are about whole columns \| /,
    of(t.struct({ name: t.string().pii('person'), mail }).pii('person')),
    masks('persons', { person: 'hash' }),
  )
  const tagged = of(t.struct({ mail: t.string().pii('email'), 'odd name': t.int() }).pii('email'))
  assert.deepEqual(await findings(tagged, hidden), [])
  // A part of a tagged column carries no tag, which is said, however it is taken.
  for (const query of [
    sql`SELECT x.mail FROM a`,
    sql`SELECT a.x.mail FROM a`,
    sql`SELECT o.x."odd name" AS n FROM a AS o`,
    sql`SELECT x['mail'] AS m FROM a`,
    sql`SELECT unnest([x]).mail AS m FROM a`,
    sql`SELECT m.mail FROM (SELECT x AS m FROM a) AS q`,
  ])
    await expectOne(
      /MR_PLAN_POLICY model "m": ".*" is computed from a\.x, personal data tagged "email", and does not carry the tag/,
      tagged,
      hidden,
      model('m', query),
    )
  assert.deepEqual(await findings(tagged, hidden, model('m', sql`SELECT x AS whole FROM a`)), [])
  await expectOne(
    /MR_PLAN_TYPE model "m" declares "x" as struct\(a int, b int\), but its SQL gives struct\(a int optional\)/,
    model('m', sql`SELECT {'a': 1} AS x`, { columns: { x: t.struct({ a: t.int(), b: t.int() }) } } as Wrong),
  )
  await expectOne(
    /MR_PLAN_LIVE_SHAPE model "m": the column "x", which is a list, is not supported in a live model \| leave it out/,
    s({}),
    model('m', sql`SELECT id FROM s WHERE x IS NOT NULL`, { fresh: 'live' }),
  )
})

test('references by ref and by column', async () => {
  await expectOne(
    /MR_DEFINE_COLUMN table "a", column "b" refers to "a.idd", but "a" has no such column \| did you mean "id"/,
    table('a', { id: t.int(), b: ref('a.idd', t.int()) }),
  )
  await expectOne(
    /MR_PLAN_TYPE table "a", column "b" is string, but "a.id" is int/,
    table('a', { id: t.int(), b: ref('a.id', t.string()) }),
  )
  await expectOne(
    /MR_PLAN_UNKNOWN table "a", column "b" refers to "c.id", but there is no relation "c"/,
    table('a', { id: t.int(), b: ref('c.id', t.int()) }),
  )
  const totals = model('totals', sql`SELECT customer, sum(amount) AS total FROM ${orders} GROUP BY customer`)
  const { manifest, ok } = await compiled([
    table('copy', { total: (totals as Wrong).total, who: (totals as Wrong).customer }),
    totals,
    orders,
  ])
  assert.ok(ok)
  const copy = manifest.relations.find(({ name }) => name === 'copy')!
  assert.deepEqual(
    copy.shape.fields.map(({ name, type }) => [name, type.kind]),
    [
      ['total', 'decimal'],
      ['who', 'string'],
    ],
  )
  await expectOne(
    /MR_DEFINE_COLUMN table "copy", column "x", taken from totals: there is no column "nope"/,
    table('copy', { x: (totals as Wrong).nope, y: t.int() }),
    totals,
    orders,
  )
})

test('circles', async () => {
  await expectOne(/MR_PLAN_CYCLE "a" reads "b" reads "a": none of them/, model('a', sql`SELECT x FROM b`), model('b', sql`SELECT x FROM a`))
  await expectOne(/MR_PLAN_CYCLE "a" reads itself/, model('a', sql`SELECT x FROM a`))
})

test('streams: key, time, dedupe, partitions, log', async () => {
  const shape = { id: t.uuid(), session: t.string(), maybe: t.timestamp().optional(), seen: t.timestamp() }
  const of = (how: object) => stream('s', shape, { from: http(), ...how } as Wrong)
  await expectOne(/MR_PLAN_KEY stream "s", key: there is no column "sesion" \| did you mean "session"/, of({ key: 'sesion' }))
  await expectOne(/MR_PLAN_KEY stream "s": the time "session" is string/, of({ time: 'session' }))
  await expectOne(/MR_PLAN_KEY stream "s": the time "maybe" may be null/, of({ time: 'maybe' }))
  await expectOne(/warning MR_PLAN_KEY stream "s": lateness and maxSkew have no effect/, of({ lateness: '1 minute' }))
  await expectOne(
    /MR_PLAN_KEY stream "s": duplicates are looked for in each partition, but rows of one "id" go to any of 4 \| add key: 'id'/,
    of({ partitions: 4, dedupe: { by: 'id', within: '1 hour' } }),
  )
  await expectOne(/MR_PLAN_KEY stream "s": the log is kept shorter/, of({ dedupe: { by: 'id', within: '8 days' } }))
  await expectOne(/MR_PLAN_KEY stream "s", dedupe.by: there is no column "idd"/, of({ key: 'id', dedupe: { by: 'idd', within: '1 hour' } }))
  await expectOne(/MR_DURATION stream "s", lateness: "1 fortnight" is not a duration/, of({ time: 'seen', lateness: '1 fortnight' }))
  await expectOne(
    /MR_DEFINE_VALUE stream "s" has an option "latenes", which does not exist \| did you mean "lateness"/,
    of({ latenes: '1 hour' }),
  )
  await expectOne(/MR_DEFINE_VALUE stream "s": 0 partitions are not possible/, of({ partitions: 0 }))
  await expectOne(/MR_PLAN_KEY stream "s": day of "session" is not possible, it is string/, of({ partition: ['day(session)'] }))
  await expectOne(/MR_PLAN_KEY stream "s": "dayly\(seen\)" is not a partition/, of({ partition: ['dayly(seen)'] }))
  await expectOne(/MR_PLAN_KEY stream "s", cluster: there is no column "x"/, of({ cluster: ['x'] }))
})

test('keep: which time says how old rows are, and where they may go', async () => {
  const columns = { id: t.string(), made: t.timestamp(), due: t.date() }
  const kept = (how: object, shape: object = columns) => table('kept', shape as Wrong, { key: 'id', load: 'append', ...how } as Wrong)
  await expectOne(/MR_PLAN_KEEP.*made and due are times/, kept({ keep: { table: '9 days' } }))
  await expectOne(/MR_PLAN_KEEP.*none of its columns is a time/, kept({ keep: { table: '9 days' } }, { id: t.string() }))
  await expectOne(/MR_PLAN_KEEP.*"id" is no time/, kept({ keep: { table: '9 days', by: 'id' } }))
  await expectOne(/MR_PLAN_KEEP.*"maid" is not a column/, kept({ keep: { table: '9 days', by: 'maid' } }))
  await expectOne(/MR_PLAN_KEEP.*keep.archive without keep.table/, kept({ keep: { archive: true } }))
  await expectOne(/MR_DEFINE_VALUE.*no member "tables"/, kept({ keep: { tables: '9 days' } }))
  await expectOne(/MR_PLAN_KEEP.*"cold" is no place/, kept({ keep: { table: '9 days', by: 'due', archive: 'cold' } }))
  const full = table('full', columns, {
    from: files({ path: 'x/*.csv', format: 'csv' }),
    keep: { table: '9 days', by: 'due', archive: true },
  } as Wrong)
  await expectOne(/MR_PLAN_KEEP.*archived rows would come again/, full)
  const plain = table('plain', { id: t.string() }, { key: 'id' })
  await expectOne(
    /MR_PLAN_KEEP.*is a view/,
    plain,
    model('v', sql`SELECT * FROM ${plain}`, { refresh: 'view', keep: { table: '1 day' } } as Wrong),
  )

  const keepOf = async (...members: readonly object[]) => (await compiled(members)).manifest.relations.at(-1)!.keep
  const logMs = 7 * 86_400_000
  const tableMs = 9 * 86_400_000
  assert.deepEqual(await keepOf(kept({ partition: ['month(made)'], keep: { table: '9 days' } })), { logMs, tableMs, by: 'made' })
  const placed = kept({ keep: { table: '9 days', by: 'due', archive: 's3://bucket/cold/' } })
  assert.deepEqual(await keepOf(placed), { logMs, tableMs, by: 'due', archive: 's3://bucket/cold' })
  const events = (how: object) => stream('events', { id: t.string(), seen: t.timestamp() }, { from: http(), ...how } as Wrong)
  assert.deepEqual(await keepOf(events({ keep: { table: '9 days', archive: true } })), { logMs, tableMs, by: '_ingested_at', archive: '' })
  assert.equal((await keepOf(events({ time: 'seen', keep: { table: '9 days' } }))).by, 'seen')
  // The archive can be named as a relation.
  const archived = events({ keep: { table: '9 days', archive: true } })
  assert.deepEqual(await findings(archived, model('old', sql`SELECT id FROM events__archive`)), [])
})

test('dedupe compares the partition key too, so that the result does not depend on partitions', async () => {
  const { manifest } = await compiled([
    stream(
      's',
      { id: t.uuid(), session: t.string() },
      { from: http(), key: 'session', partitions: 4, dedupe: { by: 'id', within: '1 hour' } },
    ),
  ])
  const [relation] = manifest.relations
  assert.deepEqual(relation?.kind === 'stream' && relation.dedupe, { by: ['session', 'id'], withinMs: 3_600_000 })
})

test('tables: key, load, source, no lateness', async () => {
  const shape = { id: t.string(), other: t.string().optional(), x: t.double() }
  const of = (how: object) => table('a', shape, how as Wrong)
  await expectOne(/MR_PLAN_KEY table "a": the key column "other" may be null/, of({ key: 'other' }))
  await expectOne(/MR_PLAN_KEY table "a": "x" is double and cannot be a key/, of({ key: 'x' }))
  await expectOne(/MR_PLAN_KEY table "a" is merged by key, but has none/, of({ from: http(), load: 'upsert' }))
  await expectOne(/MR_DEFINE_VALUE table "a": rows that arrive by HTTP are merged by key/, of({ from: http(), key: 'id', load: 'full' }))
  await expectOne(
    /MR_DEFINE_VALUE table "a" has an option "lateness", which does not exist \| rows of a table replace each other/,
    of({ key: 'id', lateness: '1 hour' }),
  )
  await expectOne(/MR_DEFINE_VALUE table "a": load "apend" does not exist \| did you mean "append"/, of({ load: 'apend' }))
  const from = (how: object) => of({ from: files({ path: 'x.csv', format: 'csv', ...how } as Wrong) })
  await expectOne(/MR_DEFINE_VALUE table "a": files of format "cvs" cannot be read \| did you mean "csv"/, from({ format: 'cvs' }))
  await expectOne(/MR_PLAN_JOB table "a", files: "61 \* \* \* \*" is not a cron expression/, from({ cron: '61 * * * *' }))
  await expectOne(/MR_PLAN_JOB table "a", files: there is no time zone "Europe\/Londn"/, from({ cron: '0 3 * * *', zone: 'Europe/Londn' }))
  await expectOne(/MR_PLAN_JOB table "a", files has both every and cron/, from({ cron: '0 3 * * *', every: '1 hour' }))
  await expectOne(/MR_DEFINE_COLUMN table "a", files.columns: there is no column "idd"/, from({ columns: { idd: 'ID' } }))
  await expectOne(/MR_DEFINE_VALUE table "a": files has no option "evry" \| did you mean "every"/, from({ evry: '1 hour' }))
})

test('models: refresh, intervals, keys, windows', async () => {
  const windowed = sql`SELECT session, window_start, count(*) AS n FROM tumble(clicks, seen, INTERVAL 1 MINUTE) GROUP BY ALL`
  const of = (how: object, query = sql`SELECT CAST(placed AS date) AS day, sum(amount) AS revenue FROM orders GROUP BY ALL`) =>
    model('m', query, how as Wrong)
  await expectOne(/MR_PLAN_REFRESH model "m" is incremental, but by what\?/, orders, of({ refresh: 'incremental' }))
  await expectOne(
    /MR_PLAN_REFRESH model "m", by: there is no column "dy" \| did you mean "day"/,
    orders,
    of({ refresh: 'incremental', by: 'dy' }),
  )
  await expectOne(/MR_PLAN_REFRESH model "m": by "revenue" is decimal\(38, 2\)/, orders, of({ refresh: 'incremental', by: 'revenue' }))
  await expectOne(/MR_PLAN_KEY model "m", key: there is no column "dayy"/, orders, of({ key: 'dayy' }))
  await expectOne(/MR_PLAN_REFRESH model "m": refresh "ful" does not exist \| did you mean "full"/, orders, of({ refresh: 'ful' }))
  await expectOne(
    /MR_PLAN_REFRESH model "m" is fresh 'live' but its refresh is 'full'/,
    clicks,
    hidden,
    of({ refresh: 'full', fresh: 'live' }, windowed),
  )
  await expectOne(
    /MR_PLAN_KEY model "m": its SQL gives one row, which has no key \| leave key out/,
    clicks,
    hidden,
    of({ fresh: 'live', key: 'n' }, sql`SELECT count(*) AS n FROM clicks`),
  )
  await expectOne(
    /MR_PLAN_REFRESH model "m" is live but reads the table "orders"/,
    orders,
    of({ fresh: 'live' }, sql`SELECT id FROM orders`),
  )
  await expectOne(
    /MR_PLAN_REFRESH model "m": tumble is not for incremental models/,
    clicks,
    hidden,
    of({ refresh: 'incremental', key: 'session' }, windowed),
  )
  await expectOne(
    /MR_PLAN_REFRESH model "m": tumble needs the event time of "clicks", which is "seen", not "ms"/,
    clicks,
    hidden,
    of({ fresh: 'live' }, sql`SELECT window_start, count(*) AS n FROM tumble(clicks, ms, INTERVAL 1 MINUTE) GROUP BY ALL`),
  )
  await expectOne(
    /MR_PLAN_LIVE_SHAPE model "m": a width that is no multiple of the slide is not supported in a live model/,
    clicks,
    hidden,
    of(
      { fresh: 'live' },
      sql`SELECT window_start, count(*) AS n FROM hop(clicks, seen, INTERVAL 2 MINUTE, INTERVAL 5 MINUTE) GROUP BY ALL`,
    ),
  )
  await expectOne(
    /MR_PLAN_KEY model "m": its SQL makes session the key/,
    clicks,
    hidden,
    of({ fresh: 'live', key: 'n' }, sql`SELECT session, count(*) AS n FROM clicks GROUP BY ALL`),
  )
  const joined = sql`SELECT o.id, c.country FROM orders AS o JOIN customers AS c ON o.customer = c.id`
  await expectOne(
    /MR_PLAN_REFRESH model "m" joins "customers", whose rows change/,
    orders,
    customers,
    hidden,
    of({ refresh: 'incremental', key: 'id' }, joined),
  )
  await expectOne(/MR_PLAN_SQL model "m": only a SELECT is allowed here/, of({}, sql`DROP TABLE orders`))
  await expectOne(/MR_PLAN_SQL model "m": this is not one SELECT/, of({}, sql`SELECT 1 AS x; SELECT 2 AS x`))
  await expectOne(/MR_PLAN_SQL model "m": No function matches .*sum\(VARCHAR\)/, orders, of({}, sql`SELECT sum(id) AS s FROM orders`))
})

test('a live model without a window has the key that its SQL makes; in batch a window is its twin', async () => {
  const windowed = sql`SELECT session, window_start, count(*) AS n FROM tumble(clicks, seen, INTERVAL 1 MINUTE) GROUP BY ALL`
  const latest = model('latest', sql`SELECT session, count(*) AS n FROM ${clicks} GROUP BY ALL`, { fresh: 'live' })
  const batch = model('batch', windowed, { refresh: 'full' })
  const { manifest, findings: found } = await compiled([clicks, hidden, latest, batch])
  assert.deepEqual(found, [])
  const byName = (name: string) => manifest.relations.find((relation) => relation.name === name) as ModelManifest
  assert.deepEqual([byName('latest').key, byName('latest').keyed], [['session'], true])
  assert.equal(byName('latest').shape.fields[0]!.optional, false)
  assert.doesNotMatch(byName('batch').sql.text, /tumble/)
  assert.match(byName('batch').sql.text, /time_bucket/)
  assert.equal(byName('batch').keyed, undefined)
})

test('the key of a live model may be null where its SQL says so', async () => {
  const visits = stream('visits', { id: t.int(), country: t.string().optional() }, { from: http() })
  const of = (text: ReturnType<typeof sql>, how = {}) => model('m', text, { fresh: 'live', ...how } as Wrong)
  const optionalOf = async (text: ReturnType<typeof sql>, how = {}): Promise<unknown> => {
    const { manifest, findings: found } = await compiled([visits, of(text, how)])
    assert.deepEqual(found, [])
    const { key, shape } = manifest.relations.find(({ name }) => name === 'm') as ModelManifest
    return key.map((name) => [name, fieldOf(shape, name)!.optional])
  }
  const all = sql`SELECT country, id, count(*) AS n FROM ${visits} GROUP BY ALL`
  assert.deepEqual(await optionalOf(all), [
    ['country', true],
    ['id', false],
  ])
  assert.deepEqual(await optionalOf(sql`SELECT country, count(*) AS n FROM ${visits} WHERE country IS NOT NULL GROUP BY ALL`), [
    ['country', false],
  ])
  assert.deepEqual(await optionalOf(sql`SELECT DISTINCT country FROM ${visits}`, { key: 'country' }), [['country', true]])
  const columns = { country: t.string().optional(), id: t.int(), n: t.long() }
  assert.deepEqual(await optionalOf(all, { columns }), [
    ['country', true],
    ['id', false],
  ])
  await expectOne(
    /MR_PLAN_TYPE model "m" declares "country" as never null, but its SQL may give null \| declare it \.optional\(\), or write coalesce/,
    visits,
    of(all, { columns: { ...columns, country: t.string() } }),
  )
})

test('the best groups of a live model have the key of the groups, and go', async () => {
  const of = (query: ReturnType<typeof sql>) => model('m', query, { fresh: 'live' })
  const ranked = sql`SELECT session, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC) AS place FROM clicks GROUP BY session
    QUALIFY row_number() OVER (ORDER BY count(*) DESC) <= 10`
  const { manifest, findings: found } = await compiled([clicks, hidden, of(ranked)])
  assert.deepEqual(found, [])
  const best = manifest.relations.find(({ name }) => name === 'm') as ModelManifest
  assert.deepEqual([best.key, best.keyed, best.loses], [['session'], true, true])
  assert.match(describeRun(best), /the row of each session follows its inputs, and goes when they no longer make it/)
  await expectOne(
    /MR_PLAN_LIVE_SHAPE model "m": grouping or partitioning by what is not selected .* \| select every column of the key/,
    clicks,
    hidden,
    of(sql`SELECT count(*) AS n FROM clicks GROUP BY session QUALIFY row_number() OVER (ORDER BY count(*) DESC) <= 10`),
  )
})

test('an aggregate over a whole stream is one row without a key, whose values may be null', async () => {
  for (const [text, wanted] of [
    [sql`SELECT count(*) AS n, max(ms) AS most, coalesce(sum(ms), 0) AS total FROM clicks`, undefined],
    [sql`SELECT count(*) AS n, max(ms) AS most, coalesce(sum(ms), 0) AS total FROM clicks GROUP BY ALL`, undefined],
    [sql`SELECT count(*) AS n, max(ms) AS most, coalesce(sum(ms), 0) AS total FROM clicks HAVING count(*) > 3`, true],
  ] as const) {
    const { manifest, findings: found } = await compiled([clicks, hidden, model('m', text, { fresh: 'live' })])
    assert.deepEqual(found, [])
    const { key, keyed: isKeyed, loses, shape } = manifest.relations.find(({ name }) => name === 'm') as ModelManifest
    assert.deepEqual([key, isKeyed, loses], [[], true, wanted])
    assert.deepEqual(
      shape.fields.map(({ name, optional }) => [name, optional]),
      [
        ['n', false],
        ['most', true],
        ['total', false],
      ],
    )
  }
  await expectOne(
    /MR_PLAN_TYPE model "m" declares "most" as never null, but its SQL may give null \| declare it \.optional/,
    clicks,
    hidden,
    model('m', sql`SELECT count(*) AS n, max(ms) AS most FROM ${clicks}`, { fresh: 'live', columns: { n: t.long(), most: t.int() } }),
  )
})

test('a live model may join streams, read subqueries and names of WITH, and window those', async () => {
  const bought = stream('bought', { session: t.string(), paid: t.timestamp() }, { from: http(), time: 'paid', keep: { log: '7 days' } })
  const joined = model(
    'joined',
    sql`WITH j AS (SELECT c.seen, c.session, b.paid FROM ${clicks} c LEFT JOIN ${bought} b ON c.session = b.session
          AND b.paid BETWEEN c.seen AND c.seen + INTERVAL 10 MINUTE)
        SELECT window_start, session, count(paid) AS paid FROM tumble(j, j.seen, INTERVAL 1 MINUTE) GROUP BY ALL`,
    { fresh: 'live' },
  )
  const { manifest, findings: found } = await compiled([clicks, hidden, bought, joined])
  assert.deepEqual(found, [])
  const { inputs, shape, keyed } = manifest.relations.find(({ name }) => name === 'joined') as ModelManifest
  assert.deepEqual(
    [inputs, shape.fields.map(({ name }) => name), keyed],
    [['clicks', 'bought'], ['window_start', 'session', 'paid'], undefined],
  )
  const unbounded = model('m', sql`SELECT c.session FROM ${clicks} c LEFT JOIN ${bought} b ON c.session = b.session`, { fresh: 'live' })
  await expectOne(
    /MR_PLAN_LIVE_SHAPE model "m": a left join without bounds between the times of both sides/,
    clicks,
    hidden,
    bought,
    unbounded,
  )
  const other = model(
    'm',
    sql`SELECT window_start, count(*) AS n FROM tumble(bought, bought.paid, INTERVAL 1 MINUTE) GROUP BY ALL
        UNION ALL SELECT window_start, count(*) AS n FROM tumble(clicks, clicks.ms, INTERVAL 1 MINUTE) GROUP BY ALL`,
    { fresh: 'live' },
  )
  await expectOne(
    /MR_PLAN_REFRESH model "m": tumble needs the event time of "clicks", which is "seen", not "ms"/,
    clicks,
    hidden,
    bought,
    other,
  )
})

test('a live model looks up in keyed tables over HTTP, and has DuckDB compute what the stream engine has no code for', async () => {
  const people = table('people', { id: t.string(), name: t.string() }, { from: http(), key: 'id' })
  const seen = model(
    'seen_by',
    sql`SELECT c.session, regexp_extract(reverse(c.session), '([a-z]+)', 1) AS family, p.name FROM ${clicks} c LEFT JOIN ${people} p ON c.session = p.id`,
    { fresh: 'live' },
  )
  const { manifest, findings: found } = await compiled([clicks, hidden, people, seen])
  assert.deepEqual(found, [])
  const { inputs, computed } = manifest.relations.find(({ name }) => name === 'seen_by') as ModelManifest
  assert.deepEqual([inputs, computed], [['clicks', 'people'], ["regexp_extract(reverse(session), '([a-z]+)', 1)"]])
  assert.match(describeRun(manifest.relations.find(({ name }) => name === 'seen_by')!), /; DuckDB computes for each batch: regexp_extract/)
  const alone = model('m', sql`SELECT id, upper(name) AS name FROM ${people} WHERE name <> ''`, { fresh: 'live', key: 'id' })
  const rows = (await compiled([people, alone])).manifest.relations.find(({ name }) => name === 'm') as ModelManifest
  assert.deepEqual([rows.key, rows.keyed, rows.loses], [['id'], true, true])
  assert.match(describeRun(rows), /the row of each id follows its inputs, and goes when they no longer make it/)
  const names = model('m', sql`SELECT name FROM ${people}`, { fresh: 'live' })
  await expectOne(/MR_PLAN_LIVE_SHAPE model "m": a selection of rows that can go without the whole of their key/, people, names)
  const varying = model('m', sql`SELECT random() AS r FROM ${clicks}`, { fresh: 'live' })
  await expectOne(/MR_PLAN_LIVE_SHAPE model "m": random\(\.\.\.\) is not supported/, clicks, hidden, varying)
})

test('models: declared columns are a contract', async () => {
  const of = (columns: object) => model('m', sql`SELECT id, amount FROM orders`, { columns } as Wrong)
  assert.deepEqual(await findings(orders, of({ id: t.string(), amount: t.decimal(18, 2) })), [])
  await expectOne(
    /MR_PLAN_TYPE model "m" declares "amount" as date, but its SQL gives decimal\(12, 2\)/,
    orders,
    of({ id: t.string(), amount: t.date() }),
  )
  await expectOne(
    /MR_PLAN_TYPE model "m" declares the column "total", but its SQL does not give it/,
    orders,
    of({ id: t.string(), amount: t.decimal(12, 2), total: t.int() }),
  )
  await expectOne(/MR_PLAN_TYPE model "m": its SQL gives the column "amount", which it does not declare/, orders, of({ id: t.string() }))
})

test('a model that does not bind makes no noise downstream', async () => {
  const a = model('a', sql`SELECT nope FROM orders`)
  const b = model('b', sql`SELECT ${(a as Wrong).nope} FROM ${a}`)
  const sound = checks('sound', [unique((b as Wrong).nope)], { on: b })
  await expectOne(/model "a": there is no column "nope"/, orders, a, b, sound)
})

test('personal data: tags follow plain columns, and a warning says where one is lost', async () => {
  const plain = model('plain', sql`SELECT email AS address, count(*) AS n FROM customers GROUP BY email`)
  const { manifest } = await compiled([customers, hidden, plain])
  assert.equal(manifest.relations.find(({ name }) => name === 'plain')?.shape.fields[0]?.pii, 'email')
  const lossy = model('lossy', sql`SELECT split_part(email, '@', 2) AS host FROM customers`)
  await expectOne(
    /warning MR_PLAN_POLICY model "lossy": "host" is computed from customers.email, personal data tagged "email"/,
    customers,
    hidden,
    lossy,
  )
  const declared = model('lossy', sql`SELECT split_part(email, '@', 2) AS host FROM customers`, { columns: { host: t.string() } })
  assert.deepEqual(await findings(customers, hidden, declared), [])
})

test('a live model reads another one by its SQL, and changes with it', async () => {
  const of = (least: number) => [
    clicks,
    hidden,
    model('views', sql`SELECT id, session, seen FROM clicks WHERE ms > ${least}`, { fresh: 'live' }),
    model('minutes', sql`SELECT window_start, count(*) AS n FROM tumble(views, seen, INTERVAL 1 MINUTE) GROUP BY ALL`, { fresh: 'live' }),
    model('sessions', sql`SELECT session, count(*) AS n FROM views GROUP BY session`, { fresh: 'live' }),
    model('busy', sql`SELECT n, count(*) AS m FROM sessions GROUP BY n`, { refresh: 'full', key: 'n' }),
  ]
  assert.deepEqual(await findings(...of(1)), [])
  const [before, after] = [await compiled(of(1)), await compiled(of(2))]
  const changes = diff(before.manifest, after.manifest).filter(({ class: effect }) => effect === 'rebuild')
  assert.deepEqual(
    changes.map(({ name, reasons }) => [name, reasons.some((reason) => reason === 'reads "views", whose SQL changes')]),
    [
      ['views', false],
      ['minutes', true],
      ['sessions', true],
    ],
  )
  // What is refused for how it is read is refused where it stands.
  const whole = stream('whole', { id: t.uuid(), words: t.list(t.string()), seen: t.timestamp() }, { from: http(), time: 'seen' })
  const text = sql`SELECT id, seen, /* äöüß */
    ${'äöüß'} AS note,
    words FROM whole`
  const kept = model('kept', text, { fresh: 'live' })
  const between = model('between', sql`SELECT id FROM kept`, { fresh: 'live' })
  const { findings: found } = await compiled([whole, kept, between])
  assert.deepEqual(
    found.map(({ message, at }) => [message, at]),
    [
      [
        'model "between": in the SQL of the live model "kept": the column "words", which is a list, is not supported in a live model',
        `compile.test.ts:${Number(/:(\d+)$/.exec(text.$at)![1]) + 2}`,
      ],
    ],
  )
  const over = model('over', sql`SELECT n, count(*) AS m FROM sessions GROUP BY n`, { fresh: 'live' })
  assert.deepEqual(await findings(...of(1), over), [])
  const best = model('best', sql`SELECT n, arg_max(session, n) AS m FROM sessions GROUP BY n`, { fresh: 'live' })
  await expectOne(/MR_PLAN_LIVE_SHAPE model "best": arg_max\(...\) over rows that are replaced/, ...of(1), best)
})

test('processors: input, key, state', async () => {
  const of = (how: object) => processor('p', { id: t.uuid() }, { from: clicks, on() {}, ...how } as Wrong)
  await expectOne(/MR_PLAN_KEY processor "p", key: there is no column "sesion"/, clicks, hidden, of({ key: 'sesion' }))
  await expectOne(/MR_DEFINE_VALUE processor "p" reads "orders", which is a table/, orders, of({ from: orders }))
  const odd: readonly (readonly [unknown, RegExp])[] = [
    [() => ({ n: keyed.moments() }), /processor "p": its state is a function \| write state: \{ name: keyed.value/],
    [keyed.moments(), /its state is no object of named states/],
    [{ n: undefined }, /state "n" is not a state/],
    [{ n: keyed.moments }, /state "n" is not a state/],
    [{ n: keyed.ewma(undefined as never) }, /state "n" has no length of time/],
  ]
  for (const [state, message] of odd) await expectOne(message, clicks, hidden, of({ key: 'id', state }))
  await expectOne(/MR_PLAN_KEY processor "p" has state but no key/, clicks, hidden, of({ state: { n: keyed.moments() } }))
  await expectOne(/MR_DURATION processor "p", state "n"/, clicks, hidden, of({ key: 'session', state: { n: keyed.ewma('soon' as Wrong) } }))
  await expectOne(/MR_PLAN_UNKNOWN processor "p", from: stream "clicks" \(.*\) is not part of the project/, of({}))
  const wide = stream('wide', { id: t.uuid(), a: t.string() }, { from: http(), key: 'a', partitions: 2 })
  await expectOne(/MR_PLAN_KEY processor "p" keeps state by "id", but "wide" is partitioned by "a"/, wide, of({ from: wide, key: 'id' }))
  const held = (state: Wrong) => of({ key: 'session', state: { n: state } })
  await expectOne(/MR_DEFINE_VALUE processor "p", state "n" has panes 0/, clicks, hidden, held(keyed.window('1 hour', { panes: 0 })))
  await expectOne(
    /MR_DEFINE_VALUE processor "p", state "n" has precision 40/,
    clicks,
    hidden,
    held(keyed.distinct(t.int(), { precision: 40 })),
  )
  await expectOne(
    /MR_DEFINE_VALUE processor "p", state "n" has the features \["a","a"\]/,
    clicks,
    hidden,
    held(keyed.logistic({ features: ['a', 'a'] })),
  )
  assert.deepEqual(await findings(clicks, hidden, of({ state: { n: shared.moments() } })), [], 'shared state needs no key')
})

test('processors: broadcast tables', async () => {
  const limits = table('limits', { name: t.string() }, { from: http(), key: 'name' })
  const of = (how: object) => processor('p', { id: t.uuid() }, { from: clicks, on() {}, ...how } as Wrong)
  const told = { onBroadcast: { limits() {} } }
  assert.deepEqual(await findings(clicks, hidden, limits, of({ broadcast: { limits }, ...told })), [])
  await expectOne(/MR_DEFINE_VALUE processor "p", broadcast.limits: nothing is done/, clicks, hidden, limits, of({ broadcast: { limits } }))
  await expectOne(
    /MR_DEFINE_VALUE processor "p", broadcast.limits: "orders" is no table that is fed over HTTP/,
    clicks,
    hidden,
    orders,
    of({ broadcast: { limits: orders }, ...told }),
  )
  await expectOne(/MR_PLAN_UNKNOWN processor "p", broadcast.limits: table "limits"/, clicks, hidden, of({ broadcast: { limits }, ...told }))
})

test('processors: outputs', async () => {
  const side = stream('side', { id: t.uuid() }, { from: emitted() })
  const of = (name: string, how: object) => processor(name, { id: t.uuid() }, { from: clicks, on() {}, ...how } as Wrong)
  assert.deepEqual(await findings(clicks, hidden, side, of('p', { outputs: { side } })), [])
  await expectOne(/MR_DEFINE_VALUE stream "side" is emitted, but no processor has it among its outputs/, side)
  await expectOne(
    /MR_DEFINE_VALUE stream "side" is an output of p and q/,
    clicks,
    hidden,
    side,
    of('p', { outputs: { side } }),
    of('q', { outputs: { side } }),
  )
  await expectOne(
    /MR_DEFINE_VALUE processor "p", outputs.clicks: "clicks" has rows of its own/,
    clicks,
    hidden,
    of('p', { outputs: { clicks } }),
  )
  await expectOne(
    /MR_PLAN_UNKNOWN processor "p", outputs.side: stream "side" \(.*\) is not part of the project/,
    clicks,
    hidden,
    of('p', { outputs: { side } }),
  )
  const timed = stream('timed', { seen: t.timestamp() }, { from: emitted(), time: 'seen' })
  await expectOne(
    /MR_PLAN_KEY processor "p", outputs.timed: "timed" has an event time/,
    clicks,
    hidden,
    timed,
    of('p', { outputs: { timed } }),
  )
})

test('checks: columns, types, severities', async () => {
  const of = (...list: readonly Wrong[]) => checks('sound', list, { on: orders })
  await expectOne(
    /MR_PLAN_CHECK check "sound.not_null_id": "id" is a column of "customers", not of "orders"/,
    orders,
    customers,
    hidden,
    of(notNull(customers.id)),
  )
  await expectOne(/MR_PLAN_CHECK check "sound.fresh_id": "id" is string, not a time/, orders, of(fresh(orders.id as Wrong, '1 hour')))
  await expectOne(
    /MR_PLAN_CHECK check "sound.matches_placed": "placed" is timestamp, not text/,
    orders,
    of(matches(orders.placed as Wrong, /x/)),
  )
  await expectOne(
    /MR_PLAN_CHECK check "sound.references_amount": "amount" is decimal\(12, 2\), "customers.id" is string/,
    orders,
    customers,
    hidden,
    of(references(orders.amount as Wrong, customers.id)),
  )
  await expectOne(/MR_PLAN_CHECK check "sound.row_count_anomaly": sigma must be above 0/, orders, of(rowCountAnomaly({ sigma: 0 })))
  await expectOne(/MR_PLAN_UNKNOWN check "sound.sql": there is no column "nope"/, orders, of(noRows(sql`SELECT nope FROM ${orders}`)))
  await expectOne(
    /MR_PLAN_CHECK check "sound.fresh_placed" is about the table/,
    orders,
    of((fresh(orders.placed, '1 hour') as Wrong).quarantine()),
  )
  const onStream = (check: Wrong) => checks('sound', [check], { on: clicks })
  await expectOne(
    /MR_PLAN_CHECK check "sound.unique_id": rows of "clicks" are set aside one by one/,
    clicks,
    hidden,
    onStream(unique(clicks.id).quarantine()),
  )
  await expectOne(
    /MR_PLAN_CHECK check "sound.between_ms": rows of "clicks" can be seen as they arrive/,
    clicks,
    hidden,
    onStream(between(clicks.ms, 0, 1).block()),
  )
  const view = model('v', sql`SELECT id FROM orders`, { refresh: 'view' })
  await expectOne(
    /MR_PLAN_CHECK check "sound.unique_id": "v" is a view/,
    orders,
    view,
    checks('sound', [unique((view as Wrong).id).block()], { on: view }),
  )
  const { manifest } = await compiled([orders, of(notNull(orders.id), notNull(orders.id), notNull(orders.customer))])
  assert.deepEqual(
    manifest.checks[0]?.checks.map(({ name }) => name),
    ['sound.not_null_id', 'sound.not_null_id_2', 'sound.not_null_customer'],
  )
})

test('access: roles, grants, policies, masks', async () => {
  const analyst = role('analyst', { country: t.string(), level: t.int() })
  const rows = (rule: Wrong, on: Wrong = customers) => policy('own', { on, to: analyst, rows: rule })
  await expectOne(
    /MR_PLAN_POLICY policy "own": role "analyst" has no attribute "contry" \| did you mean "country"/,
    customers,
    hidden,
    analyst,
    rows((row: Wrong, user: Wrong) => row.country.eq(user.contry)),
  )
  await expectOne(
    /MR_PLAN_POLICY policy "own": "customers" has no column "contry" \| did you mean "country"/,
    customers,
    hidden,
    analyst,
    rows((row: Wrong, user: Wrong) => row.contry.eq(user.country)),
  )
  await expectOne(
    /MR_PLAN_POLICY policy "own": "country" is string, the attribute "level" is int/,
    customers,
    hidden,
    analyst,
    rows((row: Wrong, user: Wrong) => row.country.eq(user.level)),
  )
  await expectOne(
    /MR_PLAN_POLICY policy "own": its rule failed/,
    customers,
    hidden,
    analyst,
    rows(() => undefined),
  )
  await expectOne(
    /MR_PLAN_UNKNOWN policy "own", on: table "orders" \(.*\) is not part of the project/,
    customers,
    hidden,
    analyst,
    rows((row: Wrong) => row.id.isNull(), orders),
  )
  await expectOne(
    /MR_PLAN_UNKNOWN grant "g", to: role "analyst" \(.*\) is not part of the project/,
    customers,
    hidden,
    grant('g', { to: [analyst], on: [customers] }),
  )
  await expectOne(
    /MR_PLAN_POLICY grant "g": there is nothing called "marts.\*"/,
    customers,
    hidden,
    analyst,
    grant('g', { to: [analyst], on: ['marts.*'] }),
  )
  await expectOne(/MR_PLAN_POLICY masks "hidden" says nothing about the tag "email" \(customers.email\)/, customers, masks('hidden', {}))
  await expectOne(
    /MR_PLAN_POLICY masks "hidden": no column has the tag "phone"/,
    customers,
    masks('hidden', { email: 'hash', phone: 'last4' }),
  )
  await expectOne(
    /MR_PLAN_POLICY masks "hidden": there is no mask "hsh" \| did you mean "hash"/,
    customers,
    masks('hidden', { email: 'hsh' as Wrong }),
  )
  await expectOne(
    /warning MR_PLAN_POLICY columns are tagged as personal data \("email": customers.email\), but nothing masks them/,
    customers,
  )
})

test('policies become structured predicates with typed constants', async () => {
  const analyst = role('analyst', { country: t.string() })
  const own = policy('own', {
    on: customers,
    to: analyst,
    rows: (row, user) => row.country.eq(user.country).and(row.id.in(['a', user.country]).or(row.email.isNull()).not()),
  })
  const { manifest } = await compiled([customers, hidden, analyst, own])
  assert.deepEqual(manifest.policies[0]?.rows, {
    kind: 'and',
    of: [
      { kind: 'compare', column: 'country', op: '=', value: { kind: 'attribute', name: 'country' } },
      {
        kind: 'not',
        of: {
          kind: 'or',
          of: [
            {
              kind: 'in',
              column: 'id',
              values: [
                { kind: 'constant', value: 'a', type: 'string' },
                { kind: 'attribute', name: 'country' },
              ],
            },
            { kind: 'null', column: 'email', negated: false },
          ],
        },
      },
    ],
  })
})

test('endpoints: route, parameters, pages', async () => {
  const of = (name: string, how: object) =>
    endpoint(name as Wrong, { params: {}, sql: () => sql`SELECT id FROM ${orders}`, ...how } as Wrong)
  await expectOne(
    /MR_PLAN_ENDPOINT endpoint "GET \/a\/:zone": the parameter ":zone" of the path is not declared/,
    orders,
    of('GET /a/:zone', {}),
  )
  await expectOne(/MR_PLAN_ENDPOINT endpoint "POST \/a": this is not a route/, orders, of('POST /a', {}))
  await expectOne(
    /MR_PLAN_ENDPOINT endpoint "GET \/a": the parameter "nope" is not declared/,
    orders,
    of('GET /a', { sql: (p: Wrong) => sql`SELECT ${p.nope} AS x` }),
  )
  await expectOne(/MR_PLAN_ENDPOINT endpoint "GET \/a", page: there is no column "x"/, orders, of('GET /a', { page: { by: 'x' } }))
  await expectOne(
    /MR_PLAN_ENDPOINT endpoint "GET \/a": its sql function failed: boom/,
    orders,
    of('GET /a', {
      sql: () => {
        throw new Error('boom')
      },
    }),
  )
  await expectOne(
    /MR_DEFINE_DUPLICATE endpoint "GET \/a\/:b" answers to the same requests as "GET \/a\/:c"/,
    orders,
    of('GET /a/:c', { params: { c: t.int() } }),
    of('GET /a/:b', { params: { b: t.int() } }),
  )
  await expectOne(
    /MR_PLAN_SQL endpoint "GET \/a": Cannot compare values of type/,
    orders,
    of('GET /a', { params: { day: t.date() }, sql: (p: Wrong) => sql`SELECT id FROM ${orders} WHERE amount > ${p.day}` }),
  )
})

test('endpoints: parameters are bound and typed, values too, each parameter once', async () => {
  const { manifest, ok } = await compiled([
    {
      orders,
      search: endpoint('GET /orders/:id', {
        params: { id: t.string(), since: t.timestamp().optional() },
        sql: (p) => sql`SELECT id, placed FROM ${orders} WHERE id = ${p.id} AND amount > ${5} AND (placed > ${p.since} OR id = ${p.id})`,
      }),
    },
  ])
  assert.ok(ok)
  const [route] = manifest.endpoints
  assert.equal(
    route?.sql.text,
    'SELECT id, placed FROM "orders" WHERE id = CAST($1 AS VARCHAR) AND amount > CAST($2 AS INTEGER) AND (placed > CAST($3 AS TIMESTAMPTZ) OR id = CAST($1 AS VARCHAR))',
  )
  assert.deepEqual(route?.sql.params, [
    { kind: 'request', name: 'id' },
    { kind: 'value', value: 5, type: 'int' },
    { kind: 'request', name: 'since' },
  ])
  assert.equal(route?.operation, 'search')
  assert.deepEqual(
    route?.result.fields.map(({ name, optional }) => [name, optional]),
    [
      ['id', false],
      ['placed', false],
    ],
  )
})

test('jobs, alerts, dashboards', async () => {
  const view = model('v', sql`SELECT id FROM orders`, { refresh: 'view' })
  const full = model('m', sql`SELECT id FROM orders`)
  await expectOne(/MR_PLAN_UNKNOWN job "j", run: model "m" \(.*\) is not part of the project/, orders, job('j', { run: [full] }))
  await expectOne(/MR_PLAN_JOB job "j" runs "v", which is a view/, orders, view, job('j', { run: [view], every: '1 hour' }))
  await expectOne(
    /MR_PLAN_JOB job "j": "0 3 \* \*" is not a cron expression: it has 4 fields/,
    orders,
    full,
    job('j', { run: [full], cron: '0 3 * *' }),
  )
  await expectOne(
    /MR_PLAN_JOB job "j": "0 0 30 2 \*" is not a cron expression: it never comes/,
    orders,
    full,
    job('j', { run: [full], cron: '0 0 30 2 *' }),
  )
  await expectOne(/MR_PLAN_JOB alert "a": "orders" has no freshness target/, orders, alert('a', { when: late(orders), to: [] }))
  await expectOne(/MR_PLAN_UNKNOWN alert "a", when: job "j"/, orders, full, alert('a', { when: failed(job('j', { run: [full] })), to: [] }))
  await expectOne(
    /MR_PLAN_JOB alert "a": its SQL gives n BIGINT; an alert needs one boolean/,
    orders,
    alert('a', { when: sql`SELECT count(*) AS n FROM ${orders}`, to: [] }),
  )
  await expectOne(
    /MR_DEFINE_COLUMN dashboard "d", tile "L": there is no column "z"/,
    orders,
    dashboard('d', [line('L', sql`SELECT 1 AS x, 2 AS y`, { x: 'x', y: 'z' })]),
  )
  await expectOne(/MR_DEFINE_VALUE dashboard "d", tile "N": a span of 13/, orders, dashboard('d', [number('N', orders, { span: 13 })]))
  await expectOne(
    /MR_PLAN_UNKNOWN dashboard "d", tile "H": table "orders"/,
    dashboard('d', [heat('H', orders, { x: 'id', by: 'id', y: 'amount' })]),
  )
})

test('definitions that were forgotten, and a project of nothing', async () => {
  const forgotten = await compiled([orders], {
    exported: [
      { exportName: 'lost', definition: role('lost') },
      { exportName: 'orders', definition: orders },
    ],
  })
  assert.deepEqual(
    forgotten.findings.map(({ severity, message }) => [severity, message]),
    [['warning', 'role "lost" is exported (lost) but not part of the project']],
  )
  assert.ok(forgotten.ok)
  await expectOne(/MR_LOAD_NO_PROJECT project "sample" .* defines nothing/)
})

test('format versions: 2 and 3, upwards only; versions of rows need a key and names of their own', async () => {
  const columns = { id: t.string(), n: t.int() }
  const stock = (how: Wrong) => table('stock', columns, { key: 'id', ...how })
  const versions = (text: Wrong, how: Wrong) => model('versions', text, { refresh: 'scd2', ...how })
  const old = stock({})
  const soundHistory = versions(sql`SELECT * FROM ${old}`, { key: 'id', iceberg: { version: 3 } })
  const sound = await compiled([old, soundHistory])
  assert.deepEqual(sound.findings, [])
  const [two, history] = sound.manifest.relations as ModelManifest[]
  assert.deepEqual([two!.formatVersion, history!.formatVersion], [undefined, 3])
  assert.deepEqual(
    history!.shape.fields.map((field) => `${field.name}${field.optional ? '?' : ''}`),
    ['id', 'n', 'valid_from', 'valid_to?', 'is_current'],
  )
  for (const iceberg of [{ version: 4 }, { version: '3' }, 3, { version: 3, merge: true }])
    assert.match((await findings(stock({ iceberg }))).join(), /^error MR_DEFINE_VALUE table "stock": iceberg is /)
  const three = await compiled([stock({ iceberg: { version: 3 } }), soundHistory])
  const effects = (before: Compiled, after: Compiled) => diff(before.manifest, after.manifest).map((change) => [change.name, change.class])
  assert.deepEqual(effects(sound, three), [['stock', 'breaking']])
  assert.deepEqual(effects(three, sound), [['stock', 'refused']])
  assert.match((await findings(old, versions(sql`SELECT * FROM ${old}`, {}))).join(), /MR_PLAN_KEY model "versions" keeps versions of rows/)
  const taken = versions(sql`SELECT *, n AS valid_to FROM ${old}`, { key: 'id' })
  assert.match((await findings(old, taken)).join(), /MR_DEFINE_COLUMN model "versions": its SQL gives "valid_to"/)
  const shouted = versions(sql`SELECT *, n AS "Valid_To" FROM ${old}`, { key: 'id' })
  assert.match((await findings(old, shouted)).join(), /MR_DEFINE_COLUMN model "versions": its SQL gives "Valid_To"/)
  // What the format calls its columns of lineage is no name of a column, as every name with an underscore in front.
  const lined = { key: 'id', iceberg: { version: 3 } } as Wrong
  const reserved =
    /MR_DEFINE_NAME .*"_(row_id|last_updated_sequence_number)" is not a column name \| names with a leading underscore are kept/
  for (const name of ['_row_id', '_last_updated_sequence_number'])
    await expectOne(reserved, table('lined', { id: t.string(), [name]: t.long() }, lined))
  await expectOne(reserved, model('lined', sql`SELECT 'a' AS id, 1 AS _row_id`, lined))
  await expectOne(reserved, model('lined', sql`SELECT 'a' AS id, 1 AS _last_updated_sequence_number`, lined))
  const changed = await compiled([old, versions(sql`SELECT id, n + 1 AS n FROM ${old}`, { key: 'id', iceberg: { version: 3 } })])
  assert.deepEqual(effects(sound, changed), [['versions', 'setting']])
  const full = await compiled([old, model('versions', sql`SELECT * FROM ${old}`, { key: 'id' })])
  assert.deepEqual([effects(sound, full)[0]![1], effects(full, sound)[0]![1]], ['refused', 'refused'])
})

test('what is computed from something encrypted is encrypted, unless it says otherwise; a change of it is refused', async () => {
  const visits = (how: object) => stream('visits', { id: t.string(), n: t.int() }, { from: http(), key: 'id', ...how })
  const members = (how: object, side: object = { encrypted: true }) => {
    const from = visits(how)
    const out = stream('out', { id: t.string() }, { from: emitted(), ...side })
    const seen = processor(
      'seen',
      { id: t.string() },
      {
        from,
        key: 'id',
        outputs: { out },
        on(row, _state, { emit }) {
          emit({ id: row.id })
        },
      },
    )
    const read = (name: string, text: ReturnType<typeof sql>, more: object = {}) => model(name, text, more)
    const view = read('view', sql`SELECT id FROM ${from}`, { refresh: 'view' })
    const through = read('through', sql`SELECT id FROM ${view}`)
    const after = read('after', sql`SELECT id FROM ${seen}`)
    const open = read('open', sql`SELECT count(*) AS n FROM ${from}`, { encrypted: false })
    const beyond = read('beyond', sql`SELECT n FROM ${open}`)
    // A column that is like one of another relation takes no rows of it.
    const alike = table('alike', { id: from.id }, { key: 'id' })
    return [from, out, seen, view, through, after, open, beyond, alike, orders]
  }
  const encrypted = ({ manifest }: Compiled): string[] => manifest.relations.flatMap((one) => (one.encrypted ? [one.name] : [])).sort()
  const dark = await compiled(members({ encrypted: true }))
  assert.deepEqual(dark.findings, [])
  assert.deepEqual(encrypted(dark), ['after', 'out', 'seen', 'through', 'view', 'visits'])
  const light = await compiled(members({}, {}))
  assert.deepEqual([light.findings, encrypted(light)], [[], []])
  const refused = diff(light.manifest, dark.manifest).filter((change) => change.class === 'refused')
  assert.deepEqual(refused.map(({ name }) => name).sort(), ['after', 'out', 'seen', 'through', 'visits'])
  await expectOne(
    /error MR_DEFINE_VALUE stream "out" takes rows of the encrypted processor "seen".*\| write encrypted: true/,
    ...members({ encrypted: true }, {}),
  )
  assert.deepEqual(await findings(...members({ encrypted: true }, { encrypted: false })), [])
  const outside = table('outside', { id: t.string() }, { key: 'id', encrypted: true })
  await expectOne(/error MR_DEFINE_VALUE table "outside" is encrypted and takes rows from other engines only/, outside)
  await expectOne(
    /error MR_DEFINE_VALUE stream "visits": encrypted is "yes" \| write encrypted: true/,
    visits({ encrypted: 'yes' as Wrong }),
  )
})
