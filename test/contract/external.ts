// An external catalog under the contract's tests, which call metadata files by labels: for each label a real metadata file is
// written, and the places that the server answers are turned back into labels.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/core/clock.ts'
import { nodeDisk } from '../../src/core/disk.ts'
import { printJson } from '../../src/core/json.ts'
import { systemRandom, uuidV7 } from '../../src/core/random.ts'
import { openExternalCatalog } from '../../src/lake/external/external-catalog.ts'
import { ExternalEntries } from '../../src/lake/external/external-entries.ts'
import { openRestClient } from '../../src/lake/external/rest-client.ts'
import { MetadataFiles } from '../../src/lake/metadata-files.ts'
import { applyUpdates } from '../../src/lake/updates/apply-updates.ts'
import { newTable } from '../../src/lake/updates/new-table.ts'
import type { Catalog, CommitOutcome, Namespace, TablePointer, ViewPointer } from '../../src/store/catalog.ts'
import { openStore } from '../../src/store/open-store.ts'

export interface ExternalAt {
  readonly uri: string
  readonly token?: string
  readonly warehouse?: string
  readonly namespace: readonly string[]
  /** A directory that the server may read. */
  readonly files: string
}

/** A fresh control database and an own namespace of the server, for one test. */
export async function withExternal(at: ExternalAt, body: (catalog: Catalog) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'external-'))
  const store = openStore(join(directory, 'control.db'))
  const place = join(at.files, at.namespace.join('-'))
  try {
    const { uri, token, warehouse } = at
    const options = { uri, ...(token ? { token } : {}), ...(warehouse ? { warehouse } : {}) }
    const client = await openRestClient({ clock: systemClock, random: systemRandom }, options)
    const files = new MetadataFiles(nodeDisk, systemRandom, [place])
    const catalog = await openExternalCatalog({
      clock: systemClock,
      random: systemRandom,
      files,
      local: store.catalog,
      intents: store.intents,
      entries: new ExternalEntries(client, at.namespace),
      mark: 'millrace.commit.test',
    })
    await body(labelled(catalog, files, place))
  } finally {
    await store.close()
    rmSync(directory, { recursive: true })
  }
}

const NOWHERE = 'file:///nowhere/00000-x.metadata.json'

/** Without the place that a server has chosen for a namespace. */
function placeless({ name, properties }: Namespace): Namespace {
  return { name, properties: Object.fromEntries(Object.entries(properties).filter(([, value]) => !value.startsWith('file:/'))) }
}

function labelled(catalog: Catalog, files: MetadataFiles, place: string): Catalog {
  /** Place -> label. */
  const labels = new Map<string, string>()
  const uuids = new Map<string, string>()
  const uuidOf = (name: string): string => {
    const uuid = uuids.get(name) ?? uuidV7(1, systemRandom)
    uuids.set(name, uuid)
    return uuid
  }
  const placeOf = async (name: string, label: string): Promise<string> => {
    const now = (await catalog.table(name)) ?? (await catalog.view(name))
    return now && labels.get(now.location) === label ? now.location : NOWHERE
  }
  const shown = <P extends TablePointer | ViewPointer | null>(pointer: P): P =>
    pointer && ({ ...pointer, location: labels.get(pointer.location) ?? pointer.location } as P)
  const outcomeOf = (outcome: CommitOutcome): CommitOutcome =>
    outcome.kind === 'conflict'
      ? { ...outcome, current: shown(outcome.current) }
      : outcome.kind === 'committed'
        ? { kind: 'committed', sequence: outcome.sequence }
        : outcome
  const write = async (name: string, label: string, snapshotId: string | null): Promise<string> => {
    const location = `file://${place}/${name}`
    mkdirSync(join(place, name, 'metadata'), { recursive: true })
    mkdirSync(join(place, name, 'data'), { recursive: true })
    const fields = [{ id: 1, name: 'id', required: false, type: 'long' }]
    const empty = newTable(
      { schema: { type: 'struct', 'schema-id': 0, fields }, properties: { label } },
      { uuid: uuidOf(name), location, nowMs: 1 },
    )
    if (snapshotId === null) return files.writeMetadata(empty, null)
    const id = BigInt(snapshotId)
    const { uri: list } = await files.writeList([], empty, { id, parentId: null, sequence: 1 }, 1)
    const snapshot = { 'snapshot-id': id, 'sequence-number': 1, 'timestamp-ms': Date.now(), 'manifest-list': list, 'schema-id': 0 }
    const updates = [
      { action: 'add-snapshot', snapshot: { ...snapshot, summary: { operation: 'append' } } },
      { action: 'set-snapshot-ref', 'ref-name': 'main', type: 'branch', 'snapshot-id': id },
    ]
    return files.writeMetadata(applyUpdates(empty, updates, Date.now()), null)
  }
  const writeView = (name: string, label: string): Promise<string> => {
    mkdirSync(join(place, name, 'metadata'), { recursive: true })
    const id = Number(/\d+/.exec(label)![0])
    const version = {
      'version-id': id,
      'timestamp-ms': 1,
      'schema-id': 0,
      summary: {},
      representations: [{ type: 'sql', dialect: 'spark', sql: `select '${label}' as id` }],
      'default-namespace': ['main'],
    }
    const fields = [{ id: 1, name: 'id', required: false, type: 'string' }]
    const view = {
      'view-uuid': uuidOf(name),
      'format-version': 1,
      location: `file://${place}/${name}`,
      schemas: [{ type: 'struct', 'schema-id': 0, fields }],
      'current-version-id': id,
      versions: [version],
      'version-log': [{ 'timestamp-ms': 1, 'version-id': id }],
      properties: { label },
    }
    return files.writeView(view, printJson(view), null, 1)
  }
  return {
    ...catalog,
    tables: async () => (await catalog.tables()).map(shown),
    table: async (name) => shown(await catalog.table(name)),
    views: async () => (await catalog.views()).map(shown),
    view: async (name) => shown(await catalog.view(name)),
    async commit(request) {
      const tables = await Promise.all(
        request.tables.map(async (move) => ({
          ...move,
          from: move.from === null ? null : await placeOf(move.name, move.from),
          to: await write(move.name, move.to, move.snapshotId),
        })),
      )
      const views = await Promise.all(
        (request.views ?? []).map(async (move) => ({
          ...move,
          from: move.from === null ? null : await placeOf(move.name, move.from),
          to: await writeView(move.name, move.to),
        })),
      )
      const outcome = await catalog.commit({ ...request, tables, ...(request.views ? { views } : {}) })
      if (outcome.kind === 'committed')
        for (const { name, to } of [...request.tables, ...(request.views ?? [])]) labels.set(outcome.placed![name]!, to)
      return outcomeOf(outcome)
    },
    namespaces: async () => (await catalog.namespaces()).map(placeless),
    async alterNamespace(...args) {
      const before = await catalog.alterNamespace(...args)
      return before && placeless(before)
    },
    drop: async (name, from, ...rest) => outcomeOf(await catalog.drop(name, await placeOf(name, from), ...rest)),
    async rename(name, from, to, ...rest) {
      const outcome = await catalog.rename(name, await placeOf(name, from), to, ...rest)
      return outcomeOf(outcome)
    },
  }
}
