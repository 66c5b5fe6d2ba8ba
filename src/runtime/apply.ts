// Deployments: which manifest a data directory was brought to, and bringing it to another without serving it.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { systemRandom, uuidV7 } from '../core/random.ts'
import type { LakeSettings } from '../define/lake.ts'
import type { Manifest } from '../define/manifest.ts'
import { openLake } from '../lake/open-lake.ts'
import { mustBePossible, plan } from '../plan/plan.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { takeDataDirectory } from './data-directory.ts'
import { deployTables } from './deploy.ts'
import { openCatalog } from './open-catalog.ts'
import { readSettings } from './settings.ts'
import { archivePlaces, openWarehouse } from './warehouse.ts'

/** The manifest that was applied last; null for none. */
export async function readDeployed(data: string): Promise<Manifest | null> {
  const path = join(data, 'control.db')
  if (!existsSync(path)) return null
  const store = openStore(path)
  try {
    return await lastDeployed(store)
  } finally {
    await store.close()
  }
}

export async function lastDeployed(store: Store): Promise<Manifest | null> {
  const row = await store.read
    .selectFrom('deployments')
    .select('manifest')
    .orderBy('appliedMs', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row ? (JSON.parse(row.manifest) as Manifest) : null
}

export async function recordDeployed(store: Store, manifest: Manifest, code: string | null, by: string): Promise<void> {
  const text = JSON.stringify(manifest)
  const last = await lastDeployed(store)
  if (last && JSON.stringify(last) === text) return
  const nowMs = systemClock.nowMs()
  await store.write(async (tx) => {
    await tx
      .insertInto('deployments')
      .values({ id: uuidV7(nowMs, systemRandom), manifest: text, codeHash: code ?? '', appliedMs: nowMs, appliedBy: by })
      .execute()
  })
}

/** @throws MR_PLAN_STATE when what is deployed does not allow the manifest: see `plan`. */
export const mustFit = async (store: Store, manifest: Manifest): Promise<void> => mustBePossible(plan(await lastDeployed(store), manifest))

export interface Applied {
  readonly manifest: Manifest
  readonly code: string
  readonly lake?: LakeSettings
}

/** Makes and changes tables, then records the manifest. @throws MR_DATA_LOCKED while a server runs on the directory, MR_PLAN_STATE. */
export async function applyManifest(data: string, { manifest, code, lake: chosen }: Applied): Promise<void> {
  const directory = takeDataDirectory(data)
  const store = openStore(directory.control)
  try {
    await mustFit(store, manifest)
    const { cacheBytes } = readSettings(process.env)
    const warehouse = await openWarehouse(
      { clock: systemClock, random: systemRandom, environment: process.env, data: directory, cacheBytes },
      chosen,
      archivePlaces(manifest),
    )
    const catalog = await openCatalog({ clock: systemClock, random: systemRandom, environment: process.env, store, warehouse }, chosen)
    const lake = openLake({ disk: nodeDisk, clock: systemClock, random: systemRandom, catalog, ...warehouse })
    await deployTables(lake, manifest)
    await recordDeployed(store, manifest, code, 'apply')
  } finally {
    await store.close()
    directory.release()
  }
}
