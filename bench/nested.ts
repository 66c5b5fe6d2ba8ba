// Rows of live models with nested columns per core-second: members of a struct, elements of a list, members of structs in a list, beside a
// flat column. The operators alone, over scanned rows. Peer: DuckDB with one thread over the same rows in the same micro-batches, which
// appends a batch and runs the batch SQL of the model over it.
// One JSON line per figure. Usage: node24 bench/nested.ts [rows, default 500000] [rows of a batch, default 2000]
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/core/clock.ts'
import { SYSTEM_FIELDS } from '../src/define/system-columns.ts'
import { printLive } from '../src/engine/algebra/print-query.ts'
import { compileLive } from '../src/engine/algebra/read-query.ts'
import { openParser } from '../src/engine/ast.ts'
import { createSql, tableName, typedSql } from '../src/engine/batch-table.ts'
import { openEngine } from '../src/engine/duckdb.ts'
import type { Column, ColumnBatch } from '../src/schema/batch.ts'
import { compileScanner } from '../src/schema/scan/scanner.ts'
import type { Field, Shape, Type } from '../src/schema/type.ts'
import { Chain } from '../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../src/stream/operators/shape.ts'
import { appendAsPeer } from './peer-append.ts'

const BATCH = Number(process.argv[3] ?? 2_000)
const BATCHES = Math.ceil(Number(process.argv[2] ?? 500_000) / BATCH)
const ROUNDS = 3

const field = (name: string, type: Type): Field => ({ name, type, optional: false })
const text = { kind: 'string' } as const
const long = { kind: 'long' } as const
const struct = (...fields: Field[]): Type => ({ kind: 'struct', fields })
const list = (type: Type): Type => ({ kind: 'list', element: { type, optional: false } })
const OWN: Shape = {
  fields: [
    field('id', long),
    field('seen', { kind: 'timestamp' }),
    field('city', text),
    field('user', struct(field('id', long), field('name', text), field('address', struct(field('city', text), field('zip', text))))),
    field('tags', list(text)),
    field('items', list(struct(field('sku', text), field('pieces', long), field('price', { kind: 'decimal', precision: 12, scale: 2 })))),
  ],
}
const SHAPE: Shape = { fields: [...OWN.fields, ...SYSTEM_FIELDS] }

const QUERIES: Readonly<Record<string, string>> = {
  'a flat column': 'SELECT city, count(*) AS c FROM orders GROUP BY city',
  'a member of a struct': 'SELECT user.address.city AS city, count(*) AS c FROM orders GROUP BY 1',
  'several members':
    "SELECT user.id AS id, upper(user.name) AS name, user.address.zip AS zip FROM orders WHERE user.address.city <> 'city 7'",
  'elements of a list': 'SELECT tag, count(*) AS c FROM orders, unnest(tags) AS t(tag) GROUP BY tag',
  'members of structs in a list':
    'SELECT item.sku AS sku, sum(item.pieces * item.price) AS revenue FROM orders, unnest(items) AS i(item) GROUP BY 1',
}

function line(row: number): string {
  const city = `city ${row % 50}`
  const items = Array.from({ length: row % 4 }, (_, n) => ({ sku: `sku ${(row + n) % 100}`, pieces: n + 1, price: `${row % 90}.25` }))
  return JSON.stringify({
    id: row,
    seen: new Date(1_764_000_000_000 + row).toISOString(),
    city,
    user: { id: row % 1_000, name: `user ${row % 1_000}`, address: { city, zip: '10000' } },
    tags: ['new', 'gift', 'sale'].slice(row % 4),
    items,
  })
}

const scanner = compileScanner(OWN)
const batches = Array.from({ length: BATCHES }, (_, at): ColumnBatch => {
  const { batch } = scanner.scan(Buffer.from(Array.from({ length: BATCH }, (_, i) => `${line(at * BATCH + i)}\n`).join('')))
  const offsets = Float64Array.from({ length: BATCH }, (_, i) => at * BATCH + i)
  const system: Column[] = [
    { kind: 'number', values: new Float64Array(BATCH), nulls: null },
    { kind: 'integer', values: offsets, big: null, nulls: null },
    { kind: 'integer', values: offsets, big: null, nulls: null },
  ]
  return { shape: SHAPE, rows: BATCH, columns: [...batch.columns, ...system] }
})

const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
const engine = await openEngine({ clock: systemClock, directories: [directory], tempDirectory: join(directory, 'spill'), threads: 1 })
const session = await engine.session()
const parser = await openParser(engine)

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

for (const [name, sql] of Object.entries(QUERIES)) {
  const query = compileLive((await parser.parse(sql)).node, () => SHAPE)
  const model = shapeOfRelation(query.root, () => SHAPE)
  const own = (): number => {
    const chain = new Chain(query, () => SHAPE, model)
    chain.restore(null)
    const before = cpuSeconds()
    for (const batch of batches) {
      chain.take('orders', batch, null, batch.rows)
      chain.changed()
    }
    return cpuSeconds() - before
  }
  const peer = async (): Promise<number> => {
    const before = cpuSeconds()
    for (const batch of batches) {
      await session.run(createSql(SHAPE, 'orders'))
      await appendAsPeer(session, 'orders', batch)
      await session.run(
        `CREATE OR REPLACE TABLE memory.tail.result AS ${printLive(query, () => `(${typedSql(SHAPE, tableName('orders'))})`)}`,
      )
    }
    return cpuSeconds() - before
  }
  let [seconds, peers] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  own()
  for (let round = 0; round < ROUNDS; round++) {
    seconds = Math.min(seconds, own())
    peers = Math.min(peers, await peer())
  }
  const million = (spent: number): number => Number(((BATCH * BATCHES) / spent / 1e6).toFixed(2))
  const figure = {
    bench: 'nested',
    case: name,
    value: million(seconds),
    unit: 'M rows per core-second',
    peer: million(peers),
    against: 'DuckDB per micro-batch',
    ratio: Number((peers / seconds).toFixed(1)),
    cpuSeconds: Number(seconds.toFixed(2)),
    batch: BATCH,
    rows: BATCH * BATCHES,
    load: Number(loadavg()[0]!.toFixed(2)),
  }
  process.stdout.write(`${JSON.stringify(figure)}\n`)
}
parser.close()
session.close()
engine.close()
rmSync(directory, { recursive: true })
