// The lake's commit protocol on a disk that loses what was not synced: several processes commit, compact, expire and die at
// every call. Whatever happens: a commit is there whole or not at all, history is one line, offsets move with their data,
// and nothing that a kept snapshot reaches is ever removed. PROTOCOL rules 14 to 16.
// One seed alone: MILLRACE_TEST_SEED=17. All 10,000: MILLRACE_TEST_ALL=1.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../../src/core/clock.ts'
import { MillraceError } from '../../src/core/errors.ts'
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import type { DataFile, LakeTable, TableChange } from '../../src/lake/types.ts'
import type { Shape } from '../../src/schema/type.ts'
import type { Catalog, CommitRequest } from '../../src/store/catalog.ts'
import { fakeDataFile } from './fake-data-file.ts'
import { type DiskFault, FakeDisk, SimulatedCrash } from './fake-disk.ts'
import { modelCatalog } from './model-catalog.ts'
import { live, type Mortal, mortalDisk } from './mortal-disk.ts'

const START_MS = 1_750_000_000_000
const ORPHAN_MS = 10 * 60_000
const TABLES = ['orders', 'clicks', 'daily'] as const
/** Of version 3: rows of its files go by deletion vectors too. */
const WITH_VECTORS = 'clicks'
const ANSWER_LOST = 'the connection to the catalog broke'
const SHAPE: Shape = { fields: [{ name: 'id', type: { kind: 'long' }, optional: false }] }
const SEEDS = process.env['MILLRACE_TEST_SEED']
  ? [Number(process.env['MILLRACE_TEST_SEED'])]
  : Array.from({ length: process.env['MILLRACE_TEST_ALL'] ? 10_000 : 100 }, (_, seed) => seed + 1)

const pick = <T>(random: Random, choices: readonly T[]): T => choices[integer(random, choices.length)]!

const sumOf = (files: readonly DataFile[]): number => files.reduce((sum, file) => sum + file.rows, 0)
const deletedOf = ({ deletes }: DataFile): readonly number[] => [...(deletes?.vector?.positions ?? [])]

/** What a commit was meant to do; found again in the catalog's log by its id, which travels as a cursor. */
interface Intent {
  readonly id: string
  readonly changes: readonly TableChange[]
  /** By table: the snapshot that it was computed from, for those that must not miss an added row. */
  readonly readAt: ReadonlyMap<string, string | null>
  /** Rows that were deleted of the files that it writes anew, by their paths. */
  readonly seen?: ReadonlyMap<string, readonly number[]>
  /** Rows that it adds to the pipeline's offset. */
  readonly rows: number
}

interface Process {
  readonly mortal: Mortal
  readonly lake: Lake
  /** Owner of the pipeline while nobody else has taken over. */
  generation: string
}

class World {
  readonly random: Random
  readonly clock = new VirtualClock(START_MS)
  readonly #model = modelCatalog()
  /** Commits that the catalog took, in its order. */
  readonly #log: CommitRequest[] = []
  readonly #intents = new Map<string, Intent>()
  readonly #acknowledged = new Set<string>()
  #disk: FakeDisk
  #generations = 0
  #files = 0
  counts = { committed: 0, crashes: 0, refused: 0 }

  constructor(seed: number) {
    this.random = seededRandom(seed)
    this.#disk = this.#newDisk()
  }

