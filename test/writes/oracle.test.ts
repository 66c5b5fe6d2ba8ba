// Random statements on a table of Millrace and on one of plain DuckDB: after each the rows are the same, in the tail and in files, and what
// one refuses the other refuses. DuckDB's own key is not used where it cannot be (it refuses to swap keys); then rows are looked at.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { SEED } from '../seed.ts'
import { root, startServer, type TestServer } from '../server/server.ts'

const STATEMENTS = process.env['MILLRACE_TEST_ALL'] ? 1_000 : 150
const data = mkdtempSync(join(tmpdir(), 'millrace-writes-'))
let server: TestServer
before(async () => {
  // Flushes come all the time, so that statements meet rows in files, in the tail and on their way.
  server = await startServer({ project: join(root, 'test', 'writes', 'project'), data, env: { MILLRACE_FLUSH_MS: '700' } })
})
after(async () => {
  await server.stop()
  rmSync(data, { recursive: true, force: true })
})

const COLUMNS = ['id', 'name', 'status', 'n', 'price', 'weight', 'seen', 'isOld']
const CREATE = `CREATE TABLE stock (id INTEGER NOT NULL, name VARCHAR NOT NULL, status VARCHAR NOT NULL DEFAULT 'new', n BIGINT,
  price DECIMAL(12,2), weight DOUBLE, seen TIMESTAMPTZ, "isOld" BOOLEAN`

const one = <T>(random: Random, of: readonly T[]): T => of[integer(random, of.length)]!

class Statements {
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  #id = (): number => integer(this.#random, 40)
  #pick = <T>(of: readonly T[]): T => one(this.#random, of)

