// Refreshes stored models in two stages: `stage` computes and writes data files that nobody sees, `publish` commits them.
// Between the two, orchestrate runs the checks. An incremental model recomputes exactly the intervals or keys that changed
// input rows touch: the difference of snapshots, mapped through the model's own SQL (`affected.ts`). PROTOCOL rules 24, 25.
import { MillraceError } from '../core/errors.ts'
import type { ModelManifest } from '../define/manifest.ts'
import type { Session } from '../engine/duckdb.ts'
import { scanSql } from '../engine/scan.ts'
import { inlineConstants, quoteName } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import { type WriteOptions, writeParquet } from '../engine/write.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { LakeTable } from '../lake/types.ts'
import { AFFECTED, collectAffected } from './affected.ts'
import { type Input, type Part, type RefreshParts, scans, unitsOf } from './inputs.ts'
import { mergeAffected, nothingAffected, rowsOf } from './merge-affected.ts'
import { type ByInterval, type Range, stageRange } from './range.ts'
import { stageVersions } from './versions.ts'

export type { Input, RefreshParts } from './inputs.ts'

export interface Staged extends Part {
  readonly model: ModelManifest
  readonly inputs: Readonly<Record<string, string | null>>
}

export interface StageOptions {
  /** Committed state of every relation that the model reads, views expanded. */
  readonly inputs: readonly Input[]
  /** Snapshots that the last refresh read; null for a first build. */
  readonly last: Readonly<Record<string, string | null>> | null
  /** Fingerprint of the definition; another one rebuilds. */
  readonly code: string
  readonly full?: boolean
  /** Only these intervals, whatever changed; inputs count as read as far as they were before. */
  readonly range?: Range
  readonly signal?: AbortSignal
}

const CODE = 'millrace.code'

/** Nothing to do: every input is as it was. */
export function isCurrent(options: StageOptions, table: LakeTable): boolean {
  if (options.full || options.range || !options.last || table.properties[CODE] !== options.code) return false
  return options.inputs.every((input) => input.view !== undefined || (options.last![input.name] ?? null) === snapshotOf(input))
}

const snapshotOf = (input: Input): string | null => input.table?.current?.id.toString() ?? null

/** Computes and writes; nothing is visible before `publish`. */
export async function stage(parts: RefreshParts, model: ModelManifest, options: StageOptions): Promise<Staged> {
  const table = await parts.lake.table(model.name)
  const inputs = Object.fromEntries(
    options.inputs.filter((input) => input.view === undefined).map((input) => [input.name, snapshotOf(input)]),
  )
  const relations = await scans(parts, options.inputs)
  return withRelations(parts.engine, relations, async (session) => {
    if (model.refresh === 'scd2') {
      const part = await stageVersions(parts, session, model, table, timeOf(options.inputs, parts.engine))
      return { ...part, change: { ...part.change, properties: { [CODE]: options.code } }, model, inputs }
    }
    if (options.range) {
      const by = intervalsOf(model, table, options)
      const part = await stageRange(parts, session, { model, by, table, range: options.range, ...signalOf(options) })
      return { ...part, model, inputs: options.last! }
    }
    const canPatch =
      model.refresh === 'incremental' &&
      options.last !== null &&
      !options.full &&
      table.properties[CODE] === options.code &&
      table.current !== null
    const whole = canPatch ? await collectAffected(parts, session, model, options.inputs, options.last!) : null
    const staged =
      canPatch && whole === null
        ? await stagePatch(parts, session, model, table, options)
        : await stageFull(parts, session, model, table, options, whole)
    options.signal?.throwIfAborted()
    return { ...staged, model, inputs }
  })
}

const signalOf = ({ signal }: StageOptions): { signal?: AbortSignal } => (signal ? { signal } : {})

/** @throws MR_USAGE for a model that has no intervals, or none yet of this definition. */
export function intervalsOf(model: ModelManifest, table: LakeTable, { last, code }: Pick<StageOptions, 'last' | 'code'>): ByInterval {
  if (model.refresh !== 'incremental' || !model.by)
    throw new MillraceError('MR_USAGE', `"${model.name}" is not computed by intervals`, {
      fix: `run \`millrace run ${model.name} --full\`: it is computed as a whole`,
    })
  if (!last || !table.current || table.properties[CODE] !== code)
    throw new MillraceError('MR_USAGE', `"${model.name}" has not been computed by its present definition`, {
      fix: `run \`millrace run ${model.name}\` first: that computes all of it`,
    })
  return { sql: inlineConstants(model.sql), units: [model.by], where: null }
}

