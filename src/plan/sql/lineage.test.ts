// Lineage and nullability of columns, one construct after the other.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { t } from '../../index.ts'
import type { Shape } from '../../schema/type.ts'
import type { Binder, Bound } from '../binder.ts'
import { openBinder } from '../open-binder.ts'

let binder: Binder & { close(): void }

const shape = (fields: Readonly<Record<string, ReturnType<typeof t.string>>>, optional: readonly string[]): Shape => ({
  fields: Object.entries(fields).map(([name, field]) => ({ name, type: field.$field.type!, optional: optional.includes(name) })),
})

before(async () => {
  binder = await openBinder()
  await binder.define('o', shape({ id: t.string(), who: t.string(), note: t.string() }, ['note']))
  await binder.define('c', shape({ id: t.string(), email: t.string(), land: t.string() }, ['email']))
  await binder.define('marts.m', shape({ id: t.string() }, []))
})
after(() => binder.close())

/** Each column as `name[?] = origins <- uses`. */
async function columns(text: string): Promise<readonly string[]> {
  await binder.inspect(text)
  const bound = (await binder.bind(text)) as Bound
  assert.ok(bound.ok, JSON.stringify(bound))
  const list = (uses: readonly { relation: string; column: string }[]) =>
    uses.map(({ relation, column }) => `${relation}.${column}`).join('+')
  return bound.columns.map(
    ({ name, optional, origins, uses, exact }) => `${name}${optional ? '?' : ''} = ${list(origins)}${exact ? '!' : ''} <- ${list(uses)}`,
  )
}

