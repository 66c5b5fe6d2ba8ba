// The catalog of a data directory: its own, in the control database, or the external one that the environment names. Progress
// (offsets, cursors, refreshes) is here in any case and belongs to the tables of one catalog: another one is refused.
import type { Clock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import type { Random } from '../core/random.ts'
import type { LakeSettings, RestCatalogHow } from '../define/lake.ts'
import type { Text } from '../define/manifest.ts'
import { openExternalCatalog } from '../lake/external/external-catalog.ts'
import { ExternalEntries } from '../lake/external/external-entries.ts'
import { openRestClient } from '../lake/external/rest-client.ts'
import { MetadataFiles } from '../lake/metadata-files.ts'
import type { Catalog } from '../store/catalog.ts'
import type { Store } from '../store/open-store.ts'
import { resolveText } from './settings.ts'
import type { Warehouse } from './warehouse.ts'

export interface CatalogParts {
  readonly clock: Clock
  readonly random: Random
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly store: Store
  readonly warehouse: Warehouse
}

/** Name of the cursor that says which catalog the progress belongs to. */
const CHOSEN = 'millrace:catalog'
const OWN = 'own'

/**
 * What a commit to an external catalog left unfinished is finished before this resolves.
 * @throws MR_CATALOG_BUSY, MR_CATALOG_DENIED, MR_CATALOG_REFUSED, MR_CATALOG_PARTIAL
 */
export async function openCatalog(parts: CatalogParts, lake: LakeSettings | undefined): Promise<Catalog> {
  const { catalog: local, intents } = parts.store
  if (lake?.kind !== 'rest') {
    await choose(parts, OWN)
    return local
  }
  const { clock, random, warehouse } = parts
  const text = (value: Text | undefined) => (value === undefined ? undefined : resolveText(parts.environment, value))
  const [uri, namespace] = [text(lake.uri)!, text(lake.namespace)!]
  await choose(parts, [uri.replace(/\/+$/, ''), text(lake.warehouse) ?? '', namespace].join(' '))
  const client = await openRestClient(parts, { uri, ...optionsOf(lake, text) })
  return openExternalCatalog({
    clock,
    random,
    local,
    intents,
    files: new MetadataFiles(nodeDisk, random, [warehouse.directory, ...warehouse.formerly], warehouse.store),
    entries: new ExternalEntries(client, namespace.split('.')),
    mark: `millrace.commit.${warehouse.id.replaceAll('-', '').slice(-12)}`,
  })
}

function optionsOf(lake: RestCatalogHow, text: (value: Text | undefined) => string | undefined) {
  const all = (['warehouse', 'token', 'credential', 'oauth2Uri', 'scope'] as const).map((member) => [member, text(lake[member])] as const)
  return Object.fromEntries(all.filter(([, value]) => value !== undefined))
}

/** @throws MR_CATALOG_REFUSED when progress was made with tables of another catalog. */
async function choose({ store, clock }: CatalogParts, chosen: string): Promise<void> {
  const before = await store.catalog.cursor(CHOSEN)
  if (before === chosen || (before === null && chosen === OWN)) return
  const isUsed =
    (await store.read.selectFrom('offsets').select('topic').limit(1).execute()).length > 0 ||
    (await store.read.selectFrom('pointers').select('name').limit(1).execute()).length > 0
  if (isUsed || (before !== null && before !== OWN)) {
    const was = before === null || before === OWN ? 'its own catalog' : before
    throw new MillraceError('MR_CATALOG_REFUSED', `the progress of ${store.path} belongs to the tables of ${was}, not of ${chosen}`, {
      fix: 'use a new data directory for another catalog, or choose the earlier one again',
    })
  }
  await store.catalog.commit({ tables: [], cursors: [{ name: CHOSEN, value: chosen }], nowMs: clock.nowMs() })
}
