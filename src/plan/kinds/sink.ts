// Sinks: what they read is stored, the columns that they write and the key exist, and the format can hold them.
import { resolve } from 'node:path'
import { loadMessage, nameOf } from '../../connectors/kafka/proto-message.ts'
import { registeredPath } from '../../connectors/kafka/proto-registry.ts'
import { projectSources } from '../../connectors/kafka/proto-source.ts'
import { misfitsOf } from '../../connectors/kafka/protobuf-fit.ts'
import { MillraceError } from '../../core/errors.ts'
import type { FormatManifest, SinkManifest } from '../../define/manifest.ts'
import type { Sink } from '../../define/sink.ts'
import { storedShape } from '../../define/system-columns.ts'
import type { Field, Shape } from '../../schema/type.ts'
import { checkOptions, columnIn, durationOf, fail, isMember, listOf, membersOfKind, placeIn, type Scope, warn } from '../scope.ts'
import { keyColumns } from './table.ts'
import { compileTopic, isTopic } from './topic.ts'

const DEFAULT_EVERY_MS = 5_000

export async function compileSinks(scope: Scope): Promise<readonly SinkManifest[]> {
  const compiled: SinkManifest[] = []
  for (const { definition } of membersOfKind<Sink>(scope, 'sink')) {
    const sink = compileSink(scope, definition)
    if (sink) compiled.push(sink)
    const format = sink?.to.format
    if (sink && format?.kind === 'protobuf' && format.proto !== undefined) await checkFit(scope, definition, format, sink.shape)
  }
  return compiled
}

/** Whether the message of the file can hold the rows, and a registry the file. */
async function checkFit(
  scope: Scope,
  { $name: name, $at: at }: Sink,
  { proto, message, registry }: Extract<FormatManifest, { proto: string }>,
  shape: Shape,
): Promise<void> {
  const path = resolve(scope.root, proto)
  try {
    const type = await loadMessage({ path, message })
    if (registry) registeredPath(await projectSources(path), nameOf(type))
    for (const misfit of misfitsOf(type, shape.fields))
      (misfit.isNever ? fail : warn)(scope, 'MR_DEFINE_VALUE', at, `sink "${name}": ${misfit.message}`, misfit.fix)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    fail(scope, error.code, at, `sink "${name}": ${error.message}`, error.fix ?? '')
  }
}

function compileSink(scope: Scope, definition: Sink): SinkManifest | undefined {
  const { $name: name, $at: at, $how: how, $from } = definition
  const what = `sink "${name}"`
  checkOptions(scope, definition, how, ['to', 'key', 'columns', 'every', 'doc', 'owner'])
  if (!isMember(scope, $from, at, `${what}, from`)) return undefined
  const from = scope.relations.get($from.$name)
  if (!from) return undefined
  if (from.kind === 'model' && from.refresh === 'view')
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: "${from.name}" is a view, which never changes by itself`,
      "give it refresh: 'full' or 'incremental'",
    )
  if (!isTopic(how.to)) {
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: this is nothing that a sink can write to`, "write to: bus.topic('name')")
    return undefined
  }
  for (const option of ['keyFormat', 'start', 'epoch'] as const)
    if (how.to[option] !== undefined) fail(scope, 'MR_DEFINE_VALUE', at, `${what}: ${option} is about topics that are read`, 'remove it')
  const stored = storedShape(from)
  const own = from.kind === 'model' || from.kind === 'table' ? from.key : []
  const key = how.key === undefined ? own : keyColumns(scope, what, stored, listOf(how.key), at)
  const shape = shapeOf(scope, what, how.columns === undefined ? from.shape : stored, how.columns, at)
  const to = compileTopic(scope, what, how.to, at, true)
  if (from.encrypted)
    warn(
      scope,
      'MR_PLAN_POLICY',
      at,
      `${what} writes rows of the encrypted "${from.name}" to a topic in the clear`,
      'leave out columns that are not meant to leave',
    )
  const everyMs = durationOf(scope, at, `${what}, every`, how.every) ?? DEFAULT_EVERY_MS
  return {
    name,
    at: placeIn(scope.root, at),
    from: from.name,
    to,
    key,
    shape,
    everyMs,
    ...(how.doc === undefined ? {} : { doc: how.doc }),
    ...(how.owner === undefined ? {} : { owner: how.owner }),
  }
}

function shapeOf(scope: Scope, what: string, shape: Shape, columns: readonly string[] | undefined, at: string): Shape {
  if (columns === undefined) return shape
  return {
    fields: columns.flatMap((name): Field[] => {
      const field = columnIn(scope, shape, name, at, `${what}, columns`)
      return field ? [field] : []
    }),
  }
}