  #newDisk(): FakeDisk {
    return new FakeDisk(this.random, { nowMs: () => this.clock.nowMs() })
  }

  /** A process of its own: cache, catalog connection and death. */
  #spawn(lives = Number.POSITIVE_INFINITY): Process {
    const mortal: Mortal = { left: lives }
    const disk = mortalDisk(this.#disk, mortal)
    const lake = openLake({
      disk,
      clock: this.clock,
      random: this.random,
      catalog: this.#catalogOf(mortal, this.#disk),
      directory: '/srv/data/lake',
    })
    return { mortal, lake, generation: 'nobody' }
  }

  #catalogOf(mortal: Mortal, disk: FakeDisk): Catalog {
    const point = () => {
      if (disk.isCrashed) throw new SimulatedCrash('the machine is off')
      live(mortal)
    }
    return {
      ...this.#model,
      table: async (name) => {
        point()
        return this.#model.table(name)
      },
      commit: async (request) => {
        point()
        const outcome = await this.#model.commit(request)
        if (outcome.kind === 'committed') this.#log.push(request)
        point()
        if (integer(this.random, 40) === 0) throw new Error(ANSWER_LOST)
        return outcome
      },
    }
  }

  async run(): Promise<void> {
    await this.#createTables()
    for (let round = 0; round < 3; round++) {
      await this.#round()
      await this.#check()
      await this.clock.advance(pick(this.random, [0, 1_000, 2 * ORPHAN_MS]))
    }
    await this.#tidy()
  }

  // Creation meets crashes too: it is repeated until the table is there.
  async #createTables(): Promise<void> {
    this.#armDisk(150)
    for (const name of TABLES) {
      while (!(await this.#model.table(name))) {
        try {
          const { lake } = this.#spawn(pick(this.random, [20, 1_000]))
          const version = name === WITH_VECTORS ? { formatVersion: 3 as const } : {}
          await lake.create({ name, shape: SHAPE, partition: [], cluster: [], key: [], ...version })
        } catch (error) {
          this.#tolerate(error)
        }
        if (this.#disk.isCrashed) this.#disk = this.#disk.crash()
      }
    }
    this.#disk.disarm()
  }

  #armDisk(calls: number): void {
    if (integer(this.random, 2) === 0) this.#disk.crashAt(1 + integer(this.random, calls))
    if (integer(this.random, 3) === 0)
      this.#disk.failAt(1 + integer(this.random, calls), pick<DiskFault>(this.random, ['EIO', 'ENOSPC', 'short']))
    if (integer(this.random, 4) === 0)
      this.#disk.failAt(1 + integer(this.random, 8), 'EIO', (call) => call.operation === 'sync' && call.path.endsWith('.parquet'))
  }

  async #round(): Promise<void> {
    this.#armDisk(600)
    const processes = Array.from({ length: 1 + integer(this.random, 3) }, () =>
      this.#spawn(pick(this.random, [Number.POSITIVE_INFINITY, 20 + integer(this.random, 300)])),
    )
    let open = processes.length
    const works = Promise.all(processes.map((process) => this.#work(process).finally(() => open--)))
    works.catch(() => {})
    while (open > 0) await this.clock.advance(20)
    await works
    this.#disk.disarm()
    if (!this.#disk.isCrashed && integer(this.random, 2) === 0) return
    this.counts.crashes++
    this.#disk = this.#disk.crash()
  }

  async #work(process: Process): Promise<void> {
    for (let i = 0; i < 6; i++) {
      try {
        await this.#operate(process)
      } catch (error) {
        if (!this.#tolerate(error)) return
      }
    }
  }

  /** Whether the process goes on after an error that the simulation itself may cause; any other is a finding. */
  #tolerate(error: unknown): boolean {
    if (error instanceof SimulatedCrash) return false
    if (error instanceof MillraceError && /^MR_(LAKE_CONFLICT|LAKE_FENCED|LAKE_SNAPSHOT_UNKNOWN|DATA_FULL)$/.test(error.code)) {
      this.counts.refused++
      return true
    }
    // A snapshot that another process expired while this one read it; a data file that could not be synced before.
    if (error instanceof MillraceError && error.code === 'MR_LAKE_CORRUPT' && /is missing$|must not be trusted$/.test(error.message))
      return true
    if ((error as Error).message === ANSWER_LOST) return true
    if (/^(EIO|ENOSPC)$/.test((error as NodeJS.ErrnoException).code ?? '')) return true
    throw error
  }

  async #operate(process: Process): Promise<void> {
    const { lake } = process
    const name = pick(this.random, TABLES)
    switch (integer(this.random, 10)) {
      case 0:
      case 1:
        return this.#append(process, [name])
      case 2:
        return this.#append(process, ['orders', 'clicks'])
      case 8:
        return integer(this.random, 2) === 0 ? this.#takeOver(process) : this.#append(process, ['daily'])
      case 9:
        return this.#delete(process)
      case 3:
        return this.#rewrite(process, name, 'overwrite')
      case 4:
        return this.#rewrite(process, name, 'replace')
      case 5:
        await lake.expire(name, { olderThanMs: pick(this.random, [0, 1_000]), retainLast: 1 + integer(this.random, 3) })
        return
      case 6:
        await lake.removeOrphans(ORPHAN_MS)
        return
      default:
        return this.#tag(lake, await lake.table(name))
    }
  }

  async #takeOver(process: Process): Promise<void> {
    const generation = `g${++this.#generations}`
    await process.lake.catalog.acquire('pipeline', generation)
    process.generation = generation
  }

  async #append(process: Process, names: readonly string[]): Promise<void> {
    const changes: TableChange[] = []
    let rows = 0
    for (const name of names) {
      const file = await this.#write(process.lake, await process.lake.table(name))
      rows += file.rows
      changes.push({ table: name, operation: 'append', add: [file], remove: [] })
    }
    await this.#commit(process, { changes, readAt: new Map(), rows: process.generation === 'nobody' ? 0 : rows })
  }

  /** Replaces one live file (overwrite) or makes one of two (replace), as of a snapshot that may be old by then. */
  async #rewrite(process: Process, name: string, operation: 'overwrite' | 'replace'): Promise<void> {
    const { lake } = process
    const table = await lake.table(name)
    const live = await lake.files(table)
    if (live.length < 2) return
    const remove = live.slice(0, operation === 'replace' ? 2 : 1)
    const add = [await this.#write(lake, table, sumOf(remove))]
    const change: TableChange = { table: name, operation, add, remove: remove.map((file) => file.path) }
    const readAt = new Map(operation === 'overwrite' ? [[name, table.current ? String(table.current.id) : null]] : [])
    const seen = new Map(remove.map((file) => [file.path, deletedOf(file)]))
    const validated = operation === 'overwrite' ? { validateFrom: table.current?.id ?? null } : { readFrom: table.current!.id }
    await this.#commit(process, { changes: [{ ...change, ...validated }], readAt, seen, rows: 0 })
  }

  /** Some rows of one file go by a vector. */
  async #delete(process: Process): Promise<void> {
    const { lake } = process
    const live = await lake.files(await lake.table(WITH_VECTORS))
    if (live.length === 0) return
    const file = pick(this.random, live)
    const left = Array.from({ length: file.rows }, (_, i) => i).filter((position) => !deletedOf(file).includes(position))
    const positions = Float64Array.from(left.filter(() => integer(this.random, 2) === 0))
    if (positions.length === 0) return
    const change: TableChange = { table: WITH_VECTORS, operation: 'delete', add: [], remove: [], delete: [{ path: file.path, positions }] }
    await this.#commit(process, { changes: [change], readAt: new Map(), rows: 0 })
  }

  async #tag(lake: Lake, table: LakeTable): Promise<void> {
    const tags = Object.keys(table.refs).filter((ref) => ref !== 'main')
    const snapshot = table.snapshots.length > 0 ? pick(this.random, table.snapshots) : null
    if (tags.length > 0 && integer(this.random, 2) === 0) await lake.removeTag(table.name, pick(this.random, tags))
    else if (snapshot) await lake.setTag(table.name, `t${integer(this.random, 3)}`, snapshot.id)
  }

  async #write(lake: Lake, table: LakeTable, rows = 1 + integer(this.random, 5)): Promise<DataFile> {
    const name = `f${this.#files++}`
    return fakeDataFile(this.#disk, lake, table, { name: integer(this.random, 2) === 0 ? name : `w-${name}/p=1/${name}`, rows })
  }

  /** Appends of an owner are the pipeline's and move its offset; a failed commit is sometimes tried again with the same files. */
  async #commit(process: Process, plan: Omit<Intent, 'id'>): Promise<void> {
    const id = `c${this.#intents.size}`
    this.#intents.set(id, { ...plan, id })
    const next = (await this.#model.progress('pipeline')).offsets[0]?.next ?? 0
    const pipeline = { name: 'pipeline', generation: process.generation, offsets: [{ topic: 't', partition: 0, next: next + plan.rows }] }
    try {
      await process.lake.commit(plan.changes, { cursors: [{ name: 'commit', value: id }], ...(plan.rows > 0 ? { pipeline } : {}) })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EIO' || integer(this.random, 2) === 0) throw error
      return this.#commit(process, plan)
    }
    this.#acknowledged.add(id)
    this.counts.committed++
  }

  // ---- what must hold

  async #check(): Promise<void> {
    const committed = this.#log.flatMap((request) => (request.cursors ? [this.#intents.get(request.cursors[0]!.value)!] : []))
    const ids = committed.map((intent) => intent.id)
    assert.equal(new Set(ids).size, ids.length, 'a commit is made once')
    for (const id of this.#acknowledged) assert.ok(ids.includes(id), `${id} was acknowledged and is gone`)
    await this.#checkOffsets()
    const { lake } = this.#spawn()
    for (const name of TABLES) {
      const table = await lake.table(name)
      await this.#checkHistory(lake, table, committed)
      for (const snapshot of table.snapshots) await this.#checkContent(await lake.files(table, snapshot))
    }
  }

  /** The offset moved with each commit of the pipeline by exactly its rows: no zombie, no commit without its offset. */
  async #checkOffsets(): Promise<void> {
    let next = 0
    for (const { pipeline, cursors } of this.#log) {
      if (!pipeline) continue
      next += this.#intents.get(cursors![0]!.value)!.rows
      assert.equal(pipeline.offsets[0]!.next, next)
    }
    assert.equal((await this.#model.progress('pipeline')).offsets[0]?.next ?? 0, next)
  }

  /** Replays the catalog's log: removed files were live, an overwrite missed no added row, and the result is what is there. */
  async #checkHistory(lake: Lake, table: LakeTable, committed: readonly Intent[]): Promise<void> {
    let live = new Set<string>()
    const deleted = new Map<string, number[]>()
    const rowsOf = new Map(committed.flatMap((one) => one.changes.flatMap((change) => change.add.map((file) => [file.path, file.rows]))))
    let snapshots = 0
    const moves = this.#log.filter((request) => request.tables.some((move) => move.name === table.name))
    let before: string | null = null
    let snapshotId: string | null = null
    const addedSince = new Map<string | null, number>([[null, 0]])
    let added = 0
    for (const request of moves) {
      const move = request.tables.find((one) => one.name === table.name)!
      assert.equal(move.from, before, 'every pointer follows the one before')
      before = move.to
      if (!request.cursors) continue
      const intent = committed.find((one) => one.id === request.cursors![0]!.value)!
      const change = intent.changes.find((one) => one.table === table.name)!
      const readAt = intent.readAt.get(table.name)
      if (readAt !== undefined) assert.equal(addedSince.get(readAt), added, `${intent.id} did not see rows that were added`)
      for (const path of change.remove) {
        assert.ok(live.delete(path), `${intent.id} removed ${path}, which was not live`)
        assert.deepEqual(intent.seen!.get(path), deleted.get(path) ?? [], `${intent.id} did not see what was deleted of ${path}`)
      }
      for (const { path, positions } of change.delete ?? []) {
        assert.ok(live.has(path), `${intent.id} deleted rows of ${path}, which was not live`)
        const all = [...(deleted.get(path) ?? []), ...positions].sort((a, b) => a - b)
        assert.equal(new Set(all).size, all.length, `${intent.id} deleted a row of ${path} again`)
        deleted.set(path, all)
        if (all.length === rowsOf.get(path)) live.delete(path)
      }
      live = new Set([...live, ...change.add.map((file) => file.path)])
      if (change.operation === 'append' || change.operation === 'overwrite') added++
      snapshotId = move.snapshotId
      addedSince.set(snapshotId, added)
      snapshots++
    }
    assert.equal(table.metadataLocation, before)
    assert.equal(table.current ? String(table.current.id) : null, snapshotId)
    assert.equal(table.current?.sequence ?? 0, snapshots, 'sequence numbers count the snapshots')
    const kept = table.snapshots.map((snapshot) => snapshot.sequence)
    assert.deepEqual(
      kept,
      [...kept].sort((a, b) => a - b),
    )
    for (const ref of Object.keys(table.refs)) lake.snapshotAt(table, { tag: ref })
    const files = await lake.files(table)
    assert.deepEqual(files.map((file) => file.path).sort(), [...live].sort())
    for (const file of files) assert.deepEqual(deletedOf(file), deleted.get(file.path) ?? [], `what is deleted of ${file.path}`)
    const gone = files.reduce((sum, file) => sum + deletedOf(file).length, 0)
    assert.equal(Number(table.current?.summary['total-position-deletes'] ?? 0), gone)
    assert.equal(Number(table.current?.summary['total-records'] ?? 0), sumOf(files), 'no row is lost or doubled')
  }

  async #checkContent(files: readonly DataFile[]): Promise<void> {
    for (const file of files) {
      const name = file.path.slice(file.path.indexOf('/data/', '/srv/data/'.length - 1) + '/data/'.length, -'.parquet'.length)
      assert.equal(this.#disk.peek(file.path).toString(), name)
    }
  }

  /** With all writers gone and the age passed, what is on the disk is exactly what is reachable. */
  async #tidy(): Promise<void> {
    await this.clock.advance(2 * ORPHAN_MS)
    const { lake } = this.#spawn()
    await lake.removeOrphans(ORPHAN_MS)
    await this.#check()
    const expected = new Set<string>()
    for (const name of TABLES) {
      const table = await lake.table(name)
      for (const snapshot of table.snapshots) {
        for (const { path, deletes } of await lake.files(table, snapshot))
          for (const reached of [path, ...(deletes?.vector ? [deletes.vector.path] : [])]) expected.add(reached)
      }
    }
    const data = this.#disk.paths().filter((path) => /\.(parquet|puffin)$/.test(path))
    assert.deepEqual(data, [...expected].sort())
  }
}