const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ['plain columns', 'SELECT id AS x, o.note FROM o', ['x = o.id! <- ', 'note? = o.note! <- ']],
  ['star', 'SELECT * FROM c', ['id = c.id! <- ', 'email? = c.email! <- ', 'land = c.land! <- ']],
  ['star without and with', 'SELECT * EXCLUDE (land) REPLACE (upper(id) AS id) FROM c', ['id =  <- c.id', 'email? = c.email! <- ']],
  ['left join', 'SELECT o.id, c.land FROM o LEFT JOIN c ON c.id = o.who', ['id = o.id! <- ', 'land? = c.land! <- ']],
  ['right join', 'SELECT o.id, c.land FROM o RIGHT JOIN c ON c.id = o.who', ['id? = o.id! <- ', 'land = c.land! <- ']],
  ['full join', 'SELECT o.id, c.land FROM o FULL JOIN c ON c.id = o.who', ['id? = o.id! <- ', 'land? = c.land! <- ']],
  ['using stands once', 'SELECT * FROM o JOIN marts.m USING (id)', ['id = o.id! <- ', 'who = o.who! <- ', 'note? = o.note! <- ']],
  ['semi join', 'SELECT * FROM marts.m SEMI JOIN o ON o.id = m.id', ['id = marts.m.id! <- ']],
  ['where not null', 'SELECT note FROM o WHERE note IS NOT NULL AND id > who', ['note = o.note! <- ']],
  ['counts say nothing', 'SELECT count(*) AS n, count(email) AS m FROM c', ['n =  <- ', 'm =  <- ']],
  [
    'aggregates of a group',
    'SELECT who, max(id) AS x, string_agg(id) AS y FROM o GROUP BY who',
    ['who = o.who! <- ', 'x = o.id! <- ', 'y =  <- o.id'],
  ],
  ['aggregates of everything may see no row', 'SELECT max(id) AS x FROM o', ['x? = o.id! <- ']],
  ['so may those by all of nothing', 'SELECT count(*) AS n, lower(max(id)) AS x FROM o GROUP BY ALL', ['n =  <- ', 'x? =  <- o.id']],
  [
    'aggregates with a filter may see no row',
    "SELECT who, max(id) FILTER (id > 'a') AS x FROM o GROUP BY ALL",
    ['who = o.who! <- ', 'x? = o.id! <- '],
  ],
  [
    'functions',
    "SELECT upper(id) AS a, id || coalesce(note, '') AS b, nullif(id, 'x') AS c FROM o",
    ['a =  <- o.id', 'b =  <- o.id+o.note', 'c? =  <- o.id'],
  ],
  ['coalesce passes on', "SELECT coalesce(note, '-') AS x FROM o", ['x = o.note <- ']],
  [
    'case passes its branches on',
    "SELECT CASE WHEN who = 'a' THEN id ELSE 'b' END AS x, CASE WHEN who = 'a' THEN id END AS y FROM o",
    ['x = o.id <- ', 'y? = o.id <- '],
  ],
  ['casts', 'SELECT CAST(id AS INTEGER) AS x, TRY_CAST(id AS INTEGER) AS y FROM o', ['x =  <- o.id', 'y? =  <- o.id']],
  ['tests for null', 'SELECT note IS NULL AS x FROM o', ['x =  <- ']],
  ['union', 'SELECT id FROM o UNION ALL SELECT email FROM c', ['id? = o.id+c.email! <- ']],
  ['union with a constant', "SELECT id, note FROM o UNION ALL SELECT 'x', NULL", ['id = o.id <- ', 'note? = o.note <- ']],
  ['except', 'SELECT id FROM o EXCEPT SELECT id FROM c', ['id = o.id! <- ']],
  ['common tables', 'WITH a AS (SELECT id AS x FROM o), b AS (SELECT x AS y FROM a) SELECT y FROM b', ['y = o.id! <- ']],
  ['a common table hides a relation', 'WITH c AS (SELECT id AS land FROM o) SELECT land FROM c', ['land = o.id! <- ']],
  ['subqueries', 'SELECT s.x FROM (SELECT id AS x FROM o) AS s', ['x = o.id! <- ']],
  ['renamed subqueries', 'SELECT s.z FROM (SELECT id FROM o) AS s(z)', ['z = o.id! <- ']],
  ['scalar subqueries', 'SELECT (SELECT max(email) FROM c) AS x FROM o', ['x? = c.email! <- ']],
  ['exists', 'SELECT EXISTS (SELECT 1 FROM c WHERE c.id = o.who) AS x FROM o', ['x =  <- ']],
  [
    'windows',
    'SELECT row_number() OVER (ORDER BY id) AS n, lag(id) OVER (ORDER BY id) AS before FROM o',
    ['n =  <- ', 'before? = o.id! <- '],
  ],
  ['a later column of the list', 'SELECT upper(id) AS x, lower(x) AS y FROM o', ['x =  <- o.id', 'y =  <- o.id']],
  ['values', "SELECT v.a FROM (VALUES ('x')) AS v(a)", ['a? =  <- ']],
  ['what cannot be followed may be anything', 'SELECT COLUMNS(*) FROM marts.m', ['id? =  <- marts.m.id']],
]

for (const [name, text, expected] of cases) test(name, async () => assert.deepEqual(await columns(text), expected))

test('inspect: relations in the order of the text, without common tables; windows and aggregates', async () => {
  const inspected = await binder.inspect('WITH a AS (SELECT * FROM marts.m) SELECT a.id FROM c JOIN a ON true JOIN c AS d ON true')
  assert.ok(inspected.ok)
  assert.deepEqual(
    inspected.relations.map(({ name }) => name),
    ['marts.m', 'c'],
  )
  assert.equal(inspected.aggregates, false)
  const text = "SELECT 'ä' AS x, max(t.id) FROM tumble(o, o.seen, INTERVAL 1 MINUTE) AS t GROUP BY ALL"
  const windowed = await binder.inspect(text)
  assert.ok(windowed.ok)
  assert.deepEqual(windowed.windows, [{ kind: 'tumble', relation: 'o', column: 'seen', position: text.indexOf('tumble') }])
  assert.equal(windowed.aggregates, true)
})
