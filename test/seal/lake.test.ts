// Encrypted tables below the server: rows go through appends, merges, deletion vectors, compaction, time travel, restore, relocation
// and verification, are the same as those of a table in the clear, and stand nowhere on the disk. Whatever is changed, cut, moved
// or put in place of a file is refused.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { systemRandom } from '../../src/core/random.ts'
import type { PartitionRule } from '../../src/define/manifest.ts'
import { checkParquet } from '../../src/engine/check-parquet.ts'
import { openEngine, type Session } from '../../src/engine/duckdb.ts'
import { fileNames } from '../../src/engine/file-names.ts'
import { movedSql } from '../../src/engine/lineage.ts'
import { mergeRows } from '../../src/engine/merge.ts'
import { fileUnlocker } from '../../src/engine/parquet-keys.ts'
import { readModules } from '../../src/engine/parquet-modules.ts'
import { scanSql } from '../../src/engine/scan.ts'
import { writeParquet } from '../../src/engine/write.ts'
import { ENCRYPTED } from '../../src/lake/encrypted.ts'
import { schemaOf } from '../../src/lake/list-files.ts'
import { toPath } from '../../src/lake/location.ts'
import { type Lake, openLake, type RemoteFiles } from '../../src/lake/open-lake.ts'
import type { LakeSnapshot, LakeTable, TableChange } from '../../src/lake/types.ts'
import { diskStore } from '../../src/objects/disk-store.ts'
import { FileCache } from '../../src/objects/file-cache.ts'
import { routeStores } from '../../src/objects/route.ts'
import type { KeyRing } from '../../src/objects/seal/key-ring.ts'
import { restoreTable, verifyStorage } from '../../src/orchestrate/verify-storage.ts'
import type { Type } from '../../src/schema/type.ts'
import { modelCatalog } from '../simulation/model-catalog.ts'
import { bucketStore } from './bucket-store.ts'
import { filesBelow, openTestRing, showing } from './keys.ts'

const MARKER = 'xyzzysecret'
const made: string[] = []
after(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
})

interface World {
  readonly directory: string
  readonly keys: KeyRing
  readonly lake: Lake
  readonly session: Session
  readonly engine: Awaited<ReturnType<typeof openEngine>>
  readonly catalog: ReturnType<typeof modelCatalog>
  readonly isRemote: boolean
  [Symbol.asyncDispose](): Promise<void>
}

interface Opening {
  readonly directory?: string
  readonly catalog?: World['catalog']
  readonly isRemote?: boolean
}

async function openWorld(from: Opening = {}): Promise<World> {
  const { isRemote = false } = from
  const directory = from.directory ?? mkdtempSync(join(tmpdir(), 'millrace-seal-'))
  made.push(directory)
  mkdirSync(join(directory, 'lake'), { recursive: true })
  const keys = await openTestRing(directory)
  const engine = await openEngine({
    clock: systemClock,
    directories: [directory],
    tempDirectory: join(directory, 'spill'),
    threads: 2,
    keys,
  })
  const catalog = from.catalog ?? modelCatalog()
  const lake = openLake({
    disk: nodeDisk,
    clock: systemClock,
    random: systemRandom,
    catalog,
    directory: isRemote ? 's3://bucket/lake' : join(directory, 'lake'),
    ...(isRemote ? { remote: await remoteIn(directory) } : {}),
    namesIn: fileNames(engine),
    encrypted: { keys, unlock: fileUnlocker(keys) },
  })
  const session = await engine.session()
  return {
    directory,
    keys,
    lake,
    session,
    engine,
    catalog,
    isRemote,
    async [Symbol.asyncDispose]() {
      session.close()
      engine.close()
    },
  }
}

/** A bucket in the directory, with nothing in the cache yet. */
async function remoteIn(directory: string): Promise<RemoteFiles> {
  const store = routeStores(diskStore(nodeDisk), [
    { prefix: 's3://bucket/', store: bucketStore('s3://bucket/', join(directory, 'bucket')) },
  ])
  for (const name of ['cache', 'staging']) rmSync(join(directory, name), { recursive: true, force: true })
  const parts = { disk: nodeDisk, clock: systemClock, random: systemRandom, store, directory: join(directory, 'cache') }
  return { store, cache: await FileCache.open({ ...parts, sizeMaxBytes: 1e9 }), stagingDirectory: join(directory, 'staging') }
}

const TEXT: Type = { kind: 'string' }
const FIELDS = [
  { name: 'id', type: { kind: 'long' } as Type, optional: false },
  { name: 'name', type: TEXT, optional: true },
  { name: 'n', type: { kind: 'int' } as Type, optional: true },
]

