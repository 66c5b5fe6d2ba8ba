// The hot tail: rows visible at once, the latest of a key, rotation between appends, and generations that stay while held.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { ColumnBatch } from '../schema/batch.ts'
import type { Type } from '../schema/type.ts'
import { quoteName } from './sql-text.ts'
import { type Generation, GONE, type Held, HotTail } from './tail.ts'
import { batchOf, openTestEngine, type TestEngine } from './testing.ts'

const columns: Readonly<Record<string, Type>> = {
  k: { kind: 'string' },
  v: { kind: 'long' },
  m: { kind: 'decimal', precision: 38, scale: 1 },
  n: { kind: 'decimal', precision: 4, scale: 2 },
}

const rowsBatch = (rows: readonly (readonly [string, number])[]): ColumnBatch =>
  batchOf(
    columns,
    rows.map(([key, value]) => [Buffer.from(key), BigInt(value), Buffer.from(`${value}.5`), BigInt(value)]),
  )

const { shape } = rowsBatch([])

let parts: TestEngine
before(async () => {
  parts = await openTestEngine()
})
after(() => parts[Symbol.asyncDispose]())

const asking = async (generation: Generation, sqlOf: (held: Held) => string) => {
  const held = await generation.hold()
  try {
    return await parts.session.rows(sqlOf(held))
  } finally {
    held.letGo()
  }
}

const read = async (generation: Generation): Promise<unknown[]> =>
  (await asking(generation, ({ sql }) => `SELECT k, v FROM (${sql}) ORDER BY k, v`)).rows.map(([key, value]) => `${key}=${value}`)

/** It is given back when nobody reads it any more, and emptied then. */
const isEmpty = async (table: string): Promise<boolean> =>
  (await parts.session.rows(`SELECT 1 FROM memory.tail.${quoteName(table)}`)).rows.length === 0

test('appended rows are visible at once, with the types of the relation', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'plain.a"b', shape, key: [] })
  const active = await tail.clear()
  await tail.append(
    rowsBatch([
      ['a', 1],
      ['a', 2],
    ]),
  )
  assert.equal(tail.rows, 2)
  assert.ok(tail.bytes > 0)
  assert.deepEqual(await read(active), ['a=1', 'a=2'])
  const { columns: found, rows } = await asking(active, ({ sql }) => sql)
  assert.deepEqual(
    found.map(({ type }) => type),
    ['VARCHAR', 'BIGINT', 'DECIMAL(38,1)', 'DECIMAL(4,2)'],
  )
  assert.deepEqual(rows[1], ['a', 2n, '2.5', '0.02'])
})

test('keyed: the latest row of a key, within and over batches', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'keyed', shape, key: ['k'] })
  const active = await tail.clear()
  await tail.append(
    rowsBatch([
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ]),
  )
  assert.deepEqual(await read(active), ['a=3', 'b=2'])
  await tail.append(
    rowsBatch([
      ['b', 4],
      ['c', 5],
      ['b', 6],
      ['c', 7],
    ]),
  )
  assert.deepEqual(await read(active), ['a=3', 'b=6', 'c=7'])
  assert.equal(tail.rows, 7)
})

test('keyed: null is a key of its own, of few keys and of many', async () => {
  const keyed = { fields: shape.fields.map((field) => ({ ...field, optional: true })) }
  const tail = await HotTail.open(parts.engine, { name: 'nulls', shape: keyed, key: ['k'] })
  const active = await tail.clear()
  const rows = (keys: readonly (string | null)[], value: number): ColumnBatch => ({
    ...batchOf(
      columns,
      keys.map((key) => [key === null ? null : Buffer.from(key), BigInt(value), Buffer.from('0.5'), 0n]),
    ),
    shape: keyed,
  })
  await tail.append(rows([null, '', 'n', null], 1))
  await tail.append(rows([null], 2))
  assert.deepEqual(await read(active), ['=1', 'n=1', 'null=2'])
  await tail.append(rows([...Array.from({ length: 6_000 }, (_, number) => `k${number}`), null], 3))
  await tail.append(rows(['k0', null, null], 4))
  const { rows: found } = await asking(
    active,
    ({ sql }) => `SELECT k, v FROM (${sql}) WHERE k IS NULL OR k IN ('', 'n', 'k0', 'k1') ORDER BY k`,
  )
  assert.deepEqual(found, [
    ['', 1n],
    ['k0', 4n],
    ['k1', 3n],
    ['n', 1n],
    [null, 4n],
  ])
})

