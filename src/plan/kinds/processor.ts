// The processor behind a stream: what it reads, its state, timers and further outputs. Its code is not in the manifest.
import { type Fields, hasDefault } from '../../define/field.ts'
import type { ProcessorManifest, StateManifest } from '../../define/manifest.ts'
import type { StateSpec } from '../../define/state.ts'
import type { StreamHow } from '../../define/stream.ts'
import { isLogged } from '../../define/system-columns.ts'
import { durationOf, fail, flatColumnIn, isMember, placeIn, type Scope, sizeOf } from '../scope.ts'
import { type ProcessorOptions, type StreamDefinition, timeColumn } from './stream.ts'

/** Undefined when its input could not be compiled. */
export function compileProcessor(scope: Scope, definition: StreamDefinition, how: ProcessorOptions): ProcessorManifest | undefined {
  const at = definition.$at
  const what = `processor "${definition.$name}"`
  const input = scope.relations.get(how.from?.$name ?? '')
  if (!input) return undefined
  if (input.kind !== 'stream') {
    fail(scope, 'MR_DEFINE_VALUE', at, `${what} reads "${input.name}", which is a ${input.kind}`, 'a processor reads a stream')
    return undefined
  }
  const key = how.key === undefined ? undefined : flatColumnIn(scope, input.shape, how.key, at, `${what}, key`, 'MR_PLAN_KEY')?.name
  const time = timeColumn(scope, what, input.shape, how.time, at)
  if (key !== undefined && input.partitions > 1 && input.key !== key)
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what} keeps state by "${key}", but "${input.name}" is partitioned ${input.key === undefined ? 'by no column' : `by "${input.key}"`}: events of one ${key} come in no order`,
      `give stream "${input.name}" key: '${key}', or one partition`,
    )
  const declared = statesOf(scope, what, how.state, at)
  const states = Object.entries(declared).flatMap(([name, spec]) => {
    const state = stateOf(scope, `${what}, state "${name}"`, spec, at)
    return state ? [[name, state] as const] : []
  })
  if (states.some(([, { scope: kept }]) => kept !== 'partition') && how.key === undefined)
    fail(scope, 'MR_PLAN_KEY', at, `${what} has state but no key`, "add key: '<a column of its input>', or keep it shared.*")
  const limitMs = durationOf(scope, at, `${what}, limit`, how.limit)
  const memoryBytes = sizeOf(scope, at, `${what}, memory`, how.memory)
  for (const name of how.reset === true ? [] : (how.reset ?? []))
    if (!(name in declared))
      fail(scope, 'MR_DEFINE_VALUE', at, `${what}, reset: it has no state "${name}"`, 'name states that it declares, or give reset: true')
  const timers = Object.keys(how.onTimer ?? {})
  const outputs = outputsOf(scope, what, how, at, time !== undefined && time === input.time)
  const broadcast = broadcastOf(scope, what, how, at)
  return {
    kind: 'processor',
    name: definition.$name,
    at: placeIn(scope.root, at),
    from: input.name,
    ...(key === undefined ? {} : { key }),
    ...(time === undefined ? {} : { time }),
    state: Object.fromEntries(states),
    ...(timers.length === 0 ? {} : { timers }),
    ...(outputs.length === 0 ? {} : { outputs: Object.fromEntries(outputs) }),
    ...(broadcast.length === 0 ? {} : { broadcast: Object.fromEntries(broadcast) }),
    ...(limitMs === undefined ? {} : { limitMs }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(how.reset === undefined ? {} : { reset: how.reset }),
  }
}

function broadcastOf(scope: Scope, what: string, how: ProcessorOptions, at: string): readonly (readonly [string, string])[] {
  return Object.entries(how.broadcast ?? {}).flatMap(([name, relation]) => {
    const place = `${what}, broadcast.${name}`
    if (!isMember(scope, relation, at, place)) return []
    const table = scope.relations.get(relation.$name)
    if (table && (table.kind !== 'table' || !isLogged(table)))
      fail(
        scope,
        'MR_DEFINE_VALUE',
        at,
        `${place}: "${relation.$name}" is no table that is fed over HTTP or by a topic`,
        'give it from: http() and a key',
      )
    if (typeof how.onBroadcast?.[name] !== 'function')
      fail(scope, 'MR_DEFINE_VALUE', at, `${place}: nothing is done with its rows`, `add onBroadcast: { ${name}(row, state) {} }`)
    return [[name, relation.$name] as const]
  })
}

/** `isTimed`: the processor hands on the watermark of its input. */
function outputsOf(
  scope: Scope,
  what: string,
  how: ProcessorOptions,
  at: string,
  isTimed: boolean,
): readonly (readonly [string, string])[] {
  return Object.entries(how.outputs ?? {}).flatMap(([name, relation]) => {
    const place = `${what}, outputs.${name}`
    if (!isMember(scope, relation, at, place)) return []
    const own = (relation as unknown as StreamDefinition).$how as Partial<StreamHow<Fields>>
    if (relation.$kind !== 'stream' || own.from?.$source !== 'emitted') {
      fail(scope, 'MR_DEFINE_VALUE', at, `${place}: "${relation.$name}" has rows of its own`, 'give it from: emitted()')
      return []
    }
    if (own.time !== undefined && !isTimed)
      fail(
        scope,
        'MR_PLAN_KEY',
        at,
        `${place}: "${relation.$name}" has an event time, but the processor has not that of its input: it would have no watermark`,
        'give the processor the time of its input, or the output none',
      )
    return [[name, relation.$name] as const]
  })
}

/** What users write without types may be anything. */
function statesOf(scope: Scope, what: string, state: unknown, at: string): Readonly<Record<string, StateSpec>> {
  const isNamed = state !== null && typeof state === 'object' && !Array.isArray(state) && !('$state' in state)
  if (isNamed) return state as Readonly<Record<string, StateSpec>>
  if (state !== undefined)
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: its state is ${typeof state === 'function' ? 'a function' : 'no object of named states'}`,
      'write state: { name: keyed.value(t.long()) }',
    )
  return {}
}

