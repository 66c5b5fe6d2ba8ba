// From changes to ordered steps: what `apply` will do, one line each, with the reason. Pure and printable; nothing is
// executed here. Access is narrowed before data moves, and things are removed after everything that may read them.
import { formatAge } from '../core/duration.ts'
import { MillraceError } from '../core/errors.ts'
import type { Manifest, ModelManifest, Relation, SinkManifest, TopicManifest } from '../define/manifest.ts'
import { type Change, type ChangeClass, diff } from './diff.ts'

export type StepAction =
  | 'set_access' // all roles, grants, policies and masks at once
  | 'create_table'
  | 'evolve_table'
  | 'load_table' // reads the source from the start
  | 'build_model' // first computation of a stored model
  | 'rebuild_model'
  | 'set_view'
  | 'start_live' // a live model: history is computed as a batch, then it follows the stream
  | 'rebuild_live'
  | 'start_processor'
  | 'restart_processor'
  | 'change_settings'
  | 'set_checks'
  | 'set_endpoint'
  | 'set_schedule'
  | 'set_dashboard'
  | 'start_sink'
  | 'change_sink'
  | 'stop' // a processor, endpoint, job, alert, check set, dashboard or sink
  | 'drop' // a relation, with its rows

export interface Step {
  readonly action: StepAction
  readonly kind: Change['kind']
  /** The asset; `*` for access rules, which change together. */
  readonly name: string
  readonly class: ChangeClass
  readonly reasons: readonly string[]
  /** Where and how it will run. */
  readonly runs?: string
}

export interface Plan {
  readonly changes: readonly Change[]
  /** In the order in which they are executed; empty when there is nothing to do. */
  readonly steps: readonly Step[]
  /** Changes that cannot be made in place: nothing is applied or started while there are any. */
  readonly refused: readonly Change[]
}

/** The way from what is deployed (null: nothing) to `after`. */
export function plan(before: Manifest | null, after: Manifest): Plan {
  const changes = diff(before, after)
  const refused = changes.filter((change) => change.class === 'refused')
  const possible = changes.filter((change) => change.class !== 'refused')
  const access = possible.filter(isAccess)
  const data = possible.filter((change) => change.action !== 'removed' && !isAccess(change)).toSorted((a, b) => rankOf(a) - rankOf(b))
  const gone = possible.filter((change) => change.action === 'removed' && !isAccess(change)).toReversed()
  const steps = [
    ...accessStep(access),
    ...data.flatMap((change) => stepsOf(change, after)),
    ...gone.map((change) => stepOf(isRelation(change) ? 'drop' : 'stop', change)),
  ]
  return { changes, steps, refused }
}

/** @throws MR_PLAN_STATE naming every change that cannot be made in place, when there are any. */
export function mustBePossible({ refused }: Pick<Plan, 'refused'>): void {
  if (refused.length === 0) return
  const lines = refused.map(({ kind, name, at, reasons }) => `${at ? `${at}  ` : ''}${kind} ${name}: ${reasons.join('; ')}`)
  throw new MillraceError(
    'MR_PLAN_STATE',
    `${refused.length === 1 ? 'a change' : `${refused.length} changes`} cannot be made to what is deployed\n  ${lines.join('\n  ')}`,
    { fix: 'do what each says, or define it as it was; `millrace plan` shows every change' },
  )
}

const isAccess = (change: Change): boolean => ['role', 'grant', 'policy', 'masks'].includes(change.kind)

/** Streams and tables, then processors, which fill streams, then models; what shows them comes last. */
const rankOf = ({ kind }: Change): number =>
  kind === 'stream' || kind === 'table' ? 0 : kind === 'processor' ? 1 : kind === 'model' ? 2 : 3

const isRelation = (change: Change): boolean => ['stream', 'table', 'model'].includes(change.kind)

function accessStep(changes: readonly Change[]): readonly Step[] {
  if (changes.length === 0) return []
  const reasons = changes.map(({ kind, name, reasons: why }) => `${kind} "${name}" ${why.join(', ')}`)
  return [{ action: 'set_access', kind: 'policy', name: '*', class: 'policy', reasons }]
}

const stepOf = (action: StepAction, change: Change, runs?: string): Step => ({
  action,
  kind: change.kind,
  name: change.name,
  class: change.class,
  reasons: change.reasons,
  ...(runs === undefined ? {} : { runs }),
})

function stepsOf(change: Change, after: Manifest): readonly Step[] {
  switch (change.kind) {
    case 'stream':
    case 'table':
    case 'model':
      return relationSteps(change, after.relations.find(({ name }) => name === change.name)!)
    case 'processor':
      return [stepOf(change.action === 'added' ? 'start_processor' : 'restart_processor', change, 'TypeScript: in a worker of Millrace')]
    case 'checks':
      return [stepOf('set_checks', change)]
    case 'endpoint':
      return [stepOf('set_endpoint', change)]
    case 'dashboard':
      return [stepOf('set_dashboard', change)]
    case 'sink':
      return [
        stepOf(
          change.action === 'added' ? 'start_sink' : 'change_sink',
          change,
          describeSink(after.sinks!.find(({ name }) => name === change.name)!),
        ),
      ]
    default:
      return [stepOf('set_schedule', change)]
  }
}

