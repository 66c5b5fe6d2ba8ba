// Manifests written anew: many small ones become few, with the files of one partition side by side, so that planning a scan
// opens few and skips by their ranges. Entries keep their snapshots, sequence numbers and row ids (Iceberg spec, "Manifests"): to
// readers, validation and delete files nothing has changed. Manifests of delete files stay as they are.
import { snapshotId } from '../core/random.ts'
import { type CommitContext, publish } from './commit.ts'
import { checkWritable } from './format-version.ts'
import { toUri } from './location.ts'
import { DELETED, EXISTING, type ManifestEntry } from './manifest.ts'
import { holdsData, isLive, type ManifestFile } from './manifest-list.ts'
import { partitionKey, summarizeSnapshot } from './snapshot-summary.ts'
import { type Base, nextRowIdOf, type StageContext, type Staged, stageMetadata, withSnapshot } from './stage-change.ts'

export interface ManifestOptions {
  /** Size from which a manifest is left alone, and about that of those written. */
  readonly targetBytes: number
  /** Small manifests of one partition spec from which it is worth it. */
  readonly minManifests: number
}

export const MANIFESTS: ManifestOptions = { targetBytes: 4 * 1024 * 1024, minManifests: 32 }

export interface RewrittenManifests {
  readonly before: readonly ManifestFile[]
  readonly after: readonly ManifestFile[]
}

/** Null when there are too few. @throws MR_LAKE_TABLE_UNKNOWN, MR_LAKE_VERSION, MR_LAKE_CONFLICT when others are faster. */
export async function rewriteManifests(context: CommitContext, name: string, options: ManifestOptions): Promise<RewrittenManifests | null> {
  let done: RewrittenManifests | null = null
  await publish(context, [name], {}, async ([base], stage, keep) => {
    done = null
    checkWritable(name, base!.metadata)
    if (!base!.table.current) return
    const manifests = await context.files.list(base!.table.current.manifestList)
    const before = worthRewriting(manifests, options)
    if (before.length === 0) return
    const { staged, after } = await stageRewrite(base!, manifests, new Set(before), options, stage)
    keep(staged)
    done = { before, after }
  })
  return done
}

function worthRewriting(manifests: readonly ManifestFile[], { targetBytes, minManifests }: ManifestOptions): ManifestFile[] {
  const small = manifests.filter((manifest) => holdsData(manifest) && isLive(manifest) && manifest.sizeBytes < targetBytes)
  return [...Map.groupBy(small, (manifest) => manifest.specId).values()].filter((of) => of.length >= minManifests).flat()
}

async function stageRewrite(
  base: Base,
  manifests: readonly ManifestFile[],
  before: ReadonlySet<ManifestFile>,
  { targetBytes }: ManifestOptions,
  stage: StageContext,
): Promise<{ staged: Staged; after: ManifestFile[] }> {
  const { table, metadata } = base
  const { files, random } = stage
  const parent = table.current!
  const nowMs = Math.max(stage.nowMs, metadata['last-updated-ms'])
  const snapshot = { id: snapshotId(random), parentId: parent.id, sequence: metadata['last-sequence-number'] + 1 }
  const after: ManifestFile[] = []
  for (const [specId, of] of Map.groupBy(before, (manifest) => manifest.specId)) {
    const entries: ManifestEntry[] = []
    for (const manifest of of)
      for (const entry of await files.entries(manifest, table)) if (entry.status !== DELETED) entries.push({ ...entry, status: EXISTING })
    const bytes = of.reduce((sum, manifest) => sum + manifest.sizeBytes, 0)
    const perManifest = Math.max(1, Math.ceil((entries.length * targetBytes) / Math.max(1, bytes)))
    const sorted = clustered(entries)
    for (let at = 0; at < sorted.length; at += perManifest)
      after.push(await files.writeManifest(sorted.slice(at, at + perManifest), table, specId, snapshot, nowMs))
  }
  const kept = manifests.filter((manifest) => isLive(manifest) && !before.has(manifest))
  const list = await files.writeList([...after, ...kept], table, snapshot, nowMs, nextRowIdOf(metadata))
  const summary = summarizeSnapshot('replace', NOTHING, parent.summary, {
    'manifests-created': String(after.length),
    'manifests-replaced': String(before.size),
    'manifests-kept': String(kept.length),
    'entries-processed': String(after.reduce((sum, manifest) => sum + manifest.files.existing, 0)),
  })
  const written = [...after.map((manifest) => toUri(manifest.path)), list.uri]
  return { staged: await stageMetadata(base, withSnapshot(metadata, { snapshot, summary, list, nowMs }), stage, written), after }
}

const NOTHING = { added: [], removed: [], deletes: { added: [], removed: [] } }

/** Files of one partition together, partitions in order of their values, older files first. */
function clustered(entries: readonly ManifestEntry[]): ManifestEntry[] {
  const keyed = entries.map((entry) => ({ entry, values: Object.values(entry.file.partition), key: partitionKey(entry.file) }))
  keyed.sort((a, b) => compareValues(a.values, b.values) || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.entry.sequence - b.entry.sequence))
  return keyed.map(({ entry }) => entry)
}

function compareValues(a: readonly unknown[], b: readonly unknown[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index]
    if (value === other) continue
    if (value === null || other === null) return value === null ? -1 : 1
    if (typeof value === typeof other && value !== undefined && other !== undefined) return value < other ? -1 : 1
  }
  return 0
}
