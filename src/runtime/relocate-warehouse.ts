// All tables and views of a stopped data directory at another place: copied to where the project has its lake now, be that an object
// store or the data directory, or found where somebody has put them. The work is `src/lake/relocation/`; this knows the places.
import { resolve } from 'node:path'
import { MillraceError } from '../core/errors.ts'
import { movePositions } from '../engine/move-positions.ts'
import { isBelow, toPath } from '../lake/location.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { Relocated } from '../lake/relocation/relocate.ts'
import { isRemote } from '../objects/object-store.ts'
import { LOCAL_ADMINISTRATOR, type StoppedStorage, withStorage } from './storage.ts'
import type { Warehouse } from './warehouse.ts'

export interface RelocateRequest {
  readonly inPlace?: boolean
  readonly from?: string
  readonly to?: string
  readonly removeOld?: boolean
  readonly dryRun?: boolean
}

export interface RelocatedWarehouse extends Relocated {
  readonly from: string
  readonly to: string
}

/** @throws MR_DATA_LOCKED while a server runs; MR_USAGE for places that cannot be; what `relocate` throws. */
export function relocateWarehouse(
  data: string,
  request: RelocateRequest,
  onProgress: (done: Relocated) => void,
): Promise<RelocatedWarehouse> {
  const inPlace = request.inPlace ?? false
  return withStorage(data, (storage) => relocateStorage(data, storage, { ...request, inPlace }, onProgress), { mayBeMoved: inPlace })
}

async function relocateStorage(
  data: string,
  { lake, engine, warehouse, audit, isExternal, place, temp, recordPlace }: StoppedStorage,
  request: RelocateRequest & { readonly inPlace: boolean },
  onProgress: (done: Relocated) => void,
): Promise<RelocatedWarehouse> {
  const { inPlace } = request
  if (isExternal)
    throw new MillraceError('MR_USAGE', 'the tables are in the catalog of another, which says where they lie', {
      fix: 'relocate them with the tools of that catalog',
    })
  if (inPlace && request.from === undefined && place === data)
    throw new MillraceError('MR_USAGE', 'the data directory is where it was', { fix: 'name the place where the files were before: --from' })
  if (!inPlace && request.to !== undefined)
    throw new MillraceError('MR_USAGE', '--to is for --in-place; files are copied to where the project has its lake', {
      fix: 'change `lake` in the project and start it once, or copy the files yourself and add --in-place',
    })
  const from = placeOf(request.from ?? (inPlace ? place : await placeOfBefore(data, lake, warehouse)))
  const to = placeOf(inPlace ? (request.to ?? data) : warehouse.directory)
  if (from === to || `${to}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${to}/`))
    throw new MillraceError('MR_USAGE', `${from} and ${to} are one place, or one in the other`, {
      fix: 'choose another `lake` in the project, or none for the data directory, and start it once; for another directory move the data directory and use --in-place',
    })
  const before = warehouse.before.find(({ directory }) => placeOf(directory) === from)
  const options = {
    ...(before && !inPlace ? { checkpoints: { from: placeOf(before.checkpoints), to: placeOf(warehouse.checkpoints) } } : {}),
    ...{ from, to, copy: !inPlace, dryRun: request.dryRun ?? false, removeOld: request.removeOld ?? false, spool: temp },
  }
  const done = await lake.relocate({ ...options, onProgress, rewritePositions: (bytes, move) => movePositions(engine, bytes, move) })
  if (request.from !== undefined && done.tables + done.views === 0)
    throw new MillraceError('MR_USAGE', `no table or view lies below ${from}`, {
      fix: 'name the place that metadata speaks of; `millrace verify` prints paths that it does not find',
    })
  if (!options.dryRun) {
    if (inPlace) recordPlace()
    await audit.record(LOCAL_ADMINISTRATOR, { action: 'relocate', object: from, outcome: 'ok', detail: { to, files: done.files } })
  }
  return { from, to, ...done }
}

/** The one place of before that has tables or views. @throws MR_USAGE when several have. */
async function placeOfBefore(data: string, { catalog }: Lake, { before }: Warehouse): Promise<string> {
  const known = [...(await catalog.tables()), ...(await catalog.views())].map(({ location }) => toPath(location))
  const [first, ...others] = before.map(({ directory }) => placeOf(directory)).filter((place) => known.some((path) => isBelow(path, place)))
  if (first === undefined) return `${data}/lake`
  if (others.length === 0) return first
  throw new MillraceError('MR_USAGE', `there are tables at several places of before: ${[first, ...others].join(', ')}`, {
    fix: 'relocate from one after the other: --from',
  })
}

const placeOf = (place: string): string => (isRemote(place) ? place : resolve(place)).replace(/\/+$/, '')
