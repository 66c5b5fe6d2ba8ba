// The one commit (PROTOCOL rules 14 and 15): the only place where data becomes visible. Files first, durable with their
// directories; then one catalog transaction moves all pointers, offsets, checkpoint, cursors and refresh together. A lost
// compare-and-set is validated and staged anew on the newer table; data files are never rewritten for that.
import type { Clock } from '../core/clock.ts'
import type { Disk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { integer, type Random } from '../core/random.ts'
import { isRemote } from '../objects/object-store.ts'
import type { Catalog, CommitOutcome, CommitRequest, TablePointer } from '../store/catalog.ts'
import { parentOf } from './location.ts'
import type { MetadataFiles } from './metadata-files.ts'
import { type Base, type StageContext, type Staged, stageChange } from './stage-change.ts'
import type { Staging } from './staging.ts'
import type { TableLocks } from './table-locks.ts'
import { toLakeTable } from './table-metadata.ts'
import type { CommitAlso, LakeTable, TableChange } from './types.ts'
import { validateChange } from './validate-change.ts'

const TRY_MAX = 50
const WAIT_MS = 10
const WAIT_MAX_MS = 1_000
/** Files that are synced at once: each holds a descriptor open. */
const SYNC_AT_ONCE = 32

export interface Committed {
  /** In the order of the changes. */
  readonly tables: readonly LakeTable[]
  /** Position of the commit in the catalog's `changes`. */
  readonly sequence: number
}

export interface CommitContext {
  readonly catalog: Catalog
  readonly files: MetadataFiles
  readonly clock: Clock
  readonly random: Random
  readonly locks: TableLocks
  /** Data files of commits on their way: no orphans, however old. */
  readonly inFlight: Set<string>
  /** Data files that could not be synced: the system may have thrown their bytes away and would report success next time. */
  readonly unsynced: Set<string>
  /** Absolute paths under which tables and views may lie; the lake's own directory first. */
  readonly roots: readonly string[]
  /** Null when all tables are on this machine. */
  readonly staging: Staging | null
}

/**
 * Applies `changes`, at most one a table, and `also` in one transaction; all of it or nothing, durable when resolved. With no
 * changes it commits offsets, checkpoint, cursors and refresh alone. After an error other than those named the outcome is
 * not known: read the table or the progress again before repeating, and write the data files anew.
 * @throws MR_LAKE_CONFLICT when a change is not valid any more on the newest table, or the table is too contended;
 *   MR_LAKE_FENCED when another owner has the pipeline; MR_LAKE_TABLE_UNKNOWN; MR_SCHEMA_EVOLUTION; MR_LAKE_SPEC.
 */
export async function commit(context: CommitContext, asked: readonly TableChange[], also: CommitAlso = {}): Promise<Committed> {
  const { staging } = context
  const staged = asked.flatMap((change) => change.add)
  const changes = staging ? asked.map((change) => ({ ...change, add: staging.placed(change.add) })) : asked
  const names = changes.map((change) => change.table)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice) throw new MillraceError('MR_ASSERT', `one commit changes ${twice} twice`)
  const paths = changes.flatMap((change) => change.add.map((file) => file.path))
  for (const path of paths) context.inFlight.add(path)
  try {
    await staging?.upload(staged)
    await syncDataFiles(
      context,
      paths.filter((path) => !isRemote(path)),
    )
    const committed = await publish(context, names, also, async (bases, stage, keep) => {
      for (const [i, change] of changes.entries()) {
        await validateChange(bases[i]!, change, context.files)
        keep(await stageChange(bases[i]!, change, stage))
      }
    })
    await staging?.settle(staged)
    return committed
  } finally {
    for (const path of paths) context.inFlight.delete(path)
  }
}

type Load = (context: CommitContext, name: string) => Promise<Base | null>
type Stager<B> = (bases: readonly B[], stage: StageContext, keep: (staged: Staged) => void) => Promise<void>

/**
 * The loop around the compare-and-set, for every change of a pointer: `stager` gets the tables as they are, writes the next
 * metadata and hands it to `keep`; it is called again on newer tables when the pointers moved meanwhile.
 */
export function publish(
  context: CommitContext,
  names: readonly string[],
  also: CommitAlso,
  stager: Stager<Base>,
  load: Load = findBase,
): Promise<Committed> {
  return publishAny(context, names, also, (bases, stage, keep) => stager(bases.map(mustExist(names)), stage, keep), load)
}

const mustExist = (names: readonly string[]) => (base: Base | null, index: number) => {
  if (!base) throw tableUnknown(names[index]!)
  return base
}

/** The same for tables of which some may not exist yet: their base is null, and what is staged for them creates them. */
export function publishAny(
  context: CommitContext,
  names: readonly string[],
  also: CommitAlso,
  stager: Stager<Base | null>,
  load: Load = findBase,
): Promise<Committed> {
  return context.locks.run(names, async () => {
    for (let attempt = 1; attempt <= TRY_MAX; attempt++) {
      const done = await tryOnce(context, names, also, stager, load)
      if (done) return done
      await context.clock.sleep(integer(context.random, Math.min(WAIT_MAX_MS, WAIT_MS * 2 ** attempt)))
    }
    throw new MillraceError('MR_LAKE_CONFLICT', `${names.join(', ')}: other writers were faster ${TRY_MAX} times`, {
      fix: 'write less often, in larger commits',
    })
  })
}

