// Models: SQL bound to columns, and whether the wanted refresh is possible.

import { MillraceError } from '../../core/errors.ts'
import type { Size } from '../../core/size.ts'
import type { Definition } from '../../define/definition.ts'
import type { Fields } from '../../define/field.ts'
import type { ModelManifest, Relation } from '../../define/manifest.ts'
import type { ModelHow } from '../../define/model.ts'
import { renderSql } from '../../define/render-sql.ts'
import type { Sql } from '../../define/sql.ts'
import { HISTORY_FIELDS, isLookedUp, liveInputs } from '../../define/system-columns.ts'
import { computedIn } from '../../engine/algebra/lower-computed.ts'
import { InModelError } from '../../engine/algebra/refuse.ts'
import { type LiveQuery, mayBeNull } from '../../engine/algebra/relation.ts'
import { inlineConstants } from '../../engine/sql-text.ts'
import { fromDuckType } from '../../schema/duckdb.ts'
import { printType, type Shape, type Type } from '../../schema/type.ts'
import type { BoundColumn, LiveResult, WindowCall } from '../binder.ts'
import { checkColumnNames } from '../names.ts'
import { checkOptions, columnIn, durationOf, fail, listOf, type Scope, sizeOf } from '../scope.ts'
import { charAt } from '../sql/tree.ts'
import { didYouMean } from '../suggest.ts'
import { commonOf, RELATION_OPTIONS, shapeOf } from './fields.ts'
import { bindSql, type Query } from './query.ts'
import { resultShape, warnLostTags, withInstants } from './result.ts'
import { keyColumns } from './table.ts'

interface ModelOptions extends Omit<ModelHow<never>, 'refresh' | 'fresh' | 'key'> {
  readonly refresh?: ModelManifest['refresh']
  readonly fresh?: ModelHow<never>['fresh']
  readonly key?: string | readonly string[]
  readonly by?: string
  readonly lookback?: `${number} days`
  readonly onChange?: 'recompute' | 'keep'
  readonly emit?: 'final' | 'changes'
  readonly memory?: Size
  readonly columns?: Fields
}

export interface ModelDefinition extends Definition<'model'> {
  readonly $sql: Sql
  readonly $how: ModelOptions
}

const REFRESHES = ['view', 'full', 'incremental', 'scd2', 'live']

