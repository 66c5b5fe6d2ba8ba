// Streams and the outputs of processors.
import type { Definition } from '../../define/definition.ts'
import type { Fields } from '../../define/field.ts'
import type { ProcessorManifest, StateManifest, StreamManifest } from '../../define/manifest.ts'
import type { ProcessorHow } from '../../define/processor.ts'
import type { StateSpec } from '../../define/state.ts'
import type { StreamHow } from '../../define/stream.ts'
import { printType, type Shape } from '../../schema/type.ts'
import { checkColumnNames } from '../names.ts'
import { checkOptions, columnIn, durationOf, fail, listOf, placeIn, type Scope, warn } from '../scope.ts'
import { commonOf, RELATION_OPTIONS, shapeOf } from './fields.ts'

export interface StreamDefinition extends Definition<'stream'> {
  readonly $shape: Fields
  readonly $how: StreamHow<Fields> | ProcessorHow<Fields, unknown, Readonly<Record<string, StateSpec>>>
}

type ProcessorOptions = ProcessorHow<Fields, unknown, Readonly<Record<string, StateSpec>>>

export const isProcessor = (how: StreamDefinition['$how']): how is ProcessorOptions => 'on' in how

export async function compileStream(scope: Scope, definition: StreamDefinition): Promise<StreamManifest> {
  const what = `stream "${definition.$name}"`
  const shape = shapeOf(scope, what, definition.$shape, definition.$at)
  await checkColumnNames(scope, what, shape, definition.$at, false)
  return isProcessor(definition.$how)
    ? outputOf(scope, definition, definition.$how, shape)
    : collected(scope, definition, definition.$how, shape)
}

function collected(scope: Scope, definition: StreamDefinition, how: StreamHow<Fields>, shape: Shape): StreamManifest {
  const at = definition.$at
  const what = `stream "${definition.$name}"`
  checkOptions(scope, definition, how, [...RELATION_OPTIONS, 'from', 'key', 'time', 'lateness', 'maxSkew', 'dedupe', 'partitions'])
  if (how.from?.$source !== 'http')
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: a stream cannot read from this source`, 'write from: http()')
  const maxSkewMs = durationOf(scope, at, `${what}, maxSkew`, how.maxSkew)
  const time = timeColumn(scope, what, shape, how.time, at)
  if (time === undefined && how.time === undefined && (how.lateness !== undefined || how.maxSkew !== undefined))
    warn(scope, 'MR_PLAN_KEY', at, `${what}: lateness and maxSkew have no effect without an event time`, "add time: '<a timestamp column>'")
  const common = commonOf(scope, definition, how, shape)
  const partitions = partitionCount(scope, what, how.partitions, at)
  const key = how.key === undefined ? undefined : columnIn(scope, shape, how.key, at, `${what}, key`, 'MR_PLAN_KEY')?.name
  const dedupe = dedupeOf(scope, what, how, shape, at, partitions)
  if (dedupe && common.keep.logMs < dedupe.withinMs)
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what}: the log is kept shorter than duplicates are looked for`,
      'make keep.log at least as long as dedupe.within',
    )
  return {
    kind: 'stream',
    ...common,
    source: 'http',
    partitions,
    ...(key === undefined ? {} : { key }),
    ...(time === undefined ? {} : { time }),
    latenessMs: durationOf(scope, at, `${what}, lateness`, how.lateness) ?? 0,
    ...(maxSkewMs === undefined ? {} : { maxSkewMs }),
    ...(dedupe === undefined ? {} : { dedupe }),
  }
}

/**
 * Duplicates are looked for in one partition, so rows that are equal must meet there (PROTOCOL rule 7): the partition key
 * belongs to what is compared. With it the result is the same for any number of partitions.
 */