interface Made {
  readonly name?: string
  readonly isEncrypted?: boolean
  readonly formatVersion?: 2 | 3
  readonly isPartitioned?: boolean
}

const create = ({ lake }: World, { name = 't', isEncrypted = true, formatVersion = 2, isPartitioned = false }: Made): Promise<LakeTable> =>
  lake.create({
    name,
    shape: { fields: FIELDS },
    partition: isPartitioned ? [{ transform: 'identity', column: 'name' }] : [],
    cluster: ['id'],
    key: ['id'],
    formatVersion,
    ...(isEncrypted ? { properties: { [ENCRYPTED]: name } } : {}),
  })

const rowsSql = (from: number, count: number): string =>
  `SELECT i AS id, '${MARKER}' || i % 3 AS name, i % 7 AS n FROM range(${from}, ${from + count}) AS r(i)`

const committed = async ({ lake }: World, change: TableChange): Promise<LakeTable> => (await lake.commit([change])).tables[0]!

async function append(world: World, name: string, select: string, rowsPerFile?: number): Promise<LakeTable> {
  const table = await world.lake.table(name)
  const more = rowsPerFile === undefined ? {} : { rowsPerFile }
  const add = await writeParquet(world.session, { select, table, directory: world.lake.dataDirectory(table), ...more })
  return committed(world, { table: name, operation: 'append', add, remove: [] })
}

async function rowsOf({ lake, session }: World, name: string, snapshot?: LakeSnapshot): Promise<unknown[]> {
  const table = await lake.table(name)
  const at = snapshot ?? table.current
  using lease = lake.lease()
  const files = at ? await lease.local(await lake.files(table, at)) : []
  const read = { ...table, schema: schemaOf(table, at) }
  return [...(await session.rows(`SELECT * FROM (${scanSql({ table: read, files, tails: [] })}) ORDER BY id, n`)).rows]
}

async function merge(world: World, name: string, rows: string): Promise<LakeTable> {
  const table = await world.lake.table(name)
  return committed(world, await mergeRows(world.session, { lake: world.lake, table, key: ['id'], rows }))
}

async function compact(world: World, name: string): Promise<number> {
  const table = await world.lake.table(name)
  let groups = 0
  for (const group of await world.lake.planCompaction(table, { minFiles: 2 })) {
    using lease = world.lake.lease()
    const select = movedSql(table, await lease.local(group.files))
    const add = await writeParquet(world.session, { select, moved: true, table, directory: world.lake.dataDirectory(table) })
    const remove = group.files.map(({ path }) => path)
    await committed(world, { table: name, operation: 'replace', add, remove, readFrom: table.current!.id })
    groups++
  }
  return groups
}

const verify = ({ lake, engine }: World) => verifyStorage({ lake, engine, log: { topics: () => [] } as never }, [])

for (const formatVersion of [2, 3] as const)
  for (const [isPartitioned, isRemote] of [
    [false, false],
    [true, false],
    [true, true],
  ] as const)
    test(`version ${formatVersion}${isPartitioned ? ', partitioned' : ''}${isRemote ? ', in a bucket' : ''}: rows are those of a table in the clear, and nowhere on the disk`, async () => {
      await using world = await openWorld({ isRemote })
      const place = isRemote ? 'bucket/lake' : 'lake'
      const each = async (action: (name: string) => Promise<unknown>): Promise<void> => {
        for (const name of ['open', 't']) await action(name)
        assert.deepEqual(await rowsOf(world, 't'), await rowsOf(world, 'open'))
      }
      await create(world, { name: 't', formatVersion, isPartitioned })
      await create(world, { name: 'open', isEncrypted: false, formatVersion, isPartitioned })
      for (const from of [0, 200, 400]) await each((name) => append(world, name, rowsSql(from, 200), 50))
      const [first] = (await world.lake.table('t')).snapshots
      await each((name) => merge(world, name, `SELECT i AS id, '${MARKER}0' AS name, 99 AS n FROM range(0, 400, 40) AS r(i)`))
      const vectors = filesBelow(join(world.directory, place, 't')).filter((path) => path.endsWith('.puffin'))
      assert.equal(vectors.length > 0, formatVersion === 3)
      await world.keys.rotate()
      await each((name) => append(world, name, rowsSql(600, 100)))
      await each((name) => compact(world, name))
      assert.equal((await rowsOf(world, 't', first)).length, 200)
      await each((name) => world.lake.rewriteManifests(name, { minManifests: 2 }))
      await each(async (name) => restoreTable(world.lake, world.engine, name, { id: (await world.lake.table(name)).snapshots[1]!.id }))
      assert.equal((await rowsOf(world, 't')).length, 400)
      await each((name) => append(world, name, rowsSql(900, 10)))

      const shown = showing(world.directory, [MARKER])
      assert.deepEqual(
        shown.filter((path) => !path.includes('lake/open') && !(isRemote && isOfOpen(world, path))),
        [],
      )
      // The test can fail: data files of the other table show it, and directories of its partitions.
      assert.ok(shown.some((path) => path.endsWith('.parquet')))
      assert.equal(
        shown.some((path) => path.startsWith('lake/open/')),
        isPartitioned && !isRemote,
      )
      for (const path of filesBelow(join(world.directory, place, 't')))
        assert.match(readFileSync(path).toString('latin1', 0, 6), /^(MRSEAL|PARE..)$/s, path)

      // A later start, with nothing in memory.
      await using again = await openWorld(world)
      assert.deepEqual(await rowsOf(again, 't'), await rowsOf(again, 'open'))
      const { tables } = await verify(again)
      assert.deepEqual(
        tables.map(({ table, damage }) => ({ table, damage })).sort((a, b) => a.table.localeCompare(b.table)),
        [
          { table: 'open', damage: [] },
          { table: 't', damage: [] },
        ],
      )
    })

