// docs/reference/live-sql.md is the closed list: every example compiles to the kind that its heading says, every function that the
// engine has is named, and every name in its lists exists.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { SYSTEM_FIELDS } from '../../src/define/system-columns.ts'
import { FUNCTIONS } from '../../src/engine/algebra/functions.ts'
import { printLive } from '../../src/engine/algebra/print-query.ts'
import { AGGREGATE_NAMES } from '../../src/engine/algebra/read-aggregate.ts'
import { readLive } from '../../src/engine/algebra/read-live.ts'
import { openParser } from '../../src/engine/ast.ts'
import { rowComputer } from '../../src/engine/compute-rows.ts'
import { openTestEngine } from '../../src/engine/testing.ts'
import { toDuckType } from '../../src/schema/duckdb.ts'
import type { Shape, Type } from '../../src/schema/type.ts'
import { Chain } from '../../src/stream/operators/chain.ts'
import { shapeOfRelation } from '../../src/stream/operators/shape.ts'

const page = readFileSync(join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'docs', 'reference', 'live-sql.md'), 'utf8')

const field = (name: string, type: Type, optional = false) => ({ name, type, optional })
const ITEM: Type = { kind: 'struct', fields: [field('sku', { kind: 'string' }), field('pieces', { kind: 'int' })] }
const SALES: Shape = {
  fields: [
    field('seen', { kind: 'timestamp' }),
    field('shop', { kind: 'string' }),
    field('device', { kind: 'string' }, true),
    field('amount', { kind: 'decimal', precision: 12, scale: 2 }),
    field('quantity', { kind: 'int' }),
    field('ok', { kind: 'boolean' }),
    field('detail', { kind: 'json' }),
    field('items', { kind: 'list', element: { type: ITEM, optional: true } }, true),
    field('tags', { kind: 'list', element: { type: { kind: 'string' }, optional: true } }, true),
    ...SYSTEM_FIELDS,
  ],
}

const PAYMENTS: Shape & { readonly unique: readonly string[] } = {
  fields: [
    field('paid', { kind: 'timestamp' }),
    field('sale', { kind: 'long' }),
    field('shop', { kind: 'string' }),
    field('method', { kind: 'string' }, true),
    ...SYSTEM_FIELDS,
  ],
  unique: ['sale'],
}
const SHOPS: Shape & { readonly tableKey: readonly string[] } = {
  fields: [field('name', { kind: 'string' }), field('country', { kind: 'string' }, true), ...SYSTEM_FIELDS],
  tableKey: ['name'],
}
const shapeOf = (stream: string): Shape => (stream === 'payments' ? PAYMENTS : stream === 'shops' ? SHOPS : SALES)

/** What the examples under a heading give. */
const KINDS: Readonly<Record<string, readonly ('append' | 'closing' | 'keyed')[]>> = {
  'Rows as they come': ['append'],
  Windows: ['closing'],
  'Keyed tables': ['keyed'],
  'Elements of lists': ['append', 'closing'],
  'Several streams': ['append', 'closing'],
  'Lookups in tables': ['append', 'closing'],
  'Rows of tables': ['keyed'],
  'Operators over operators': ['closing', 'keyed'],
  Expressions: ['append'],
}

test('every example compiles, runs, and has a batch twin that DuckDB takes', async () => {
  await using engine = await openTestEngine({ threads: 1 })
  const parser = await openParser(engine.engine)
  for (const table of ['sales', 'payments', 'shops']) {
    const columns = shapeOf(table).fields.map(({ name, type }) => `"${name}" ${toDuckType(type)}`)
    await engine.session.run(`CREATE TABLE ${table} (${columns.join(', ')})`)
  }
  const typeOf = async (select: string): Promise<string> => String((await engine.session.rows(`DESCRIBE ${select}`)).rows[0]![1])
  let seen = 0
  for (const section of page.split(/^## /m)) {
    const kinds = KINDS[section.slice(0, section.indexOf('\n'))]
    if (!kinds) continue
    for (const [, sql] of section.matchAll(/```sql\n([\s\S]*?)```/g)) {
      seen++
      const { node } = await parser.parse(sql!)
      const query = await readLive(node, shapeOf, { parser, typeOf })
      assert.ok(kinds.includes(query.result), `${query.result}: ${sql}`)
      const chain = new Chain(query, shapeOf, shapeOfRelation(query.root, shapeOf), rowComputer(engine.engine))
      chain.restore(null)
      // Of no rows there is nothing, or the one row of an aggregate over all of them.
      const { rows } = await engine.session.rows(printLive(query, (stream) => stream))
      assert.equal(rows.length, chain.changed()?.rows ?? 0, sql)
    }
  }
  parser.close()
  assert.ok(seen >= 10, `saw only ${seen} examples`)
})

test('the lists of functions are those of the engine', () => {
  const named = new Set([...page.matchAll(/`([^`\n]+)`/g)].map(([, name]) => name!))
  const missing = [...Object.keys(FUNCTIONS), ...AGGREGATE_NAMES].filter((name) => !named.has(name))
  assert.deepEqual(missing, [], 'not in live-sql.md')
  const known = new Set([...Object.keys(FUNCTIONS), ...AGGREGATE_NAMES])
  // Written with a keyword, or said not to be there.
  const others = new Set(
    'coalesce extract tumble hop session row_number rank ln exp pow sin median quantile_cont string_agg count_if countif any_value first last mode'.split(
      ' ',
    ),
  )
  const lists = page.slice(page.indexOf('## Aggregates'), page.indexOf('Casts: between'))
  const unknown = [...lists.matchAll(/`([a-z_]+)`/g)].map(([, name]) => name!).filter((name) => !known.has(name) && !others.has(name))
  assert.deepEqual(unknown, [], 'named, but not there')
})
