// Queries over the rows of one stream with nested columns, as they run and as DuckDB reads them by itself: what tests of expressions and
// of lists share.
import assert from 'node:assert/strict'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { readLive } from '../../src/engine/algebra/read-live.ts'
import type { StreamShape } from '../../src/engine/algebra/read-query.ts'
import type { LiveQuery } from '../../src/engine/algebra/relation.ts'
import { openParser } from '../../src/engine/ast.ts'
import { appendBatch, createSql, tableName, typedSql } from '../../src/engine/batch-table.ts'
import { type ComputeRows, rowComputer } from '../../src/engine/compute-rows.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { type ColumnBatch, indexes } from '../../src/schema/batch.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'
import { SEED } from '../seed.ts'
import { expectedRows, latest, show } from './oracle.ts'

export const START = Date.UTC(2026, 0, 1)

export const countOf = (query: unknown, op: string): number => {
  if (query === null || typeof query !== 'object') return 0
  const own = (query as { op?: string }).op === op ? 1 : 0
  return Object.values(query).reduce<number>((sum, inner) => sum + countOf(inner, op), own)
}

/** How a query ran: its rows, in how many batches, and how often DuckDB was asked. */
interface Ran {
  readonly rows: string[]
  readonly batches: number
  readonly asked: number
}

export interface Events {
  /** Live SQL over `events`. @throws MR_PLAN_LIVE_SHAPE. */
  read(sql: string): Promise<LiveQuery>
  /** Cut into batches. */
  run(query: LiveQuery, random: Random): Promise<Ran>
  /** The rows, by their places, on which DuckDB fails, found in one go. */
  failing(query: LiveQuery): Promise<readonly number[]>
  /** What the batch twin gives. */
  twin(query: LiveQuery): Promise<string[]>
  /** Equal to the SQL as it was written, which DuckDB reads by itself. */
  mustEqual(sql: string): Promise<LiveQuery>
  close(): Promise<void>
}

/** `shape`: with the system columns last. `line`: a row as JSON. */
export async function openEvents(shape: StreamShape, line: (random: Random, row: number) => string): Promise<Events> {
  const filling = seededRandom(SEED)
  const lines = Array.from({ length: 400 }, (_, row) => `${line(filling, row)}\n`)
  const engine = await openTestEngine({ threads: 1 })
  const parser = await openParser(engine.engine)
  const own = { fields: shape.fields.slice(0, -3) }
  const { batch, rejects } = compileScanner(own).scan(Buffer.from(lines.join('')))
  assert.deepEqual(rejects, [])
  const system = [
    { kind: 'number', values: new Float64Array(batch.rows), nulls: null },
    { kind: 'integer', values: Float64Array.from({ length: batch.rows }, (_, i) => i), big: null, nulls: null },
    { kind: 'integer', values: Float64Array.from({ length: batch.rows }, (_, i) => (START + i) * 1_000), big: null, nulls: null },
  ] as const
  const whole: ColumnBatch = { shape, rows: batch.rows, columns: [...batch.columns, ...system] }
  await engine.session.run(createSql(shape, 'rows'))
  await appendBatch(engine.session, 'rows', whole)
  await engine.session.run(`CREATE TABLE events AS ${typedSql(shape, tableName('rows'))}`)
  console.log(`seed ${SEED}`)

  const ask = async (sql: string): Promise<readonly (readonly unknown[])[]> => (await engine.session.rows(sql)).rows
  const typeOf = async (select: string): Promise<string> => String((await ask(`DESCRIBE ${select}`))[0]![1])
  const read: Events['read'] = async (sql) => {
    const { node } = await parser.parse(sql)
    return readLive(node, (name) => (name === 'events' ? shape : undefined), { parser, typeOf })
  }
  const run: Events['run'] = async (query, random) => {
    const model = shapeOfRelation(query.root, () => shape)
    let [batches, asked] = [0, 0]
    const compute: ComputeRows = (...given) => {
      asked++
      return rowComputer(engine.engine)(...given)
    }
    const chain = new Chain(query, () => shape, model, compute)
    chain.restore(null)
    const out: ColumnBatch[] = []
    const keep = (rows: ColumnBatch | null): void => {
      if (rows) out.push({ ...rows, shape: model })
    }
    for (let from = 0; from < whole.rows; batches++) {
      const until = Math.min(whole.rows, from + 1 + integer(random, 150))
      const rows = Int32Array.from({ length: until - from }, (_, i) => from + i)
      keep(chain.pass(await chain.enter('events', whole, rows, rows.length)))
      from = until
    }
    keep(chain.advance(Number.MAX_SAFE_INTEGER))
    keep(chain.changed())
    return { rows: query.result === 'keyed' ? latest(out, query.key, model) : out.flatMap((part) => show(part)), batches, asked }
  }
  const twin: Events['twin'] = async (query) =>
    expectedRows(
      ask,
      query,
      shapeOfRelation(query.root, () => shape),
      (name) => name,
    )
  const failing: Events['failing'] = async (query) => {
    const model = shapeOfRelation(query.root, () => shape)
    const chain = new Chain(query, () => shape, model, rowComputer(engine.engine))
    return [...(await chain.sift('events', whole, indexes(whole.rows))).keys()].sort((a, b) => a - b)
  }
  return {
    read,
    run,
    failing,
    twin,
    mustEqual: async (sql) => {
      const query = await read(sql)
      const model = shapeOfRelation(query.root, () => shape)
      const written = (await expectedRows(ask, query, model, (name) => name, sql)).sort()
      const ran = await run(query, seededRandom(SEED))
      assert.deepEqual(ran.rows.sort(), written, `${sql} (${model.fields.map(({ name }) => name).join(', ')}), seed ${SEED}`)
      assert.deepEqual((await twin(query)).sort(), written, `the batch twin of ${sql}`)
      assert.ok(ran.asked <= countOf(query.root, 'compute') * ran.batches, 'one round trip a batch')
      return query
    },
    close: async () => {
      parser.close()
      await engine[Symbol.asyncDispose]()
    },
  }
}
