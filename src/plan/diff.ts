// The deployed manifest and the new one, compared: what is added, removed and changed, what each change means, and why,
// in plain words. Pure; places (`at`) do not count. The code of processors is not in a manifest: the runtime compares it.

import { formatAge } from '../core/duration.ts'
import { keepsState } from '../define/keeps-state.ts'
import type {
  EndpointManifest,
  KafkaSourceManifest,
  Manifest,
  ModelManifest,
  ProcessorManifest,
  Relation,
  SinkManifest,
  StreamManifest,
  TableManifest,
} from '../define/manifest.ts'
import { liveInputs } from '../define/system-columns.ts'
import { type ColumnChange, compareShapes } from './compare-shapes.ts'

export type AssetKind =
  | 'stream'
  | 'table'
  | 'model'
  | 'processor'
  | 'checks'
  | 'role'
  | 'grant'
  | 'policy'
  | 'masks'
  | 'endpoint'
  | 'job'
  | 'alert'
  | 'dashboard'
  | 'sink'

/**
 * From harmless to impossible. setting: takes effect from now on; additive: more than before; policy: who sees what;
 * rebuild: stored results are computed anew; breaking: somebody or something is lost; refused: cannot be done in place.
 */
export type ChangeClass = 'setting' | 'additive' | 'policy' | 'rebuild' | 'breaking' | 'refused'

export interface Change {
  readonly kind: AssetKind
  readonly name: string
  /** Place in the user's files; absent for what is removed. */
  readonly at?: string
  readonly action: 'added' | 'removed' | 'changed'
  /** The gravest of its reasons. */
  readonly class: ChangeClass
  readonly reasons: readonly string[]
}

interface Reason {
  readonly effect: ChangeClass
  readonly reason: string
}

const GRAVITY: readonly ChangeClass[] = ['setting', 'additive', 'policy', 'rebuild', 'breaking', 'refused']

/** Changes that lead from `before` (null: nothing is deployed) to `after`, in the order of the new manifest, removals last. */
export function diff(before: Manifest | null, after: Manifest): readonly Change[] {
  const known = before?.relations ?? []
  const compare = (old: Relation, relation: Relation): readonly Reason[] => [
    ...compareRelations(old, relation),
    ...compareLiveInputs(known, after.relations, relation),
  ]
  return [
    ...compareLists(known, after.relations, (r) => r.kind, compare, relationAdded, relationRemoved),
    ...compareLists(before?.processors ?? [], after.processors, () => 'processor', compareProcessors, 'additive', 'breaking'),
    ...compareLists(before?.checks ?? [], after.checks, () => 'checks', settings('its checks'), 'additive', 'setting'),
    ...compareLists(
      before?.roles ?? [],
      after.roles,
      () => 'role',
      settings('its attributes, or whether it is trusted', 'policy'),
      'policy',
      'policy',
    ),
    ...compareLists(before?.grants ?? [], after.grants, () => 'grant', settings('who reads what', 'policy'), 'policy', 'policy'),
    ...compareLists(before?.policies ?? [], after.policies, () => 'policy', settings('which rows are seen', 'policy'), 'policy', 'policy'),
    ...compareLists(before?.masks ?? [], after.masks, () => 'masks', settings('how personal data looks', 'policy'), 'policy', 'policy'),
    ...compareLists(before?.endpoints ?? [], after.endpoints, () => 'endpoint', compareEndpoints, 'additive', callersLost),
    ...compareLists(before?.jobs ?? [], after.jobs, () => 'job', settings('what it runs, or when'), 'additive', 'setting'),
    ...compareLists(before?.alerts ?? [], after.alerts, () => 'alert', settings('its condition or channels'), 'additive', 'setting'),
    ...compareLists(before?.dashboards ?? [], after.dashboards, () => 'dashboard', settings('its tiles or readers'), 'additive', 'setting'),
    ...compareLists(before?.sinks ?? [], after.sinks ?? [], () => 'sink', compareSinks, 'additive', 'setting'),
  ]
}

