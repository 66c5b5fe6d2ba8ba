// Values of every kind go through statements unchanged: an UPDATE of one column, rows that get other keys, INSERT from a SELECT of the
// table itself; from the tail and from files. What a column refuses, SQL is refused too.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { integer, seededRandom } from '../../src/core/random.ts'
import { SEED } from '../seed.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const data = mkdtempSync(join(tmpdir(), 'millrace-kinds-'))
let server: TestServer
before(async () => {
  server = await startServer({ project: join(root, 'test', 'writes', 'project'), data, env: { MILLRACE_FLUSH_MS: '300' } })
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

const JSON_BODY = { 'content-type': 'application/json' }

async function write(sql: string, params?: unknown) {
  const answer = await server.post('/sql', JSON.stringify({ sql, params }), JSON_BODY)
  const body = (await answer.json()) as { inserted: number; updated: number; deleted: number; code: string; detail: string; fix: string }
  return { status: answer.status, ...body }
}

/** As JSON text of each column. */
const EDGES: Readonly<Record<string, readonly string[]>> = {
  flag: ['true', 'false'],
  small: ['-2147483648', '2147483647', '0'],
  big: ['9223372036854775807', '-9223372036854775808', '"9007199254740993"', '-9007199254740993'],
  single: ['0.1', '3.4028235e38', '1e-45', '"NaN"', '"-Infinity"', '-0'],
  double: ['0.1', '1.7976931348623157e308', '5e-324', '"NaN"', '"Infinity"', '-0', '0.30000000000000004', '1e21'],
  money: ['-999999.99', '0.01', '"12.5"', '0'],
  huge: ['"9999999999999999999999999999.9999999999"', '-0.0000000001', '"123456789012345678901234567.5"'],
  day: ['"0001-01-01"', '"9999-12-31"', '"2024-02-29"'],
  clock: ['"23:59:59.999999"', '"00:00:00"', '"12:00:00.000001"'],
  moment: ['"2026-01-01T00:00:00.123456Z"', '"1969-12-31T23:59:59.999999Z"', '"2200-01-01T00:00:00+05:30"'],
  text: ['""', '"\\u0000 \\" \\\\ \\n \\u2028 ünïcødé 🎉"', '"null"', `"${"it''s; --".repeat(40)}"`],
  raw: ['""', '"AAECAw=="', `"${Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('base64')}"`],
  doc: ['1.0', '"text"', '{"a": 1e400, "b":[null, true, {"c":"d, \\"e\\": 1}"}], "a": 2}', 'null', '[ ]', '12345678901234567890.10'],
  kind: ['"home"', '"cart"'],
  place: ['{"lat":-0}', '{"lat":"NaN","name":null,"doc":{"x": [1.0, 2]}}', '{"lat":0.1,"name":"a\\"b","doc":"plain"}'],
  tags: ['[]', '["a",null,"\\n","{}"]', '[null]'],
  counts: ['{}', '{"a":"123456789012345678.25","":null,"k\\"ey":0}', '{"ü":-1}'],
}

const idOf = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`

/** Every value once beside random others; columns that may be absent are, now and then. */
function randomRows(): string[] {
  const random = seededRandom(SEED)
  const rows: string[] = []
  for (const [column, values] of Object.entries(EDGES))
    for (const value of values) {
      const others = Object.entries(EDGES).filter(([other]) => other !== column && random.next() < 0.6)
      const fields = [[column, value], ...others.map(([other, choices]) => [other, choices[integer(random, choices.length)]!])]
      const n = rows.length
      rows.push(`{"id":"${idOf(n)}","part":${n % 3},${fields.map(([name, text]) => `"${name}":${text}`).join(',')}}`)
    }
  return rows
}

const OWN = Object.keys(EDGES)
  .map((column) => `"${column}"`)
  .join(', ')
/** Text of every value, and what text does not tell. */
const SHOWN = `SELECT id, part % 10, ${Object.keys(EDGES)
  .map((column) => (column === 'raw' ? 'hex(raw)' : column === 'small' ? 'NULL' : `"${column}"::VARCHAR`))
  .join(', ')}, 1 / single, 1 / double, 1 / place.lat, counts['a'] FROM shop.kinds`
const shown = (where: string): Promise<unknown[][]> => server.sql(`${SHOWN} WHERE ${where} ORDER BY id`)

/** Resolves when the files have what the tail has. */
async function flushed(expected: readonly unknown[][]): Promise<void> {
  const body = JSON.stringify({ sql: `${SHOWN} ORDER BY id, part`, freshness: 'committed' })
  for (let i = 0; i < 100; i++) {
    const { rows } = (await (await server.post('/sql', body, JSON_BODY)).json()) as { rows: unknown[][] }
    if (isDeepStrictEqual(rows, expected)) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  assert.fail('the rows are not in files')
}

test('every value comes back as it was, from the tail and from files', async () => {
  const rows = randomRows()
  const sent = await server.post('/streams/shop.kinds', rows.join('\n'), { 'content-type': 'application/x-ndjson' })
  assert.deepEqual([sent.status, ((await sent.json()) as { rejected: number }).rejected], [202, 0])
  const before = await shown('true')
  assert.equal(before.length, rows.length)
  for (const where of ['tail', 'files']) {
    if (where === 'files') await flushed(before)
    assert.equal((await write('UPDATE shop.kinds SET small = small - 1 WHERE small > 0')).status, 200)
    assert.deepEqual(await shown('true'), before, `small was changed, ${where}`)
    const moved = await write('UPDATE shop.kinds AS k SET part = part + 10, big = k.big, doc = k.doc WHERE true')
    assert.deepEqual([moved.status, moved.updated], [200, rows.length], moved.detail)
    assert.deepEqual(await shown('true'), before, `all have another key, ${where}`)
    const copied = await write(`INSERT INTO shop.kinds (id, part, ${OWN}) SELECT id, part + 100, ${OWN} FROM shop.kinds`)
    assert.deepEqual([copied.status, copied.inserted], [200, rows.length], copied.detail)
    assert.deepEqual(await shown('part >= 100'), before, `copies, ${where}`)
    const merged = await write(
      'MERGE INTO shop.kinds t USING (SELECT * EXCLUDE (_partition, _offset, _ingested_at) REPLACE (part + 100 AS part) FROM shop.kinds WHERE part < 100) s USING (id, part) WHEN MATCHED THEN UPDATE SET *',
    )
    assert.deepEqual([merged.status, merged.updated], [200, rows.length], merged.detail)
    assert.deepEqual(await shown('part >= 100'), before, `merged, ${where}`)
    assert.equal((await write('DELETE FROM shop.kinds WHERE part >= 100')).deleted, rows.length)
  }
})

test('defaults: of columns that are not named, of DEFAULT, and not of NULL', async () => {
  const id = idOf(900)
  const key = `'${id}'::UUID, 900`
  assert.equal((await write(`INSERT INTO shop.kinds (id, part) VALUES (${key})`)).inserted, 1)
  const small = async (): Promise<unknown> => (await server.sql(`SELECT small FROM shop.kinds WHERE part = 900`))[0]![0]
  assert.equal(await small(), 7)
  await write('UPDATE shop.kinds SET small = 8 WHERE part = 900')
  await write('UPDATE shop.kinds SET small = DEFAULT, big = DEFAULT WHERE part = 900')
  assert.equal(await small(), 7)
  const nothing = await write('UPDATE shop.kinds SET small = NULL WHERE part = 900')
  assert.deepEqual([nothing.status, nothing.code], [422, 'MR_SQL_ROW'])
  assert.match(nothing.detail, /row 1 of the statement: field small is required and null/)
  const values = await write(
    `INSERT INTO shop.kinds (id, part, small, big) VALUES ('${id}', 901, DEFAULT, 1), ('${id}', 902, 3, DEFAULT), ('${id}', 903, 4, 2)`,
  )
  assert.equal(values.inserted, 3, values.detail)
  assert.deepEqual(await server.sql('SELECT part, small, big FROM shop.kinds WHERE part BETWEEN 901 AND 903 ORDER BY part'), [
    [901, 7, 1],
    [902, 3, null],
    [903, 4, 2],
  ])
})

test('what a column refuses: the row, the column and why, and nothing is written', async () => {
  const id = `'${idOf(800)}'`
  for (const [sql, why] of [
    [
      `INSERT INTO shop.kinds (id, part, kind) VALUES (${id}, 1, 'home'), (${id}, 2, 'car')`,
      /row 2 of the statement: field kind: expected one of "home", "cart", got "car"/,
    ],
    [
      `INSERT INTO shop.kinds (id, part, doc) VALUES (${id}, 1, '1, "small": 99')`,
      /row 1 of the statement: field doc: expected a JSON value/,
    ],
    [`INSERT INTO shop.kinds (id, part, doc) VALUES (${id}, 1, '{"a":')`, /field doc: expected a JSON value/],
    [`INSERT INTO shop.kinds (id, part, moment) VALUES (${id}, 1, 'infinity')`, /field moment: expected an ISO 8601 timestamp/],
    [`INSERT INTO shop.kinds (part) VALUES (1)`, /field id is required and/],
    [`UPDATE shop.kinds SET place = {'lat': NULL, 'name': 'x', 'doc': NULL} WHERE part = 900`, /field place.*lat/],
    [`UPDATE checked SET n = 101`, /row 1 of the statement: field n: the check .* fails/],
  ] as const) {
    if (sql.startsWith('UPDATE checked')) await write('INSERT OR REPLACE INTO checked VALUES (1, 1)')
    const answer = await write(sql)
    assert.deepEqual([answer.status, answer.code], [422, 'MR_SQL_ROW'], `${sql}: ${answer.detail}`)
    assert.match(answer.detail, why)
    assert.match(answer.detail, /nothing was written/)
  }
  assert.deepEqual(await server.sql(`SELECT count(*) FROM shop.kinds WHERE id = ${id}`), [[0]])
  assert.deepEqual(await server.sql('SELECT n FROM checked'), [[1]])
  assert.equal((await write(`UPDATE shop.kinds SET small = 'x'`)).code, 'MR_SQL_RUNTIME')
  assert.equal((await write(`UPDATE shop.kinds SET big = 9223372036854775807 + 1`)).code, 'MR_SQL_RUNTIME')
})

test('parameters: in the order of the statement, wherever they go', async () => {
  const list = await write('UPDATE shop.kinds SET text = ?, big = ? + big WHERE part = ? AND big = ?', ['t', 40, 903, 2])
  assert.deepEqual([list.updated, list.detail], [1, undefined])
  const named = await write(
    'MERGE INTO shop.kinds k USING (SELECT $part AS p) s ON k.part = s.p WHEN MATCHED AND k.big > $least THEN UPDATE SET text = $text WHEN MATCHED AND k.big = $no THEN DO NOTHING',
    { part: 903, least: 41, text: null, no: 5 },
  )
  assert.deepEqual([named.updated, named.detail], [1, undefined])
  assert.deepEqual(await server.sql('SELECT big, text FROM shop.kinds WHERE part = 903'), [[42, null]])
  assert.equal((await write('DELETE FROM shop.kinds WHERE part = $1', [])).code, 'MR_SQL_PARAMETER')
  assert.equal((await write('DELETE FROM shop.kinds WHERE part = $1', [903, 1])).code, 'MR_SQL_PARAMETER')
  assert.equal(
    (await write('INSERT INTO shop.kinds (id, part, text) SELECT $id, $part, $text', { id: idOf(700), part: 700, text: "'; DELETE" }))
      .inserted,
    1,
  )
})