/** The model, or undefined when its SQL does not bind. */
export async function compileModel(scope: Scope, definition: ModelDefinition, query: Query): Promise<ModelManifest | undefined> {
  const { $how: how, $at: at } = definition
  const what = `model "${definition.$name}"`
  checkOptions(scope, definition, how, [...RELATION_OPTIONS, 'refresh', 'key', 'by', 'lookback', 'onChange', 'emit', 'memory', 'columns'])
  const refresh = refreshOf(scope, what, how, at)
  const isSound = checkWindows(scope, what, query, refresh, at)
  const bound = await bindSql(scope, what, query)
  if (!bound) return undefined
  const isWindowed = query.inspected.windows.length > 0
  const live = (refresh === 'live' || isWindowed) && isSound ? await checkLiveShape(scope, what, query) : undefined
  const inferred = resultShape(scope, what, bound.columns, at)
  for (const column of bound.columns) if (how.columns?.[column.name] === undefined) warnLostTags(scope, what, column, at)
  await checkColumnNames(scope, what, inferred, at, true)
  const declared = how.columns && shapeOf(scope, what, how.columns, at)
  if (declared) compareShapes(scope, what, declared, bound.columns, at)
  const computed = refresh === 'live' && live ? computedIn(live.query.root) : []
  const isKeyed = refresh === 'live' && live?.result === 'keyed'
  const keys = isKeyed ? liveKey(scope, what, live.key, listOf(how.key), at) : listOf(how.key)
  const columns = declared ?? inferred
  const given = isKeyed ? liveShape(scope, what, columns, live.query, declared !== undefined, at) : requireKey(columns, keys)
  const shape = withHistory(scope, what, given, refresh, at)
  const by = how.by === undefined ? undefined : intervalColumn(scope, what, shape, how.by, at)
  const memoryBytes = sizeOf(scope, at, `${what}, memory`, how.memory)
  const lookbackMs = durationOf(scope, at, `${what}, lookback`, how.lookback)
  if (refresh === 'scd2' && keys.length === 0)
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what} keeps versions of rows, but has no key`,
      "add key: '<column>', by which the versions of a row are one",
    )
  if (refresh === 'incremental') checkIncremental(scope, what, how, query, at)
  // Windows are functions of the stream engine; in batch the model is its twin, which gives the same rows.
  const text = refresh === 'live' || !live ? query.rendered.text : live.batchSql
  return {
    kind: 'model',
    ...commonOf(scope, definition, { ...how, refresh }, shape),
    sql: { text: refresh === 'view' ? withInstants(text, bound.columns, shape) : text, params: query.rendered.params },
    inputs: query.inputs,
    refresh,
    key: keyColumns(scope, what, requireKey(shape, keys), keys, at),
    ...(by === undefined ? {} : { by }),
    ...(lookbackMs === undefined ? {} : { lookbackMs }),
    ...(how.onChange === undefined ? {} : { onChange: how.onChange }),
    emit: how.emit ?? 'final',
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(isKeyed ? { keyed: true as const } : {}),
    ...(isKeyed && live?.query.loses ? { loses: true as const } : {}),
    ...(computed.length > 0 ? { computed } : {}),
    declared: declared !== undefined,
  }
}

function refreshOf(scope: Scope, what: string, how: ModelOptions, at: string): ModelManifest['refresh'] {
  if (how.refresh !== undefined && !REFRESHES.includes(how.refresh)) {
    fail(
      scope,
      'MR_PLAN_REFRESH',
      at,
      `${what}: refresh "${how.refresh}" does not exist`,
      didYouMean(how.refresh, REFRESHES, `choose ${REFRESHES.join(', ')}`),
    )
    return 'full'
  }
  if (how.fresh !== 'live') return how.refresh ?? 'full'
  if (how.refresh !== undefined && how.refresh !== 'live')
    fail(
      scope,
      'MR_PLAN_REFRESH',
      at,
      `${what} is fresh 'live' but its refresh is '${how.refresh}'`,
      'remove refresh, or give fresh a duration',
    )
  return 'live'
}

const isLive = (relation: Relation): boolean => relation.kind === 'model' && relation.refresh === 'live'

/** Windows need a stream and its event time, and no incremental model can follow them. True when nothing was reported. */
function checkWindows(scope: Scope, what: string, query: Query, refresh: ModelManifest['refresh'], at: string): boolean {
  const { windows } = query.inspected
  const before = scope.findings.length
  if (refresh !== 'live' && windows.length === 0) return true
  if (refresh === 'incremental')
    fail(
      scope,
      'MR_PLAN_REFRESH',
      query.rendered.at(windows[0]!.position),
      `${what}: ${windows[0]!.kind} is not for incremental models`,
      "add fresh: 'live', or group by time_bucket(...)",
    )
  for (const window of windows) checkWindowTime(scope, what, query, window)
  for (const name of query.inputs) {
    const input = scope.relations.get(name)
    if (!input || input.kind === 'stream' || (refresh === 'live' && (isLookedUp(input) || isLive(input)))) continue
    fail(
      scope,
      'MR_PLAN_REFRESH',
      at,
      refresh === 'live' ? `${what} is live but reads the ${input.kind} "${name}"` : `${what} has windows over the ${input.kind} "${name}"`,
      refresh === 'live'
        ? "a live model reads streams, live models, and tables with a key that come over HTTP or by a topic: give it a duration, such as fresh: '1 minute'"
        : 'group by time_bucket(...)',
    )
  }
  return scope.findings.length === before
}

/** What the stream engine can run is a closed list of shapes, which it knows itself. */
async function checkLiveShape(scope: Scope, what: string, query: Query): Promise<LiveResult | undefined> {
  const inputs = liveInputs([...scope.relations.values()], query)
  const found = await scope.binder.checkLive(query.rendered.text, new Map(inputs.map(({ name, sql }) => [name, inlineConstants(sql)])))
  if (!(found instanceof MillraceError)) return found
  const refusal = found
  const character = / \(character (\d+)\)/.exec(refusal.message)
  // What it reads was compiled before it, and is refused here for how it is read.
  const other = refusal instanceof InModelError ? (scope.defined.get(refusal.model) as ModelDefinition) : undefined
  const rendered = other ? renderSql(other.$sql, 'inline') : query.rendered
  const at = rendered.at(character ? charAt(rendered.text)(Number(character[1]) - 1) : 0)
  fail(scope, 'MR_PLAN_LIVE_SHAPE', at, `${what}: ${refusal.message.replace(character?.[0] ?? '', '')}`, refusal.fix ?? '')
  return undefined
}

/** What a live model without a window is grouped by is its key, whether it is written or not. */
function liveKey(scope: Scope, what: string, found: readonly string[], written: readonly string[], at: string): readonly string[] {
  const isSame = written.length === found.length && written.every((name) => found.includes(name))
  if (written.length > 0 && !isSame)
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      found.length === 0 ? `${what}: its SQL gives one row, which has no key` : `${what}: its SQL makes ${found.join(', ')} the key`,
      found.length === 0 ? 'leave key out' : `leave key out, or write key: ['${found.join("', '")}']`,
    )
  return found
}

/** Windows close by the watermark, which follows the event time and no other column. */
function checkWindowTime(scope: Scope, what: string, query: Query, window: WindowCall): void {
  const stream = scope.relations.get(window.relation)
  const time = stream?.kind === 'stream' ? (stream.time ?? '_ingested_at') : window.column
  if (stream?.kind !== 'stream' || time === window.column) return
  const is = window.column === undefined ? '' : `, not "${window.column}"`
  const message = `${what}: ${window.kind} needs the event time of "${stream.name}", which is "${time}"${is}`
  fail(
    scope,
    'MR_PLAN_REFRESH',
    query.rendered.at(window.position),
    message,
    `write ${window.kind}(${stream.name}, ${time}, INTERVAL 1 MINUTE)`,
  )
}

const requireKey = (shape: Shape, keys: readonly string[]): Shape => ({
  fields: shape.fields.map((field) => (keys.includes(field.name) ? { ...field, optional: false } : field)),
})

/** As the SQL says, null may be in the key of a live model, a group of its own, and in its one row, while there is nothing to aggregate. */
function liveShape(scope: Scope, what: string, { fields }: Shape, query: LiveQuery, isDeclared: boolean, at: string): Shape {
  return {
    fields: fields.map((field) => {
      if (query.key.length > 0 && !query.key.includes(field.name)) return field
      const optional = mayBeNull(query, field.name)
      if (optional && isDeclared && !field.optional)
        fail(
          scope,
          'MR_PLAN_TYPE',
          at,
          `${what} declares "${field.name}" as never null, but its SQL may give null`,
          `declare it .optional(), or write coalesce(...) AS ${field.name}`,
        )
      return { ...field, optional }
    }),
  }
}

function withHistory(scope: Scope, what: string, shape: Shape, refresh: ModelManifest['refresh'], at: string): Shape {
  if (refresh !== 'scd2') return shape
  const taken = shape.fields.find((field) => HISTORY_FIELDS.some(({ name }) => name === field.name.toLowerCase()))
  if (taken)
    fail(
      scope,
      'MR_DEFINE_COLUMN',
      at,
      `${what}: its SQL gives "${taken.name}", which its refresh adds`,
      `rename it: SELECT ${taken.name} AS ...`,
    )
  return taken ? shape : { fields: [...shape.fields, ...HISTORY_FIELDS] }
}

/** Kinds that are cast into each other without a surprise: a table's loader checks for overflow. */
const FAMILIES: readonly (readonly string[])[] = [
  ['int', 'long'],
  ['float', 'double'],
  ['decimal', 'int', 'long'],
  ['string', 'enum', 'json', 'uuid'],
]

/** Members of structs are cast by name: none may be lost, none made up. */
function fits(declared: Type, actual: Type): boolean {
  if (declared.kind === 'struct' && actual.kind === 'struct')
    return (
      declared.fields.length === actual.fields.length &&
      declared.fields.every(({ name, type }) => actual.fields.some((field) => field.name === name && fits(type, field.type)))
    )
  if (declared.kind === 'list' && actual.kind === 'list') return fits(declared.element.type, actual.element.type)
  if (declared.kind === 'map' && actual.kind === 'map')
    return fits(declared.key, actual.key) && fits(declared.value.type, actual.value.type)
  return declared.kind === actual.kind || FAMILIES.some((family) => family.includes(actual.kind) && family.includes(declared.kind))
}

function compareShapes(scope: Scope, what: string, declared: Shape, bound: readonly BoundColumn[], at: string): void {
  for (const field of declared.fields) {
    const column = bound.find((candidate) => candidate.name === field.name)
    if (!column) {
      fail(
        scope,
        'MR_PLAN_TYPE',
        at,
        `${what} declares the column "${field.name}", but its SQL does not give it`,
        didYouMean(
          field.name,
          bound.map(({ name }) => name),
          'select it',
        ),
      )
      continue
    }
    const actual = column.type
    if (actual !== null && !fits(field.type, actual) && !fits(field.type, fromDuckType(column.sqlType, 'datetime') ?? actual))
      fail(
        scope,
        'MR_PLAN_TYPE',
        at,
        `${what} declares "${field.name}" as ${printType(field.type)}, but its SQL gives ${printType(actual)}`,
        `write CAST(... AS ...) AS ${field.name}, or correct the declaration`,
      )
  }
  for (const column of bound)
    if (!declared.fields.some((field) => field.name === column.name))
      fail(
        scope,
        'MR_PLAN_TYPE',
        at,
        `${what}: its SQL gives the column "${column.name}", which it does not declare`,
        'declare it, or leave it out of the SELECT',
      )
}

function intervalColumn(scope: Scope, what: string, shape: Shape, name: string, at: string): string | undefined {
  const field = columnIn(scope, shape, name, at, `${what}, by`, 'MR_PLAN_REFRESH')
  if (!field) return undefined
  if (['date', 'timestamp', 'datetime'].includes(field.type.kind)) return name
  fail(
    scope,
    'MR_PLAN_REFRESH',
    at,
    `${what}: by "${name}" is ${printType(field.type)}`,
    "an interval is a date, datetime or timestamp: SELECT CAST(... AS date) AS day, or give key: '<column>' alone",
  )
  return undefined
}

function checkIncremental(scope: Scope, what: string, how: ModelOptions, query: Query, at: string): void {
  if (how.by === undefined && listOf(how.key).length === 0)
    fail(
      scope,
      'MR_PLAN_REFRESH',
      at,
      `${what} is incremental, but by what?`,
      "add by: '<date column>' (whole intervals are recomputed) or key: '<column>' (rows are)",
    )
  if (how.onChange !== undefined) return
  const joined = query.inputs.slice(1).filter((name) => isMutable(scope, name))
  if (joined.length > 0)
    fail(
      scope,
      'MR_PLAN_REFRESH',
      at,
      `${what} joins ${joined.map((name) => `"${name}"`).join(', ')}, whose rows change: what becomes of rows that were computed before?`,
      "add onChange: 'recompute' (they follow) or 'keep' (they stay as they were)",
    )
}

/** Streams and files that are only added to never change a row. */
function isMutable(scope: Scope, name: string): boolean {
  const relation = scope.relations.get(name)
  return relation !== undefined && relation.kind !== 'stream' && !(relation.kind === 'table' && relation.load === 'append')
}
