// Carries out a commit on tables of an external catalog so that it is neither lost nor done twice, whatever breaks in between
// (PROTOCOL rule 19). Each table's commit sets a property to the commit's id: that tells, after a lost answer or a crash, which
// tables have it. Relies on an intent written before (`src/store/intents.ts`); called again with it, it goes on where it was.
import type { Clock } from '../../core/clock.ts'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import { integer, type Random } from '../../core/random.ts'
import type { CommitRequest, TablePointer } from '../../store/catalog.ts'
import type { Intent } from '../../store/intents.ts'
import type { MetadataFiles } from '../metadata-files.ts'
import type { TableMetadata } from '../table-metadata.ts'
import type { Update } from '../updates/update.ts'
import { addedSnapshots, type TableCommit, updatesBetween } from '../updates/updates-between.ts'
import { currentOf, type ExternalEntries, type Loaded } from './external-entries.ts'
import { isBareAppend, restageAppend } from './restage-append.ts'

export interface CarryOutParts {
  readonly clock: Clock
  readonly random: Random
  readonly files: MetadataFiles
  readonly entries: ExternalEntries
  /** Name of the property that holds the last commit of this data directory. */
  readonly mark: string
}

export type CarriedOut =
  | { readonly kind: 'done'; readonly placed: Readonly<Record<string, string>> }
  | { readonly kind: 'conflict'; readonly table: string; readonly current: TablePointer | null }

/** Rounds over what is not done yet, within some seconds. */
const ROUND_MAX = 7
const WAIT_MS = 100

interface Move {
  readonly name: string
  readonly from: string | null
  readonly before: TableMetadata | undefined
  readonly after: TableMetadata
}

/**
 * 'conflict': certainly no table has the commit, nor will have it. 'done': all have it, but for those that were dropped meanwhile.
 * `isResumed`: it may have been begun before.
 * @throws MR_CATALOG_BUSY when it is not known, or not done yet: to be called again. MR_CATALOG_PARTIAL: likewise, but it needs
 *   somebody. MR_CATALOG_REFUSED, MR_CATALOG_DENIED: the catalog refused; with `certain` set, no table has it.
 */
export async function carryOut(parts: CarryOutParts, { id, request }: Intent, isResumed: boolean): Promise<CarriedOut> {
  const { entries } = parts
  const moves = await readMoves(parts, request)
  const placed: Record<string, string> = {}
  const settled = new Set<string>()
  let isDoubtful = isResumed
  let isLost = false
  for (let round = 1; ; round++) {
    const open: { move: Move; now: Loaded | null }[] = []
    for (const move of moves) {
      if (settled.has(move.name)) continue
      const now = await entries.table(move.name)
      if (now?.metadata.properties[parts.mark] === id) settle(move, now)
      else open.push({ move, now })
    }
    const steps: [string, TableCommit][] = []
    const isBegun = settled.size > 0
    for (const { move, now } of open) {
      if (isBegun && isGone(move, now)) {
        settled.add(move.name)
        continue
      }
      const commit = await nextCommit(parts, move, now, { isBegun, isDoubtful })
      if (!commit || (isLost && !isBegun && !isDoubtful)) {
        if (isBegun) throw partial(move.name, [...settled])
        return { kind: 'conflict', table: move.name, current: pointerOf(move.name, now) }
      }
      steps.push([move.name, { ...commit, updates: [...commit.updates, marking(parts.mark, id)] }])
    }
    if (steps.length === 0) return { kind: 'done', placed }
    if (round > 1) await parts.clock.sleep(integer(parts.random, WAIT_MS * 2 ** Math.min(round, 6)))
    try {
      isLost = !(await send(steps))
    } catch (cause) {
      const error = asMillraceError(cause)
      if (error.code !== 'MR_CATALOG_BUSY')
        throw isRefusal(error) && !isBegun && !isDoubtful && settled.size === 0 ? new Certain(error) : error
      if (round >= ROUND_MAX) throw error
      isDoubtful = true
    }
    if (isLost && round >= ROUND_MAX) throw notYet(steps[0]![0])
  }

  function settle(move: Move, now: Loaded): void {
    settled.add(move.name)
    placed[move.name] = now.location
  }

  /** False when one was refused for what others did. */
  async function send(steps: readonly [string, TableCommit][]): Promise<boolean> {
    // The reference's transactions take no tables that are to be created.
    const created = steps.filter(([, commit]) => isCreation(commit))
    const changed = steps.filter(([, commit]) => !isCreation(commit))
    const together = changed.length > 1 && entries.hasTransactions
    for (const [name, commit] of together ? created : [...created, ...changed]) {
      const now = await entries.commit(name, commit)
      if (!now) return false
      settle(moves.find((move) => move.name === name)!, now)
    }
    // What is done is seen in the next round, with where it lies.
    return together ? entries.commitAll(changed) : true
  }
}

