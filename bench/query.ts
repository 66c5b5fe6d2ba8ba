// Questions through the engine's scan (field ids, pruning, hot tail) against DuckDB alone on the same files, in turns: what
// the layers between cost. Usage: node24 bench/query.ts [rows, default 10000000] [rounds] [directory]
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { systemClock } from '../src/core/clock.ts'
import { openParser, relationsOf } from '../src/engine/ast.ts'
import { openEngine } from '../src/engine/duckdb.ts'
import { pruneTerms } from '../src/engine/prune.ts'
import { scanSql } from '../src/engine/scan.ts'
import { quoteText } from '../src/engine/sql-text.ts'
import { HotTail } from '../src/engine/tail.ts'
import { lakeTable } from '../src/engine/testing.ts'
import { writeParquet } from '../src/engine/write.ts'
import { pruner } from '../src/lake/prune.ts'
import type { DataFile } from '../src/lake/types.ts'
import type { ColumnBatch } from '../src/schema/batch.ts'
import type { Shape } from '../src/schema/type.ts'

const ROWS = Number(process.argv[2] ?? 10_000_000)
const ROUNDS = Number(process.argv[3] ?? 9)
const FILES = 10
const TAIL_ROWS = 500_000
const FLOORS = { files: 1.2, tail: 1.5 }
const directory = mkdtempSync(join(process.argv[4] ?? tmpdir(), 'millrace-bench-'))
const load = Number((loadavg()[0] ?? 0).toFixed(2))

const table = lakeTable({
  columns: { id: 'long', customer: 'int', country: 'string', amount: 'decimal(12, 2)', seen: 'timestamptz' },
  sort: ['id'],
})
const shape: Shape = {
  fields: [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'customer', type: { kind: 'int' }, optional: false },
    { name: 'country', type: { kind: 'string' }, optional: false },
    { name: 'amount', type: { kind: 'decimal', precision: 12, scale: 2 }, optional: false },
    { name: 'seen', type: { kind: 'timestamp' }, optional: false },
  ],
}
const COUNTRIES = ['DE', 'FR', 'GB', 'US', 'BR', 'IN', 'JP']

const rowsSql = (from: number, to: number): string => `SELECT range AS id, (hash(range) % 100000)::INTEGER AS customer,
  [${COUNTRIES.map(quoteText).join(', ')}][1 + (hash(range + 1) % ${COUNTRIES.length})::INTEGER] AS country,
  ((hash(range + 2) % 100000) / 100)::DECIMAL(12, 2) AS amount, make_timestamptz(1767225600000000 + range * 1000) AS seen FROM range(${from}, ${to})`

/** Questions over `t`. */
const QUESTIONS: Readonly<Record<string, string>> = {
  aggregate: 'SELECT count(*), sum(amount), max(seen) FROM t WHERE customer < 50000',
  group: 'SELECT country, count(*), sum(amount), avg(customer) FROM t GROUP BY country ORDER BY country',
  top: 'SELECT customer, sum(amount) AS total FROM t GROUP BY customer ORDER BY total DESC, customer LIMIT 10',
  point: `SELECT * FROM t WHERE id = ${Math.floor(ROWS / 3)}`,
}

function tailBatch(from: number, rows: number): ColumnBatch {
  const bytes = Buffer.from(COUNTRIES.join(''))
  const numbers = (value: (row: number) => number): Float64Array => Float64Array.from({ length: rows }, (_, row) => value(from + row))
  return {
    shape,
    rows,
    columns: [
      { kind: 'integer', values: numbers((id) => id), big: null, nulls: null },
      { kind: 'number', values: numbers((id) => (id * 7919) % 100_000), nulls: null },
      {
        kind: 'bytes',
        bytes,
        start: Int32Array.from({ length: rows }, (_, row) => (row % COUNTRIES.length) * 2),
        length: new Int32Array(rows).fill(2),
        nulls: null,
      },
      { kind: 'integer', values: numbers((id) => (id * 31) % 10_000_000), big: null, nulls: null },
      { kind: 'integer', values: numbers((id) => 1_767_225_600_000_000 + id * 1000), big: null, nulls: null },
    ],
  }
}

interface Timed {
  readonly ms: number
  readonly cpuSeconds: number
}

