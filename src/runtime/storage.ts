// The storage of a data directory on which no server runs, for commands that must work when none can start: a table whose
// metadata is damaged keeps the server shut, and going back is what opens it again.
import { systemClock } from '../core/clock.ts'
import type { Engine } from '../engine/duckdb.ts'
import { type Audit, openAudit } from '../govern/audit.ts'
import type { Identity } from '../govern/identity.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { CommittedOffset } from '../orchestrate/verify-storage.ts'
import type { StorageActions } from '../serve/admin/parts.ts'
import type { Store } from '../store/open-store.ts'
import { lastDeployed } from './apply.ts'
import type { Closer } from './closers.ts'
import { takeDataDirectory } from './data-directory.ts'
import { openStorage } from './open-storage.ts'
import { readSettings } from './settings.ts'
import { committedOffsets, makeStorageActions } from './storage-actions.ts'
import { lastPlace, lastWarehouse, mustBeInPlace, recordPlace, type Warehouse } from './warehouse.ts'

/** Whoever may open the files. */
export const LOCAL_ADMINISTRATOR: Identity = { user: 'local', tokenId: 'local', roles: [], isAdmin: true }

export interface StoppedStorage {
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
  /** Absolute path of a directory for what is needed for a while. */
  readonly temp: string
  /** Its tables name files where it is now. */
  recordPlace(): void
}

/** @throws MR_DATA_LOCKED while a server runs on the directory; MR_DATA_MOVED unless `mayBeMoved`. */
export async function withStorage<T>(
  data: string,
  action: (storage: StoppedStorage) => Promise<T>,
  { mayBeMoved = false }: { readonly mayBeMoved?: boolean } = {},
): Promise<T> {
  const directory = takeDataDirectory(data)
  const closers: Closer[] = [() => directory.release()]
  try {
    if (!mayBeMoved) mustBeInPlace(directory)
    const chosen = lastWarehouse(directory)
    const { cacheBytes, lakeLocations } = readSettings(process.env)
    const options = { clock: systemClock, variables: process.env, lake: chosen, settings: { cacheBytes, lakeLocations } }
    const { store, log, warehouse, engine, lake } = await openStorage(options, directory, closers)
    const audit = openAudit(store, systemClock)
    const offsets = () => deployedOffsets(store)
    return await action({
      audit,
      lake,
      engine,
      place: lastPlace(directory),
      temp: directory.temp,
      recordPlace: () => recordPlace(directory),
      warehouse,
      isExternal: chosen?.kind === 'rest',
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
