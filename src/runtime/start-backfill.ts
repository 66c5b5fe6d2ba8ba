// What `millrace backfill` asks for: a live model as a whole is its pipeline's work; chosen intervals are a run.
import { MillraceError } from '../core/errors.ts'
import { utcMs } from '../core/utc-ms.ts'
import type { Manifest, ModelManifest } from '../define/manifest.ts'
import { assetsOf, readsOf } from '../orchestrate/graph.ts'
import type { Runner } from '../orchestrate/runner.ts'
import type { BackfillAnswer, BackfillRequest } from '../serve/admin/parts.ts'
import { Live } from '../stream/live.ts'
import type { Range } from '../transform/range.ts'
import { mustTellIntervals, planBackfill } from './backfill.ts'
import type { RunningPipeline } from './pipelines.ts'
import type { StepParts } from './step-parts.ts'

export interface BackfillParts {
  readonly manifest: Manifest
  readonly pipelines: readonly RunningPipeline[]
  readonly runner: Runner
  readonly steps: StepParts
  readonly code: string | null
}

/** @throws MR_USAGE for what is no such model, and for a range that is none; MR_LAKE_FENCED for a model that another process makes. */
export async function startBackfill(parts: BackfillParts, by: string, name: string, request: BackfillRequest): Promise<BackfillAnswer> {
  const range = rangeOf(request)
  const live = parts.pipelines.find(({ makes, sink }) => makes === name && sink instanceof Live)
  if (live && !range && !request.dryRun) {
    if (live.pipeline.isStopped)
      throw new MillraceError('MR_LAKE_FENCED', `another process has taken over what makes ${name}`, {
        fix: 'ask that one, or restart this one',
      })
    void live.pipeline.startRebuild()
    return { run: null, plan: null }
  }
  const model = mustBackfill(parts, name)
  const all: Range = { fromMs: null, untilMs: null, onlyMissing: false }
  if (request.dryRun) return { run: null, plan: await planBackfill(parts.steps, model, range ?? all) }
  await mustTellIntervals(parts.steps, model) // what cannot be is said at once, and not by a run that fails
  const asset = { name, kind: 'model', needs: [], reads: readsOf(parts.manifest, model) } as const
  const started = await parts.runner.start({
    name,
    trigger: `backfill by ${by}`,
    assets: [asset],
    range: range ?? all,
    code: parts.code,
  })
  return { run: started.id, plan: null }
}

function mustBackfill({ manifest }: BackfillParts, name: string): ModelManifest {
  const able = manifest.relations.filter(
    (relation): relation is ModelManifest =>
      relation.kind === 'model' && (relation.refresh === 'live' || (relation.refresh === 'incremental' && relation.by !== undefined)),
  )
  const model = able.find((candidate) => candidate.name === name)
  if (model) return model
  const isStored = assetsOf(manifest).some((asset) => asset.name === name)
  throw new MillraceError('MR_USAGE', `"${name}" is not a model that is live or incremental by an interval`, {
    fix: isStored
      ? `it is rebuilt by \`millrace run ${name} --full\``
      : `such models are: ${able.map((other) => other.name).join(', ') || 'none'}`,
  })
}

/** Null when all is meant. */
function rangeOf({ from, to, onlyMissing = false }: BackfillRequest): Range | null {
  const [fromMs, untilMs] = [timeOf('from', from), timeOf('to', to)]
  if (fromMs !== null && untilMs !== null && fromMs >= untilMs)
    throw new MillraceError('MR_USAGE', `nothing lies between ${from} and ${to}`, {
      fix: 'give an end (--to) after the start (--from); the end itself is left out',
    })
  return fromMs === null && untilMs === null && !onlyMissing ? null : { fromMs, untilMs, onlyMissing }
}

const TIME = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/

/** UTC unless it says otherwise. */
function timeOf(name: string, text: unknown): number | null {
  if (text === undefined || text === null) return null
  const written = String(text)
  const ms = TIME.test(written) ? utcMs(written) : Number.NaN
  const day = written.slice(0, 10)
  const isDay = !Number.isNaN(ms) && new Date(utcMs(day)).toISOString().startsWith(day)
  if (!isDay)
    throw new MillraceError('MR_USAGE', `"${text}" (${name}) is not a time`, { fix: 'write 2026-01-31 or 2026-01-31T12:00:00, UTC' })
  return ms
}
