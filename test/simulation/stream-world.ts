// A small node for tests of the data path: the real log, lake, control database and engine in a directory of their own,
// with the pipelines of a manifest. It can be killed (nothing is flushed) and opened again over the same directory.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '../../src/core/clock.ts'
import { type Disk, nodeDisk } from '../../src/core/disk.ts'
import { type Random, seededRandom } from '../../src/core/random.ts'
import type { Scratch } from '../../src/core/scratch.ts'
import type { Manifest, ModelManifest, ProcessorManifest, Relation, StreamManifest } from '../../src/define/manifest.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { type Engine, openEngine } from '../../src/engine/duckdb.ts'
import { RelationStore } from '../../src/engine/relations.ts'
import { withRelations } from '../../src/engine/workspace.ts'
import { type CollectAnswer, collect, type Door } from '../../src/ingest/collect.ts'
import { type Lake, openLake } from '../../src/lake/open-lake.ts'
import { openEmbeddedLog } from '../../src/log/embedded.ts'
import type { Log } from '../../src/log/log.ts'
import { diskStore } from '../../src/objects/disk-store.ts'
import { deployTables, openRelations, partitionsOf } from '../../src/runtime/deploy.ts'
import { diskScratch } from '../../src/runtime/disk-scratch.ts'
import { makePipelines, type RunningPipeline } from '../../src/runtime/pipelines.ts'
import { readSettings } from '../../src/runtime/settings.ts'
import { compileScanner } from '../../src/schema/scan/scanner.ts'
import type { Field } from '../../src/schema/type.ts'
import type { Catalog } from '../../src/store/catalog.ts'
import { openStore, type Store } from '../../src/store/open-store.ts'
import { openCheckpoints } from '../../src/stream/checkpoint.ts'
import type { ProcessorCode, ProcessorHost } from '../../src/stream/processor/host.ts'
import { localHost } from '../../src/stream/processor/local-host.ts'
import type { StreamEvent } from '../../src/stream/stream-event.ts'

const COMMON = { at: 'test.ts:1', tags: [], partition: [], cluster: [], keep: { logMs: 7 * 86_400_000 } }

export const field = (name: string, kind: Field['type']['kind'] | Field['type'], optional = false): Field => ({
  name,
  type: typeof kind === 'string' ? ({ kind } as Field['type']) : kind,
  optional,
})

export const streamOf = (name: string, fields: readonly Field[], how: Partial<StreamManifest> = {}): StreamManifest => ({
  kind: 'stream',
  name,
  ...COMMON,
  shape: { fields },
  source: 'http',
  partitions: 1,
  latenessMs: 0,
  ...how,
})

export const tableOf = (name: string, fields: readonly Field[], key: readonly string[]): Relation => ({
  kind: 'table',
  name,
  ...COMMON,
  shape: { fields },
  key,
  source: { kind: 'http' },
  load: 'upsert',
})

export const liveOf = (name: string, text: string, fields: readonly Field[], how: Partial<ModelManifest> = {}): ModelManifest => ({
  kind: 'model',
  name,
  ...COMMON,
  shape: { fields },
  sql: { text, params: [] },
  inputs: [],
  refresh: 'live',
  key: [],
  emit: 'final',
  declared: false,
  ...how,
})

export const manifestOf = (parts: Partial<Manifest> & { relations: readonly Relation[] }): Manifest => ({
  version: 1,
  project: 'test',
  processors: [],
  checks: [],
  roles: [],
  grants: [],
  policies: [],
  masks: [],
  endpoints: [],
  jobs: [],
  alerts: [],
  dashboards: [],
  ...parts,
})

export interface WorldOptions {
  readonly manifest: Manifest
  readonly processors?: Readonly<Record<string, ProcessorCode>>
  /** Stands around the host of a processor. */
  readonly wrapHost?: (host: ProcessorHost) => ProcessorHost
  readonly seed?: number
  readonly readBytes?: number
  readonly flushBytes?: number
  /** Wraps what the pipelines commit through. */
  readonly wrapCatalog?: (catalog: Catalog) => Catalog
  readonly wrapDisk?: (disk: Disk) => Disk
  /** Wraps where state goes that has no room. */
  readonly wrapScratch?: (scratch: Scratch) => Scratch
}