async function timed(action: () => Promise<readonly unknown[]>): Promise<Timed> {
  const cpu = process.cpuUsage()
  const start = performance.now()
  await action()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(cpu)
  return { ms, cpuSeconds: (user + system) / 1e6 }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

async function main(): Promise<boolean> {
  mkdirSync(join(directory, 'data'))
  const engine = await openEngine({ clock: systemClock, directories: [join(directory, 'data')], tempDirectory: join(directory, 'spill') })
  const parser = await openParser(engine)
  const session = await engine.session()
  const files: DataFile[] = []
  for (let file = 0; file < FILES; file++) {
    const select = rowsSql((ROWS / FILES) * file, (ROWS / FILES) * (file + 1))
    files.push(...(await writeParquet(session, { select, table, directory: join(directory, 'data') })))
  }
  const tail = await HotTail.open(engine, { name: 't', shape, key: [] })
  const active = await tail.clear()
  const start = performance.now()
  for (let at = 0; at < TAIL_ROWS; at += 10_000) await tail.append(tailBatch(ROWS + at, 10_000))
  const { sql: tailSql } = await active.hold()
  print({ case: 'append to the tail', value: Math.round(TAIL_ROWS / ((performance.now() - start) / 1000)), unit: 'rows/s', load })

  const alone = await DuckDBInstance.create(':memory:')
  const connection = await alone.connect()
  const direct = `read_parquet([${files.map((file) => quoteText(file.path)).join(', ')}])`
  const askAlone = async (question: string): Promise<readonly unknown[]> =>
    (await connection.runAndReadAll(question.replace('FROM t', `FROM ${direct} AS t`))).getRowsJson()
  const ask = async (question: string, tails: readonly string[]): Promise<readonly unknown[]> => {
    const statement = await parser.parse(question)
    const keep = pruner(pruneTerms(statement, relationsOf(statement)[0]!.node, shape), table.schema, table.specs, table.schemas)
    const scan = scanSql({ table, files: files.filter(keep.file), tails, shape })
    return (await session.rows(question.replace('FROM t', `FROM (${scan}) AS t`))).rows
  }

  const floors: { name: string; floor: number; value: number }[] = []
  for (const [name, question] of Object.entries(QUESTIONS)) {
    const expected = (await session.rows(question.replace('FROM t', `FROM ${direct} AS t`))).rows
    assert.deepEqual(await ask(question, []), expected, name)
    const rounds: { alone: Timed; ours: Timed; tailed: Timed }[] = []
    // Short questions need more rounds to tell noise from cost.
    for (let round = 0; round <= (name === 'point' ? ROUNDS * 10 : ROUNDS); round++) {
      const one = {
        alone: await timed(() => askAlone(question)),
        ours: await timed(() => ask(question, [])),
        tailed: await timed(() => ask(question, [tailSql])),
      }
      // The first warms the caches of both.
      if (round > 0) rounds.push(one)
    }
    const base = median(rounds.map((round) => round.alone.ms))
    print({
      case: `${name}, DuckDB alone`,
      value: Number(base.toFixed(2)),
      unit: 'ms',
      cpuSeconds: median(rounds.map((round) => round.alone.cpuSeconds)),
      load,
    })
    for (const [kind, floor] of [
      ['ours', FLOORS.files],
      ['tailed', FLOORS.tail],
    ] as const) {
      const value = median(rounds.map((round) => round[kind].ms))
      const ratio = Number((value / base).toFixed(3))
      const label = kind === 'ours' ? name : `${name}, with a tail of ${TAIL_ROWS} rows`
      print({
        case: label,
        value: Number(value.toFixed(2)),
        unit: 'ms',
        ratio,
        against: 'DuckDB alone',
        cpuSeconds: median(rounds.map((round) => round[kind].cpuSeconds)),
        load,
      })
      floors.push({ name: label, floor, value: ratio })
    }
  }
  const held = floors.every(({ floor, value }) => value <= floor)
  print({ held, floors })
  connection.closeSync()
  alone.closeSync()
  session.close()
  parser.close()
  engine.close()
  return held
}

function print(figure: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'query', ...figure })}\n`)
}

try {
  process.exitCode = (await main()) ? 0 : 1
} finally {
  rmSync(directory, { recursive: true, force: true })
}