test('one row: the latest of all, or none', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'one', shape, key: [], isOneRow: true, canLose: true })
  const active = await tail.clear()
  const rows = (marked: readonly (readonly [number, boolean])[]): ColumnBatch => {
    const batch = rowsBatch(marked.map(([value]) => ['a', value]))
    const values = Float64Array.from(marked, ([, isGone]) => (isGone ? 1 : 0))
    return { ...batch, shape: { fields: [...shape.fields, GONE] }, columns: [...batch.columns, { kind: 'number', values, nulls: null }] }
  }
  const hides = async (): Promise<boolean> => (await asking(active, ({ keys }) => keys!)).rows.length > 0
  assert.deepEqual([await read(active), await hides()], [[], false])
  await tail.append(
    rows([
      [1, false],
      [2, false],
    ]),
  )
  assert.deepEqual([await read(active), await hides()], [['a=2'], true])
  await tail.append(rows([[0, true]]))
  assert.deepEqual([await read(active), await hides()], [[], true])
  await tail.append(
    rows([
      [3, false],
      [4, true],
      [5, false],
    ]),
  )
  assert.deepEqual(await read(active), ['a=5'])
  await tail.append(rows([[6, true]]))
  assert.deepEqual([await read(active), await hides()], [[], true])
})

test('keyed: many keys, then the latest rows of some', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'many', shape, key: ['k'] })
  const active = await tail.clear()
  const keys = Array.from({ length: 6_000 }, (_, number) => `k${number}`)
  await tail.append(rowsBatch(keys.slice(0, 3_000).map((key) => [key, 1])))
  await tail.append(rowsBatch(keys.slice(2_000).map((key) => [key, 2])))
  await tail.append(rowsBatch(keys.slice(5_990).map((key) => [key, 3])))
  const { rows } = await asking(active, ({ sql }) => `SELECT v, count(*), count(DISTINCT k) FROM (${sql}) GROUP BY v ORDER BY v`)
  assert.deepEqual(rows, [
    [1n, 2000n, 2000n],
    [2n, 3990n, 3990n],
    [3n, 10n, 10n],
  ])
})

test('rotation: rows of appends under way stay together', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'rotated', shape, key: [] })
  const order: string[] = []
  const first = tail.append(rowsBatch([['a', 1]])).then(() => order.push('first'))
  const rotation = tail.rotate(() => order.push('swap'))
  const second = tail.append(rowsBatch([['b', 2]])).then(() => order.push('second'))
  const frozen = await rotation
  await Promise.all([first, second])
  assert.deepEqual(order, ['first', 'swap', 'second'])
  assert.deepEqual(await read(frozen), ['a=1'])
  assert.deepEqual([frozen.rows, tail.rows, frozen.isOpen], [1, 1, false])
})

test('a retired generation goes when nobody holds it', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'held', shape, key: [] })
  await tail.append(rowsBatch([['a', 1]]))
  const frozen = await tail.rotate(() => {})
  const held = await frozen.hold()
  frozen.retire()
  assert.deepEqual((await parts.session.rows(`SELECT k, v FROM (${held.sql})`)).rows, [['a', 1n]])
  held.letGo()
  while (!(await isEmpty(held.place))) await new Promise(setImmediate)
  const unheld = await tail.separate(rowsBatch([['p', 1]]))
  assert.deepEqual(await read(unheld), ['p=1'])
  unheld.retire()
  unheld.retire()
  while (!(await isEmpty(unheld.place))) await new Promise(setImmediate)
})

test('a reader of a small keyed tail sees the rows of when it came until it lets go', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'replaced', shape, key: ['k'] })
  const active = await tail.clear()
  const held: Held[] = []
  for (const value of [1, 2, 3, 4, 5, 6, 7]) {
    await tail.append(rowsBatch([['a', value]]))
    held.push(await active.hold())
  }
  const seen = async () => Promise.all(held.map(async ({ sql }) => (await parts.session.rows(`SELECT v FROM (${sql})`)).rows[0]))
  assert.deepEqual(await seen(), [[1n], [2n], [3n], [4n], [5n], [6n], [7n]])
  for (const one of held.splice(0, 6)) one.letGo()
  for (const value of [8, 9]) await tail.append(rowsBatch([['b', value]]))
  assert.deepEqual(await seen(), [[7n]])
  assert.deepEqual(await read(active), ['a=7', 'b=9'])
})