/** What is open now. */
interface Open {
  readonly log: Log
  readonly store: Store
  readonly lake: Lake
  readonly engine: Engine
  readonly parser: SqlParser
  readonly relations: RelationStore
  readonly pipelines: readonly RunningPipeline[]
}

export class StreamWorld {
  readonly clock = new VirtualClock(Date.UTC(2026, 0, 1, 12))
  readonly directory = mkdtempSync(join(tmpdir(), 'millrace-world-'))
  readonly events: StreamEvent[] = []
  readonly #random: Random
  options: WorldOptions
  #open: Open | null = null
  #scratches: Scratch[] = []
  /** Offset after what a pipeline has applied, by pipeline and partition. */
  readonly #applied = new Map<string, number>()

  private constructor(options: WorldOptions) {
    this.options = options
    this.#random = seededRandom(options.seed ?? 1)
    mkdirSync(join(this.directory, 'spill'))
  }

  static async open(options: WorldOptions): Promise<StreamWorld> {
    const world = new StreamWorld(options)
    await world.start()
    return world
  }

  get now(): Open {
    if (!this.#open) throw new Error('the world is closed')
    return this.#open
  }

  async start(): Promise<void> {
    const { manifest } = this.options
    const disk = this.options.wrapDisk?.(nodeDisk) ?? nodeDisk
    const store = openStore(join(this.directory, 'control.db'))
    const catalog = this.options.wrapCatalog?.(store.catalog) ?? store.catalog
    const log = await openEmbeddedLog({ disk: nodeDisk, clock: this.clock, directory: join(this.directory, 'log') })
    const lake = openLake({ disk, clock: this.clock, random: this.#random, catalog, directory: join(this.directory, 'lake') })
    const engine = await openEngine({
      clock: this.clock,
      directories: [this.directory],
      tempDirectory: join(this.directory, 'spill'),
      threads: 1,
    })
    const parser = await openParser(engine)
    const relations = new RelationStore(engine, lake)
    this.#open = { log, store, lake, engine, parser, relations, pipelines: [] }
    await deployTables(lake, manifest)
    await openRelations(log, catalog, relations, manifest)
    const pipelines = await makePipelines(
      {
        clock: this.clock,
        intakeMs: () => 0,
        random: this.#random,
        log,
        lake,
        catalog,
        checkpoints: openCheckpoints(diskStore(disk), this.clock, this.#random, join(this.directory, 'checkpoints')),
        onEvent: (event) => {
          this.events.push(event)
          if (event.kind === 'applied')
            this.#applied.set(`${event.pipeline} ${event.delivery.topic} ${event.partition}`, event.delivery.next)
        },
        relations,
        engine,
        parser,
        settings: {
          ...readSettings({}),
          readBytes: this.options.readBytes ?? 2 << 20,
          flushBytes: this.options.flushBytes ?? 128 << 20,
        },
        scratchOf: ({ name }) => {
          const scratch = diskScratch(join(this.directory, 'state', name))
          this.#scratches.push(scratch)
          return this.options.wrapScratch?.(scratch) ?? scratch
        },
        hostOf: (processor, input, outputs) => {
          const host = localHost({ processor, input, outputs, code: this.options.processors![processor.name]! })
          return this.options.wrapHost?.(host) ?? host
        },
      },
      manifest,
    )
    this.#open = { log, store, lake, engine, parser, relations, pipelines }
    for (const { pipeline } of pipelines) pipeline.start()
    await Promise.all(pipelines.map(({ pipeline }) => pipeline.ready))
  }

  /** Stops without flushing, as a crash does: what is not in the log and not committed is gone. */
  async kill(): Promise<void> {
    const { log, store, engine, parser, pipelines } = this.now
    this.#open = null
    await Promise.all(pipelines.map(({ pipeline }) => pipeline.stop()))
    // Not before: the read at hand is told still, and the next life has not done it.
    this.#applied.clear()
    for (const scratch of this.#scratches.splice(0)) scratch.close()
    parser.close()
    await log.close()
    engine.close()
    await store.close()
  }

  async restart(options: Partial<WorldOptions> = {}): Promise<void> {
    this.options = { ...this.options, ...options }
    await this.kill()
    await this.start()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#open) await this.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Rows through the door, in one request. */
  async send(relation: string, rows: readonly object[] | string, idempotencyKey?: string): Promise<CollectAnswer> {
    const found = this.options.manifest.relations.find((candidate) => candidate.name === relation)!
    const key = found.kind === 'stream' ? found.key : undefined
    const door: Door = {
      topic: relation,
      partitions: partitionsOf(found),
      keyIndex: found.shape.fields.findIndex((candidate) => candidate.name === key),
      scanner: compileScanner(found.shape),
    }
    const body = Buffer.from(typeof rows === 'string' ? rows : rows.map((row) => `${JSON.stringify(row)}\n`).join(''))
    return collect(
      this.now.log,
      door,
      { contentType: 'application/x-ndjson', contentEncoding: undefined, idempotencyKey, body },
      { bodyBytesMax: 1 << 24 },
    )
  }

  pipeline(name: string): RunningPipeline {
    return this.now.pipelines.find(({ pipeline }) => pipeline.settings.name.split('@')[0] === name)!
  }

  /** Everything that is in the log is read and committed, derived streams too. */
  async flush(): Promise<void> {
    const { pipelines } = this.now
    for (let depth = 0; depth <= this.options.manifest.processors.length; depth++)
      await Promise.all(pipelines.map(({ pipeline }) => pipeline.flush()))
  }

  /** Waits until all pipelines have applied what is in the log. */
  async caughtUp(): Promise<void> {
    const { log, pipelines } = this.now
    const isBehind = (): boolean =>
      pipelines.some(({ pipeline }) =>
        pipeline.inputs.some(({ topic, partition, position }) => {
          // One that has applied nothing in this life may be at what is committed, or be reading it: it is not behind only with the rest read.
          const applied = this.#applied.get(`${pipeline.settings.name} ${topic} ${partition}`) ?? position
          return applied < log.range(topic, partition).end
        }),
      )
    // A pipeline that rests for the door wakes by the clock. It goes on only when nothing has happened for a while, since timers add records.
    let seen = this.events.length
    for (let step = 0, idle = 0; step < 60_000 && isBehind(); step++, idle++) {
      if (this.events.length > seen) idle = 0
      seen = this.events.length
      if (idle % 10 === 9) await this.clock.advance(50)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    assert.ok(!isBehind(), 'the pipelines did not catch up')
  }

  /** Lets time pass until the work is done: for what waits between tries. */
  async driving<T>(work: Promise<T>): Promise<T> {
    let isDone = false
    const settled = work.finally(() => {
      isDone = true
    })
    while (!isDone) {
      await this.clock.advance(500)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return settled
  }

  /** Rows of a question over relations as readers see them now: with the tail, or only what is committed. */
  async ask(sql: string, committedOnly = false): Promise<readonly (readonly unknown[])[]> {
    const { engine, relations } = this.now
    const names = [...sql.matchAll(/\b(?:FROM|JOIN)\s+([a-z_][a-z0-9_]*)/g)].map((match) => match[1]!).filter((name) => relations.has(name))
    const pins = await Promise.all(names.map((name) => relations.pin(name, { committedOnly })))
    try {
      const views = Object.fromEntries(pins.map((pin) => [pin.relation, pin.scanSql]))
      return (await withRelations(engine, views, (session) => session.rows(sql))).rows
    } finally {
      for (const pin of pins) pin.release()
    }
  }
}

/** Lets everything else run until the condition holds. @throws after a minute or more. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 60_000; i++) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error(`waited in vain for ${condition}`)
}

export const processorOf = (name: string, from: string, how: Partial<ProcessorManifest> = {}): ProcessorManifest => ({
  kind: 'processor',
  name,
  at: 'test.ts:1',
  from,
  state: {},
  ...how,
})
