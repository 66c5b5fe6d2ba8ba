// What rows are kept in, opened over a data directory: control database, log, lake and engine, for a node and for commands that work
// while none runs; and for a node the relations of its manifest, whose tables are made or changed as it says.
import { mkdirSync } from 'node:fs'
import type { Worker } from 'node:worker_threads'
import type { Clock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { encryptedRelations } from '../define/encrypted.ts'
import type { LakeSettings } from '../define/lake.ts'
import { openParser, type SqlParser } from '../engine/ast.ts'
import { type Engine, openEngine } from '../engine/duckdb.ts'
import { fileNames } from '../engine/file-names.ts'
import { fileUnlocker } from '../engine/parquet-keys.ts'
import { RelationStore } from '../engine/relations.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import { openEmbeddedLog } from '../log/embedded.ts'
import type { Log } from '../log/log.ts'
import type { LogEvent } from '../log/settings.ts'
import { openThreadedLog } from '../log/thread/threaded-log.ts'
import { isRemote } from '../objects/object-store.ts'
import { type KeyRing, openKeyRing } from '../objects/seal/key-ring.ts'
import type { Catalog } from '../store/catalog.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { mustFit, recordDeployed } from './apply.ts'
import type { Closer } from './closers.ts'
import type { DataDirectory } from './data-directory.ts'
import { deployTables, openRelations } from './deploy.ts'
import type { Logger } from './logger.ts'
import { readMasterKeys } from './master-keys.ts'
import type { NodeOptions } from './node-options.ts'
import { openCatalog } from './open-catalog.ts'
import type { Settings } from './settings.ts'
import { archivePlaces, lastArchives, mustBeInPlace, openWarehouse, recordPlace, type Warehouse } from './warehouse.ts'

export interface Storage {
  readonly store: Store
  readonly log: Log
  readonly warehouse: Warehouse
  readonly engine: Engine
  readonly catalog: Catalog
  readonly lake: Lake
  readonly keys: KeyRing
}

export interface StorageOptions {
  readonly clock: Clock
  readonly variables: NodeOptions['variables']
  readonly lake: LakeSettings | undefined
  readonly settings: Pick<Settings, 'cacheBytes' | 'lakeLocations'> & Partial<Pick<Settings, 'memoryLimitBytes' | 'threads'>>
  /** Places that rows are archived to; default: those that were used before. */
  readonly archives?: readonly string[]
  /** That the engine may read beside the data directory. */
  readonly directories?: readonly string[]
  readonly onLogEvent?: (event: LogEvent) => void
  /** The thread that the log runs in (`beginLogThread`); absent: this one. */
  readonly logThread?: Worker
  /** Topics whose rows are encrypted. */
  readonly encryptedTopics?: ReadonlySet<string>
}

export async function openStorage(options: StorageOptions, directory: DataDirectory, closers: Closer[]): Promise<Storage> {
  const {
    clock,
    variables: environment,
    lake: chosen,
    settings,
    archives,
    directories = [],
    onLogEvent,
    logThread,
    encryptedTopics = new Set(),
  } = options
  const { memoryLimitBytes, threads } = settings
  const store = openStore(directory.control)
  closers.push(() => store.close())
  const keys = await openKeyRing({
    disk: nodeDisk,
    clock,
    random: systemRandom,
    path: directory.keys,
    masters: readMasterKeys(environment),
  })
  const openLog = async (): Promise<Log> => {
    const how = {
      directory: directory.log,
      encrypted: { keys, topics: encryptedTopics },
      ...(onLogEvent ? { onEvent: onLogEvent } : {}),
    }
    const log = await (logThread ? openThreadedLog(how, logThread) : openEmbeddedLog({ disk: nodeDisk, clock, ...how }))
    closers.push(() => log.close())
    return log
  }
  const openLakeParts = async (): Promise<readonly [Warehouse, Engine]> => {
    const warehouse = await openWarehouse(
      { clock, random: systemRandom, environment, data: directory, cacheBytes: settings.cacheBytes },
      chosen,
      archives,
    )
    mkdirSync(directory.temp, { recursive: true })
    const engine = await openEngine({
      clock,
      directories: [directory.path, ...directories, ...lastArchives(directory).filter((place) => !isRemote(place))],
      tempDirectory: directory.temp,
      keys,
      ...(memoryLimitBytes === undefined ? {} : { memoryLimitBytes }),
      ...(threads === undefined ? {} : { threads }),
    })
    closers.push(() => engine.close())
    return [warehouse, engine]
  }
  // At once: after a crash the log reads its last segments, which takes as long as the engine does.
  const [log, [warehouse, engine]] = await both(openLog(), openLakeParts())
  const catalog = await openCatalog({ clock, random: systemRandom, environment, store, warehouse }, chosen)
  const lake = openLake({
    disk: nodeDisk,
    clock,
    random: systemRandom,
    catalog,
    ...warehouse,
    locations: settings.lakeLocations,
    namesIn: fileNames(engine),
    encrypted: { keys, unlock: fileUnlocker(keys) },
  })
  return { store, log, warehouse, engine, catalog, lake, keys }
}

/** Fails when both are over: whoever closes what was opened finds all of it. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<readonly [A, B]> {
  await Promise.allSettled([first, second])
  return Promise.all([first, second])
}

export interface NodeStorage extends Storage {
  readonly parser: SqlParser
  readonly relations: RelationStore
}

/** @throws MR_DATA_MOVED, MR_PLAN_STATE for a change that what is deployed does not allow. */
export async function openNodeStorage(
  options: NodeOptions,
  directory: DataDirectory,
  logger: Logger,
  logThread: Worker,
  closers: Closer[],
): Promise<NodeStorage> {
  const { manifest } = options
  mustBeInPlace(directory)
  const encrypted = encryptedRelations(manifest)
  const [first] = encrypted
  if (first !== undefined && options.lake?.kind === 'rest') throw sharedCatalog(first)
  const how: StorageOptions = {
    ...options,
    lake: options.lake,
    archives: archivePlaces(manifest),
    directories: [options.directory],
    encryptedTopics: encrypted,
    logThread,
    onLogEvent: (event) => tellLog(logger, event),
  }
  const storage = await openStorage(how, directory, closers)
  // Before anything is made.
  await mustFit(storage.store, manifest)
  for (const name of encrypted) await storage.keys.forWriting(name)
  recordPlace(directory)
  const { store, log, engine, catalog, lake } = storage
  const parser = await openParser(engine)
  closers.push(() => parser.close())
  const relations = new RelationStore(engine, lake)
  await deployTables(lake, manifest)
  await openRelations(log, catalog, relations, manifest)
  await recordDeployed(store, manifest, options.code, options.environment)
  return { ...storage, parser, relations }
}

const sharedCatalog = (name: string): MillraceError =>
  new MillraceError(
    'MR_KEY_SHARED',
    `${name} is encrypted, and the tables of this environment are in another's catalog, whose engines could not read it`,
    {
      fix: "leave out encrypted, or keep the tables in Millrace's own catalog",
    },
  )

/** What the log says about itself, except what it does all the time. */
function tellLog(logger: Logger, event: LogEvent): void {
  const { kind, ...about } = event
  if (kind === 'log.committed' || kind === 'log.removed') return
  if (kind === 'log.resumed') logger.info('the log takes rows again')
  else logger.warn(kind, about)
}