/** The catalog refused, and no table has the commit. */
export class Certain extends Error {
  readonly error: MillraceError

  constructor(error: MillraceError) {
    super(error.message)
    this.error = error
  }
}

/** Any other error may be one of reading the answer to what was carried out. */
const isRefusal = ({ code }: MillraceError): boolean => code === 'MR_CATALOG_REFUSED' || code === 'MR_CATALOG_DENIED'

const isCreation = ({ requirements }: TableCommit): boolean => requirements.some(({ type }) => type === 'assert-create')

const marking = (mark: string, id: string): Update => ({ action: 'set-properties', updates: { [mark]: id } })

const pointerOf = (name: string, now: Loaded | null): TablePointer | null =>
  now && { name, location: now.location, snapshotId: currentOf(now.metadata) }

const isGone = (move: Move, now: Loaded | null): boolean =>
  move.from !== null && (now === null || now.metadata['table-uuid'] !== move.after['table-uuid'])

/** In the order in which they are committed: what could not follow a change of others comes first. */
async function readMoves({ files, entries }: CarryOutParts, { tables }: CommitRequest): Promise<readonly Move[]> {
  const moves = await Promise.all(
    tables.map(async ({ name, from, to }) => ({
      name,
      from,
      before: from === null ? undefined : await files.metadata(from),
      after: await files.metadata(to),
    })),
  )
  const stubborn = moves.filter((move) => !canFollow(move))
  if (stubborn.length > 1 && !entries.hasTransactions)
    throw new Certain(
      new MillraceError(
        'MR_CATALOG_REFUSED',
        `the catalog has no transactions, and ${stubborn.length} tables change at once by more than new rows`,
        {
          fix: `commit ${stubborn.map(({ name }) => name).join(', ')} one by one, or use a catalog with transactions over tables`,
        },
      ),
    )
  return [...stubborn, ...moves.filter(canFollow)]
}

/** A table that is created has nobody who could change it meanwhile. */
const canFollow = ({ before, after }: Move): boolean =>
  before === undefined || addedSnapshots(before, after).length === 0 || isBareAppend(before, after)

interface Standing {
  /** Another table has the commit. */
  readonly isBegun: boolean
  /** A request of this commit may still be on its way. */
  readonly isDoubtful: boolean
}

/** What brings the table as it is now to the commit; null when that is not possible any more. */
async function nextCommit(parts: CarryOutParts, move: Move, now: Loaded | null, standing: Standing): Promise<TableCommit | null> {
  const { from, before, after } = move
  if (before === undefined) return now === null ? updatesBetween(undefined, after) : null
  if (now === null || now.metadata['table-uuid'] !== before['table-uuid']) return null
  if (now.location === from) return updatesBetween(before, after)
  if (!standing.isBegun && !standing.isDoubtful) return null
  // Others changed properties or tags only: a request that is on its way could still be carried out, so this one must be.
  if (currentOf(now.metadata) === currentOf(before)) return updatesBetween(before, after)
  return standing.isBegun ? restageAppend(parts, { before, after, now: now.metadata }) : null
}

const partial = (table: string, others: readonly string[]): MillraceError =>
  new MillraceError(
    'MR_CATALOG_PARTIAL',
    `${others.join(', ')} has a commit that ${table} cannot take any more: others changed it meanwhile`,
    {
      fix: `roll ${table} back to before that change in the catalog, or drop it; then start again`,
    },
  )

const notYet = (table: string): MillraceError =>
  new MillraceError('MR_CATALOG_BUSY', `${table}: others were faster ${ROUND_MAX} times`, { fix: 'it is tried again' })
