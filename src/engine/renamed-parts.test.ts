// Nested columns through changes of their parts: real files written under each schema and read under every later one, against a
// model that knows values by field id only. Which tables need their files' names is decided on the way.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { diskLake } from '../../test/simulation/disk-lake.ts'
import { hasRenamedParts } from '../lake/renamed.ts'
import type { Shape, Type } from '../schema/type.ts'
import { fileNames } from './file-names.ts'
import { scanSql } from './scan.ts'
import { openTestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

const tested = await openTestEngine({ threads: 1 })
const lake = diskLake(join(tested.directory, 'lake'), fileNames(tested.engine))
after(() => tested[Symbol.asyncDispose]())

const INT: Type = { kind: 'int' }
const TEXT: Type = { kind: 'string' }
const struct = (members: Readonly<Record<string, Type>>): Type => ({
  kind: 'struct',
  fields: Object.entries(members).map(([name, type]) => ({ name, type, optional: true })),
})
const list = (type: Type): Type => ({ kind: 'list', element: { type, optional: true } })
const map = (type: Type): Type => ({ kind: 'map', key: TEXT, value: { type, optional: true } })
const shapeOf = (type: Type): Shape => ({
  fields: [
    { name: 'id', type: INT, optional: true },
    { name: 'c', type, optional: true },
  ],
})

let tables = 0

async function tableOf(type: Type) {
  const name = `t${tables++}`
  await lake.create({ name, shape: shapeOf(type), partition: [], cluster: [], key: [] })
  return {
    evolve: (next: Type) => lake.commit([{ table: name, operation: 'append', add: [], remove: [], shape: shapeOf(next) }]),
    async write(id: number, value: string) {
      const table = await lake.table(name)
      const add = await writeParquet(tested.session, {
        select: `SELECT ${id} AS id, ${value} AS c`,
        table,
        directory: lake.dataDirectory(table),
      })
      await lake.commit([{ table: name, operation: 'append', add, remove: [] }])
    },
    async values(): Promise<unknown[]> {
      const table = await lake.table(name)
      using lease = lake.lease()
      const files = await lease.local(await lake.files(table))
      const { rows } = await tested.session.rows(`SELECT c FROM (${scanSql({ table, files, tails: [] })}) ORDER BY id`)
      return rows.map(([value]) => value)
    },
    /** As compaction does. */
    async rewrite() {
      const table = await lake.table(name)
      using lease = lake.lease()
      const files = await lake.files(table)
      const select = scanSql({ table, files: await lease.local(files), tails: [] })
      const add = await writeParquet(tested.session, { select, table, directory: lake.dataDirectory(table) })
      await lake.commit([{ table: name, operation: 'replace', add, remove: files.map(({ path }) => path) }])
    },
    isRenamed: async () => hasRenamedParts((await lake.table(name)).schemas),
  }
}

test('a member that is added, dropped and comes back is another one, at every depth', async () => {
  for (const [wrap, of, values] of [
    [(type: Type) => type, (text: string) => text, (value: unknown) => value],
    [list, (text: string) => `[${text}, NULL]`, (value: unknown) => [value, null]],
    [map, (text: string) => `MAP {'k': ${text}}`, (value: unknown) => ({ k: value })],
    [
      (type: Type) => struct({ in: list(struct({ deep: type, other: INT })) }),
      (text: string) => `{'in': [{'deep': ${text}, 'other': 7}]}`,
      (value: unknown) => ({ in: [{ deep: value, other: 7 }] }),
    ],
  ] as const) {
    const t = await tableOf(wrap(struct({ a: INT, b: TEXT })))
    await t.write(1, of("{'a': 1, 'b': 'x'}"))
    await t.evolve(wrap(struct({ b: TEXT, n: list(INT) })))
    await t.write(2, of("{'b': 'y', 'n': [2]}"))
    assert.equal(await t.isRenamed(), false)
    assert.deepEqual(await t.values(), [values({ b: 'x', n: null }), values({ b: 'y', n: [2] })])
    await t.evolve(wrap(struct({ a: INT, b: TEXT, n: list(INT) })))
    await t.write(3, of("{'a': 3, 'b': 'z', 'n': NULL}"))
    assert.equal(await t.isRenamed(), true)
    const all = [values({ a: null, b: 'x', n: null }), values({ a: null, b: 'y', n: [2] }), values({ a: 3, b: 'z', n: null })]
    assert.deepEqual(await t.values(), all)
    // What is null as a whole stays null, and widening goes on.
    await t.write(4, 'NULL')
    await t.evolve(wrap(struct({ a: { kind: 'long' }, b: TEXT, n: list({ kind: 'long' }) })))
    assert.deepEqual(await t.values(), [
      values({ a: null, b: 'x', n: null }),
      values({ a: null, b: 'y', n: [2n] }),
      values({ a: 3n, b: 'z', n: null }),
      null,
    ])
  }
})

test('a struct that kept none of its members keeps its nulls', async () => {
  const t = await tableOf(struct({ a: struct({ x: INT }) }))
  await t.write(1, "{'a': {'x': 1}}")
  await t.write(2, "{'a': NULL}")
  await t.write(3, 'NULL')
  await t.evolve(struct({ a: struct({ y: INT }) }))
  await t.write(4, "{'a': {'y': 4}}")
  assert.equal(await t.isRenamed(), true)
  assert.deepEqual(await t.values(), [{ a: { y: null } }, { a: null }, null, { a: { y: 4 } }])
})

test('names of any spelling, and files that are written anew', async () => {
  const odd = { 'q"uo\'te': INT, 'with space': list(struct({ select: TEXT, 'c.d': INT })), é: map(struct({ '1': INT })) }
  const t = await tableOf(struct(odd))
  const value = `{'q"uo''te': 1, 'with space': [{'select': 'x', 'c.d': 2}], 'é': MAP {'k': {'1': 3}}}`
  await t.write(1, value)
  assert.deepEqual(await t.values(), [{ 'q"uo\'te': 1, 'with space': [{ select: 'x', 'c.d': 2 }], é: { k: { 1: 3 } } }])
  const { 'q"uo\'te': _, ...rest } = odd
  await t.evolve(struct(rest))
  await t.evolve(struct({ ...rest, 'q"uo\'te': INT }))
  assert.equal(await t.isRenamed(), true)
  const expected = [{ 'with space': [{ select: 'x', 'c.d': 2 }], é: { k: { 1: 3 } }, 'q"uo\'te': null }]
  assert.deepEqual(await t.values(), expected)
  await t.rewrite()
  assert.deepEqual(await t.values(), expected)
})

test('what cannot be in place is refused by its place', async () => {
  const t = await tableOf(struct({ a: list(struct({ x: { kind: 'long' }, y: TEXT })) }))
  const refused = (type: Type, message: RegExp) => assert.rejects(t.evolve(type), { code: 'MR_SCHEMA_EVOLUTION', message })
  await refused(struct({ a: list(struct({ x: INT, y: TEXT })) }), /the column c\.a\.element\.x is a long and cannot become a int/)
  await refused(struct({ a: list(TEXT) }), /the column c\.a\.element is a struct<x: long, y: string> and cannot become a string/)
  await refused(struct({ a: map(TEXT) }), /the column c\.a is a list<.*> and cannot become a map<string, string>/)
  await refused(list(TEXT), /the column c is a struct<.*> and cannot become a list<string>/)
  const required: Type = { kind: 'struct', fields: [{ name: 'z', type: INT, optional: false }] }
  await refused(struct({ a: list(required) }), /the new column c\.a\.element\.z is required/)
})

test('names of files are answered for all that are asked for, however few are kept', async () => {
  const path = (name: string): string => join(tested.directory, `${name}.parquet`)
  for (const name of ['n1', 'n2', 'n3'])
    await tested.session.run(
      `COPY (SELECT {'${name}': 1} AS c) TO '${path(name)}' (FORMAT parquet, FIELD_IDS {c: {__duckdb_field_id: 1, '${name}': 2}})`,
    )
  const namesIn = fileNames(tested.engine, 2)
  for (const asked of [['n1'], ['n1', 'n2'], ['n1', 'n2', 'n3'], ['n3']]) {
    const found = await namesIn(asked.map(path))
    assert.deepEqual(
      asked.map((name) => found.get(path(name))?.[0]?.inner.map((inner) => inner.name)),
      asked.map((name) => [name]),
    )
  }
})
