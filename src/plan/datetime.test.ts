// Datetimes in definitions: where an instant is needed, which columns of models are one, and how they are declared.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { checks, endpoint, fresh, http, model, project, sql, stream, t, table } from '../index.ts'
import type { Shape } from '../schema/type.ts'
import type { Binder } from './binder.ts'
import { type Compiled, compile } from './compile.ts'
import { openBinder } from './open-binder.ts'

let binder: Binder & { close(): void }
before(async () => {
  binder = await openBinder()
})
after(() => binder.close())

const compiled = (...members: readonly object[]): Promise<Compiled> =>
  compile(project('sample', members), binder, { root: import.meta.dirname })

async function findings(...members: readonly object[]): Promise<readonly string[]> {
  return (await compiled(...members)).findings.map(({ code, message, fix }) => `${code} ${message} | ${fix}`)
}

const kinds = ({ fields }: Shape): Record<string, string> => Object.fromEntries(fields.map(({ name, type }) => [name, type.kind]))

const visits = stream(
  'visits',
  { id: t.long(), seen: t.timestamp(), due: t.datetime(), stay: t.struct({ ends: t.datetime().optional() }).optional() },
  { from: http(), time: 'seen', partition: ['day(due)', 'hour(due)', 'bucket(4, due)'] },
)

test('a datetime can partition, be a key, an interval and say how old rows are; it is no event time and says nothing of freshness', async () => {
  const rooms = table(
    'rooms',
    { due: t.datetime(), n: t.int() },
    { key: 'due', from: http(), partition: ['due'], keep: { table: '9 days' } },
  )
  const daily = model('daily', sql`SELECT date_trunc('day', due) AS day, count(*) AS n FROM ${visits} GROUP BY ALL`, {
    refresh: 'incremental',
    by: 'day',
    key: 'day',
  })
  const { findings: found, manifest } = await compiled(visits, rooms, daily)
  assert.deepEqual(found, [])
  assert.equal(manifest.relations.find(({ name }) => name === 'rooms')!.keep.by, 'due')
  // @ts-expect-error
  const timed = stream('timed', { id: t.long(), due: t.datetime() }, { from: http(), time: 'due' })
  const [wrong, ...more] = await findings(timed)
  assert.deepEqual(more, [])
  assert.match(
    wrong!,
    /MR_PLAN_KEY stream "timed": the time "due" is datetime \| an event time is a t\.timestamp\(\) .*: a datetime does not say when it was/,
  )
  // @ts-expect-error
  const soon = checks('soon', [fresh(visits.due, '1 hour')], { on: visits })
  assert.match((await findings(visits, soon))[0]!, /MR_PLAN_CHECK .*"due" is datetime, of no zone \| name a timestamp column/)
})

test('a default is a datetime as it would be sent', async () => {
  const of = (text: string) => table('a', { id: t.long(), due: t.datetime().default(text) }, { key: 'id' })
  const { findings: found, manifest } = await compiled(of('2026-03-01T14:05:00'))
  assert.deepEqual(found, [])
  assert.equal(manifest.relations[0]!.shape.fields[1]!.default, '2026-03-01T14:05:00.000000')
  assert.match((await findings(of('2026-03-01T14:05:00+01:00')))[0]!, /without Z or offset/)
})

