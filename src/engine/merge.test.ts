// Merges by key against a plain map, over versions 2 and 3: rows, row ids that never change, sequence numbers that change
// with their row only, one vector a file, none of a file that is gone. And what happens when two writers meet.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SEED } from '../../test/seed.ts'
import { diskLake } from '../../test/simulation/disk-lake.ts'
import type { ErrorCode } from '../core/errors.ts'
import { integer, type Random, seededRandom } from '../core/random.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable, TableChange } from '../lake/types.ts'
import type { Session } from './duckdb.ts'
import { movedSql } from './lineage.ts'
import { mergeRows } from './merge.ts'
import { scanSql } from './scan.ts'
import { openTestEngine } from './testing.ts'
import { writeParquet } from './write.ts'

interface World {
  readonly session: Session
  readonly lake: Lake
}

async function makeTable({ lake }: World, formatVersion: 2 | 3, rows = 0, session?: Session): Promise<LakeTable> {
  const fields = [
    { name: 'id', type: { kind: 'long' }, optional: false },
    { name: 'country', type: { kind: 'string' }, optional: true },
    { name: 'n', type: { kind: 'int' }, optional: true },
  ] as const
  const table = await lake.create({ name: 't', shape: { fields }, partition: [], cluster: ['id'], key: ['id'], formatVersion })
  if (rows === 0) return table
  const select = `SELECT i AS id, 'c' || i % 3 AS country, 0 AS n FROM range(${rows}) AS r(i)`
  const add = await writeParquet(session!, { select, table, directory: lake.dataDirectory(table), rowsPerFile: 100 })
  return committed(lake, { table: 't', operation: 'append', add, remove: [] })
}

const committed = async (lake: Lake, change: TableChange): Promise<LakeTable> => (await lake.commit([change])).tables[0]!

async function withWorld(action: (world: World, directory: string) => Promise<void>): Promise<void> {
  await using engine = await openTestEngine()
  const { session, directory } = engine
  const lake = diskLake(`${directory}/lake`)
  await action({ session, lake }, directory)
}

type Row = readonly [id: number, country: string | null, n: number]

async function rowsOf({ session, lake }: World, table: LakeTable): Promise<Row[]> {
  const { rows } = await session.rows(
    `SELECT id, country, n FROM (${scanSql({ table, files: await lake.files(table), tails: [] })}) ORDER BY id`,
  )
  return rows.map(([id, country, n]) => [Number(id), country as string | null, Number(n)])
}

async function lineageOf({ session, lake }: World, table: LakeTable): Promise<Map<number, readonly [number, number]>> {
  const { rows } = await session.rows(
    `SELECT id, _row_id, _last_updated_sequence_number FROM (${movedSql(table, await lake.files(table))})`,
  )
  const lineage = new Map(rows.map(([id, rowId, sequence]) => [Number(id), [Number(rowId), Number(sequence)] as const]))
  assert.ok([...lineage.values()].flat().every(Number.isSafeInteger))
  return lineage
}

const valuesSql = (rows: readonly Row[]): string =>
  rows.length === 0
    ? 'SELECT 0::BIGINT AS id, NULL::VARCHAR AS country, 0 AS n WHERE false'
    : `SELECT * FROM (VALUES ${rows.map(([id, country, n]) => `(${id}::BIGINT, ${country === null ? 'NULL' : `'${country}'`}, ${n})`).join(', ')}) AS v(id, country, n)`

const keysOf = (ids: readonly number[]): string => `SELECT id FROM (${valuesSql(ids.map((id) => [id, null, 0]))})`

async function compact({ session, lake }: World, table: LakeTable): Promise<LakeTable> {
  let next = table
  for (const group of await lake.planCompaction(table, { minFiles: 2 })) {
    const add = await writeParquet(session, {
      select: movedSql(table, group.files),
      moved: true,
      table,
      directory: lake.dataDirectory(table),
    })
    const remove = group.files.map((file) => file.path)
    next = await committed(lake, { table: 't', operation: 'replace', add, remove, readFrom: table.current!.id })
  }
  return next
}

