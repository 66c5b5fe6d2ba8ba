// Where a data directory's tables and checkpoints lie: in it, or in an object store with a cache beside. What the project chose
// is kept in `<data>/warehouse.json`, without secrets, for commands that work on the directory without the project.
import { existsSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { nodeDisk } from '../core/disk.ts'
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/random.ts'
import type { LakeSettings, PlaceSettings } from '../define/lake.ts'
import type { Manifest } from '../define/manifest.ts'
import type { RemoteFiles } from '../lake/open-lake.ts'
import { diskStore } from '../objects/disk-store.ts'
import { FileCache } from '../objects/file-cache.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { routeStores } from '../objects/route.ts'
import type { DataDirectory } from './data-directory.ts'
import { type ClientAccess, type LakePlace, openPlace, ownerOf, type PlaceParts } from './lake-place.ts'

export interface WarehouseParts extends PlaceParts {
  readonly data: DataDirectory
  readonly cacheBytes: number
}

export interface Warehouse {
  /** Of the data directory. */
  readonly id: string
  /** Where new tables are made. */
  readonly directory: string
  /** Where tables may lie as well, and what nobody needs is removed: archives, and of `before` what is this directory's still. */
  readonly formerly: readonly string[]
  readonly checkpoints: string
  /** Where tables and checkpoints were made before the project chose this place. */
  readonly before: readonly Before[]
  readonly store: ObjectStore
  readonly remote?: RemoteFiles
  readonly clients: ClientAccess
}

export interface Before {
  readonly directory: string
  readonly checkpoints: string
}

const FILE = 'warehouse.json'

/** The directory of an archive place that is ours: what lies beside it there is not looked at. */
export const archivesIn = (place: string): string => `${place}/archive`

/** Places that the manifest archives to, beside the lake. */
export const archivePlaces = ({ relations }: Manifest): string[] => [
  ...new Set(relations.flatMap(({ keep }) => (keep.archive === undefined || keep.archive === '' ? [] : [keep.archive]))),
]

/**
 * The warehouse of a data directory with its archives; an object store answered once before this resolves.
 * @throws MR_OBJECT_BUCKET, MR_OBJECT_DENIED, MR_OBJECT_BUSY, MR_ENVIRONMENT
 */
export async function openWarehouse(
  parts: WarehouseParts,
  lake: LakeSettings | undefined,
  archives: readonly string[] = lastArchives(parts.data),
): Promise<Warehouse> {
  const { data, clock, random, cacheBytes } = parts
  const last = readChosen(data)
  const id = last?.id ?? uuidV7(clock.nowMs(), random)
  // Before a place is said to be its own.
  if (!last) writeChosen(data, { id, lake: null })
  // A place that was used before has tables still.
  const places = [...new Set([...lastArchives(data), ...archives])]
  const chosen = placeOf(lake)
  const current = chosen ? openPlace(parts, chosen) : null
  const former = formerOf(parts, last, current?.root)
  const opened = [...(current ? [current] : []), ...former.flatMap((one) => openFormer(parts, one) ?? [])]
  // What lies in a place is reached as that place is; a bucket may hold several.
  const served = [...opened.map(({ root, store }) => ({ prefix: `${root}/`, store })), ...opened]
  const routed = routeStores(diskStore(nodeDisk), served)
  for (const place of [...(current ? [current.root] : []), ...places]) await own(routed, place, id)
  const at = current ? inside(current.root) : { directory: data.lake, checkpoints: data.checkpoints }
  if (current) await isEmpty(routed, at.directory)
  const { kept, looked } = await lookAt(routed, former, id, places)
  writeChosen(data, {
    ...(last?.at === undefined ? {} : { at: last.at }),
    id,
    lake: lake ?? null,
    ...(current ? { root: current.root } : {}),
    ...(kept.length > 0 ? { former: kept } : {}),
    archives: places,
  })
  const local = current ? [{ directory: data.lake, checkpoints: data.checkpoints }] : []
  const shared = {
    id,
    ...at,
    formerly: [...local.map(({ directory }) => directory), ...places.map(archivesIn), ...looked.map((root) => inside(root).directory)],
    before: [...local, ...kept.map(({ root }) => inside(root))],
    clients: current?.clients ?? {},
  }
  if (opened.length === 0) return { ...shared, store: routed }
  const cache = await FileCache.open({ disk: nodeDisk, clock, random, store: routed, directory: data.cache, sizeMaxBytes: cacheBytes })
  const remove = async (path: string): Promise<void> => {
    await routed.remove(path)
    await cache.forget(path)
  }
  const store = { ...routed, remove }
  return { ...shared, store, remote: { store, cache, stagingDirectory: data.staging } }
}

const placeOf = (lake: LakeSettings | null | undefined): PlaceSettings | undefined =>
  lake?.kind === 'rest' ? lake.files : (lake ?? undefined)

const inside = (root: string): Before => ({ directory: `${root}/lake`, checkpoints: `${root}/checkpoints` })

async function isEmpty(store: ObjectStore, directory: string): Promise<boolean> {
  for await (const _ of store.list(directory)) return false
  return true
}

/** Places other than `root` that were chosen before, each once. */
function formerOf(parts: PlaceParts, last: Chosen | undefined, root: string | undefined): Former[] {
  const before = placeOf(last?.lake)
  const rootOf = (lake: PlaceSettings): string | undefined => last?.root ?? openFormer(parts, { lake })?.root
  const found = [...(last?.former ?? []), ...(before ? [{ root: rootOf(before) ?? '', lake: before }] : [])]
  const byRoot = new Map(found.map((one) => [one.root, one]))
  return [...byRoot.values()].filter((one) => one.root !== '' && one.root !== root)
}

/** Null when the environment no longer says what its settings refer to, or says something else. */
function openFormer(parts: PlaceParts, { root, lake }: { readonly root?: string; readonly lake: PlaceSettings }): LakePlace | null {
  try {
    const place = openPlace(parts, lake)
    return root === undefined || place.root === root ? place : null
  } catch (error) {
    if (asMillraceError(error).code === 'MR_ENVIRONMENT') return null
    throw error
  }
}

/**
 * Former places that may have something (`kept`), and of these those that say that they belong to this directory (`looked`): what
 * another has there now, or what does not answer, is not looked after. One with nothing in it is left and forgotten.
 */
async function lookAt(
  store: ObjectStore,
  former: readonly Former[],
  id: string,
  archives: readonly string[],
): Promise<{ readonly kept: readonly Former[]; readonly looked: readonly string[] }> {
  const [kept, looked]: [Former[], string[]] = [[], []]
  for (const one of former) {
    const { directory, checkpoints } = inside(one.root)
    try {
      const isOurs = (await store.stat(ownerOf(one.root))) !== undefined && (await store.read(ownerOf(one.root))).toString() === id
      const isLeft = (await isEmpty(store, directory)) && (await isEmpty(store, checkpoints))
      if (isLeft && archives.length === 0) {
        if (isOurs) await store.remove(ownerOf(one.root))
        continue
      }
      if (isOurs) looked.push(one.root)
    } catch {
      // It does not answer: a table that lies there says so when it is read.
    }
    kept.push(one)
  }
  return { kept, looked }
}

/** What was chosen when the directory was last used with its project. */
export const lastWarehouse = (data: DataDirectory): LakeSettings | undefined => readChosen(data)?.lake ?? undefined

/** The archives that the directory ever used: their tables stay where they are. */
export const lastArchives = (data: DataDirectory): readonly string[] => readChosen(data)?.archives ?? []

/** Where the directory was when it was last used. */
export const lastPlace = (data: DataDirectory): string => readChosen(data)?.at ?? data.path

/** From now on its tables are where it is. */
export function recordPlace(data: DataDirectory): void {
  const chosen = readChosen(data)
  if (chosen && chosen.at !== data.path) writeChosen(data, { ...chosen, at: data.path })
}

/**
 * A directory that was moved has tables that name files where it was, and a copy those of the one that it was copied from, which it
 * would change. @throws MR_DATA_MOVED
 */
export function mustBeInPlace(data: DataDirectory): void {
  const at = lastPlace(data)
  if (at === data.path || (existsSync(at) && realpathSync(at) === realpathSync(data.path))) return
  throw new MillraceError(
    'MR_DATA_MOVED',
    `${data.path} was ${existsSync(at) ? 'copied' : 'moved'} from ${at}, and its tables name files there`,
    {
      fix: 'run `millrace relocate --in-place` on it: their metadata is written anew',
    },
  )
}

interface Chosen {
  /** Of the data directory. */
  readonly id: string
  readonly lake: LakeSettings | null
  /** URI of the place of `lake`, as it was then. */
  readonly root?: string
  /** Those of before it. */
  readonly former?: readonly Former[]
  readonly archives?: readonly string[]
  /** Where the directory was when it was last used: its tables name their files by that. */
  readonly at?: string
}

interface Former {
  readonly root: string
  readonly lake: PlaceSettings
}

function readChosen(data: DataDirectory): Chosen | undefined {
  const path = join(data.path, FILE)
  if (!existsSync(path)) return undefined
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Chosen
  } catch (cause) {
    throw new MillraceError('MR_DATA_DIRECTORY', `${path} cannot be read`, {
      cause,
      fix: 'put it back from a backup: it says where the lake lies, and whose it is',
    })
  }
}

/** In one step: a cut file would make this directory another one. */
function writeChosen(data: DataDirectory, chosen: Chosen): void {
  const path = join(data.path, FILE)
  writeFileSync(`${path}.new`, `${JSON.stringify(chosen)}\n`)
  renameSync(`${path}.new`, path)
}

/**
 * Says in the store whose it is: of two data directories in one place each would take the other's files for orphans.
 * @throws MR_OBJECT_STORE when it is another's.
 */
async function own(store: ObjectStore, root: string, id: string): Promise<void> {
  const path = ownerOf(root)
  await store.makeDirectory(root)
  try {
    await store.put(path, Buffer.from(id))
  } catch (error) {
    if (asMillraceError(error).code !== 'MR_OBJECT_EXISTS') throw error
    const owner = (await store.read(path)).toString('utf8')
    if (owner === id) return
    throw new MillraceError('MR_OBJECT_STORE', `${root} is the lake of another data directory (${owner}, this one is ${id})`, {
      fix: `choose another prefix; or, when that directory is gone and this one is its restored copy, remove ${path}`,
    })
  }
}
