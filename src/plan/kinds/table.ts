// Tables and where their rows come from.
import type { Definition } from '../../define/definition.ts'
import type { Fields } from '../../define/field.ts'
import type { TableManifest } from '../../define/manifest.ts'
import type { FilesSource } from '../../define/source.ts'
import type { TableHow } from '../../define/table.ts'
import { isNested, printType, type Shape } from '../../schema/type.ts'
import { checkColumnNames } from '../names.ts'
import { checkOptions, columnIn, durationOf, fail, flatColumnIn, listOf, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'
import { commonOf, RELATION_OPTIONS, sentShapeOf } from './fields.ts'
import { checkSchedule } from './schedule.ts'
import { compileTopicSource, isTopic } from './topic.ts'

export interface TableDefinition extends Definition<'table'> {
  readonly $shape: Fields
  readonly $how: TableHow<Fields>
}

const FILE_OPTIONS = ['$source', 'path', 'format', 'every', 'cron', 'zone', 'options', 'columns']
const FORMATS = ['csv', 'json', 'parquet']

export async function compileTable(scope: Scope, definition: TableDefinition): Promise<TableManifest> {
  const { $how: how, $at: at } = definition
  const what = `table "${definition.$name}"`
  checkOptions(scope, definition, how, [...RELATION_OPTIONS, 'from', 'key', 'load'], {
    lateness: 'rows of a table replace each other by key and are never late: remove it, or make it a stream',
    time: 'only streams have an event time',
    dedupe: 'a key makes rows unique already',
  })
  if (how.encrypted === true && how.from === undefined)
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what} is encrypted and takes rows from other engines only, which cannot write such tables`,
      'give it from, or leave out encrypted',
    )
  const declared = sentShapeOf(scope, what, definition.$shape, at)
  await checkColumnNames(scope, what, declared, at, false)
  const key = keyColumns(scope, what, declared, listOf(how.key), at)
  const source = sourceOf(scope, what, how.from, declared, key, at)
  const load = how.load ?? (key.length > 0 && how.from?.$source !== 'files' ? 'upsert' : key.length > 0 ? 'upsert' : 'full')
  if (!['full', 'append', 'upsert'].includes(load))
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: load "${load}" does not exist`,
      didYouMean(load, ['full', 'append', 'upsert'], 'choose full, append or upsert'),
    )
  if (key.length === 0 && (load === 'upsert' || source.kind === 'http' || source.kind === 'kafka'))
    fail(scope, 'MR_PLAN_KEY', at, `${what} is merged by key, but has none`, "add key: '<column>'")
  if ((source.kind === 'http' || source.kind === 'kafka') && load !== 'upsert')
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: rows that arrive ${source.kind === 'http' ? 'by HTTP' : 'from a topic'} are merged by key`,
      "remove load, or write load: 'upsert'",
    )
  return { kind: 'table', ...commonOf(scope, definition, { ...how, load }, declared), key, source, load }
}

/** Key columns exist, are never null, and are of a type that can be compared exactly. */
export function keyColumns(scope: Scope, what: string, shape: Shape, names: readonly string[], at: string): readonly string[] {
  return names.filter((name) => {
    const field = flatColumnIn(scope, shape, name, at, `${what}, key`, 'MR_PLAN_KEY')
    if (!field) return false
    if (['float', 'double', 'json', 'binary'].includes(field.type.kind))
      fail(
        scope,
        'MR_PLAN_KEY',
        at,
        `${what}: "${name}" is ${printType(field.type)} and cannot be a key`,
        'keys are compared exactly: choose another column',
      )
    else if (field.optional)
      fail(scope, 'MR_PLAN_KEY', at, `${what}: the key column "${name}" may be null`, 'remove .optional(), or choose another key')
    return true
  })
}

function sourceOf(
  scope: Scope,
  what: string,
  from: TableHow<Fields>['from'],
  shape: Shape,
  key: readonly string[],
  at: string,
): TableManifest['source'] {
  if (from === undefined) return { kind: 'none' }
  if (from.$source === 'http') return { kind: 'http' }
  if (isTopic(from)) return { kind: 'kafka', ...compileTopicSource(scope, what, from, at, key) }
  if (from.$source === 'files') return filesOf(scope, what, from, shape, at)
  fail(scope, 'MR_DEFINE_VALUE', at, `${what}: this is not a source`, 'write from: http(), files({ ... }) or a topic of kafka()')
  return { kind: 'none' }
}

function filesOf(scope: Scope, what: string, from: FilesSource, shape: Shape, at: string): TableManifest['source'] {
  for (const option of Object.keys(from))
    if (!FILE_OPTIONS.includes(option))
      fail(scope, 'MR_DEFINE_VALUE', at, `${what}: files has no option "${option}"`, didYouMean(option, FILE_OPTIONS.slice(1), 'remove it'))
  if (!FORMATS.includes(from.format))
    fail(
      scope,
      'MR_DEFINE_VALUE',
      at,
      `${what}: files of format "${from.format}" cannot be read`,
      didYouMean(String(from.format), FORMATS, 'choose csv, json or parquet'),
    )
  for (const { name, type } of from.format === 'csv' ? shape.fields : [])
    if (isNested(type))
      fail(
        scope,
        'MR_SCHEMA_TYPE',
        at,
        `${what}: "${name}" is a ${type.kind}, which csv cannot hold`,
        "take t.json(), or files of format 'json' or 'parquet'",
      )
  checkSchedule(scope, `${what}, files`, at, from)
  const everyMs = durationOf(scope, at, `${what}, every`, from.every)
  for (const name of Object.keys(from.columns ?? {})) columnIn(scope, shape, name, at, `${what}, files.columns`)
  return {
    kind: 'files',
    path: from.path,
    format: from.format,
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(from.cron === undefined ? {} : { cron: from.cron, zone: from.zone ?? 'UTC' }),
    options: { ...from.options },
    ...(from.columns === undefined ? {} : { columns: { ...from.columns } }),
  }
}