function dedupeOf(
  scope: Scope,
  what: string,
  how: StreamHow<Fields>,
  shape: Shape,
  at: string,
  partitions: number,
): StreamManifest['dedupe'] {
  if (how.dedupe === undefined) return undefined
  const withinMs = durationOf(scope, at, `${what}, dedupe.within`, how.dedupe.within)
  const named = listOf(how.dedupe.by).filter((name) => columnIn(scope, shape, name, at, `${what}, dedupe.by`, 'MR_PLAN_KEY'))
  if (how.key === undefined && partitions > 1)
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what}: duplicates are looked for in each partition, but rows of one "${named.join(', ')}" go to any of ${partitions}`,
      `add key: '${named[0] ?? 'id'}'`,
    )
  if (withinMs === undefined || named.length === 0) return undefined
  return { by: how.key === undefined || named.includes(how.key) ? named : [how.key, ...named], withinMs }
}

function timeColumn(scope: Scope, what: string, shape: Shape, name: string | undefined, at: string): string | undefined {
  if (name === undefined) return undefined
  const field = columnIn(scope, shape, name, at, `${what}, time`, 'MR_PLAN_KEY')
  if (!field) return undefined
  if (field.type.kind !== 'timestamp' || field.optional) {
    const is = field.type.kind === 'timestamp' ? 'may be null' : `is ${printType(field.type)}`
    fail(scope, 'MR_PLAN_KEY', at, `${what}: the time "${name}" ${is}`, 'an event time is a t.timestamp() that is never null')
    return undefined
  }
  return name
}

function partitionCount(scope: Scope, what: string, count: number | undefined, at: string): number {
  if (count === undefined) return 1
  if (Number.isInteger(count) && count >= 1 && count <= 1024) return count
  fail(scope, 'MR_DEFINE_VALUE', at, `${what}: ${count} partitions are not possible`, 'choose 1 to 1024')
  return 1
}

function outputOf(scope: Scope, definition: StreamDefinition, how: ProcessorOptions, shape: Shape): StreamManifest {
  const at = definition.$at
  const what = `processor "${definition.$name}"`
  checkOptions(scope, definition, how, [...RELATION_OPTIONS, 'from', 'key', 'time', 'state', 'on', 'partitions'])
  const own = (name: string | undefined) => shape.fields.find((field) => field.name === name)
  const time = own(how.time)
  return {
    kind: 'stream',
    ...commonOf(scope, definition, how, shape),
    source: 'processor',
    processor: definition.$name,
    partitions: partitionCount(scope, what, how.partitions, at),
    ...(own(how.key) ? { key: how.key! } : {}),
    ...(time?.type.kind === 'timestamp' && !time.optional ? { time: time.name } : {}),
    latenessMs: 0,
  }
}

/** The processor behind a stream; undefined when its input could not be compiled. */
export function compileProcessor(scope: Scope, definition: StreamDefinition, how: ProcessorOptions): ProcessorManifest | undefined {
  const at = definition.$at
  const what = `processor "${definition.$name}"`
  const input = scope.relations.get(how.from?.$name ?? '')
  if (!input) return undefined
  if (input.kind !== 'stream') {
    fail(scope, 'MR_DEFINE_VALUE', at, `${what} reads "${input.name}", which is a ${input.kind}`, 'a processor reads a stream')
    return undefined
  }
  const key = how.key === undefined ? undefined : columnIn(scope, input.shape, how.key, at, `${what}, key`, 'MR_PLAN_KEY')?.name
  const time = timeColumn(scope, what, input.shape, how.time, at)
  if (key !== undefined && input.partitions > 1 && input.key !== key)
    fail(
      scope,
      'MR_PLAN_KEY',
      at,
      `${what} keeps state by "${key}", but "${input.name}" is partitioned ${input.key === undefined ? 'by no column' : `by "${input.key}"`}: events of one ${key} come in no order`,
      `give stream "${input.name}" key: '${key}', or one partition`,
    )
  const states = Object.entries(how.state ?? {}).flatMap(([name, spec]) => stateOf(scope, `${what}, state "${name}"`, spec, at, name))
  if (states.length > 0 && how.key === undefined)
    fail(scope, 'MR_PLAN_KEY', at, `${what} has state but no key`, "add key: '<a column of its input>'")
  return {
    kind: 'processor',
    name: definition.$name,
    at: placeIn(scope.root, at),
    from: input.name,
    ...(key === undefined ? {} : { key }),
    ...(time === undefined ? {} : { time }),
    state: Object.fromEntries(states),
  }
}

function stateOf(scope: Scope, what: string, spec: StateSpec, at: string, name: string): readonly (readonly [string, StateManifest])[] {
  const withinMs = durationOf(scope, at, what, spec.within)
  const type = spec.field?.type
  switch (spec.$state) {
    case 'moments':
      return [[name, { kind: 'moments' }]]
    case 'ewma':
      return withinMs === undefined ? [] : [[name, { kind: 'ewma', windowMs: withinMs }]]
    case 'value':
      if (type) return [[name, { kind: 'value', type }]]
      break
    case 'expiringSet':
      if (type) return withinMs === undefined ? [] : [[name, { kind: 'expiringSet', type, withinMs }]]
  }
  fail(
    scope,
    'MR_DEFINE_VALUE',
    at,
    `${what} takes its type from a model, or is not a state`,
    'write the type, such as keyed.value(t.string())',
  )
  return []
}