test('what SQL makes of datetimes is a datetime, and TIMESTAMP made of anything else an instant, as before', async () => {
  const mixed = model(
    'mixed',
    sql`SELECT due, stay, stay.ends AS ends, due + INTERVAL 1 DAY AS later, CAST(due AS TIMESTAMP) AS same, coalesce(due, TIMESTAMP '2026-01-01') AS either,
        {'from': due, 'at': seen} AS span, [due] AS all_of, due AT TIME ZONE 'Europe/Paris' AS paris,
        CAST(due AS TIMESTAMPTZ) AS instant, CAST(seen AS TIMESTAMP) AS text_of, seen AT TIME ZONE 'Europe/Paris' AS local,
        TIMESTAMP '2026-01-01' AS constant, CAST(due AS DATE) AS day, year(due) AS y FROM ${visits}`,
  )
  const grouped = model(
    'grouped',
    sql`SELECT date_trunc('hour', due) AS hour, min(due) AS first, max(seen) AS last FROM ${visits} GROUP BY ALL`,
  )
  const { findings: found, manifest } = await compiled(visits, mixed, grouped)
  assert.deepEqual(found, [])
  const [shape, groups] = ['mixed', 'grouped'].map((name) => manifest.relations.find((one) => one.name === name)!.shape) as [Shape, Shape]
  assert.deepEqual(kinds(shape), {
    due: 'datetime',
    stay: 'struct',
    ends: 'datetime',
    later: 'datetime',
    same: 'datetime',
    either: 'datetime',
    span: 'struct',
    all_of: 'list',
    paris: 'timestamp',
    instant: 'timestamp',
    text_of: 'timestamp',
    local: 'timestamp',
    constant: 'timestamp',
    day: 'date',
    y: 'long',
  })
  const inside = (name: string): Shape => shape.fields.find((field) => field.name === name)!.type as unknown as Shape
  assert.deepEqual(kinds(inside('span')), { from: 'datetime', at: 'timestamp' })
  assert.deepEqual(kinds(inside('stay')), { ends: 'datetime' })
  assert.deepEqual(kinds(groups), { hour: 'datetime', first: 'datetime', last: 'timestamp' })
})

test('a declared column says what TIMESTAMP is; an instant and a datetime are not taken for each other', async () => {
  const query = sql`SELECT id, seen AT TIME ZONE 'Europe/Paris' AS local, due FROM ${visits}`
  const of = (local: object, due: object) => model('m', query, { columns: { id: t.long(), local, due } as never })
  assert.deepEqual(await findings(visits, of(t.datetime(), t.datetime())), [])
  assert.deepEqual(await findings(visits, of(t.timestamp(), t.datetime())), [])
  const [wrong, ...more] = await findings(visits, of(t.datetime(), t.timestamp()))
  assert.deepEqual(more, [])
  assert.match(wrong!, /MR_PLAN_TYPE model "m" declares "due" as timestamp, but its SQL gives datetime/)
  const instants = model('m', sql`SELECT seen FROM ${visits}`, { columns: { seen: t.datetime() } })
  assert.match((await findings(visits, instants))[0]!, /declares "seen" as datetime, but its SQL gives timestamp/)
})

test('views and endpoints give instants where their columns are ones, although SQL has TIMESTAMP; nothing else is written anew', async () => {
  const text = sql`SELECT id, seen AT TIME ZONE 'Europe/Paris' AS local, due FROM ${visits} ORDER BY id`
  const plain = sql`SELECT id, seen, due FROM ${visits} ORDER BY id`
  const textOf = async (of: typeof text): Promise<string[]> => {
    const { findings: found, manifest } = await compiled(
      visits,
      model('seen_view', of, { refresh: 'view' }),
      model('stored', of, { refresh: 'full' }),
      endpoint('GET /visits', { sql: () => of }),
    )
    assert.deepEqual(found, [])
    const texts = manifest.relations.flatMap((relation) => (relation.kind === 'model' ? [relation.sql.text] : []))
    return [...texts, manifest.endpoints[0]!.sql.text]
  }
  const [view, stored, route] = (await textOf(text)) as [string, string, string]
  assert.match(stored, /^SELECT id, seen AT TIME ZONE/)
  assert.equal(view, `SELECT * REPLACE (CAST("local" AS TIMESTAMPTZ) AS "local") FROM (${stored}\n)`)
  assert.match(route, /^SELECT \* REPLACE \(CAST\("local" AS TIMESTAMPTZ\) AS "local"\) FROM \(SELECT id/)
  for (const one of await textOf(plain)) assert.match(one, /^SELECT id, seen, due/)
})