/** When the newest input became what it is: a refresh of the same inputs gives the same rows, whenever it runs. */
function timeOf(inputs: readonly Input[], { clock }: RefreshParts['engine']): number {
  const times = inputs.flatMap(({ table }) => (table?.current ? [table.current.timestampMs] : []))
  return times.length > 0 ? Math.max(...times) : clock.nowMs()
}

async function stageFull(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  table: LakeTable,
  options: StageOptions,
  whole: string | null,
): Promise<Part> {
  const old = table.current ? await parts.lake.files(table) : []
  const files = await writeParquet(session, { ...target(parts, table, options), select: inlineConstants(model.sql) })
  return {
    change: {
      table: model.name,
      operation: 'overwrite',
      add: files,
      remove: old.map((file) => file.path),
      validateFrom: table.current?.id ?? null,
      properties: { [CODE]: options.code },
    },
    candidate: scanSql({ table, files, tails: [] }),
    rowsWritten: rowsOf(files),
    note: whole === null ? 'full' : `full: ${whole}`,
  }
}

const target = ({ lake }: RefreshParts, table: LakeTable, options: StageOptions): Omit<WriteOptions, 'select'> => ({
  table,
  directory: lake.dataDirectory(table),
  ...signalOf(options),
})

async function stagePatch(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  table: LakeTable,
  options: StageOptions,
): Promise<Part> {
  const units = unitsOf(model)
  const live = await parts.lease.local(await parts.lake.files(table))
  const skipped = await applyLookback(session, model, scanSql({ table, files: live, tails: [] }))
  const { rows } = await session.rows(`SELECT count(*) FROM ${AFFECTED}`)
  const affected = Number(rows[0]![0])
  const note = `${affected} ${model.by ? `${model.by}${affected === 1 ? '' : 's'}` : affected === 1 ? 'key' : 'keys'}${skipped > 0 ? `, ${skipped} beyond the lookback` : ''}`
  if (affected === 0) return { ...nothingAffected({ table, live }), note }
  const perKey = model.by === undefined ? 'some' : 'many'
  const sql = inlineConstants(model.sql)
  return { ...(await mergeAffected(parts, session, { table, shape: model.shape, units, perKey, sql, live, ...signalOf(options) })), note }
}

/** Drops intervals that lie further behind the newest than the lookback; answers how many. */
async function applyLookback(session: Session, model: ModelManifest, current: string): Promise<number> {
  if (model.lookbackMs === undefined || !model.by) return 0
  const by = quoteName(model.by)
  const newest = `(SELECT max(${by}) FROM (SELECT ${by} FROM ${AFFECTED} UNION ALL SELECT ${by} FROM (${current})))`
  const isBeyond = `${by} < ${newest} - INTERVAL '${model.lookbackMs} milliseconds'`
  const { rows } = await session.rows(`SELECT count(*) FROM ${AFFECTED} WHERE ${isBeyond}`)
  await session.run(`DELETE FROM ${AFFECTED} WHERE ${isBeyond}`)
  return Number(rows[0]![0])
}

/** Commits what was staged, with the snapshots that it read and the run that made it. */
export async function publish(lake: Lake, staged: Staged, run: { id: string; token?: string }): Promise<LakeTable> {
  const refresh = { model: staged.model.name, inputs: staged.inputs, runId: run.id, ...(run.token ? { token: run.token } : {}) }
  const { add, remove, delete: deleted, properties } = staged.change
  const isEmpty = add.length === 0 && remove.length === 0 && !deleted && !properties
  const {
    tables: [table],
  } = await lake.commit(isEmpty ? [] : [staged.change], { refresh })
  const current = table ?? (await lake.table(staged.model.name))
  if (!current)
    throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `there is no table "${staged.model.name}"`, { fix: 'run `millrace apply`' })
  return current
}