async function tryOnce(
  context: CommitContext,
  names: readonly string[],
  also: CommitAlso,
  stager: Stager<Base | null>,
  load: Load,
): Promise<Committed | null> {
  const bases = await Promise.all(names.map((name) => load(context, name)))
  const nowMs = context.clock.nowMs()
  const staged: Staged[] = []
  const discard = () => context.files.discard(staged.flatMap((one) => one.written))
  try {
    await stager(bases, { files: context.files, random: context.random, nowMs }, (one) => staged.push(one))
  } catch (error) {
    await discard()
    throw error
  }
  const outcome = await movePointers(context, staged, also, nowMs)
  if (outcome.kind === 'committed') {
    await context.files.discard(staged.flatMap((one) => one.outdated))
    return { tables: await tablesAfter(context.files, names, bases, staged, outcome.placed), sequence: outcome.sequence }
  }
  await discard()
  if (outcome.kind === 'conflict') return null
  throw new MillraceError('MR_LAKE_FENCED', `another owner has taken over ${outcome.pipeline}`, {
    fix: 'stop this owner; the new one continues from the committed offsets',
  })
}

/** The commit point. Should it throw, the outcome is unknown and nothing that was staged may be removed. */
export function movePointers(
  { catalog }: CommitContext,
  staged: readonly Staged[],
  also: CommitAlso & Pick<CommitRequest, 'views' | 'moved'>,
  nowMs: number,
): Promise<CommitOutcome> {
  return catalog.commit({ tables: staged.map(moveOf), ...also, nowMs })
}

const moveOf = ({ name, from, to, metadata }: Staged) => {
  const current = metadata['current-snapshot-id']
  return { name, from, to, snapshotId: current === -1n ? null : String(current) }
}

const tablesAfter = (
  files: MetadataFiles,
  names: readonly string[],
  bases: readonly (Base | null)[],
  staged: readonly Staged[],
  placed: Placed,
): Promise<LakeTable[]> =>
  Promise.all(
    names.map((name, index) => {
      const moved = staged.find((one) => one.name === name)
      return moved ? tableAfter(files, moved, placed) : bases[index]!.table
    }),
  )

type Placed = Readonly<Record<string, string>> | undefined

/** The table that a commit left, from the catalog's own file where it wrote one. */
export async function tableAfter(files: MetadataFiles, { name, to, metadata }: Staged, placed: Placed): Promise<LakeTable> {
  const location = placed?.[name]
  return location === undefined ? toLakeTable(name, to, metadata) : (await baseAt(files, { name, location })).table
}

/** The table as its pointer has it now. @throws MR_LAKE_TABLE_UNKNOWN */
export async function loadBase(context: Pick<CommitContext, 'catalog' | 'files'>, name: string): Promise<Base> {
  return baseAt(context.files, await pointerOf(context, name))
}

/** @throws MR_LAKE_TABLE_UNKNOWN */
export async function pointerOf({ catalog }: Pick<CommitContext, 'catalog'>, name: string): Promise<TablePointer> {
  const pointer = await catalog.table(name)
  if (!pointer) throw tableUnknown(name)
  return pointer
}

const tableUnknown = (name: string): MillraceError =>
  new MillraceError('MR_LAKE_TABLE_UNKNOWN', `there is no table ${name}`, { fix: 'apply the project that defines it' })

async function findBase({ catalog, files }: Pick<CommitContext, 'catalog' | 'files'>, name: string): Promise<Base | null> {
  const pointer = await catalog.table(name)
  return pointer && baseAt(files, pointer)
}

export async function baseAt(files: MetadataFiles, { name, location }: Omit<TablePointer, 'snapshotId'>): Promise<Base> {
  const metadata = await files.metadata(location)
  return { name, location, metadata, table: toLakeTable(name, location, metadata) }
}

/** Makes files of an engine durable, and every directory from them up to their table's data: DuckDB syncs neither. */
export async function syncDataFiles({ files: { disk }, unsynced }: CommitContext, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += SYNC_AT_ONCE) {
    await Promise.all(paths.slice(at, at + SYNC_AT_ONCE).map((path) => syncDataFile(disk, unsynced, path)))
  }
  const directories = new Set(paths.flatMap((path) => directoriesUpwards(parentOf(path))))
  for (const directory of directories) await disk.syncDirectory(directory)
}

async function syncDataFile(disk: Disk, unsynced: Set<string>, path: string): Promise<void> {
  if (unsynced.has(path)) {
    throw new MillraceError('MR_LAKE_CORRUPT', `${path} could not be made durable before and must not be trusted`, { fix: 'write it anew' })
  }
  const file = await disk.open(path, 'write')
  try {
    await file.sync()
  } catch (error) {
    unsynced.add(path)
    throw error
  } finally {
    await file.close()
  }
}

/** A directory, and those above it up to the table's `data`, whose entries are the directories of partitions. */
function directoriesUpwards(directory: string): string[] {
  const end = `${directory}/`.lastIndexOf('/data/')
  const top = end < 0 ? directory : directory.slice(0, end + '/data'.length)
  const upwards = [directory]
  for (let at = directory; at !== top; ) {
    at = parentOf(at)
    upwards.push(at)
  }
  return upwards
}