interface Named {
  readonly name: string
  readonly at: string
}

type Effect<A> = ChangeClass | ((asset: A) => Reason)

function compareLists<A extends Named>(
  before: readonly A[],
  after: readonly A[],
  kindOf: (asset: A) => AssetKind,
  compare: (before: A, after: A) => readonly Reason[],
  added: Effect<A>,
  removed: Effect<A>,
): readonly Change[] {
  const here = after.flatMap((asset): readonly Change[] => {
    const old = before.find((other) => other.name === asset.name)
    if (!old) return [changeOf(kindOf(asset), asset, 'added', [reasonOf(added, asset, 'is new')])]
    const reasons = compare(old, asset)
    return reasons.length > 0 ? [changeOf(kindOf(asset), asset, 'changed', reasons)] : []
  })
  const gone = before.filter((asset) => !after.some((other) => other.name === asset.name))
  return [...here, ...gone.map((asset) => changeOf(kindOf(asset), asset, 'removed', [reasonOf(removed, asset, 'is no longer defined')]))]
}

const reasonOf = <A>(effect: Effect<A>, asset: A, reason: string): Reason =>
  typeof effect === 'function' ? effect(asset) : { effect, reason }

function changeOf(kind: AssetKind, asset: Named, action: Change['action'], reasons: readonly Reason[]): Change {
  const gravest = GRAVITY.findLast((candidate) => reasons.some(({ effect }) => effect === candidate)) ?? 'setting'
  const text = reasons.map(({ reason }) => reason)
  return { kind, name: asset.name, ...(action === 'removed' ? {} : { at: asset.at }), action, class: gravest, reasons: text }
}

const relationAdded = (relation: Relation): Reason => ({
  effect: 'additive',
  reason: `is new, with ${relation.shape.fields.length === 1 ? 'one column' : `${relation.shape.fields.length} columns`}`,
})

const isView = (relation: Relation): boolean => relation.kind === 'model' && relation.refresh === 'view'

const relationRemoved = (relation: Relation): Reason =>
  isView(relation)
    ? { effect: 'breaking', reason: 'is no longer defined: who reads it fails' }
    : { effect: 'breaking', reason: 'is no longer defined: its rows are deleted' }

const callersLost = (): Reason => ({ effect: 'breaking', reason: 'is no longer defined: its callers get 404' })

/** Equal but for the place. */
const equal = (a: unknown, b: unknown): boolean => canonical(a) === canonical(b)

