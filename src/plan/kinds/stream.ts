// Streams: those that are collected and those that processors emit into.
import type { Definition } from '../../define/definition.ts'
import type { Fields } from '../../define/field.ts'
import type { StreamManifest } from '../../define/manifest.ts'
import type { ProcessorHow } from '../../define/processor.ts'
import type { Relation } from '../../define/relation.ts'
import type { StateSpec } from '../../define/state.ts'
import type { StreamHow } from '../../define/stream.ts'
import { printType, type Shape } from '../../schema/type.ts'
import { checkColumnNames } from '../names.ts'
import { checkOptions, columnIn, durationOf, fail, flatColumnIn, listOf, type Scope, warn } from '../scope.ts'
import { commonOf, RELATION_OPTIONS, sentShapeOf } from './fields.ts'
import { compileTopicSource, isTopic } from './topic.ts'

export interface StreamDefinition extends Definition<'stream'> {
  readonly $shape: Fields
  readonly $how: StreamHow<Fields> | ProcessorOptions
}

export type ProcessorOptions = ProcessorHow<
  Fields,
  unknown,
  Readonly<Record<string, StateSpec>>,
  string,
  string,
  Readonly<Record<string, Relation<string, unknown, 'stream'>>>,
  Readonly<Record<string, Relation<string, unknown, 'table'>>>
>

export const isProcessor = (how: StreamDefinition['$how']): how is ProcessorOptions => 'on' in how

export async function compileStream(scope: Scope, definition: StreamDefinition): Promise<StreamManifest> {
  const what = `stream "${definition.$name}"`
  const shape = sentShapeOf(scope, what, definition.$shape, definition.$at)
  await checkColumnNames(scope, what, shape, definition.$at, false)
  return isProcessor(definition.$how)
    ? outputOf(scope, definition, definition.$how, shape)
    : collected(scope, definition, definition.$how, shape)
}

function collected(scope: Scope, definition: StreamDefinition, how: StreamHow<Fields>, shape: Shape): StreamManifest {
  const at = definition.$at
  const what = `stream "${definition.$name}"`
  checkOptions(scope, definition, how, [...RELATION_OPTIONS, 'from', 'key', 'time', 'lateness', 'maxSkew', 'dedupe', 'partitions'])
  const isEmitted = how.from?.$source === 'emitted'
  const kafka = isTopic(how.from) ? compileTopicSource(scope, what, how.from, at, []) : undefined
  if (!isEmitted && !kafka && how.from?.$source !== 'http')
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: a stream cannot read from this source`,
      'write from: http(), a topic of kafka(), or emitted()',
    )
  const emitter = isEmitted ? emitterOf(scope, definition) : undefined
  const maxSkewMs = durationOf(scope, at, `${what}, maxSkew`, how.maxSkew)
  const time = timeColumn(scope, what, shape, how.time, at)
  if (time === undefined && how.time === undefined && (how.lateness !== undefined || how.maxSkew !== undefined))
    warn(scope, 'MR_PLAN_KEY', at, `${what}: lateness and maxSkew have no effect without an event time`, "add time: '<a timestamp column>'")
  const common = commonOf(scope, definition, how, shape)
  const partitions = partitionCount(scope, what, how.partitions, at)
  const key = how.key === undefined ? undefined : flatColumnIn(scope, shape, how.key, at, `${what}, key`, 'MR_PLAN_KEY')?.name
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
    source: isEmitted ? 'processor' : kafka ? 'kafka' : 'http',
    ...(kafka ? { kafka } : {}),
    ...(emitter === undefined ? {} : { processor: emitter }),
    partitions,
    ...(key === undefined ? {} : { key }),
    ...(time === undefined ? {} : { time }),
    latenessMs: durationOf(scope, at, `${what}, lateness`, how.lateness) ?? 0,
    ...(maxSkewMs === undefined ? {} : { maxSkewMs }),
    ...(dedupe === undefined ? {} : { dedupe }),
  }
}

/** The one processor that names the stream among its outputs. */
function emitterOf(scope: Scope, definition: StreamDefinition): string | undefined {
  const emitters = [...scope.defined.values()].filter((other): other is StreamDefinition => {
    const how = (other as StreamDefinition).$how
    return other.$kind === 'stream' && isProcessor(how) && Object.values(how.outputs ?? {}).some(({ $name }) => $name === definition.$name)
  })
  if (emitters.length === 1) return emitters[0]!.$name
  fail(
    scope,
    'MR_DEFINE_VALUE',
    definition.$at,
    emitters.length === 0
      ? `stream "${definition.$name}" is emitted, but no processor has it among its outputs`
      : `stream "${definition.$name}" is an output of ${emitters.map(({ $name }) => $name).join(' and ')}`,
    "name it in one processor's outputs: { ... }",
  )
  return undefined
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
  const named = listOf(how.dedupe.by).filter((name) => flatColumnIn(scope, shape, name, at, `${what}, dedupe.by`, 'MR_PLAN_KEY'))
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

export function timeColumn(scope: Scope, what: string, shape: Shape, name: string | undefined, at: string): string | undefined {
  if (name === undefined) return undefined
  const field = columnIn(scope, shape, name, at, `${what}, time`, 'MR_PLAN_KEY')
  if (!field) return undefined
  if (field.type.kind !== 'timestamp' || field.optional) {
    const is = field.type.kind === 'timestamp' ? 'may be null' : `is ${printType(field.type)}`
    const zone = field.type.kind === 'datetime' ? ': a datetime does not say when it was, send an instant, with Z or an offset' : ''
    fail(scope, 'MR_PLAN_KEY', at, `${what}: the time "${name}" ${is}`, `an event time is a t.timestamp() that is never null${zone}`)
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
  checkOptions(scope, definition, how, [
    ...RELATION_OPTIONS,
    'from',
    'key',
    'time',
    'state',
    'outputs',
    'broadcast',
    'onBroadcast',
    'on',
    'onTimer',
    'limit',
    'memory',
    'reset',
    'partitions',
  ])
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
