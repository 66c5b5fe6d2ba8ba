// How long rows stay: `keep` of a relation, checked. Rows are old by a column of time; where they go is the archive. Carried out
// by `orchestrate/chores/retain.ts`.
import { isAbsolute } from 'node:path'
import type { RelationHow } from '../../define/how.ts'
import type { Keep } from '../../define/manifest.ts'
import type { Shape } from '../../schema/type.ts'
import { durationOf, fail, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'

const LOG_KEEP_MS = 7 * 86_400_000

export interface KeepOf {
  readonly what: string
  readonly at: string
  readonly how: Pick<RelationHow, 'keep'> & {
    /** The event time of a stream. */
    readonly time?: string
    readonly partition?: readonly string[]
    readonly refresh?: string
    readonly load?: string
  }
  readonly kind: 'stream' | 'table' | 'model'
  readonly shape: Shape
}

export function keepOf(scope: Scope, of: KeepOf): Keep {
  const { what, at, how, kind } = of
  const keep = how.keep ?? {}
  const known = ['log', 'table', 'by', 'archive']
  const odd = Object.keys(keep).find((member) => !known.includes(member))
  if (odd !== undefined)
    fail(scope, 'MR_DEFINE_VALUE', at, `${what}: keep has no member "${odd}"`, didYouMean(odd, known, `members: ${known.join(', ')}`))
  const logMs = durationOf(scope, at, `${what}, keep.log`, keep.log) ?? LOG_KEEP_MS
  const tableMs = durationOf(scope, at, `${what}, keep.table`, keep.table)
  if (tableMs === undefined) {
    const alone = keep.archive === undefined ? (keep.by === undefined ? undefined : 'by') : 'archive'
    if (alone !== undefined && keep.table === undefined)
      fail(
        scope,
        'MR_PLAN_KEEP',
        at,
        `${what}: keep.${alone} without keep.table keeps everything where it is`,
        "add table: '90 days' to keep",
      )
    return { logMs }
  }
  if (kind === 'model' && how.refresh === 'view') {
    fail(scope, 'MR_PLAN_KEEP', at, `${what} is a view and stores no rows`, 'give keep to what it reads')
    return { logMs, tableMs }
  }
  const by = columnOf(scope, of)
  const archive = archiveOf(scope, of)
  return { logMs, tableMs, ...(by === undefined ? {} : { by }), ...(archive === undefined ? {} : { archive }) }
}

/** The column that says how old a row is: what the user named, the event time, the time that it is partitioned by, the only one. */
function columnOf(scope: Scope, { what, at, how, kind, shape }: KeepOf): string | undefined {
  // A date and a datetime are read as UTC.
  const times = shape.fields.filter(({ type }) => ['timestamp', 'datetime', 'date'].includes(type.kind)).map(({ name }) => name)
  const choice = times.length > 0 ? `choose one of ${times.join(', ')}` : 'give it a column of time'
  const asked = how.keep?.by
  if (asked !== undefined) {
    if (times.includes(asked)) return asked
    const isThere = shape.fields.some(({ name }) => name === asked)
    fail(scope, 'MR_PLAN_KEEP', at, `${what}, keep.by: "${asked}" is ${isThere ? 'no time' : 'not a column'}`, choice)
    return undefined
  }
  if (kind === 'stream') return how.time ?? '_ingested_at'
  const partitioned = (how.partition ?? []).flatMap((rule) => /^(?:year|month|day|hour)\((.+)\)$/.exec(rule)?.[1]?.trim() ?? [])
  const [only, ...more] = partitioned.length > 0 ? partitioned : times
  if (only !== undefined && more.length === 0) return only
  const why = only === undefined ? 'none of its columns is a time' : `${[only, ...more].join(' and ')} are times`
  fail(
    scope,
    'MR_PLAN_KEEP',
    at,
    `${what}, keep.table: which rows are old is not clear, ${why}`,
    `write keep: { table: '...', by: '<column>' }; ${choice}`,
  )
  return undefined
}

function archiveOf(scope: Scope, { what, at, how, kind }: KeepOf): string | undefined {
  const archive = how.keep?.archive
  if (archive === undefined || archive === false) return undefined
  // What is computed or loaded anew as a whole has its old rows again, and would archive them twice.
  if (kind === 'model' || (kind === 'table' && how.load === 'full')) {
    const fix = 'archive what it is made from, or leave archive out'
    fail(scope, 'MR_PLAN_KEEP', at, `${what} is made anew from what it reads: archived rows would come again`, fix)
    return undefined
  }
  if (archive === true) return ''
  const isPlace =
    typeof archive === 'string' && (isAbsolute(archive) || /^[a-z0-9]+:\/\/[^?#%]+$/.test(archive)) && !archive.split('/').includes('..')
  if (isPlace) return archive.replace(/\/+$/, '')
  fail(
    scope,
    'MR_PLAN_KEEP',
    at,
    `${what}, keep.archive: ${JSON.stringify(archive)} is no place`,
    "write true for a table beside it, an absolute directory, or a URI of the lake's bucket, like 's3://bucket/archive'",
  )
  return undefined
}