/** One vector of each live file at most, and of no other; the summary counts them. */
async function checkVectors({ lake }: World, table: LakeTable): Promise<number> {
  const files = await lake.files(table)
  const vectors = files.flatMap((file) => (file.deletes?.vector ? [file.deletes.vector] : []))
  assert.equal(table.current!.summary['total-delete-files'], String(vectors.length))
  assert.equal(table.current!.summary['total-position-deletes'], String(vectors.reduce((sum, { positions }) => sum + positions.length, 0)))
  assert.equal(table.current!.summary['total-data-files'], String(files.length))
  return vectors.length
}

function randomStep(random: Random, oracle: ReadonlyMap<number, Row>, keys: number, step: number): { rows: Row[]; gone: number[] } {
  const pick = () => integer(random, keys)
  const many = integer(random, 4) === 0 ? 80 : 6
  const rows = new Map(Array.from({ length: integer(random, many) }, pick).map((id) => [id, [id, [null, 'a', 'b'][id % 3]!, step] as Row]))
  const gone = new Set(Array.from({ length: integer(random, many / 2) }, pick).filter((id) => !rows.has(id)))
  for (const id of oracle.keys()) if (integer(random, 200) === 0 && !rows.has(id)) gone.add(id)
  return { rows: [...rows.values()], gone: [...gone] }
}

test('files that are written anew together stay apart when they are large, and are joined when they are small', () =>
  withWorld(async ({ session, lake }) => {
    for (const [sizeBytes, parts] of [
      [16 << 20, 4],
      [1_000, 1],
    ] as const) {
      const name = `of_${parts}`
      const fields = [{ name: 'id', type: { kind: 'long' }, optional: false }] as const
      const table = await lake.create({ name, shape: { fields }, partition: [], cluster: ['id'], key: ['id'], formatVersion: 2 })
      const directory = lake.dataDirectory(table)
      const written = await writeParquet(session, { select: 'SELECT i AS id FROM range(400) AS r(i)', table, directory, rowsPerFile: 100 })
      // As a commit would have it of files of that size.
      const add = written.map((file) => ({ ...file, sizeBytes }))
      const before = await committed(lake, { table: name, operation: 'append', add, remove: [] })
      const rows = 'SELECT i * 100 AS id FROM range(4) AS r(i)'
      const change = await mergeRows(session, { lake, table: before, key: ['id'], rows })
      assert.equal(change.remove.length, 4)
      assert.deepEqual(
        change.add.map((file) => file.rows),
        Array.from({ length: parts }, () => 400 / parts),
      )
      const after = await committed(lake, change)
      const near = await lake.files(after, undefined, [{ column: 'id', op: '=', values: [150] }])
      assert.equal(near.length, 1, 'their ranges do not overlap')
    }
  }))

for (const formatVersion of [2, 3] as const) {
  test(`random merges and deletes on a table of version ${formatVersion} equal a map`, async () => {
    const seed = SEED
    const random = seededRandom(seed)
    await withWorld(async (world) => {
      let table = await makeTable(world, formatVersion, 300, world.session)
      const oracle = new Map<number, Row>((await rowsOf(world, table)).map((row) => [row[0], row]))
      let lineage = formatVersion === 3 ? await lineageOf(world, table) : new Map()
      let [vectors, files] = [0, 0]
      for (let step = 1; step <= 30; step++) {
        const { rows, gone } = randomStep(random, oracle, 400, step)
        const keysSql = keysOf([...rows.map(([id]) => id), ...gone])
        const change = await mergeRows(world.session, { lake: world.lake, table, key: ['id'], rows: valuesSql(rows), keys: keysSql })
        table = await committed(world.lake, change)
        for (const row of rows) oracle.set(row[0], row)
        for (const id of gone) oracle.delete(id)
        const merged = table
        if (step % 5 === 0) table = await compact(world, table)
        assert.deepEqual(
          await rowsOf(world, table),
          [...oracle.values()].sort((a, b) => a[0] - b[0]),
          `seed ${seed}, step ${step}`,
        )
        vectors = Math.max(vectors, table.current ? await checkVectors(world, merged) : 0)
        files = Math.max(files, change.remove.length)
        if (formatVersion === 2) continue
        const now = await lineageOf(world, table)
        assert.equal(new Set([...now.values()].map(([rowId]) => rowId)).size, oracle.size, `seed ${seed}, step ${step}: row ids are unique`)
        const changed = new Set(rows.map(([id]) => id))
        for (const [id, [rowId, sequence]] of now) {
          const before = lineage.get(id)
          if (before) assert.equal(rowId, before[0], `seed ${seed}, step ${step}: the row id of ${id}`)
          if (changed.has(id)) assert.equal(sequence, merged.current!.sequence, `seed ${seed}, step ${step}: ${id} changed`)
          else assert.equal(sequence, before![1], `seed ${seed}, step ${step}: ${id} did not change`)
        }
        lineage = now
      }
      assert.equal(vectors > 0, formatVersion === 3)
      assert.ok(files > 0, 'some files were written anew')
    })
  })
}

