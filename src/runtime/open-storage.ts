// What a node keeps rows in, opened over its data directory: control database, log, lake, engine, and the relations of the manifest,
// whose tables are made or changed as it says.
import { mkdirSync } from 'node:fs'
import { nodeDisk } from '../core/disk.ts'
import { systemRandom } from '../core/random.ts'
import { openParser, type SqlParser } from '../engine/ast.ts'
import { type Engine, openEngine } from '../engine/duckdb.ts'
import { fileNames } from '../engine/file-names.ts'
import { RelationStore } from '../engine/relations.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import { openEmbeddedLog } from '../log/embedded.ts'
import type { Log } from '../log/log.ts'
import type { LogEvent } from '../log/settings.ts'
import { isRemote } from '../objects/object-store.ts'
import type { Catalog } from '../store/catalog.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { recordDeployed } from './apply.ts'
import type { Closer } from './closers.ts'
import type { takeDataDirectory } from './data-directory.ts'
import { deployTables, openRelations } from './deploy.ts'
import type { Logger } from './logger.ts'
import type { NodeOptions } from './node-options.ts'
import { openCatalog } from './open-catalog.ts'
import { archivePlaces, lastArchives, mustBeInPlace, openWarehouse, recordPlace } from './warehouse.ts'

export interface Storage {
  readonly store: Store
  readonly log: Log
  readonly warehouse: Awaited<ReturnType<typeof openWarehouse>>
  readonly engine: Engine
  readonly catalog: Catalog
  readonly lake: Lake
  readonly parser: SqlParser
  readonly relations: RelationStore
}

export async function openStorage(
  options: NodeOptions,
  directory: ReturnType<typeof takeDataDirectory>,
  logger: Logger,
  closers: Closer[],
): Promise<Storage> {
  const { clock, settings, manifest } = options
  const store = openStore(directory.control)
  closers.push(() => store.close())
  const log = await openEmbeddedLog({ disk: nodeDisk, clock, directory: directory.log, onEvent: (event) => tellLog(logger, event) })
  closers.push(() => log.close())
  mustBeInPlace(directory)
  const warehouse = await openWarehouse(
    { clock, random: systemRandom, environment: options.variables, data: directory, cacheBytes: settings.cacheBytes },
    options.lake,
    archivePlaces(manifest),
  )
  recordPlace(directory)
  mkdirSync(directory.temp, { recursive: true })
  const engine = await openEngine({
    clock,
    directories: [directory.path, options.directory, ...lastArchives(directory).filter((place) => !isRemote(place))],
    tempDirectory: directory.temp,
    memoryLimitBytes: settings.memoryLimitBytes,
    ...(settings.threads === undefined ? {} : { threads: settings.threads }),
  })
  closers.push(() => engine.close())
  const catalog = await openCatalog({ clock, random: systemRandom, environment: options.variables, store, warehouse }, options.lake)
  const lake = openLake({
    disk: nodeDisk,
    clock,
    random: systemRandom,
    catalog,
    ...warehouse,
    locations: settings.lakeLocations,
    namesIn: fileNames(engine),
  })
  const parser = await openParser(engine)
  closers.push(() => parser.close())
  const relations = new RelationStore(engine, lake)
  await deployTables(lake, manifest)
  await openRelations(log, catalog, relations, manifest)
  await recordDeployed(store, manifest, options.code, options.environment)
  return { store, log, warehouse, engine, catalog, lake, parser, relations }
}

/** What the log says about itself, except what it does all the time. */
function tellLog(logger: Logger, event: LogEvent): void {
  const { kind, ...about } = event
  if (kind === 'log.committed' || kind === 'log.removed') return
  if (kind === 'log.resumed') logger.info('the log takes rows again')
  else logger.warn(kind, about)
}