function stateOf(scope: Scope, what: string, spec: StateSpec, at: string): StateManifest | undefined {
  const wrong = (message: string, fix: string): undefined => void fail(scope, 'MR_DEFINE_VALUE', at, `${what} ${message}`, fix)
  if (spec === null || typeof spec !== 'object') return wrong('is not a state', 'declare it by keyed.* or shared.*')
  const within = (): number => {
    if (spec.within === undefined) wrong('has no length of time', "write one, such as '10 minutes'")
    return durationOf(scope, at, what, spec.within) ?? 0
  }
  const own = spec.$scope === 'partition' ? { scope: 'partition' as const } : {}
  const type = spec.field?.type
  const number = (name: string, least: number, most: number, isWhole = true): number => {
    const value = spec.numbers?.[name] ?? Number.NaN
    if (value >= least && value <= most && (!isWhole || Number.isInteger(value))) return value
    wrong(`has ${name} ${value}`, `choose ${isWhole ? 'a whole number' : 'a number'} from ${least} to ${most}`)
    return least
  }
  switch (spec.$state) {
    case 'moments':
      return { ...own, kind: 'moments' }
    case 'ewma':
      return { ...own, kind: 'ewma', windowMs: within() }
    case 'window':
      return { ...own, kind: 'window', withinMs: within(), panes: number('panes', 1, 3600) }
    case 'quantiles':
      return { ...own, kind: 'quantiles', accuracy: number('accuracy', 0.0001, 0.5, false) }
    case 'logistic':
    case 'regression':
      return learnerOf(spec, spec.$state, number, wrong)
  }
  if (hasDefault(spec.field) || hasDefault(spec.keyField))
    return wrong('has a type with a default, but only columns have defaults', 'remove .default(...)')
  if (!type || (spec.$state === 'map' && !spec.keyField?.type))
    return wrong('takes its type from a model, or is not a state', 'write the type, such as keyed.value(t.string())')
  switch (spec.$state) {
    case 'value':
      return { ...own, kind: 'value', type }
    case 'map':
      return { ...own, kind: 'map', key: spec.keyField!.type!, type, ...(spec.within === undefined ? {} : { withinMs: within() }) }
    case 'expiringSet':
      return { ...own, kind: 'expiringSet', type, withinMs: within() }
    case 'top': {
      const size = number('size', 1, 1000)
      return { ...own, kind: 'top', type, size, counters: number('counters', size, 100_000) }
    }
    case 'distinct':
      return { ...own, kind: 'distinct', type, precision: number('precision', 4, 16) }
    default:
      return wrong('is not a state', 'declare it by keyed.* or shared.*')
  }
}

function learnerOf(
  spec: StateSpec,
  kind: 'logistic' | 'regression',
  number: (name: string, least: number, most: number, isWhole?: boolean) => number,
  wrong: (message: string, fix: string) => undefined,
): StateManifest | undefined {
  const features = spec.features ?? []
  if (features.length === 0 || new Set(features).size < features.length || features.includes('intercept'))
    return wrong(`has the features ${JSON.stringify(features)}`, 'name at least one, each once; the intercept is always there')
  const own = spec.$scope === 'partition' ? { scope: 'partition' as const } : {}
  return { ...own, kind, features, rate: number('rate', 1e-6, 100, false), decay: number('decay', 0, 100, false) }
}