test(`${SEEDS.length} histories with crashes: whole commits, one line, offsets with data, nothing reachable removed`, async () => {
  const totals = { committed: 0, crashes: 0, refused: 0 }
  for (const seed of SEEDS) {
    const world = new World(seed)
    try {
      await world.run()
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
    for (const key of ['committed', 'crashes', 'refused'] as const) totals[key] += world.counts[key]
  }
  if (SEEDS.length < 100) return
  assert.ok(
    totals.committed > 3 * SEEDS.length && totals.crashes > SEEDS.length && totals.refused > SEEDS.length / 4,
    JSON.stringify(totals),
  )
})

test('16 writers in 2 processes with 50 appends each: 800 snapshots, contiguous, no row lost', async () => {
  const clock = new VirtualClock(START_MS)
  const random = seededRandom(7)
  const disk = new FakeDisk(random)
  const catalog = modelCatalog()
  const lakes = Array.from({ length: 2 }, (_, i) => openLake({ disk, clock, random: seededRandom(100 + i), catalog, directory: '/lake' }))
  const table = await lakes[0]!.create({ name: 'orders', shape: SHAPE, partition: [], cluster: [], key: [] })
  let open = 16
  const writers = Array.from({ length: 16 }, async (_, writer) => {
    const lake = lakes[writer % 2]!
    for (let i = 0; i < 50; i++) {
      const file = await fakeDataFile(disk, lake, table, { name: `w${writer}-${i}`, rows: 1 })
      await lake.commit([{ table: 'orders', operation: 'append', add: [file], remove: [] }])
    }
    open--
  })
  while (open > 0) await clock.advance(50)
  await Promise.all(writers)
  const fresh = openLake({ disk, clock, random, catalog, directory: '/lake' })
  const after = await fresh.table('orders')
  assert.deepEqual(
    after.snapshots.map((snapshot) => snapshot.sequence),
    Array.from({ length: 800 }, (_, i) => i + 1),
  )
  assert.equal(after.current!.summary['total-records'], '800')
  const files = await fresh.files(after)
  assert.equal(new Set(files.map((file) => file.path)).size, 800)
})
