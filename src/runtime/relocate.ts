// `millrace relocate`: after a data directory was moved or copied, or its lake to another store, metadata names the files where they
// are now. All tables, views and checkpoints are switched by one transaction of the control database; a try that dies before has
// changed nothing, and one that died after it has nothing left to do.
import { systemClock } from '../core/clock.ts'
import { nodeDisk } from '../core/disk.ts'
import { MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import { openEngine } from '../engine/duckdb.ts'
import { rewritePositions } from '../engine/rewrite-positions.ts'
import { parentOf, toPath, toUri } from '../lake/location.ts'
import { type Move, movedBy, type RelocateParts, relocateTable, relocateView } from '../lake/relocate.ts'
import { openStore, type Store } from '../store/open-store.ts'
import { takeDataDirectory } from './data-directory.ts'
import { readSettings } from './settings.ts'
import { lastPlace, lastWarehouse, openWarehouse, recordPlace } from './warehouse.ts'

export interface RelocateOptions {
  /** Where the directory or the lake lay; default: where the directory was when it was last used. */
  readonly from?: string
  /** Where it lies now; default: the directory, or the object store that the project chose. */
  readonly to?: string
  readonly dryRun?: boolean
  readonly onTable?: (name: string) => void
}

export interface Relocated extends Move {
  readonly tables: readonly string[]
  readonly views: readonly string[]
  readonly checkpoints: number
}

/** @throws MR_DATA_LOCKED while a server runs on the directory; MR_LAKE_CORRUPT when files are not where they should be. */
export async function relocate(data: string, options: RelocateOptions): Promise<Relocated> {
  const directory = takeDataDirectory(data)
  const closers: (() => Promise<void> | void)[] = [() => directory.release()]
  try {
    const store = openStore(directory.control)
    closers.push(() => store.close())
    const chosen = lastWarehouse(directory)
    if (chosen?.kind === 'rest')
      throw new MillraceError('MR_USAGE', 'the tables are in the catalog of another system', {
        fix: 'register them there at their new place',
      })
    const { cacheBytes } = readSettings(process.env)
    const parts = { clock: systemClock, random: systemRandom, environment: process.env, data: directory, cacheBytes }
    const warehouse = await openWarehouse(parts, chosen)
    const move = { from: placeOf(options.from ?? lastPlace(directory)), to: placeOf(options.to ?? parentOf(warehouse.directory)) }
    const found = await plan(store, move)
    if (options.dryRun || move.from === move.to) return found.relocated
    const engine = await openEngine({ clock: systemClock, directories: [directory.path], tempDirectory: directory.temp })
    closers.push(() => engine.close())
    const session = await engine.session()
    closers.push(() => session.close())
    const writing: RelocateParts = {
      store: warehouse.store,
      random: systemRandom,
      nowMs: systemClock.nowMs(),
      rewritePositions: (content, { from, to }) =>
        rewritePositions({ session, disk: nodeDisk, directory: directory.temp }, content, toUri(from), toUri(to)),
    }
    const switched: { readonly name: string; readonly from: string; readonly to: string }[] = []
    for (const { name, kind, location } of found.pointers) {
      options.onTable?.(name)
      const write = kind === 'table' ? relocateTable : relocateView
      switched.push({ name, from: location, to: await write(writing, location, move) })
    }
    await switchAll(store, switched, found.checkpoints, move)
    recordPlace(directory)
    return found.relocated
  } finally {
    for (const close of closers.reverse()) await close()
  }
}

const placeOf = (place: string): string => toPath(place).replace(/\/+$/, '')

async function plan(store: Store, move: Move) {
  const moved = movedBy(move)
  const isMoved = ({ location }: { readonly location: string }): boolean => moved(location) !== location
  const pointers = (await store.read.selectFrom('pointers').select(['name', 'kind', 'location']).orderBy('name').execute()).filter(isMoved)
  const checkpoints = (await store.read.selectFrom('checkpoints').select(['pipeline', 'location']).execute()).filter(isMoved)
  const names = (kind: 'table' | 'view'): string[] => pointers.flatMap((pointer) => (pointer.kind === kind ? [pointer.name] : []))
  const relocated: Relocated = { ...move, tables: names('table'), views: names('view'), checkpoints: checkpoints.length }
  return { pointers, checkpoints, relocated }
}

function switchAll(
  store: Store,
  pointers: readonly { readonly name: string; readonly from: string; readonly to: string }[],
  checkpoints: readonly { readonly pipeline: string; readonly location: string }[],
  move: Move,
): Promise<void> {
  const moved = movedBy(move)
  return store.write(async (tx) => {
    for (const { name, from, to } of pointers)
      await tx.updateTable('pointers').set({ location: to }).where('name', '=', name).where('location', '=', from).execute()
    for (const { pipeline, location } of checkpoints)
      await tx
        .updateTable('checkpoints')
        .set({ location: toPath(moved(location)) })
        .where('pipeline', '=', pipeline)
        .execute()
  })
}
