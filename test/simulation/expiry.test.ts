// Expiry and the removal of orphans over random histories: branches off branches, tags, staged snapshots, retention of each, pins, restores,
// rewrites, files that nobody committed. What is kept is what the specification's policy says, computed here by other means;
// no file of a kept snapshot is ever gone, and in the end nothing else is left.
// One seed alone: MILLRACE_TEST_SEED=17. All 500: MILLRACE_TEST_ALL=1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/core/clock.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { baseAt, type CommitContext } from '../../src/lake/commit.ts'
import { openCheck } from '../../src/lake/health/check-snapshots.ts'
import { toPath } from '../../src/lake/location.ts'
import { MetadataFiles } from '../../src/lake/metadata-files.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import { stageChange, stageMetadata } from '../../src/lake/stage-change.ts'
import { type RefJson, type TableMetadata, toLakeTable } from '../../src/lake/table-metadata.ts'
import type { DataFile, LakeTable, TableChange } from '../../src/lake/types.ts'
import type { Catalog } from '../../src/store/catalog.ts'
import { fakeDataFile } from './fake-data-file.ts'
import { FakeDisk } from './fake-disk.ts'
import { modelCatalog } from './model-catalog.ts'

const SEEDS = process.env['MILLRACE_TEST_SEED']
  ? [Number(process.env['MILLRACE_TEST_SEED'])]
  : Array.from({ length: process.env['MILLRACE_TEST_ALL'] ? 500 : 60 }, (_, seed) => seed + 1)
const DIRECTORY = '/srv/data/lake'
const NAME = 'orders'
const STEPS = 25

const pick = <T>(random: Random, choices: readonly T[]): T => choices[integer(random, choices.length)]!

interface Retention {
  readonly olderThanMs: number
  readonly retainLast: number
}

