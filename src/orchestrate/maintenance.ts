// What keeps storage healthy without being asked: passes over all tables, in each of which every chore is looked at (`chores/`),
// then the log forgets what every reader has committed, and what nothing reaches is removed. Writers are never in its way,
// since a chore that loses a race is simply tried again later. What a pass did is a run in the history.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { Manifest } from '../define/manifest.ts'
import { isLogged } from '../define/system-columns.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Log } from '../log/log.ts'
import type { Chore, ChoreParts } from './chores/chore.ts'
import { compact } from './chores/compact.ts'
import { expire } from './chores/expire.ts'
import { manifests } from './chores/manifests.ts'
import type { StepRecord } from './history.ts'
import { MaintenanceRun, type RecorderParts } from './record-maintenance.ts'

export interface MaintenanceParts extends ChoreParts, RecorderParts {
  readonly log: Log
  readonly manifest: Manifest
  readonly everyMs: number
  /** The least offset of a partition that some pipeline has committed. */
  committedOffset(topic: string, partition: number): number
  readonly onCommitted: (table: LakeTable) => void
  readonly onError: (message: string, error: MillraceError) => void
}

/** What was done; null and none when there was nothing to do. */
export interface Maintained {
  readonly runId: string | null
  readonly steps: readonly StepRecord[]
}

export interface Maintenance {
  /** One pass now, over these tables or all; after the one that is under way. @throws MR_LAKE_TABLE_UNKNOWN */
  run(tables: readonly string[], by: string): Promise<Maintained>
  /** One pass as it comes by itself. */
  pass(): Promise<Maintained>
  /** Begins no more chores; resolves when the one under way has ended. */
  stop(): Promise<void>
}

/** In this order: what one leaves is what the next looks at. */
const CHORES: readonly Chore[] = [compact, manifests, expire]
const ORPHANS_OLDER_MS = 3 * 86_400_000
const ORPHANS_EVERY_MS = 6 * 3_600_000

/** Starts passes. */
export function startMaintenance(parts: MaintenanceParts): Maintenance {
  let cancel = (): void => {}
  let isStopped = false
  let orphansAtMs = parts.clock.nowMs() + ORPHANS_EVERY_MS
  let last: Promise<unknown> = Promise.resolve()
  const told = new Map<string, string>()

  const inTurn = <T>(action: () => Promise<T>): Promise<T> => {
    const turn = last.then(action, action)
    last = turn.catch(() => {})
    return turn
  }
  const recorded = async (trigger: string, action: (run: MaintenanceRun) => Promise<void>): Promise<Maintained> => {
    const run = new MaintenanceRun(parts, trigger)
    try {
      await action(run)
    } finally {
      await run.end()
    }
    return { runId: run.id, steps: run.steps }
  }
  /** A step of its own that fails stops nothing else. */
  const attempt = async (
    run: MaintenanceRun,
    name: string,
    relation: string,
    action: (startedMs: number) => Promise<void>,
  ): Promise<void> => {
    const startedMs = parts.clock.nowMs()
    const key = `${relation} ${name}`
    try {
      await action(startedMs)
      told.delete(key)
    } catch (cause) {
      const error = asMillraceError(cause)
      if (told.get(key) === error.message) return
      told.set(key, error.message)
      parts.onError(`maintenance failed: ${relation === '' ? name : `${relation}.${name}`}`, error)
      await run.failed(name, relation, startedMs, error)
    }
  }
  const maintain = async (run: MaintenanceRun, name: string, isAsked: boolean): Promise<void> => {
    const relation = parts.manifest.relations.find((candidate) => candidate.name === name)
    for (const chore of CHORES) {
      if (isStopped) return
      await attempt(run, chore.name, name, async (startedMs) => {
        const pointer = await parts.lake.catalog.table(name)
        if (!pointer) return
        const done = await chore.run(parts, { table: await parts.lake.at(pointer), relation, isAsked })
        if (!done) return
        const after = await parts.lake.table(name)
        parts.onCommitted(after)
        await run.did(chore.name, name, startedMs, done, after)
      })
    }
  }
  const sweep = (run: MaintenanceRun): Promise<void> =>
    attempt(run, 'orphans', '', async (startedMs) => {
      const { files, bytes } = await parts.lake.removeOrphans(ORPHANS_OLDER_MS)
      if (files === 0) return
      const saved = { filesBefore: files, filesAfter: 0, bytesBefore: bytes, bytesAfter: 0 }
      await run.did('orphans', '', startedMs, { note: `${files} files that nothing reaches are gone`, saved }, null)
    })
  const pass = (): Promise<Maintained> =>
    recorded('maintenance', async (run) => {
      for (const { name } of await parts.lake.catalog.tables()) await maintain(run, name, false)
      if (isStopped) return
      await retainLogs(parts)
      if (parts.clock.nowMs() < orphansAtMs) return
      orphansAtMs = parts.clock.nowMs() + ORPHANS_EVERY_MS
      await sweep(run)
    })
  const arm = (): void => {
    if (isStopped) return
    cancel = parts.clock.after(parts.everyMs, () => {
      inTurn(pass)
        .catch((cause) => parts.onError('maintenance failed', asMillraceError(cause)))
        .finally(arm)
    })
  }
  arm()
  return {
    pass: () => inTurn(pass),
    run: (tables, by) =>
      inTurn(async () => {
        const known = (await parts.lake.catalog.tables()).map((pointer) => pointer.name)
        const unknown = tables.find((name) => !known.includes(name))
        if (unknown !== undefined)
          throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `there is no table ${unknown}`, { fix: 'see `millrace status`' })
        told.clear()
        return recorded(`maintenance by ${by}`, async (run) => {
          for (const name of tables.length > 0 ? tables : known) await maintain(run, name, true)
          if (tables.length === 0) await sweep(run)
        })
      }),
    async stop() {
      isStopped = true
      cancel()
      await last
    },
  }
}

async function retainLogs(parts: MaintenanceParts): Promise<void> {
  for (const relation of parts.manifest.relations) {
    if (!isLogged(relation)) continue
    const topic = parts.log.topics().find((candidate) => candidate.topic === relation.name)
    for (let partition = 0; partition < (topic?.partitions.length ?? 0); partition++) {
      await parts.log.retain(relation.name, partition, {
        beforeMs: parts.clock.nowMs() - relation.keep.logMs,
        keepFrom: parts.committedOffset(relation.name, partition),
      })
    }
  }
}
