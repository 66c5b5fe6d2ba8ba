// Live models of which DuckDB computes expressions, end to end: rows through the doors, cut into commits and killed anywhere, equal the
// same SQL in batch over the rows that were not set aside; those on which an expression fails are found, each alone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { Type } from '../../src/schema/type.ts'
import { SEED } from '../seed.ts'
import { field, liveOf, manifestOf, StreamWorld, streamOf, tableOf } from './stream-world.ts'

const ADDRESS: Type = { kind: 'struct', fields: [field('city', 'string', true), field('zip', 'int', true)] }
const EVENTS = streamOf(
  'events',
  [
    field('id', 'int'),
    field('seen', 'timestamp'),
    field('day', 'string', true),
    field('url', 'string'),
    field('address', ADDRESS, true),
    field('tags', { kind: 'list', element: { type: { kind: 'string' }, optional: true } }, true),
  ],
  { time: 'seen', latenessMs: 60_000, partitions: 2 },
)
const SITES = tableOf('sites', [field('host', 'string'), field('owner', 'string')], ['host'])

const ROWS_SQL = `SELECT id, regexp_extract(url, '//([^/]+)/', 1) AS host, strftime(seen, '%Y-%m-%d') AS at, list_sort(tags)[1] AS tag,
  address.city AS city, strptime(day, '%Y-%m-%d') AS parsed FROM events WHERE id % 5 <> 0 AND md5(url) > '3'`
const ROWS = liveOf('parsed', ROWS_SQL, [
  field('id', 'int'),
  field('host', 'string', true),
  field('at', 'string', true),
  field('tag', 'string', true),
  field('city', 'string', true),
  field('parsed', 'timestamp', true),
])
const HOSTS_SQL = `SELECT coalesce(regexp_extract(url, '//([^/]+)/', 1), '-') AS host, count(*) AS n, sum(len(tags)) AS tags,
  max(address.zip) AS zip FROM events GROUP BY 1`
const HOSTS = liveOf(
  'hosts',
  HOSTS_SQL,
  [
    field('host', 'string'),
    field('n', 'long'),
    field('tags', { kind: 'decimal', precision: 38, scale: 0 }, true),
    field('zip', 'int', true),
  ],
  { keyed: true, key: ['host'] },
)
const OWNED = liveOf(
  'owned',
  `WITH e AS (SELECT id, regexp_extract(url, '//([^/]+)/', 1) AS host, _ingested_at FROM events)
   SELECT e.id, s.owner FROM e JOIN sites s ON e.host = s.host`,
  [field('id', 'int'), field('owner', 'string')],
)

const pick = <T>(random: Random, ...of: readonly T[]): T => of[integer(random, of.length)]!
let ids = 0
const eventOf = (random: Random, world: StreamWorld): object => ({
  id: ids++,
  seen: new Date(world.clock.nowMs() - integer(random, 900)).toISOString(),
  day: random.next() < 0.05 ? pick(random, '2026-02-30', 'soon') : pick(random, '2026-01-02', '1999-12-31', null),
  url: `https://${pick(random, 'a.org', 'b.net', '')}/${integer(random, 50)}`,
  address: pick(random, null, { city: 'Bern', zip: integer(random, 99) }, { city: null }),
  tags: pick(random, null, [], ['y', 'x'], ['z', null]),
})

test('models equal the same SQL in batch over the rows that were not set aside, cut and killed anywhere', async () => {
  const random = seededRandom(SEED + 9)
  await using world = await StreamWorld.open({ manifest: manifestOf({ relations: [EVENTS, SITES, ROWS, HOSTS, OWNED] }), readBytes: 3_000 })
  await world.send('sites', [
    { host: 'a.org', owner: 'ann' },
    { host: 'b.net', owner: 'bob' },
  ])
  await world.clock.advance(5)
  for (let round = 0; round < 6; round++) {
    for (let batch = 0; batch < 3; batch++) {
      await world.send(
        'events',
        Array.from({ length: 1 + integer(random, 60) }, () => eventOf(random, world)),
      )
      await world.clock.advance(integer(random, 4))
    }
    if (random.next() < 0.5) await world.flush()
    if (random.next() < 0.5) await world.restart({ readBytes: 500 + integer(random, 9_000) })
  }
  await world.caughtUp()
  const text = (rows: readonly (readonly unknown[])[]): string[][] => rows.map((row) => row.map(String))
  const sound = '(SELECT * FROM events ANTI JOIN parsed__rejected USING (_partition, _offset))'
  for (const committedOnly of [false, true]) {
    if (committedOnly) await world.flush()
    const parsed = text(await world.ask('SELECT * FROM parsed ORDER BY id', committedOnly))
    assert.ok(parsed.length > 20)
    // The model's column is an instant (decision 27); what strptime gives has no zone.
    const batch = `SELECT * REPLACE (CAST(parsed AS TIMESTAMPTZ) AS parsed) FROM (${ROWS_SQL.replace('FROM events', `FROM ${sound}`)}) ORDER BY id`
    assert.deepEqual(parsed, text(await world.ask(batch)))
    assert.deepEqual(
      text(await world.ask('SELECT * FROM hosts ORDER BY host', committedOnly)),
      text(await world.ask(`${HOSTS_SQL} ORDER BY host`)),
    )
    assert.deepEqual(
      text(await world.ask('SELECT * FROM owned ORDER BY id', committedOnly)),
      text(await world.ask("SELECT id, owner FROM events e JOIN sites s ON regexp_extract(url, '//([^/]+)/', 1) = host ORDER BY id")),
    )
  }
  // Each row that was set aside fails by itself, for its day, and only rows that the conditions let through.
  const rejected = await world.ask('SELECT code, message, raw FROM parsed__rejected ORDER BY _partition, _offset', true)
  assert.ok(rejected.length > 3)
  for (const [code, message, raw] of rejected as string[][]) {
    const { id, day } = JSON.parse(raw!) as { id: number; day: string }
    assert.equal(code, 'MR_ROW_EXPRESSION')
    assert.match(message!, /^parsed: CAST\(strptime\(day, '%Y-%m-%d'\) AS TIMESTAMPTZ\) cannot be computed \(events, partition/)
    assert.ok(['2026-02-30', 'soon'].includes(day) && id % 5 !== 0, `${id} ${day}`)
  }
  assert.deepEqual(await world.ask('SELECT count(*) FROM hosts__rejected'), [[0n]])
})