const code = (expected: ErrorCode) => (error: unknown) => (error as { code?: string }).code === expected
const update = (world: World, table: LakeTable, ids: readonly number[], gone: readonly number[] = []): Promise<TableChange> =>
  mergeRows(world.session, {
    lake: world.lake,
    table,
    key: ['id'],
    rows: valuesSql(ids.map((id) => [id, 'x', 1])),
    keys: keysOf([...ids, ...gone]),
  })

test('two deletes of other rows of one file join; of the same row the later is refused', async () => {
  await withWorld(async (world) => {
    const table = await makeTable(world, 3, 200, world.session)
    const changes = [await update(world, table, [], [1, 2]), await update(world, table, [], [5, 150]), await update(world, table, [], [2])]
    await committed(world.lake, changes[0]!)
    const both = await committed(world.lake, changes[1]!)
    await assert.rejects(committed(world.lake, changes[2]!), code('MR_LAKE_CONFLICT'))
    const files = await world.lake.files(both)
    assert.deepEqual(files.map((file) => [...file.deletes!.vector!.positions]).sort(), [[1, 2, 5], [50]].sort())
    assert.equal((await rowsOf(world, both)).length, 196)
    assert.equal(both.current!.operation, 'delete')
  })
})

test('a vector and a file written anew exclude each other, whichever comes first', async () => {
  await withWorld(async (world) => {
    const table = await makeTable(world, 3, 200, world.session)
    const few = await update(world, table, [], [1])
    const many = await update(
      world,
      table,
      [],
      Array.from({ length: 60 }, (_, i) => i + 20),
    )
    const compacted = await update(world, table, [], [150])
    assert.equal(few.delete?.length, 1)
    assert.deepEqual([many.delete, many.remove.length], [undefined, 1])
    await committed(world.lake, few)
    await assert.rejects(committed(world.lake, many), code('MR_LAKE_CONFLICT'))
    const again = await update(
      world,
      await world.lake.table('t'),
      [],
      Array.from({ length: 60 }, (_, i) => i + 20),
    )
    const after = await committed(world.lake, again)
    assert.equal(await checkVectors(world, after), 0, 'the vector went with its file')
    await assert.rejects(committed(world.lake, { ...few, validateFrom: after.current!.id }), code('MR_LAKE_CONFLICT'))
    await committed(world.lake, { ...compacted, validateFrom: after.current!.id })
    assert.equal((await rowsOf(world, await world.lake.table('t'))).length, 138)
  })
})

test('a file loses its last row by a vector: it goes', async () => {
  await withWorld(async (world) => {
    let table = await makeTable(world, 3, 200, world.session)
    const [file] = await world.lake.files(table)
    for (let from = 0; from < 100; from += 20) {
      const positions = Float64Array.from({ length: 20 }, (_, i) => from + i)
      const change = { table: 't', operation: 'delete', add: [], remove: [], delete: [{ path: file!.path, positions }] } as const
      table = await committed(world.lake, change)
    }
    assert.equal((await world.lake.files(table)).length, 1)
    assert.equal(await checkVectors(world, table), 0)
    assert.equal(table.current!.summary['total-records'], '100')
  })
})