test('values that a table is partitioned by are in no name on the disk at any moment of a write', async () => {
  await using world = await openWorld()
  for (const [name, isEncrypted] of [
    ['t', true],
    ['open', false],
  ] as const) {
    await create(world, { name, isEncrypted, isPartitioned: true })
    const seen = new Set<string>()
    const look = setInterval(() => {
      for (const path of readdirSync(join(world.directory, 'lake', name), { recursive: true, encoding: 'utf8' })) seen.add(path)
    }, 1)
    await append(world, name, rowsSql(0, 200_000), 20_000)
    clearInterval(look)
    const files = [...seen].filter((path) => path.endsWith('.parquet'))
    assert.ok(files.length > 0, 'looked while it wrote')
    assert.equal(
      files.some((path) => path.includes(MARKER)),
      !isEncrypted,
    )
  }
})

test('files of an encrypted table have the partitions that they have in the clear: of all kinds of values, and of none', async () => {
  await using world = await openWorld()
  const types = {
    text: 'string',
    n: 'int',
    seen: 'timestamp',
    day: 'date',
    amount: { kind: 'decimal', precision: 12, scale: 2 },
    yes: 'boolean',
    id: 'uuid',
  }
  const fields = Object.entries(types).map(([name, type]) => ({
    name,
    type: (typeof type === 'string' ? { kind: type } : type) as Type,
    optional: true,
  }))
  const values = [
    "('a/b', -7, TIMESTAMPTZ '1969-12-31 23:59:59.5+00', DATE '0001-01-01', -0.05, true, '01234567-89ab-cdef-0123-456789abcdef')",
    `('"é🙂\\''
', 2147483647, TIMESTAMPTZ '2026-11-27 01:00:00.000001+00', DATE '2026-11-27', 12345.10, false, NULL)`,
    "('NULL', 0, NULL, NULL, 0, NULL, NULL)",
    '(NULL, NULL, NULL, NULL, NULL, NULL, NULL)',
  ]
  const names = fields.map(({ name }) => name)
  const select = `SELECT ${names.map((name) => (name === 'id' ? 'CAST(id AS UUID) AS id' : name)).join(', ')} FROM (VALUES ${values.join(', ')}) AS v(${names.join(', ')})`
  const partition: readonly PartitionRule[] = [
    ...names.map((column) => ({ transform: 'identity', column }) as const),
    { transform: 'hour', column: 'seen' },
    { transform: 'bucket', column: 'text', buckets: 16 },
  ]
  const partitions: unknown[] = []
  for (const name of ['t', 'open']) {
    const properties = name === 't' ? { properties: { [ENCRYPTED]: name } } : {}
    await world.lake.create({ name, shape: { fields }, partition, cluster: [], key: [], ...properties })
    const files = await world.lake.files(await append(world, name, select))
    assert.equal(files.length, values.length)
    partitions.push(new Set(files.map((file) => file.partition)))
  }
  assert.deepEqual(partitions[0], partitions[1])
  // No path has to hold it.
  await append(
    world,
    't',
    `SELECT repeat('a', 3000) AS text, ${names
      .slice(1)
      .map((name) => `NULL AS ${name}`)
      .join(', ')}`,
  )
})