  /** An expression of the column's type, over columns of `from` (none when empty). */
  #value(column: string, from: string): string {
    const rare = this.#random.next()
    if (rare < 0.06) return 'NULL'
    const own = from === '' ? undefined : `${from}"${column}"`
    switch (column) {
      case 'id':
        return String(this.#id())
      case 'name':
        return this.#pick(["'a'", "'it''s'", "E'line\\nend'", own ? `${own} || '!'` : "'ü'", own ? `upper(${own})` : "$$x'y$$"])
      case 'status':
        return this.#pick(["'new'", "'old'", own ?? "'gone'", "CASE WHEN 1 = 1 THEN 'case' ELSE 'else' END"])
      case 'n':
        return this.#pick(['0', '9007199254740993', '-1', own ? `${own} + 1` : '7', own ? `coalesce(${own}, 0) * 2` : '3', `'12'`])
      case 'price':
        return this.#pick(['1.005', '0', own ? `${own} * 1.1` : '9.99', `'3.50'`, own ? `round(${own} / 3, 1)` : '100'])
      case 'weight':
        return this.#pick(['1e300', "'NaN'::DOUBLE", "'-inf'::DOUBLE", '-0.0::DOUBLE', own ? `${own} / 3` : '0.1', '1e-7'])
      case 'seen':
        return this.#pick([
          "'2026-01-01 12:00:00.123456+02'",
          "TIMESTAMPTZ '2000-02-29 00:00:00Z'",
          own ? `${own} + INTERVAL 1 MONTH` : "DATE '2020-01-01'",
        ])
      default:
        return this.#pick(['true', 'false', own ? `NOT ${own}` : 'true'])
    }
  }

  #condition(at: string): string {
    return this.#pick([
      `${at}id = ${this.#id()}`,
      `${at}id IN (${this.#id()}, ${this.#id()}, ${this.#id()})`,
      `${at}id % 7 = ${integer(this.#random, 7)} AND ${at}n IS NOT NULL`,
      `(${at}status = 'new' /* status; */ OR ${at}price > 5)`,
      `${at}n > (SELECT avg(n) FROM stock)`,
      `${at}weight IS DISTINCT FROM NULL AND ${at}"isOld"`,
      `EXISTS (SELECT 1 FROM stock o WHERE o.id = ${at}id + 1)`,
      'true',
    ])
  }

  #set(count: number, from: string, columns = COLUMNS.slice(1)): string {
    const chosen = [...columns].sort(() => this.#random.next() - 0.5).slice(0, count)
    return chosen.map((column) => `"${column}" = ${this.#random.next() < 0.08 ? 'DEFAULT' : this.#value(column, from)}`).join(', ')
  }

  #rows(columns: readonly string[], count: number, ids: readonly number[]): string {
    const row = (index: number): string =>
      `(${columns.map((column) => (column === 'id' ? String(ids[index]) : this.#value(column, ''))).join(', ')})`
    return Array.from({ length: count }, (_, index) => row(index)).join(', ')
  }

  #ids(count: number): number[] {
    const ids = Array.from({ length: 40 }, (_, id) => id).sort(() => this.#random.next() - 0.5)
    return this.#random.next() < 0.1 ? ids.slice(0, count - 1).concat(ids[0]!) : ids.slice(0, count)
  }

  next(): string {
    const count = 1 + integer(this.#random, 6)
    const kind = integer(this.#random, 12)
    const columns = ['id', 'name', ...COLUMNS.slice(2).filter(() => this.#random.next() < 0.5)]
    const list = columns.map((column) => `"${column}"`).join(', ')
    if (kind < 3) return `INSERT INTO stock (${list}) VALUES ${this.#rows(columns, count, this.#ids(count))}`
    if (kind === 3) {
      const then = this.#pick(['DO NOTHING', `(id) DO NOTHING`, `(id) DO UPDATE SET ${this.#set(2, 'excluded.')}`])
      const ids = then.includes('UPDATE') ? [...new Set(this.#ids(count))] : this.#ids(count)
      const where = then.includes('UPDATE') && this.#random.next() < 0.5 ? ` WHERE stock.id > 10` : ''
      // DuckDB does not look at nulls of rows that it leaves out; PostgreSQL does, and so do we.
      const rows = this.#rows(columns, ids.length, ids).replaceAll(/\bNULL\b/g, "'1'")
      return `INSERT INTO stock (${list}) VALUES ${rows} ON CONFLICT ${then}${where}`
    }
    if (kind === 4)
      return `INSERT INTO stock BY NAME SELECT id + ${this.#pick([1, 20, 100])} AS id, name, n + 1 AS n FROM stock WHERE ${this.#condition('')}`
    if (kind === 5) return `UPDATE stock SET id = ${this.#pick(['id + 1', '39 - id', 'id + 1000', 'id * 1'])} WHERE ${this.#condition('')}`
    if (kind < 8) return `UPDATE stock AS x SET ${this.#set(1 + integer(this.#random, 3), 'x.')} WHERE ${this.#condition('x.')}`
    if (kind === 8)
      return `WITH s AS (SELECT id, max(n) AS m FROM stock GROUP BY id) UPDATE stock SET n = s.m + 1, name = 'from' FROM s WHERE s.id = stock.id AND ${this.#condition('stock.')}`
    if (kind === 9) {
      const using =
        this.#random.next() < 0.5
          ? ` USING (VALUES (${this.#id()}), (${this.#id()})) AS u(k) WHERE u.k = stock.id`
          : ` WHERE ${this.#condition('')} AND id % 3 = 1`
      return `DELETE FROM stock${using}`
    }
    const ids = [...new Set(this.#ids(count))]
    const whens = [
      `WHEN MATCHED AND ${this.#condition('t.')} THEN ${this.#pick(['DELETE', 'DO NOTHING', `UPDATE SET ${this.#set(2, 's.')}`])}`,
      `WHEN MATCHED THEN UPDATE SET ${this.#set(2, 't.')}`,
      `WHEN NOT MATCHED AND s.id % 2 = 0 THEN INSERT (id, name, n) VALUES (s.id, s.name, ${this.#value('n', 's.')})`,
      `WHEN NOT MATCHED BY SOURCE AND t.id % 11 = 1 THEN ${this.#pick(['DELETE', `UPDATE SET ${this.#set(1, 't.')}`])}`,
    ].filter(() => this.#random.next() < 0.7)
    const source = `(SELECT * FROM (VALUES ${this.#rows(COLUMNS, ids.length, ids)}) AS v(${COLUMNS.map((column) => `"${column}"`).join(', ')})) AS s`
    return `MERGE INTO stock AS t USING ${source} ON t.id = s.id ${(whens.length > 0 ? whens : ['WHEN MATCHED THEN DELETE']).join(' ')}`
  }
}

test(`${STATEMENTS} statements do what they do in DuckDB (seed ${SEED})`, async () => {
  await using oracle = await openTestEngine()
  const { session } = oracle
  await session.run(`${CREATE})`)
  const list = COLUMNS.map((column) => `"${column}"`).join(', ')
  const shown = `SELECT ${COLUMNS.map((column) => (column === 'weight' ? `hex(weight::VARCHAR) || (1 / weight)` : `"${column}"::VARCHAR`)).join(', ')} FROM stock ORDER BY id`
  const statements = new Statements(seededRandom(SEED))
  const outcome = { done: 0, refused: 0, changed: 0 }
  for (let n = 0; n < STATEMENTS; n++) {
    const statement = statements.next()
    const refusal = await applyTo(oracle, statement, list)
    const answer = await server.post('/sql', JSON.stringify({ sql: statement }), { 'content-type': 'application/json' })
    const body = (await answer.json()) as { code?: string; detail?: string; inserted: number; updated: number; deleted: number }
    const what = `${n}: ${statement}\n${refusal ?? 'done'}\n${JSON.stringify(body)}`
    assert.equal(answer.status < 400, refusal === null, what)
    assert.notEqual(answer.status, 500, what)
    assert.deepEqual(await server.sql(shown), (await session.rows(shown)).rows, what)
    if (refusal !== null) outcome.refused++
    else {
      outcome.done++
      outcome.changed += body.inserted + body.updated + body.deleted
    }
  }
  assert.ok(outcome.done > STATEMENTS / 2 && outcome.refused > 3 && outcome.changed > STATEMENTS, JSON.stringify(outcome))
})

/** Why DuckDB refuses it, or null when it is done. */
async function applyTo({ session }: Awaited<ReturnType<typeof openTestEngine>>, statement: string, list: string): Promise<string | null> {
  try {
    await session.run('BEGIN')
    if (/ON CONFLICT/.test(statement)) {
      await session.run(`ALTER TABLE stock RENAME TO before; ${CREATE}, PRIMARY KEY (id)); INSERT INTO stock SELECT * FROM before`)
      await session.run(statement)
      await session.run(
        `DROP TABLE before; ALTER TABLE stock RENAME TO keyed; ${CREATE}); INSERT INTO stock SELECT ${list} FROM keyed; DROP TABLE keyed`,
      )
    } else await session.run(statement)
    const { rows } = await session.rows('SELECT id FROM stock GROUP BY id HAVING count(*) > 1')
    if (rows.length > 0) throw new Error(`two rows with the key ${String(rows[0]![0])}`)
    await session.run('COMMIT')
    return null
  } catch (error) {
    await session.run('ROLLBACK')
    return (error as Error).message
  }
}