class History {
  readonly random: Random
  readonly clock = new VirtualClock(1_750_000_000_000)
  readonly disk: FakeDisk
  readonly catalog: Catalog = modelCatalog()
  readonly lake: Lake
  readonly #pins = new Map<bigint, () => void>()
  #files = 0
  counts = { branches: 0, dropped: 0, namesGone: 0, removed: 0, shared: 0, staged: 0, unnamed: 0 }

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.disk = new FakeDisk(this.random, { nowMs: () => this.clock.nowMs() })
    this.lake = this.#open()
  }

  #open(): Lake {
    return openLake({ disk: this.disk, clock: this.clock, random: this.random, catalog: this.catalog, directory: DIRECTORY })
  }

  async run(): Promise<void> {
    await this.lake.create({
      name: NAME,
      shape: { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] },
      partition: [],
      cluster: [],
      key: [],
    })
    await this.#commit('main')
    for (let step = 0; step < STEPS; step++) {
      await this.#step()
      await this.clock.advance(1 + integer(this.random, 1_000))
    }
    for (const unpin of this.#pins.values()) unpin()
    this.#pins.clear()
    await this.#expire({ olderThanMs: 0, retainLast: 1 })
    await this.clock.advance(10)
    await this.lake.removeOrphans(0)
    await this.#check()
    assert.deepEqual(await this.#onDisk(), await this.#needed(), 'nothing else is left')
  }

  async #step(): Promise<void> {
    const table = await this.lake.table(NAME)
    const anyOne = pick(this.random, table.snapshots)
    switch (integer(this.random, 12)) {
      case 0:
      case 1:
      case 2:
        return this.#commit(
          pick(
            this.random,
            Object.keys(table.refs).filter((ref) => table.refs[ref]!.kind === 'branch'),
          ),
        )
      case 3:
        return this.#commit('main')
      case 4:
        this.counts.branches++
        return this.#setRef(`b${integer(this.random, 4)}`, this.#retained({ type: 'branch', 'snapshot-id': anyOne.id }))
      case 5:
        return void (await this.lake.setTag(
          NAME,
          `t${integer(this.random, 3)}`,
          anyOne.id,
          integer(this.random, 2) ? { maxAgeMs: integer(this.random, 5_000) } : {},
        ))
      case 6:
        return this.#removeSomeRef(table)
      case 7:
        this.#pins.get(anyOne.id)?.()
        if (!this.#pins.delete(anyOne.id)) this.#pins.set(anyOne.id, this.lake.pin(table, anyOne))
        return
      case 8:
        return void (await this.lake.restore(NAME, anyOne.id))
      case 9:
        // Somebody died before the commit.
        await fakeDataFile(this.disk, this.lake, table, { name: `lost${this.#files++}`, rows: 1 })
        await this.lake.removeOrphans(pick(this.random, [0, 500, 5_000]))
        return this.#check()
      case 10:
        this.counts.staged++
        return this.#commit('main', true)
      default:
        return this.#expire({ olderThanMs: integer(this.random, 6_000), retainLast: 1 + integer(this.random, 3) })
    }
  }

  #retained(ref: RefJson): RefJson {
    const some = (): number | undefined => (integer(this.random, 2) ? integer(this.random, 6_000) : undefined)
    const [refAge, age, least] = [some(), some(), integer(this.random, 2) ? 1 + integer(this.random, 4) : undefined]
    return {
      ...ref,
      ...(refAge === undefined ? {} : { 'max-ref-age-ms': refAge }),
      ...(age === undefined ? {} : { 'max-snapshot-age-ms': age }),
      ...(least === undefined ? {} : { 'min-snapshots-to-keep': least }),
    }
  }

  /** What the lake's own commit does not do yet: a snapshot on a branch, a branch at a snapshot. By the same parts. */
  async #write(change: (metadata: TableMetadata, context: CommitContext) => Promise<TableMetadata>): Promise<void> {
    const files = new MetadataFiles(this.disk, this.random)
    const base = await baseAt(files, (await this.catalog.table(NAME))!)
    const metadata = await change(base.metadata, { files } as CommitContext)
    const staged = await stageMetadata(base, metadata, { files, random: this.random, nowMs: this.clock.nowMs() })
    const current = metadata['current-snapshot-id']
    const move = { name: NAME, from: staged.from, to: staged.to, snapshotId: current === -1n ? null : String(current) }
    assert.equal((await this.catalog.commit({ tables: [move], nowMs: this.clock.nowMs() })).kind, 'committed')
  }

  #setRef(name: string, ref: RefJson): Promise<void> {
    return this.#write(async (metadata) => ({ ...metadata, refs: { ...metadata.refs, [name]: ref } }))
  }

  async #removeSomeRef(table: LakeTable): Promise<void> {
    const names = Object.keys(table.refs).filter((name) => name !== 'main')
    if (names.length === 0) return
    const name = pick(this.random, names)
    await this.#write(async (metadata) => ({
      ...metadata,
      refs: Object.fromEntries(Object.entries(metadata.refs).filter(([ref]) => ref !== name)),
    }))
  }

  /** Appends to a branch, or replaces some of its files; staged: in a snapshot that the branch does not go on to. */
  async #commit(branch: string, staging = false): Promise<void> {
    const table = await this.lake.table(NAME)
    const head = table.snapshots.find((snapshot) => snapshot.id === table.refs[branch]?.snapshotId) ?? null
    const live = await this.lake.files(table, head)
    const remove = live.filter(() => integer(this.random, 4) === 0).map((file) => file.path)
    const add: DataFile[] = []
    // Several, so that a manifest that loses one lists the others as existing.
    for (let count = 1 + integer(this.random, 3); count > 0; count--)
      add.push(await fakeDataFile(this.disk, this.lake, table, { name: `f${this.#files++}`, rows: 1 }))
    const change: TableChange = { table: NAME, operation: remove.length > 0 ? 'overwrite' : 'append', add, remove }
    if (branch === 'main' && !staging) return void (await this.lake.commit([change]))
    this.counts.shared += live.length - remove.length
    await this.#write(async (metadata, { files }) => {
      const onBranch = { ...metadata, 'current-snapshot-id': head!.id }
      const base = { name: NAME, location: null, metadata: onBranch, table: toLakeTable(NAME, '', onBranch) }
      const staged = await stageChange(base, change, { files, random: this.random, nowMs: this.clock.nowMs() })
      const snapshotId = staged.metadata['current-snapshot-id']
      return {
        ...staged.metadata,
        'current-snapshot-id': metadata['current-snapshot-id'],
        'snapshot-log': metadata['snapshot-log'],
        refs: staging ? metadata.refs : { ...metadata.refs, [branch]: { ...metadata.refs[branch]!, 'snapshot-id': snapshotId } },
      }
    })
  }

  async #expire(retention: Retention): Promise<void> {
    const { metadata } = await baseAt(new MetadataFiles(this.disk, this.random), (await this.catalog.table(NAME))!)
    const wanted = this.#policy(metadata, retention)
    const gone = await this.lake.expire(NAME, retention)
    const table = await this.lake.table(NAME)
    assert.deepEqual(new Set(table.snapshots.map((snapshot) => snapshot.id)), wanted.snapshots)
    assert.deepEqual(Object.keys(table.refs).sort(), wanted.names)
    assert.equal(gone.snapshots, metadata.snapshots.length - wanted.snapshots.size)
    this.counts.dropped += gone.snapshots
    this.counts.namesGone += gone.names
    this.counts.removed += gone.files
    await this.#check()
  }

  /** The specification's five steps, from each snapshot's side: does a name keep it? */
  #policy(metadata: TableMetadata, { olderThanMs, retainLast }: Retention): { snapshots: Set<bigint>; names: string[] } {
    const nowMs = this.clock.nowMs()
    const byId = new Map(metadata.snapshots.map((snapshot) => [snapshot['snapshot-id'], snapshot]))
    const age = (id: bigint): number => nowMs - byId.get(id)!['timestamp-ms']
    const refs = Object.entries(metadata.refs).filter(
      ([name, ref]) => name === 'main' || age(ref['snapshot-id']) <= (ref['max-ref-age-ms'] ?? Number.POSITIVE_INFINITY),
    )
    const ancestors = (id: bigint | undefined): bigint[] => {
      const snapshot = id === undefined ? undefined : byId.get(id)
      return snapshot ? [snapshot['snapshot-id'], ...ancestors(snapshot['parent-snapshot-id'])] : []
    }
    const keeps = (ref: RefJson): bigint[] => {
      if (ref.type === 'tag') return [ref['snapshot-id']]
      const line = ancestors(ref['snapshot-id'])
      const isRetained = (id: bigint, nth: number): boolean =>
        nth < (ref['min-snapshots-to-keep'] ?? retainLast) || age(id) <= (ref['max-snapshot-age-ms'] ?? olderThanMs)
      const end = line.findIndex((id, nth) => !isRetained(id, nth))
      return [ref['snapshot-id'], ...(end < 0 ? line : line.slice(0, end))]
    }
    const pinned = [...this.#pins.keys()].filter((id) => byId.has(id))
    const led = new Set(refs.flatMap(([, ref]) => ancestors(ref['snapshot-id'])))
    const unnamed = [...byId.keys()].filter((id) => !led.has(id) && age(id) <= olderThanMs)
    this.counts.unnamed += unnamed.length
    return {
      snapshots: new Set([...refs.flatMap(([, ref]) => keeps(ref)), ...pinned, ...unnamed]),
      names: refs.map(([name]) => name).sort(),
    }
  }

  /** Every file of every snapshot is there, for somebody who has read nothing yet. */
  async #check(): Promise<void> {
    const table = await this.#open().table(NAME)
    const check = openCheck(new MetadataFiles(this.disk, this.random), table)
    for (const snapshot of table.snapshots) assert.deepEqual((await check(snapshot)).damage, [], `snapshot ${snapshot.id}`)
  }

  async #needed(): Promise<string[]> {
    const pointer = (await this.catalog.table(NAME))!
    const { table, metadata } = await baseAt(new MetadataFiles(this.disk, this.random), pointer)
    const check = openCheck(new MetadataFiles(this.disk, this.random), table)
    const needed = new Set([toPath(pointer.location), ...metadata['metadata-log'].map((entry) => toPath(entry['metadata-file']))])
    for (const snapshot of table.snapshots) for (const [path] of (await check(snapshot)).files) needed.add(path)
    return [...needed].sort()
  }

  async #onDisk(): Promise<string[]> {
    const folders = [`${DIRECTORY}/${NAME}/data`, `${DIRECTORY}/${NAME}/metadata`]
    const lists = await Promise.all(folders.map(async (folder) => (await this.disk.list(folder)).map((name) => `${folder}/${name}`)))
    return lists.flat().sort()
  }
}

test(`${SEEDS.length} random histories`, async () => {
  const all = { branches: 0, dropped: 0, namesGone: 0, removed: 0, shared: 0, staged: 0, unnamed: 0 }
  for (const seed of SEEDS) {
    const history = new History(seed)
    await history.run().catch((error: Error) => {
      error.message = `seed ${seed}: ${error.message}`
      throw error
    })
    for (const key of Object.keys(all) as (keyof typeof all)[]) all[key] += history.counts[key]
  }
  if (SEEDS.length === 1) return
  const least = Math.min(all.branches, all.dropped, 5 * all.namesGone, all.removed, all.shared, all.staged, 5 * all.unnamed)
  assert.ok(least > SEEDS.length, JSON.stringify(all))
})