test('relocated by copy: rows at the new place, and still encrypted there', async () => {
  await using world = await openWorld()
  await create(world, { formatVersion: 3 })
  await append(world, 't', rowsSql(0, 200), 50)
  await merge(world, 't', `SELECT 7 AS id, '${MARKER}' AS name, 1 AS n`)
  const before = await rowsOf(world, 't')
  const [from, to] = [join(world.directory, 'lake'), join(world.directory, 'moved')]
  const done = await world.lake.relocate({
    from,
    to,
    copy: true,
    removeOld: false,
    spool: tmpdir(),
    rewritePositions: async (bytes: Buffer) => bytes,
  })
  assert.ok(done.files >= 4)
  rmSync(from, { recursive: true })
  await using again = await openWorld(world)
  assert.deepEqual(await rowsOf(again, 't'), before)
  assert.deepEqual(showing(world.directory, [MARKER]), [])
  const { tables } = await verify(again)
  assert.deepEqual(tables[0]!.damage, [])
})

test('nested columns whose parts were renamed are read from old files by what those call them', async () => {
  await using world = await openWorld()
  const point = (x: string): Type => ({ kind: 'struct', fields: [{ name: x, type: { kind: 'int' }, optional: true }] })
  const shape = (x: string, more: object = {}) => ({
    fields: [
      FIELDS[0]!,
      {
        name: 'p',
        type: { kind: 'struct', fields: [{ ...point(x), name: x, type: { kind: 'int' }, optional: true, ...more }] } as Type,
        optional: true,
      },
    ],
  })
  await world.lake.create({ name: 't', shape: shape('x'), partition: [], cluster: [], key: [], properties: { [ENCRYPTED]: 't' } })
  await append(world, 't', 'SELECT 1::BIGINT AS id, {x: 5} AS p')
  await committed(world, { table: 't', operation: 'append', add: [], remove: [], shape: shape('y', { was: 'x' }) })
  await append(world, 't', 'SELECT 2::BIGINT AS id, {y: 6} AS p')
  using lease = world.lake.lease()
  const table = await world.lake.table('t')
  const files = await lease.local(await world.lake.files(table))
  const { rows } = await world.session.rows(`SELECT id, p.y FROM (${scanSql({ table, files, tails: [] })}) ORDER BY id`)
  assert.deepEqual(
    rows.map((row) => row.map(Number)),
    [
      [1, 5],
      [2, 6],
    ],
  )
})

/** Of the cache: a copy of a file of the table in the clear. */
function isOfOpen({ directory }: World, path: string): boolean {
  const bytes = readFileSync(path)
  return path.includes('/cache/') && filesBelow(join(directory, 'bucket/lake/open')).some((one) => readFileSync(one).equals(bytes))
}

/** A change of one file of the table, by a writer who has no key. */
type Harm = (path: string, other: string) => void

const HARMS: Readonly<Record<string, Harm>> = {
  'a flipped bit in the middle': (path) => flip(path, 0.5),
  'a flipped bit near the end': (path) => flip(path, 0.97),
  'cut in half': (path) => truncateSync(path, readFileSync(path).length >> 1),
  empty: (path) => truncateSync(path, 0),
  'one byte short': (path) => truncateSync(path, readFileSync(path).length - 1),
  'another file of the same table in its place': (path, other) => copyFileSync(other, path),
}

function flip(path: string, where: number): void {
  const bytes = readFileSync(path)
  bytes[Math.floor(bytes.length * where)]! ^= 4
  writeFileSync(path, bytes)
}

const KINDS: Readonly<Record<string, RegExp>> = {
  'data file': /\.parquet$/,
  'deletion vector': /\.puffin$/,
  manifest: /-m0\.avro$/,
  'manifest list': /\/snap-[^/]*\.avro$/,
  metadata: /\.metadata\.json$/,
}