test('sixteen writers that delete from the same files lose nothing', async () => {
  await withWorld(async (world) => {
    const table = await makeTable(world, 3, 1_600, world.session)
    const writers = Array.from({ length: 16 }, (_, writer) => writer)
    let conflicts = 0
    const deleteOne = async (writer: number, round: number) => {
      // Two writers share each row: one of them finds that it is gone.
      const id = 100 * round + Math.floor(writer / 2) * 3
      for (;;) {
        const now = await world.lake.table('t')
        const file = (await world.lake.files(now)).find(
          (one) => one.columns.get(1) && Number(Buffer.from(one.columns.get(1)!.lower!).readBigInt64LE()) === 100 * round,
        )!
        const position = id - 100 * round
        if (file.deletes?.vector?.positions.includes(position)) return
        const change = { table: 't', operation: 'delete', add: [], remove: [], validateFrom: now.current!.id } as const
        try {
          await committed(world.lake, { ...change, delete: [{ path: file.path, positions: Float64Array.of(position) }] })
          return
        } catch (error) {
          assert.ok(code('MR_LAKE_CONFLICT')(error), String(error))
          conflicts++
        }
      }
    }
    for (let round = 0; round < 4; round++) await Promise.all(writers.map((writer) => deleteOne(writer, round)))
    const after = await world.lake.table('t')
    assert.equal((await rowsOf(world, after)).length, 1_600 - 4 * 8)
    assert.equal(after.snapshots.length, table.snapshots.length + 4 * 8, 'one snapshot a row')
    assert.deepEqual(
      after.snapshots.map((snapshot) => snapshot.sequence),
      after.snapshots.map((_, i) => i + 1),
    )
    assert.ok(conflicts > 0)
  })
})

test('a table that becomes version 3 has row ids from then on', async () => {
  await withWorld(async (world) => {
    const old = await makeTable(world, 2, 300, world.session)
    const table = await committed(world.lake, { table: 't', operation: 'append', add: [], remove: [], formatVersion: 3 })
    assert.deepEqual([old.formatVersion, table.formatVersion], [2, 3])
    const first = await committed(world.lake, await update(world, table, [7, 1_000]))
    const lineage = await lineageOf(world, first)
    assert.equal(new Set([...lineage.values()].map(([rowId]) => rowId)).size, 301)
    assert.equal(lineage.get(1)![1], old.current!.sequence)
    assert.equal(lineage.get(7)![1], first.current!.sequence)
    const second = await committed(world.lake, await update(world, first, [7], [8]))
    const later = await lineageOf(world, second)
    for (const [id, [rowId]] of later) assert.equal(rowId, lineage.get(id)![0])
    const metadata = await world.lake.metadata(second)
    assert.equal(metadata['next-row-id'], metadata.snapshots.at(-1)!['first-row-id']! + metadata.snapshots.at(-1)!['added-rows']!)
  })
})

for (const formatVersion of [2, 3] as const) {
  test(`a key may be called like the places of rows, in a table of version ${formatVersion}`, async () => {
    await withWorld(async ({ session, lake }) => {
      const shape = {
        fields: [
          { name: 'path', type: { kind: 'string' }, optional: false },
          { name: 'Pos', type: { kind: 'long' }, optional: false },
          { name: 'n', type: { kind: 'int' }, optional: true },
        ],
      } as const
      const key = ['path', 'Pos']
      const empty = await lake.create({ name: 't', shape, partition: [], cluster: key, key, formatVersion })
      const select = `SELECT '/' || i AS path, i AS "Pos", 0 AS n FROM range(100) AS r(i)`
      const add = await writeParquet(session, { select, table: empty, directory: lake.dataDirectory(empty) })
      const table = await committed(lake, { table: 't', operation: 'append', add, remove: [] })
      const rows = `SELECT '/7' AS path, 7::BIGINT AS "Pos", 1 AS n`
      const keys = `SELECT path, "Pos" FROM (${rows}) UNION ALL SELECT '/8', 8`
      const merged = await committed(lake, await mergeRows(session, { lake, table, key, rows, keys }))
      const found = await session.rows(
        `SELECT count(*), sum(n), count(*) FILTER (WHERE path = '/8') FROM (${scanSql({ table: merged, files: await lake.files(merged), tails: [] })})`,
      )
      assert.deepEqual(found.rows[0]!.map(Number), [99, 1, 0])
    })
  })
}

