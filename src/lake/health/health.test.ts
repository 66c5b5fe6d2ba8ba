// A table with a damaged file, one kind after the other: the error names the file and the snapshots that are still good, the
// check finds all that need it, and going back works, whatever is damaged.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fakeDataFile } from '../../../test/simulation/fake-data-file.ts'
import { VirtualClock } from '../../core/clock.ts'
import { nodeDisk } from '../../core/disk.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { seededRandom } from '../../core/random.ts'
import type { Shape } from '../../schema/type.ts'
import { openStore } from '../../store/open-store.ts'
import { toPath } from '../location.ts'
import { type Lake, openLake } from '../open-lake.ts'
import type { DataFile, LakeTable } from '../types.ts'

const SHAPE: Shape = { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] }

interface Bench {
  readonly lake: Lake
  /** After three commits: a; a and b; a, b and c. */
  readonly table: LakeTable
  readonly clock: VirtualClock
  /** A process that has read nothing yet. */
  fresh(): Lake
}

async function withTable(body: (bench: Bench) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'lake-health-'))
  const store = openStore(join(directory, 'control.db'))
  const clock = new VirtualClock(1_700_000_000_000)
  let seed = 1
  const fresh = () =>
    openLake({ disk: nodeDisk, clock, random: seededRandom(seed++), catalog: store.catalog, directory: join(directory, 'lake') })
  try {
    const lake = fresh()
    let table = await lake.create({ name: 'orders', shape: SHAPE, partition: [], cluster: [], key: [] })
    for (const name of ['a', 'b', 'c']) {
      const file = await fakeDataFile(nodeDisk, lake, table, { name, rows: 1 })
      table = (await lake.commit([{ table: 'orders', operation: 'append', add: [file], remove: [] }])).tables[0]!
      await clock.advance(1_000)
    }
    await body({ lake, table, clock, fresh })
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

const code = (expected: ErrorCode) => (error: unknown) => (error as { code?: string }).code === expected
const names = (files: readonly DataFile[]): string[] => files.map((file) => file.path.split('/').at(-1)!.replace('.parquet', '')).sort()
const halve = (path: string): void => writeFileSync(path, readFileSync(path).subarray(0, readFileSync(path).length >> 1))

/** Files of one kind, of the table's newest snapshot. */
const KINDS: Record<string, (lake: Lake, table: LakeTable) => Promise<string>> = {
  metadata: async (_, table) => toPath(table.metadataLocation),
  list: async (_, table) => toPath(table.current!.manifestList),
  manifest: async (lake, table) => {
    const metadata = toPath(table.location)
    const before = new Set((await filesOf(lake, table, -2)).keys())
    return [...(await filesOf(lake, table, -1)).keys()].find(
      (path) => path.startsWith(`${metadata}/metadata/`) && /-m0\.avro$/.test(path) && !before.has(path),
    )!
  },
  data: async (lake, table) => (await lake.files(table)).find(({ path }) => path.endsWith('/c.parquet'))!.path,
}

async function filesOf(lake: Lake, table: LakeTable, at: number): Promise<Map<string, number>> {
  const { snapshots } = await lake.check(table.name)
  return new Map(snapshots.find(({ snapshot }) => snapshot.id === table.snapshots.at(at)!.id)!.files)
}

for (const [kind, pathOf] of Object.entries(KINDS)) {
  for (const damage of ['cut', 'missing', 'garbled'] as const) {
    test(`a ${damage} ${kind} file`, () =>
      withTable(async ({ lake, table, fresh }) => {
        assert.deepEqual(
          (await lake.check('orders')).snapshots.flatMap((check) => check.damage),
          [],
        )
        const path = await pathOf(lake, table)
        const [first, second, third] = table.snapshots
        if (damage === 'missing') rmSync(path)
        else if (damage === 'cut') halve(path)
        else writeFileSync(path, Buffer.alloc(readFileSync(path).length + 1, 'x'))

        if (kind !== 'data') {
          const read = async () => fresh().files(await fresh().table('orders'))
          await assert.rejects(read, (error: { code: string; message: string; fix: string }) => {
            assert.equal(error.code, 'MR_LAKE_CORRUPT')
            assert.ok(error.message.includes(path), error.message)
            assert.ok(error.fix.includes(`millrace restore orders --to ${second!.id}`), error.fix)
            assert.ok(error.fix.includes(String(first!.id)) && !error.fix.includes(String(third!.id)), error.fix)
            return true
          })
        }
        const { snapshots, damagedMetadata } = await fresh().check('orders')
        if (kind === 'metadata') assert.equal(toPath(damagedMetadata!), path)
        else {
          assert.deepEqual(
            snapshots.map((check) => check.damage.map((one) => one.path)),
            [[path], [], []],
          )
          await assert.rejects(fresh().restore('orders', third!.id), code('MR_LAKE_CORRUPT'))
        }
        const restored = await fresh().restore('orders', second!.id)
        assert.equal(restored.current!.summary['millrace.restored-from'], String(second!.id))
        assert.equal(restored.current!.summary['total-records'], '2')
        assert.deepEqual(names(await fresh().files(await fresh().table('orders'))), ['a', 'b'])
        // Life goes on.
        const after = fresh()
        const file = await fakeDataFile(nodeDisk, after, restored, { name: 'd', rows: 1 })
        const next = (await after.commit([{ table: 'orders', operation: 'append', add: [file], remove: [] }])).tables[0]!
        assert.deepEqual(names(await fresh().files(next)), ['a', 'b', 'd'])
      }))
  }
}

test('restoring is a commit like any other: history stays, it can be undone, and computed changes see it', () =>
  withTable(async ({ lake, table, clock }) => {
    const [first, , third] = table.snapshots
    const back = await lake.restore('orders', first!.id)
    assert.deepEqual(names(await lake.files(back)), ['a'])
    assert.deepEqual(
      back.snapshots.map(({ sequence }) => sequence),
      [1, 2, 3, 4],
    )
    assert.equal(back.current!.parentId, third!.id)
    assert.equal(lake.snapshotAt(back, { timestampMs: clock.nowMs() - 1_000 }).id, third!.id)
    const file = await fakeDataFile(nodeDisk, lake, back, { name: 'd', rows: 1 })
    const computed = { table: 'orders', operation: 'overwrite', add: [file], remove: [], validateFrom: third!.id } as const
    await assert.rejects(lake.commit([computed]), code('MR_LAKE_CONFLICT'))
    const elsewhere = [{ column: 'id', op: '>' as const, values: [1_000_000] }]
    await assert.rejects(lake.commit([{ ...computed, validateWhere: elsewhere }]), code('MR_LAKE_CONFLICT'))
    const again = await lake.restore('orders', third!.id)
    assert.deepEqual(names(await lake.files(again)), ['a', 'b', 'c'])
    await assert.rejects(lake.restore('orders', 5n), code('MR_LAKE_SNAPSHOT_UNKNOWN'))
    await assert.rejects(lake.restore('absent', 5n), code('MR_LAKE_TABLE_UNKNOWN'))
  }))

test('damaged snapshots expire like others, and what only they had goes once they have', () =>
  withTable(async ({ lake, table, clock, fresh }) => {
    const [, second] = table.snapshots
    const path = await KINDS['manifest']!(lake, table)
    halve(path)
    await fresh().restore('orders', second!.id)
    await clock.advance(10_000)
    // The damaged snapshot is the parent of the current one and stays: what it needs is not known.
    assert.deepEqual(await fresh().expire('orders', { olderThanMs: 0, retainLast: 2 }), { snapshots: 2, names: 0, files: 0, bytes: 0 })
    assert.deepEqual(await fresh().expire('orders', { olderThanMs: 0, retainLast: 1 }), { snapshots: 1, names: 0, files: 0, bytes: 0 })
    assert.deepEqual(names(await fresh().files(await fresh().table('orders'))), ['a', 'b'])
    await clock.advance(10_000_000_000_000)
    assert.ok((await fresh().removeOrphans(1_000)).files > 0)
    assert.deepEqual(names(await fresh().files(await fresh().table('orders'))), ['a', 'b'])
    assert.ok(!existsSync(path) && !existsSync((await lake.files(table)).find((file) => file.path.endsWith('/c.parquet'))!.path))
  }))

test('an expired snapshot is gone, and files that a restored one needs stay', () =>
  withTable(async ({ lake, table, clock, fresh }) => {
    const [first, second] = table.snapshots
    await lake.restore('orders', second!.id)
    await clock.advance(1_000_000)
    assert.equal((await lake.expire('orders', { olderThanMs: 0, retainLast: 1 })).snapshots, 3)
    assert.deepEqual(names(await fresh().files(await fresh().table('orders'))), ['a', 'b'])
    assert.deepEqual(
      (await fresh().check('orders')).snapshots.flatMap((check) => check.damage),
      [],
    )
    await assert.rejects(lake.restore('orders', first!.id), code('MR_LAKE_SNAPSHOT_UNKNOWN'))
  }))

test('tables of newer versions and with what is not read of version 3 are refused, not misread', () =>
  withTable(async ({ table, fresh }) => {
    const path = toPath(table.metadataLocation)
    const text = readFileSync(path, 'utf8')
    const cases: [RegExp, (metadata: Record<string, unknown>) => unknown][] = [
      [/format version 4/, (metadata) => ({ ...metadata, 'format-version': 4 })],
      [/is encrypted/, (metadata) => ({ ...metadata, 'format-version': 3, 'encryption-keys': [{ 'key-id': '1' }] })],
    ]
    for (const [words, change] of cases) {
      // Ids of 63 bits must survive, which JSON.parse would not let them.
      const ids = text.replace(/(?<=[:\s])(\d{16,})/g, '"#$1"')
      writeFileSync(path, JSON.stringify(change(JSON.parse(ids) as Record<string, unknown>)).replace(/"#(\d+)"/g, '$1'))
      const lake = fresh()
      await assert.rejects(
        lake.table('orders').then((read) => lake.files(read)),
        (error: { code: string; message: string; fix: string }) => {
          assert.equal(error.code, 'MR_LAKE_VERSION')
          assert.match(error.message, words)
          assert.ok(error.message.includes(path) && error.fix)
          return true
        },
      )
    }
  }))
