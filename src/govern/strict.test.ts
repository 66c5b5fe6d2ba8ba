// Which questions need two stages: those in which a function or a cast that fails unsafely meets a value of a row.
import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { after, before, test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import { type Engine, openEngine, type Session } from '../engine/duckdb.ts'
import { needsTwoStages } from './strict.ts'

let engine: Engine
let session: Session
before(async () => {
  engine = await openEngine({ clock: systemClock, directories: [tmpdir()], tempDirectory: tmpdir() })
  session = await engine.session()
  await session.run('CREATE TABLE o (id BIGINT, amount DECIMAL(12, 2), note VARCHAR, placed TIMESTAMPTZ, born DATE)')
})
after(() => {
  session.close()
  engine.close()
})

const DIRECT = [
  "SELECT substr('abc', 1), regexp_replace('a', '[', 'b') FROM o",
  'SELECT id + 1, amount - id, -amount, amount * 2, amount / 3, id % 2, abs(id), round(amount, 1) FROM o',
  'SELECT sum(amount) - count(*), max(id) + 1, list(note), string_agg(note, $$,$$) FROM o GROUP BY born',
  'SELECT born + 1, born - born, born + INTERVAL 1 MONTH FROM o WHERE born > current_date - 7',
  'SELECT placed + INTERVAL 7 DAY, placed - INTERVAL 3 HOURS, INTERVAL 1 YEAR + placed FROM o WHERE placed > now() - INTERVAL 30 DAY',
  "SELECT date_trunc('month', placed), date_diff('day', placed, now()), date_part('year', placed), year(placed), strftime(placed, '%Y-%m-%d') FROM o",
  "SELECT substr(note, 1, 3), left(note, 2), right(note, 2), lower(note), length(note), note || 'x', replace(note, 'a', 'b'), trim(note) FROM o",
  "SELECT * FROM o WHERE note LIKE 'a%' AND note ILIKE '%b' AND note LIKE '%!%%' ESCAPE '!' AND regexp_matches(note, 'a.c') AND regexp_extract(note, '(a)', 1) = 'a'",
  'SELECT CAST(note AS INTEGER), CAST(note AS DATE), id::VARCHAR, amount::DOUBLE, placed::DATE, CAST(amount AS DECIMAL(20, 4)), TRY_CAST(note AS BLOB) FROM o',
  'SELECT row_number() OVER (ORDER BY id), lag(id) OVER (ORDER BY id), CASE WHEN id > 1 THEN note END, coalesce(note, $$x$$), nullif(note, $$x$$) FROM o',
  'SELECT amount * id, amount > id, id::DECIMAL(21, 2), amount::BIGINT::DOUBLE FROM o WHERE amount IN (1, 2.5) AND id = amount',
  'SELECT nothing FROM o',
]

const TWO_STAGES = [
  'SELECT substr(note, id) FROM o',
  'SELECT substr(note, 99999999999) FROM o',
  "SELECT regexp_replace('a', note, 'b') FROM o",
  "SELECT regexp_matches('a', note) OR regexp_full_match('a', note) FROM o",
  "SELECT 'a' LIKE note ESCAPE '!' FROM o",
  "SELECT note LIKE 'a!' ESCAPE '!' FROM o",
  'SELECT chr(id::INTEGER), to_timestamp(id), epoch_ns(placed) FROM o',
  'SELECT date_trunc(note, placed) FROM o',
  "SELECT date_trunc('nonsense', placed) FROM o",
  'SELECT strftime(placed, note) FROM o',
  'SELECT placed - placed FROM o',
  'SELECT placed + INTERVAL 290000 YEARS FROM o',
  'SELECT placed + to_days(id::INTEGER) FROM o',
  'SELECT list_transform([note], x -> x::INTEGER) FROM o',
  'SELECT [x FOR x IN [id] IF x::TINYINT > 0] FROM o',
  'SELECT CAST(note AS INTEGER[]), CAST(note AS BLOB) FROM o',
  'SELECT * FROM o WHERE note = [1]',
  'SELECT CAST(amount AS DECIMAL(4, 2)) FROM o',
  'SELECT * FROM o WHERE amount < 1.00000000000000000000000000000000001',
  'SELECT CAST(id AS DECIMAL(4, 2)), CAST(amount AS TINYINT) FROM o',
  'SELECT CAST(born AS TIMESTAMP_NS) FROM o',
  "SELECT born = TIMESTAMP_NS '2020-01-01' FROM o",
  'SELECT note[id] FROM o',
  'SELECT (SELECT substr(note, id)) FROM o',
  'SELECT sum(substr(note, id)::INTEGER) OVER (ORDER BY chr(id::INTEGER)) FROM o',
  'WITH x AS (SELECT substr(note, id) AS y FROM o) SELECT * FROM x ORDER BY y LIMIT 1',
]

test('questions that cannot tell run as they are', async () => {
  const wrong = []
  for (const sql of DIRECT) if (await needsTwoStages(session, sql)) wrong.push(sql)
  assert.deepEqual(wrong, [])
})

test('questions that could tell run in two stages', async () => {
  const wrong = []
  for (const sql of TWO_STAGES) if (!(await needsTwoStages(session, sql))) wrong.push(sql)
  assert.deepEqual(wrong, [])
})
