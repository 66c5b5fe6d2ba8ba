// Carries out a statement that changes rows: computes it on the state of all keyed tables that it reads at known ends of their logs, and
// appends what it changes only if they still end there; otherwise everything is computed again. So statements and rows by HTTP stand in one
// order, and each statement saw all that stands before it (decision 24). What it changes is one record of the log: there as a whole or not at all.
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { ChangesSelect } from '../engine/dml/changes-select.ts'
import type { Page } from '../engine/duckdb.ts'
import { encodeChanges } from '../log/changes.ts'
import type { Append, Appended, Log } from '../log/log.ts'
import { type Door, rowParts } from './collect.ts'
import { type ChangeCounts, type ChangeRules, type CollectedChanges, collectChanges } from './collect-changes.ts'

export interface ChangePorts {
  readonly clock: Clock
  readonly log: Pick<Log, 'append' | 'hold' | 'range'>
  /** Keyed tables that it reads, among them the one that it changes: topics of one partition. */
  readonly tables: readonly string[]
  /** Resolves when what the log has so far of them, and of what it changes, is shown; answers what changes when less is shown again, null when it ends. */
  catchUp(): Promise<string | null>
  readonly life: () => string
  /** Names the committed contents of what it reads, which other engines may move. */
  contents(): Promise<string>
  /** Asks for what is to be changed, at this moment. */
  ask<T>(take: (pages: AsyncIterable<Page>) => Promise<T>): Promise<T>
}

export interface Change {
  readonly door: Door
  readonly select: ChangesSelect
  readonly rules: Omit<ChangeRules, 'scanner'>
  /** Says what would be changed, and changes nothing. */
  readonly isDryRun: boolean
  /** How long rows that came before may take to be shown. */
  readonly timeoutMs: number
}

export interface Changed extends ChangeCounts {
  readonly offsets: readonly { readonly partition: number; readonly first: number; readonly last: number }[]
  /** How often it was computed. */
  readonly attempts: number
}

/** Others may write to the tables while a statement is computed, so many times. */
const TRY_MAX = 8
/** A statement that takes long is not tried again after this. */
const LATE_MS = 30_000
/** After so many tries they wait, but not longer than this. */
const PATIENT_TRIES = 2
const HOLD_MS = 2_000

/**
 * Answers when the change is durable and shown.
 * @throws MR_SQL_CONFLICT when others wrote to the tables each time; MR_SQL_TIMEOUT, MR_NOT_READY when its rows are not shown; as `collectChanges`, as `Log.append`, and what `ask` throws.
 */
export async function changeRows(ports: ChangePorts, { door, select, rules, isDryRun, timeoutMs }: Change): Promise<Changed> {
  const { tables } = ports
  const startedMs = ports.clock.monotonicMs()
  let attempt = 1
  for (; attempt <= TRY_MAX && (attempt === 1 || ports.clock.monotonicMs() - startedMs < LATE_MS); attempt++) {
    using _held = await holding(ports, attempt > PATIENT_TRIES ? tables : [])
    const ends = tables.map((topic) => ({ topic, partition: 0, end: ports.log.range(topic, 0).end }))
    const life = await catchUp(ports, timeoutMs)
    const contents = await ports.contents()
    const collected = await ports.ask((pages) => collectChanges(pages, select, { ...rules, scanner: door.scanner }))
    if (ports.life() !== life || (await ports.contents()) !== contents) continue
    const parts = partsOf(door, collected)
    if (isDryRun || parts.length === 0) return { ...collected.counts, offsets: [], attempts: attempt }
    const appended = await ports.log.append(door.topic, parts, ends).catch(nullIfMoved)
    if (!appended) continue
    await catchUp(ports, timeoutMs).catch(() => {}) // it is durable, whatever else happens
    return { ...collected.counts, offsets: appended.map(({ partition, first, last }) => ({ partition, first, last })), attempts: attempt }
  }
  throw new MillraceError(
    'MR_SQL_CONFLICT',
    `others wrote to ${tables.join(' or ')} each of the ${attempt - 1} times that the statement was computed`,
    {
      fix: 'try again, or change fewer rows at once, which is faster',
    },
  )
}

async function catchUp({ clock, catchUp }: ChangePorts, timeoutMs: number): Promise<string> {
  const waiting = new AbortController()
  const late = clock.sleep(timeoutMs, waiting.signal).then(
    () =>
      new MillraceError('MR_SQL_TIMEOUT', `rows that came before the statement are not shown after ${timeoutMs} ms`, {
        fix: 'see with `millrace status` what holds the table up',
      }),
    () => null,
  )
  const life = await Promise.race([catchUp(), late])
  waiting.abort()
  if (life instanceof MillraceError) throw life
  if (life === null) throw new MillraceError('MR_NOT_READY', 'the server stops', { fix: 'try again when it has started' })
  return life
}

async function holding({ log }: ChangePorts, topics: readonly string[]): Promise<Disposable> {
  const releases = await Promise.all(topics.map((topic) => log.hold(topic, HOLD_MS)))
  return {
    [Symbol.dispose]() {
      for (const release of releases) release()
    },
  }
}

function nullIfMoved(cause: unknown): readonly Appended[] | null {
  if ((cause as MillraceError).code === 'MR_LOG_MOVED') return null
  throw cause
}

/** Of a table at most one. */
function partsOf(door: Door, { rows, scan, deletes, deleteCount }: CollectedChanges): Append[] {
  const { fingerprint } = door.scanner
  const count = scan.batch.rows
  if (deleteCount === 0) return rowParts(door, scan, rows, { contentType: undefined, idempotencyKey: undefined, body: Buffer.alloc(0) })
  if (count === 0) return [{ partition: 0, kind: 'deletes', payload: deletes, count: deleteCount, fingerprint: '' }]
  return [{ partition: 0, kind: 'changes', payload: encodeChanges({ deletes, rows }), count: deleteCount + count, fingerprint }]
}
