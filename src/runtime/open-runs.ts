// What happens by itself or because somebody asked: loads and refreshes as runs, checks after commits, alerts, triggers. Every commit of
// a table is told to them here.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import { systemRandom } from '../core/random.ts'
import type { LakeTable } from '../lake/types.ts'
import { Alerts } from '../observe/alerts.ts'
import type { Metrics } from '../observe/metrics.ts'
import { assetsOf, chooseAssets, isAsset, storedUnder } from '../orchestrate/graph.ts'
import type { RunHistory } from '../orchestrate/history.ts'
import { Rechecks } from '../orchestrate/rechecks.ts'
import { Runner } from '../orchestrate/runner.ts'
import { Triggers } from '../orchestrate/triggers.ts'
import type { CheckHistory } from '../quality/history.ts'
import type { Logger } from './logger.ts'
import type { NodeOptions } from './node-options.ts'
import type { NodeStorage } from './open-storage.ts'
import { runStep } from './run-step.ts'
import { resolveText } from './settings.ts'
import { recheck } from './step-checks.ts'
import type { StepParts } from './step-parts.ts'

export interface RunsParts {
  readonly storage: NodeStorage
  readonly history: RunHistory
  readonly checks: CheckHistory
  readonly metrics: Metrics
  readonly logger: Logger
  /** Kinds of answers that changed; see AdminEvent. */
  readonly changed: (...key: [kind: string, name?: string]) => void
  readonly settle: StepParts['settle']
}

export interface RunAsked {
  readonly assets: readonly string[]
  /** Relations whose checks to run without refreshing. */
  readonly checks: readonly string[]
  readonly full: boolean
  readonly by: string
}

export interface Runs {
  readonly steps: StepParts
  readonly runner: Runner
  readonly alerts: Alerts
  readonly rechecks: Rechecks
  /** A pipeline has committed rows of a table. */
  committed(table: string): void
  /** Something else has: readers see it from now on. */
  changedOutside(table: LakeTable): void
  /** The id of the run; null when there was nothing to run. @throws MR_PLAN_UNKNOWN */
  start(asked: RunAsked): Promise<string | null>
  /** Begins to start by itself what is stale or due. */
  schedule(): Promise<void>
  unschedule(): void
}

export function openRuns(options: NodeOptions, parts: RunsParts): Runs {
  const { clock, manifest } = options
  const { history, checks, metrics, logger, changed, settle } = parts
  const { store, engine, lake, catalog, relations } = parts.storage
  let triggers: Triggers | null = null
  const alerts = new Alerts({
    clock,
    store,
    manifest,
    engine,
    relations,
    text: (text) => resolveText(options.variables, text),
    signingKey: options.variables['MILLRACE_SIGNING_KEY'],
    onError: (message, error) => logger.error(message, error),
  })
  const committed = (table: string): void => {
    changed('relation', table)
    metrics.committed(table)
    triggers?.committed(table)
    for (const { name } of rechecked.get(table) ?? []) rechecks.committed(name)
    alerts.committed(table)
  }
  // Loads and refreshes run their checks before they publish; what flows in by itself is checked after its commits, and a
  // view after those of what it reads.
  const rechecked = Map.groupBy(
    manifest.relations
      .filter((relation) => !isAsset(relation) && manifest.checks.some((set) => set.on === relation.name))
      .flatMap(({ name }) => storedUnder(manifest, [name]).map((read) => ({ read, name }))),
    ({ read }) => read,
  )
  const changedOutside = (table: LakeTable): void => {
    relations.committed(table)
    committed(table.name)
  }
  const steps: StepParts = {
    clock,
    engine,
    lake,
    catalog,
    relations,
    checks,
    manifest: () => manifest,
    directory: options.directory,
    text: (text) => resolveText(options.variables, text),
    settle,
    onCommitted: (table) => {
      changedOutside(table)
      alerts.stored(table)
    },
    onChecked: (relation, outcomes) => {
      for (const outcome of outcomes) metrics.checked(relation, outcome.check.name, outcome.status !== 'pass')
      alerts.checked(outcomes)
      changed('relation', relation)
    },
  }
  const runner = new Runner({
    clock,
    random: systemRandom,
    history,
    runStep: (asset, context) => runStep(steps, asset, context),
    concurrency: 2,
    onStep: (step) => {
      if (step.endedMs !== null && step.startedMs !== null) metrics.ran(step.relation, step.status, step.endedMs - step.startedMs)
      if (step.status === 'failed') logger.warn('a step failed', { step: step.name, error: step.error })
      if (step.status === 'failed' || step.status === 'succeeded') alerts.ran(step.relation, step.status, step.error?.message ?? null)
      changed('run', step.runId)
    },
    onRun: (run) => changed('run', run.id),
  })
  const rechecks = new Rechecks({
    clock,
    everyMs: 30_000,
    run: async (name) => void (await recheck(steps, manifest.relations.find((relation) => relation.name === name)!, null)),
    onError: (error) => logger.error('checks could not run', asMillraceError(error)),
  })
  const start = async ({ assets: names, checks: checked, full, by }: RunAsked): Promise<string | null> => {
    const assets = chooseAssets(assetsOf(manifest), names)
    for (const name of checked) {
      const relation = manifest.relations.find((candidate) => candidate.name === name)
      if (!relation) throw new MillraceError('MR_PLAN_UNKNOWN', `there is no relation "${name}"`, { fix: 'see `millrace status`' })
      await recheck(steps, relation, null)
    }
    if (assets.length === 0) return null
    const name = assets.length === 1 ? assets[0]!.name : `${assets.length} assets`
    const started = await runner.start({ name, trigger: `by ${by}`, assets, full, code: options.code })
    return started.id
  }
  return {
    steps,
    runner,
    alerts,
    rechecks,
    committed,
    changedOutside,
    start,
    async schedule() {
      triggers = new Triggers(manifest, {
        clock,
        runner,
        code: () => options.code,
        onError: (error) => logger.error('a trigger failed', asMillraceError(error)),
      })
      await triggers.start()
    },
    unschedule: () => triggers?.stop(),
  }
}