for (const formatVersion of [2, 3] as const) {
  test(`null is a key of its own, in a table of version ${formatVersion}`, async () => {
    await withWorld(async (world) => {
      const { session, lake } = world
      const key = ['country', 'n']
      const fields = [
        { name: 'country', type: { kind: 'string' }, optional: true },
        { name: 'n', type: { kind: 'int' }, optional: true },
        { name: 'id', type: { kind: 'long' }, optional: false },
      ] as const
      let table = await lake.create({ name: 't', shape: { fields }, partition: [], cluster: key, key, formatVersion })
      assert.deepEqual(table.schema.identifierIds, [])
      const random = seededRandom(SEED)
      const rows = new Map<string, Row>()
      let replaced = 0
      const [countries, numbers] = [
        [null, 'a', 'b', 'c'],
        [null, 0, 1, 2, 3, 4, 5, 6, 7],
      ] as const
      for (let round = 0; round < 12; round++) {
        const [come, go] = [new Map<string, string>(), new Map<string, string>()]
        const changes = round === 0 ? 60 : 1 + integer(random, 6)
        for (let i = 0; i < changes; i++) {
          const country = countries[integer(random, 4)]!
          const n = numbers[integer(random, 9)]!
          const [name, text] = [
            `${country} ${n}`,
            `${country === null ? 'NULL::VARCHAR' : `'${country}'`}, ${n === null ? 'NULL::INT' : n}`,
          ]
          const isGone = round > 0 && random.next() < 0.3
          if ((country === null || n === null) && rows.has(name) && !come.has(name)) replaced++
          if (isGone) rows.delete(name)
          else rows.set(name, [round * 100 + i, country, n as number])
          go.set(name, `(${text})`)
          if (isGone) come.delete(name)
          else come.set(name, `(${text}, ${round * 100 + i}::BIGINT)`)
        }
        const none = 'SELECT NULL::VARCHAR AS country, NULL::INT AS n, 0::BIGINT AS id WHERE false'
        const merged = await mergeRows(session, {
          lake,
          table,
          key,
          rows: come.size === 0 ? none : `SELECT * FROM (VALUES ${[...come.values()].join(', ')}) AS v(country, n, id)`,
          keys: `SELECT * FROM (VALUES ${[...go.values()].join(', ')}) AS v(country, n)`,
        })
        if (merged.add.length > 0 || merged.remove.length > 0 || merged.delete) table = await committed(lake, merged)
        const found = await session.rows(
          `SELECT id, country, n FROM (${scanSql({ table, files: await lake.files(table), tails: [] })}) ORDER BY id`,
        )
        assert.deepEqual(
          found.rows.map(([id, country, n]) => [Number(id), country, n]),
          [...rows.values()].sort(([a], [b]) => a - b),
          `round ${round}, seed ${SEED}`,
        )
      }
      assert.ok(replaced > 2, `${replaced} rows of null were replaced or went`)
    })
  })
}

test('of several rows of a key one keeps the row id', async () => {
  await withWorld(async (world) => {
    const table = await makeTable(world, 3, 300, world.session)
    const before = await lineageOf(world, table)
    const rows = valuesSql([1, 2, 3].map((id) => [1_000 + id, 'c1', 9]))
    const merge = { lake: world.lake, table, key: ['country'], rows, keys: "SELECT 'c1' AS country" } as const
    const merged = await committed(world.lake, await mergeRows(world.session, { ...merge, perKey: 'some' }))
    const after = await lineageOf(world, merged)
    assert.equal(after.size, 203)
    assert.equal(new Set([...after.values()].map(([rowId]) => rowId)).size, 203, 'row ids are unique')
    const kept = [1_001, 1_002, 1_003].filter((id) => [...before.values()].some(([rowId]) => rowId === after.get(id)![0]))
    assert.equal(kept.length, 1)
  })
})
