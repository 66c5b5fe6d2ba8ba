// The storage of a data directory on which no server runs, for commands that must work when none can start: a table whose
// metadata is damaged keeps the server shut, and going back is what opens it again.
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { systemRandom } from '../core/random.ts'
import { type Engine, openEngine } from '../engine/duckdb.ts'
import { fileNames } from '../engine/file-names.ts'
import { type Audit, openAudit } from '../govern/audit.ts'
import type { Identity } from '../govern/identity.ts'
import { type Lake, openLake } from '../lake/open-lake.ts'
import { openEmbeddedLog } from '../log/embedded.ts'
import { isRemote } from '../objects/object-store.ts'
import type { CommittedOffset } from '../orchestrate/verify-storage.ts'
import type { StorageActions } from '../serve/admin/parts.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { lastDeployed } from './apply.ts'
import { takeDataDirectory } from './data-directory.ts'
import { openCatalog } from './open-catalog.ts'
import { readSettings } from './settings.ts'
import { committedOffsets, makeStorageActions } from './storage-actions.ts'
import { lastArchives, lastPlace, lastWarehouse, mustBeInPlace, openWarehouse, recordPlace, type Warehouse } from './warehouse.ts'

/** Whoever may open the files. */
export const LOCAL_ADMINISTRATOR: Identity = { user: 'local', tokenId: 'local', roles: [], isAdmin: true }

export interface Storage {
  readonly actions: StorageActions
  readonly audit: Audit
  readonly lake: Lake
  readonly engine: Engine
  /** Where the project wants its tables: what it chose when it last ran. */
  readonly warehouse: Warehouse
  /** Tables are in another's catalog. */
  readonly isExternal: boolean
  /** Where the directory was when it was last used. */
  readonly place: string
  /** Its tables name files where it is now. */
  recordPlace(): void
}

/** @throws MR_DATA_LOCKED while a server runs on the directory; MR_DATA_MOVED unless `mayBeMoved`. */
export async function withStorage<T>(
  data: string,
  action: (storage: Storage) => Promise<T>,
  { mayBeMoved = false }: { readonly mayBeMoved?: boolean } = {},
): Promise<T> {
  const directory = takeDataDirectory(data)
  const closers: (() => Promise<void> | void)[] = [() => directory.release()]
  try {
    const store = openStore(directory.control)
    closers.push(() => store.close())
    const log = await openEmbeddedLog({ disk: nodeDisk, clock: systemClock, directory: directory.log })
    closers.push(() => log.close())
    const engine = await openEngine({
      clock: systemClock,
      directories: [directory.path, ...lastArchives(directory).filter((place) => !isRemote(place))],
      tempDirectory: directory.temp,
    })
    closers.push(() => engine.close())
    if (!mayBeMoved) mustBeInPlace(directory)
    const { cacheBytes, lakeLocations } = readSettings(process.env)
    const warehouse = await openWarehouse(
      { clock: systemClock, random: systemRandom, environment: process.env, data: directory, cacheBytes },
      lastWarehouse(directory),
    )
    const catalog = await openCatalog(
      { clock: systemClock, random: systemRandom, environment: process.env, store, warehouse },
      lastWarehouse(directory),
    )
    const lake = openLake({
      disk: nodeDisk,
      clock: systemClock,
      random: systemRandom,
      catalog,
      ...warehouse,
      locations: lakeLocations,
      namesIn: fileNames(engine),
    })
    const audit = openAudit(store, systemClock)
    const offsets = () => deployedOffsets(store)
    return await action({
      audit,
      lake,
      engine,
      place: lastPlace(directory),
      recordPlace: () => recordPlace(directory),
      warehouse,
      isExternal: lastWarehouse(directory)?.kind === 'rest',
      actions: makeStorageActions({ clock: systemClock, lake, engine, log, audit, offsets, onChanged: () => {} }),
    })
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

/** Offsets of the pipelines of the deployed manifest; a changed live model leaves those of its earlier pipelines behind. */
async function deployedOffsets(store: Store): Promise<CommittedOffset[]> {
  const manifest = await lastDeployed(store)
  return committedOffsets(store, [
    ...(manifest?.relations ?? []).map(({ name }) => `stream:${name}`),
    ...(manifest?.processors ?? []).map(({ name }) => `process:${name}`),
  ])
}