function relationSteps(change: Change, relation: Relation): readonly Step[] {
  const runs = describeRun(relation)
  if (relation.kind === 'model') return [stepOf(modelAction(change, relation), change, runs)]
  const loads = relation.kind === 'table' && relation.source.kind === 'files'
  if (change.action === 'added')
    return loads ? [stepOf('create_table', change), stepOf('load_table', change, runs)] : [stepOf('create_table', change, runs)]
  if (change.class === 'rebuild') return [stepOf('evolve_table', change), stepOf('load_table', change, runs)]
  return [stepOf(isSetting(change) ? 'change_settings' : 'evolve_table', change, runs)]
}

const isSetting = (change: Change): boolean => change.class === 'setting' || change.class === 'policy'

function modelAction(change: Change, model: ModelManifest): StepAction {
  if (model.refresh === 'view') return 'set_view'
  if (change.action === 'added') return model.refresh === 'live' ? 'start_live' : 'build_model'
  if (isSetting(change)) return 'change_settings'
  return model.refresh === 'live' ? 'rebuild_live' : 'rebuild_model'
}

/** What the stream engine has no code for. */
const ofDuckDb = ({ computed = [] }: Pick<ModelManifest, 'computed'>): string =>
  computed.length === 0 ? '' : `; DuckDB computes for each batch: ${computed.join(', ')}`

function liveRows({ keyed, loses, emit, key }: ModelManifest): string {
  if (loses) return `the row of each ${key.join(', ')} follows its inputs, and goes when they no longer make it`
  if (keyed) return `the row of each ${key.join(', ')} follows its inputs`
  return emit === 'final' ? 'a row is added once it is final' : 'rows change while their window is open'
}

const printTopic = ({ topic, connection, format }: TopicManifest): string => `topic ${topic} of ${connection.bus} (${format.kind})`

/** Where the rows of a sink go, and when. */
function describeSink({ from, to, key, everyMs, shape }: SinkManifest): string {
  const by = key.length > 0 ? `, by ${key.join(', ')}` : ''
  const personal = shape.fields.flatMap(({ name, pii }) => (pii === undefined ? [] : [`${name} (${pii})`]))
  const leaves = personal.length > 0 ? `; personal data leaves: ${personal.join(', ')}` : ''
  return `${from} to ${printTopic(to)}${by}: what is committed, at most ${formatAge(everyMs)} after it came${leaves}`
}

/** How a relation gets its rows: derived from `fresh`, `refresh` and the source, and never stated by the user. */
export function describeRun(relation: Relation): string {
  if (relation.kind === 'stream') {
    if (relation.source === 'processor') return 'live: follows its processor'
    const partitions = `${relation.partitions} partition${relation.partitions === 1 ? '' : 's'} of the log`
    return relation.kafka ? `live: ${printTopic(relation.kafka)}, copied into ${partitions}` : `live: ${partitions}`
  }
  if (relation.kind === 'table') {
    if (relation.source.kind === 'http') return 'live: merged by key as rows arrive'
    if (relation.source.kind === 'kafka') return `live: ${printTopic(relation.source)}, merged by key as messages arrive`
    if (relation.source.kind === 'none') return 'no source'
    return `batch: ${relation.source.cron ? `at ${relation.source.cron} ${relation.source.zone ?? 'UTC'}` : relation.source.everyMs ? `every ${formatAge(relation.source.everyMs)}` : 'when asked'}`
  }
  const where = 'SQL: in DuckDB, in this process'
  switch (relation.refresh) {
    case 'view':
      return `view: computed by each question. ${where}`
    case 'live':
      return `live: ${liveRows(relation)}. SQL compiled to the stream engine${ofDuckDb(relation)}`
    case 'full':
    case 'scd2':
    case 'incremental': {
      const how =
        relation.refresh === 'full'
          ? 'computed anew'
          : relation.refresh === 'scd2'
            ? `a version of each of ${relation.key.join(', ')} that changed`
            : `only the ${relation.by ? `intervals of "${relation.by}"` : `keys ${relation.key.join(', ')}`} that changed`
      return relation.freshMs === undefined
        ? `batch: when its inputs commit, ${how}. ${where}`
        : `micro-batch: at most ${formatAge(relation.freshMs)} behind, ${how}. ${where}`
    }
  }
}

const SIGNS: Readonly<Record<ChangeClass, string>> = { additive: '+', setting: '~', policy: '~', rebuild: '*', breaking: '!', refused: 'x' }

/** The plan as lines of text: steps in order, then what is refused. */
export function printPlan({ steps, refused }: Plan): string {
  if (steps.length === 0 && refused.length === 0) return 'Nothing to do: the project is deployed as it stands.\n'
  const lines = steps.flatMap((step, i) => [
    `${String(i + 1).padStart(3)} ${SIGNS[step.class]} ${step.action.replaceAll('_', ' ')} ${step.name === '*' ? '' : step.name}`.trimEnd(),
    ...step.reasons.map((reason) => `        ${reason}`),
    ...(step.runs === undefined ? [] : [`        ${step.runs}`]),
  ])
  const no = refused.flatMap((change) => [
    `    x ${change.kind} ${change.name} cannot be changed in place`,
    ...change.reasons.map((reason) => `        ${reason}`),
  ])
  return [...lines, ...no, '', summary(steps, refused), ''].join('\n')
}

function summary(steps: readonly Step[], refused: readonly Change[]): string {
  const of = (which: ChangeClass): number => steps.filter((step) => step.class === which).length
  const parts = [
    [of('additive'), 'additive'],
    [of('setting') + of('policy'), 'settings and access'],
    [of('rebuild'), 'rebuilt'],
    [of('breaking'), 'breaking'],
    [refused.length, 'refused'],
  ] as const
  const text = parts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`)
  return `${steps.length} step${steps.length === 1 ? '' : 's'}: ${text.join(', ')}.`
}