function canonical(value: unknown): string {
  return JSON.stringify(value, (key, inner) => {
    if (key === 'at') return undefined
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner as object).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}

const settings =
  (what: string, effect: ChangeClass = 'setting') =>
  (before: Named, after: Named): readonly Reason[] =>
    equal(before, after) ? [] : [{ effect, reason: `changes ${what}` }]

/** A live model stands on the SQL of the live models that it reads. */
function compareLiveInputs(before: readonly Relation[], after: readonly Relation[], relation: Relation): readonly Reason[] {
  const inputs = relation.kind === 'model' && relation.refresh === 'live' ? liveInputs(after, relation) : []
  return inputs.flatMap((input): Reason[] => {
    const old = before.find(({ name }) => name === input.name)
    const isSame = old === undefined || (old.kind === 'model' && equal(old.sql, input.sql))
    return isSame ? [] : [{ effect: 'rebuild', reason: `reads "${input.name}", whose SQL changes` }]
  })
}

function compareRelations(before: Relation, after: Relation): readonly Reason[] {
  if (before.kind !== after.kind)
    return [{ effect: 'refused', reason: `was a ${before.kind} and is now a ${after.kind}: give it another name` }]
  const columns = compareShapes(before.shape, after.shape, after.formatVersion)
  const own =
    after.kind === 'stream'
      ? compareStreams(before as StreamManifest, after)
      : after.kind === 'table'
        ? compareTables(before as TableManifest, after)
        : compareModels(before as ModelManifest, after)
  const shape = isRebuilt(after) ? columns.map(asRebuild) : columns
  return [...shape, ...own, ...compareCommon(before, after)]
}

/** Their rows can be had again: a change that stored rows cannot take is a rebuild. */
const isRebuilt = (relation: Relation): boolean =>
  relation.kind === 'model' || (relation.kind === 'table' && relation.source.kind === 'files' && relation.load === 'full')

const asRebuild = (change: ColumnChange): Reason => (change.effect === 'refused' ? { ...change, effect: 'rebuild' } : change)

function compareCommon(before: Relation, after: Relation): readonly Reason[] {
  const reasons: Reason[] = []
  if (!equal([before.partition, before.cluster], [after.partition, after.cluster]))
    reasons.push({ effect: 'additive', reason: 'new files are laid out differently; old ones stay until compaction' })
  if (before.formatVersion !== after.formatVersion)
    reasons.push(
      after.formatVersion === undefined
        ? { effect: 'refused', reason: 'a table of Iceberg version 3 does not become one of version 2 again: give it another name' }
        : { effect: 'breaking', reason: 'becomes a table of Iceberg version 3: readers that know only version 2 fail' },
    )
  if (before.encrypted !== after.encrypted && !isView(after))
    reasons.push({
      effect: 'refused',
      reason: `${after.encrypted ? 'was stored in the clear and is to be encrypted' : 'was stored encrypted and is not to be any more'}: give it another name`,
    })
  const [oldMs, newMs] = [before.keep.tableMs ?? Number.POSITIVE_INFINITY, after.keep.tableMs ?? Number.POSITIVE_INFINITY]
  if (newMs < oldMs) reasons.push({ effect: 'breaking', reason: `rows older than ${formatAge(newMs)} are deleted` })
  if (newMs > oldMs)
    reasons.push({
      effect: 'setting',
      reason: newMs === Number.POSITIVE_INFINITY ? 'rows are kept for ever' : `rows are kept for ${formatAge(newMs)}`,
    })
  if (Number.isFinite(oldMs) && Number.isFinite(newMs) && before.keep.by !== after.keep.by)
    reasons.push({
      effect: 'breaking',
      reason: `rows are deleted by the age of "${after.keep.by}"${before.keep.by === undefined ? '' : `, no longer of "${before.keep.by}"`}`,
    })
  if ((before.keep.archive ?? null) !== (after.keep.archive ?? null))
    reasons.push({
      effect: 'setting',
      reason: after.keep.archive === undefined ? 'old rows are not archived any more' : 'old rows are archived',
    })
  if (before.keep.logMs !== after.keep.logMs)
    reasons.push({ effect: 'setting', reason: `the log is kept for ${formatAge(after.keep.logMs)}` })
  if (before.freshMs !== after.freshMs)
    reasons.push({
      effect: 'setting',
      reason: after.freshMs === undefined ? 'has no freshness target any more' : `is to be at most ${formatAge(after.freshMs)} old`,
    })
  if (!equal([before.doc, before.owner, before.tags], [after.doc, after.owner, after.tags]))
    reasons.push({ effect: 'setting', reason: 'is described differently' })
  return reasons
}

function compareStreams(before: StreamManifest, after: StreamManifest): readonly Reason[] {
  const reasons: Reason[] = []
  if (before.source !== after.source) reasons.push({ effect: 'refused', reason: 'its rows come from elsewhere: give it another name' })
  reasons.push(...compareTopics(before.kafka, after.kafka))
  if (before.partitions !== after.partitions || before.key !== after.key)
    reasons.push({
      effect: 'refused',
      reason: `is divided differently (${divided(before)} -> ${divided(after)}): events of one key would be in two places; give it another name`,
    })
  if (before.time !== after.time)
    reasons.push({ effect: 'breaking', reason: `takes its time from ${after.time ?? 'arrival'}: what was late may differ` })
  if (!equal([before.latenessMs, before.maxSkewMs, before.dedupe], [after.latenessMs, after.maxSkewMs, after.dedupe]))
    reasons.push({ effect: 'setting', reason: 'classifies late and double rows differently from the next row on' })
  return reasons
}

/** A topic is read on from where it was; another one, or another cluster's, from its start. */
function compareTopics(before: KafkaSourceManifest | undefined, after: KafkaSourceManifest | undefined): readonly Reason[] {
  if (!before || !after || equal(before, after)) return []
  const isAnother = !equal([before.topic, before.connection.bus, before.epoch], [after.topic, after.connection.bus, after.epoch])
  if (isAnother)
    return [{ effect: 'additive', reason: `topic ${after.topic} of ${after.connection.bus} is read from its start (${after.start})` }]
  return [{ effect: 'setting', reason: 'its topic is reached or read differently from the next message on' }]
}

function compareSinks(before: SinkManifest, after: SinkManifest): readonly Reason[] {
  if (equal(before, after)) return []
  const isAnother = !equal([before.from, before.to.topic, before.to.connection.bus], [after.from, after.to.topic, after.to.connection.bus])
  if (isAnother) return [{ effect: 'refused', reason: 'it connects other ends: give it another name, and it begins with all rows' }]
  return [{ effect: 'setting', reason: 'writes differently from the next row on' }]
}

const divided = (stream: StreamManifest): string => `${stream.partitions} by ${stream.key ?? 'no column'}`

function compareTables(before: TableManifest, after: TableManifest): readonly Reason[] {
  const reasons: Reason[] = []
  const again: ChangeClass = isRebuilt(after) ? 'rebuild' : 'refused'
  if (!equal(before.key, after.key))
    reasons.push({ effect: again, reason: `its key changes from ${named(before.key)} to ${named(after.key)}` })
  if (before.source.kind === 'kafka' && after.source.kind === 'kafka') reasons.push(...compareTopics(before.source, after.source))
  else if (!equal(before.source, after.source))
    reasons.push({ effect: isRebuilt(after) ? 'rebuild' : 'setting', reason: 'its source changes' })
  if (before.load !== after.load) reasons.push({ effect: 'setting', reason: `is loaded by ${after.load}, not ${before.load}` })
  return reasons
}

const named = (columns: readonly string[]): string => (columns.length === 0 ? 'none' : columns.join(', '))

function compareModels(before: ModelManifest, after: ModelManifest): readonly Reason[] {
  const reasons: Reason[] = []
  const isView = after.refresh === 'view' && before.refresh === 'view'
  const isHistory = after.refresh === 'scd2'
  // Earlier versions of rows cannot be had again: what the new SQL gives differently becomes the next version.
  const again: ChangeClass = isView || isHistory ? 'setting' : 'rebuild'
  if (!equal([plainSql(before), before.sql.params], [plainSql(after), after.sql.params]))
    reasons.push({ effect: again, reason: 'its SQL changes' })
  if (before.refresh !== after.refresh)
    reasons.push(
      isHistory || before.refresh === 'scd2'
        ? { effect: 'refused', reason: 'versions of rows are kept, or are kept no more: give it another name' }
        : { effect: 'rebuild', reason: `its refresh changes from ${before.refresh} to ${after.refresh}` },
    )
  if (!equal([before.key, before.by], [after.key, after.by]))
    reasons.push({
      effect: again,
      reason: `its key or interval changes from ${named([...before.key, before.by ?? ''].filter(Boolean))} to ${named([...after.key, after.by ?? ''].filter(Boolean))}`,
    })
  if (!equal([before.lookbackMs, before.onChange, before.emit], [after.lookbackMs, after.onChange, after.emit]))
    reasons.push({ effect: 'setting', reason: 'follows changes of its inputs differently from now on' })
  if (before.memoryBytes !== after.memoryBytes) reasons.push({ effect: 'setting', reason: 'the memory of its state changes' })
  return reasons
}

/** Line breaks and indentation do not change a query; text in quotes is left alone by rebuilding rather than not. */
const plainSql = (model: ModelManifest): string =>
  model.sql.text.includes("'") ? model.sql.text.trim() : model.sql.text.replaceAll(/\s+/g, ' ').trim()

function compareProcessors(before: ProcessorManifest, after: ProcessorManifest): readonly Reason[] {
  const reasons: Reason[] = []
  const mayReset = (name: string): boolean => after.reset === true || (after.reset?.includes(name) ?? false)
  if (!equal([before.from, before.key, before.time], [after.from, after.key, after.time]))
    reasons.push(
      after.reset === true
        ? { effect: 'rebuild', reason: 'reads or groups its input differently: its state starts anew' }
        : { effect: 'refused', reason: 'reads or groups its input differently: give it reset: true, and its state starts anew' },
    )
  for (const name of Object.keys(before.state))
    if (!(name in after.state)) reasons.push({ effect: 'breaking', reason: `forgets its state "${name}"` })
  for (const [name, state] of Object.entries(after.state)) {
    const old = before.state[name]
    if (!old) reasons.push({ effect: 'additive', reason: `its state "${name}" starts empty` })
    else if (keepsState(old, state)) {
      if (!equal(old, state)) reasons.push({ effect: 'setting', reason: `its state "${name}" is kept, with other settings from now on` })
    } else if (mayReset(name)) reasons.push({ effect: 'rebuild', reason: `its state "${name}" changes: it starts empty` })
    else
      reasons.push({
        effect: 'refused',
        reason: `its state "${name}" changes from ${old.kind} to ${state.kind === old.kind ? 'one of another form' : state.kind}: give it another name, or reset: ['${name}'], and it starts empty`,
      })
  }
  for (const [name, stream] of Object.entries(before.outputs ?? {}))
    if (after.outputs?.[name] !== stream) reasons.push({ effect: 'breaking', reason: `no longer emits into "${stream}"` })
  for (const stream of Object.values(after.outputs ?? {}))
    if (!Object.values(before.outputs ?? {}).includes(stream)) reasons.push({ effect: 'additive', reason: `emits into "${stream}" too` })
  for (const name of before.timers ?? [])
    if (!after.timers?.includes(name)) reasons.push({ effect: 'breaking', reason: `forgets its timers "${name}"` })
  if (!equal(before.broadcast ?? {}, after.broadcast ?? {}))
    reasons.push({ effect: 'setting', reason: 'is told of other tables from now on' })
  if (before.limitMs !== after.limitMs) reasons.push({ effect: 'setting', reason: 'the time limit of a call changes' })
  if (before.memoryBytes !== after.memoryBytes) reasons.push({ effect: 'setting', reason: 'the memory of its state changes' })
  return reasons
}

function compareEndpoints(before: EndpointManifest, after: EndpointManifest): readonly Reason[] {
  const reasons: Reason[] = []
  for (const column of compareShapes(before.result, after.result))
    reasons.push({ reason: column.reason, effect: column.effect === 'refused' ? 'additive' : column.effect })
  for (const field of after.params.fields)
    if (!field.optional && !before.params.fields.some((old) => old.name === field.name))
      reasons.push({ effect: 'breaking', reason: `needs a new parameter "${field.name}"` })
  if (!equal(before.allow, after.allow)) reasons.push({ effect: 'policy', reason: `is open to ${named(after.allow)}` })
  const rest = ({ at, result, allow, ...others }: EndpointManifest): unknown => others
  if (!equal(rest(before), rest(after)) && reasons.length === 0) reasons.push({ effect: 'setting', reason: 'answers differently' })
  return reasons
}