for (const [kind, pattern] of Object.entries(KINDS))
  test(`harm to a ${kind} is refused`, async () => {
    for (const [what, harm] of Object.entries(HARMS)) {
      await using world = await openWorld()
      await create(world, { formatVersion: 3 })
      for (const from of [0, 100]) await append(world, 't', rowsSql(from, 100))
      for (const id of [1, 102]) await merge(world, 't', `SELECT ${id}::BIGINT AS id, '${MARKER}' AS name, 1 AS n`)
      const before = await rowsOf(world, 't')
      // Only what the current snapshot needs: the newest metadata and list, and any other file.
      const { current, metadataLocation } = await world.lake.table('t')
      const named = [toPath(current!.manifestList), toPath(metadataLocation)]
      const all = filesBelow(join(world.directory, 'lake')).filter((path) => pattern.test(path))
      const own = named.find((path) => pattern.test(path))
      const targets = own ? [own] : all
      assert.ok(targets.length > 0 && all.length > 1)
      let refused = 0
      for (const path of targets) {
        const bytes = readFileSync(path)
        const other = all.find((one) => one !== path && !readFileSync(one).equals(bytes))!
        harm(path, other)
        await using again = await openWorld(world)
        try {
          // What nothing needs any more may be harmed unseen.
          assert.deepEqual(await rowsOf(again, 't'), before, what)
        } catch (error) {
          const { code } = error as { code: string }
          assert.ok(code === 'MR_SEAL_DAMAGED' || code === 'MR_LAKE_CORRUPT', `${what}: ${code} ${error}`)
          refused++
        }
        writeFileSync(path, bytes)
      }
      assert.ok(refused > 0, what)
    }
  })

test('parts of a data file that change places are found before a row of them is read', async () => {
  await using world = await openWorld()
  await create(world, {})
  // Two row groups of equal values: their parts have equal lengths.
  await append(world, 't', "SELECT (i % 122880)::BIGINT AS id, 'a' AS name, 1 AS n FROM range(245760) AS r(i)")
  const [path] = filesBelow(join(world.directory, 'lake')).filter((one) => one.endsWith('.parquet')) as [string]
  const whole = readFileSync(path)
  const parts: { at: number; length: number }[] = []
  for (let at = 4; parts.length < (await readModules(path)).nonces.length - 1; ) {
    const length = 4 + whole.readUInt32LE(at)
    parts.push({ at, length })
    at += length
  }
  let swapped = 0
  for (const [i, a] of parts.entries()) {
    const b = parts.slice(i + 1).find(({ length }) => length === a.length)
    if (!b) continue
    const bytes = Buffer.from(whole)
    whole.copy(bytes, a.at, b.at, b.at + b.length)
    whole.copy(bytes, b.at, a.at, a.at + a.length)
    writeFileSync(path, bytes)
    await using again = await openWorld(world)
    await assert.rejects(rowsOf(again, 't'), { code: 'MR_SEAL_DAMAGED', message: /moved or changed/ })
    swapped++
  }
  assert.ok(swapped > 0)
})

test('a plain data file or manifest in place of an encrypted one is refused', async () => {
  await using world = await openWorld()
  await create(world, {})
  await create(world, { name: 'open', isEncrypted: false })
  await append(world, 't', rowsSql(0, 10))
  await append(world, 'open', rowsSql(0, 10))
  const of = (name: string, pattern: RegExp): string => filesBelow(join(world.directory, 'lake', name)).find((path) => pattern.test(path))!
  for (const pattern of [/\.parquet$/, /-m0\.avro$/]) {
    const path = of('t', pattern)
    const bytes = readFileSync(path)
    copyFileSync(of('open', pattern), path)
    await using again = await openWorld(world)
    await assert.rejects(rowsOf(again, 't'), ({ code }: { code: string }) => code === 'MR_SEAL_DAMAGED' || code === 'MR_LAKE_CORRUPT')
    writeFileSync(path, bytes)
  }
  assert.equal((await rowsOf(world, 't')).length, 10)
})

test('without its key a table cannot be read, and the error names the key', async () => {
  await using world = await openWorld()
  await create(world, {})
  await append(world, 't', rowsSql(0, 10))
  const [entry] = world.keys.entries
  const keys = await openTestRing(world.directory, null)
  const lake = openLake({
    disk: nodeDisk,
    clock: systemClock,
    random: systemRandom,
    catalog: world.catalog,
    directory: join(world.directory, 'lake'),
    encrypted: { keys, unlock: fileUnlocker(keys) },
  })
  // A missing key is no damage, from which one would go back.
  await assert.rejects(verify({ ...world, lake }), { code: 'MR_KEY_UNKNOWN' })
  await assert.rejects(lake.table('t'), { code: 'MR_KEY_UNKNOWN', message: new RegExp(`${entry!.id}.*"test"`) })
})

test('what the engine checks in an encrypted file it finds', async () => {
  await using world = await openWorld()
  await create(world, {})
  await append(world, 't', rowsSql(0, 10))
  const table = await world.lake.table('t')
  using lease = world.lake.lease()
  const [file] = await lease.local(await world.lake.files(table))
  assert.equal(await checkParquet(world.session, table, file!), null)
  assert.match((await checkParquet(world.session, table, { ...file!, rows: 11 }))!, /has 10 rows instead of 11/)
})