test('who came to a small keyed tail keeps its rows, and what retires it meanwhile does not take them away', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'coming', shape, key: ['k'] })
  const active = await tail.clear()
  await tail.append(rowsBatch([['a', 1]]))
  const [first, second] = await Promise.all([active.hold(), active.hold()])
  assert.equal(first.place, second.place)
  await tail.append(rowsBatch([['a', 2]]))
  active.retire()
  for (const held of [first, second]) {
    assert.deepEqual((await parts.session.rows(`SELECT v FROM (${held.sql})`)).rows, [[1n]])
    held.letGo()
  }
  await assert.rejects(parts.session.rows(`SELECT v FROM (${second.sql})`), /what is read is held/)
})

test('keyed: rows that nobody has read are kept when there are too many keys for a table as a whole', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'grown', shape, key: ['k'] })
  const active = await tail.clear()
  await tail.append(
    rowsBatch([
      ['a', 1],
      ['k0', 1],
    ]),
  )
  await tail.append(rowsBatch(Array.from({ length: 5_000 }, (_, number) => [`k${number}`, 2] as const)))
  const { rows } = await asking(active, ({ sql }) => `SELECT v, count(*) FROM (${sql}) GROUP BY v ORDER BY v`)
  assert.deepEqual(rows, [
    [1n, 1n],
    [2n, 5000n],
  ])
})

test('rows wait for a reader, or until they are many, and nobody sees part of what an append brought', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'waiting', shape, key: [] })
  const active = await tail.clear()
  const stored = async (): Promise<unknown> =>
    (await parts.session.rows(`SELECT count(*) FROM memory.tail.${quoteName(active.place)}`)).rows
  const some = (count: number): ColumnBatch => rowsBatch(Array.from({ length: count }, (_, row) => ['k', row] as const))
  await tail.append(some(9_000))
  await tail.append(some(7_000))
  assert.deepEqual(await stored(), [[0n]])
  await tail.append(some(1_000))
  assert.deepEqual(await stored(), [[16_000n]])
  const seen: number[] = []
  const appending = [1, 2, 3].map(() => tail.append(some(1_000)))
  for (let reader = 0; reader < 4; reader++) seen.push((await read(active)).length)
  await Promise.all(appending)
  assert.ok(seen[0]! >= 17_000 && seen.every((count) => count % 1_000 === 0), `${seen}`)
  assert.equal((await read(active)).length, 20_000)
})

test('what retires a generation leaves it to who waits for its rows', async () => {
  for (const key of [[], ['k']]) {
    const tail = await HotTail.open(parts.engine, { name: `coming ${key.length}`, shape, key })
    const active = await tail.clear()
    await tail.append(rowsBatch(Array.from({ length: 5_000 }, (_, row) => [`k${row}`, 1] as const)))
    await tail.append(rowsBatch([['k0', 2]]))
    const coming = [active.hold(), active.hold()]
    active.retire()
    for (const held of await Promise.all(coming)) {
      const { rows } = await parts.session.rows(`SELECT count(*), max(v) FROM (${held.sql})`)
      assert.deepEqual(rows, [[key.length === 0 ? 5_001n : 5_000n, 2n]])
      held.letGo()
    }
  }
})

test('a failed append leaves the tail as it was and usable', async () => {
  const tail = await HotTail.open(parts.engine, { name: 'failing', shape, key: ['k'] })
  const active = await tail.clear()
  await tail.append(rowsBatch([['a', 1]]))
  const batch = rowsBatch([['b', 2]])
  await assert.rejects(tail.append({ ...batch, columns: batch.columns.slice(0, 2) }))
  await tail.append(rowsBatch([['c', 3]]))
  assert.deepEqual(await read(active), ['a=1', 'c=3'])
  assert.equal(tail.rows, 2)
})
