// Refreshes stored models in two stages: `stage` computes and writes data files that nobody sees, `publish` commits them.
// Between the two, orchestrate runs the checks. An incremental model recomputes exactly the intervals or keys that changed
// input rows touch: the difference of snapshots, mapped through the model's own SQL. PROTOCOL rules 24 and 25.
import { MillraceError } from '../core/errors.ts'
import type { ModelManifest } from '../define/manifest.ts'
import type { Engine, Session } from '../engine/duckdb.ts'
import { scanSql } from '../engine/scan.ts'
import { inlineConstants, literal, quoteName } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import { writeParquet } from '../engine/write.ts'
import type { Lake } from '../lake/open-lake.ts'
import type { DataFile, LakeTable, TableChange } from '../lake/types.ts'
import { changedRows, type InputState } from './changed-rows.ts'

export interface Staged {
  readonly model: ModelManifest
  readonly change: TableChange
  /** SQL of the table as it will be, for the checks. */
  readonly candidate: string
  readonly inputs: Readonly<Record<string, string | null>>
  readonly rowsWritten: number
  /** What was recomputed, in words: 'full', '3 of 305 days'. */
  readonly note: string
}

export interface RefreshParts {
  readonly engine: Engine
  readonly lake: Lake
}

export interface Input {
  readonly name: string
  readonly table: LakeTable | null
  readonly keyed: boolean
  /** SQL of a view model instead of a table. */
  readonly view?: string
}

export interface StageOptions {
  /** Committed state of every relation that the model reads, views expanded. */
  readonly inputs: readonly Input[]
  /** Snapshots that the last refresh read; null for a first build. */
  readonly last: Readonly<Record<string, string | null>> | null
  /** Fingerprint of the definition; another one rebuilds. */
  readonly code: string
  readonly full?: boolean
  readonly signal?: AbortSignal
}

const CODE = 'millrace.code'

/** Nothing to do: every input is as it was. */
export function isCurrent(options: StageOptions, table: LakeTable): boolean {
  if (options.full || !options.last || table.properties[CODE] !== options.code) return false
  return options.inputs.every((input) => input.view !== undefined || (options.last![input.name] ?? null) === snapshotOf(input))
}

const snapshotOf = (input: Input): string | null => input.table?.current?.id.toString() ?? null

/** Computes and writes; nothing is visible before `publish`. */
export async function stage(parts: RefreshParts, model: ModelManifest, options: StageOptions): Promise<Staged> {
  const table = await parts.lake.table(model.name)
  const inputs = Object.fromEntries(
    options.inputs.filter((input) => input.view === undefined).map((input) => [input.name, snapshotOf(input)]),
  )
  const relations = await scans(parts.lake, options.inputs)
  return withRelations(parts.engine, relations, async (session) => {
    const canPatch =
      model.refresh === 'incremental' &&
      options.last !== null &&
      !options.full &&
      table.properties[CODE] === options.code &&
      table.current !== null
    const staged = canPatch
      ? await stagePatch(parts, session, model, table, options)
      : await stageFull(parts, session, model, table, options)
    return { ...staged, model, inputs }
  })
}

async function scans(lake: Lake, inputs: readonly Input[]): Promise<Record<string, string>> {
  const relations: Record<string, string> = {}
  for (const input of inputs)
    relations[input.name] =
      input.view ?? scanSql({ table: input.table, files: input.table ? await lake.files(input.table) : [], tails: [] })
  return relations
}

type Part = Omit<Staged, 'model' | 'inputs'>

async function stageFull(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  table: LakeTable,
  options: StageOptions,
): Promise<Part> {
  const old = table.current ? await parts.lake.files(table) : []
  const files = await writeParquet(session, { select: inlineConstants(model.sql), table, directory: parts.lake.dataDirectory(table) })
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
    note: 'full',
  }
}

const rowsOf = (files: readonly DataFile[]): number => files.reduce((sum, file) => sum + file.rows, 0)

async function stagePatch(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  table: LakeTable,
  options: StageOptions,
): Promise<Part> {
  const units = model.by ? [model.by] : model.key
  await collectUnits(parts, session, model, units, options)
  const skipped = await applyLookback(session, model, table)
  const { rows } = await session.rows('SELECT count(*) FROM affected')
  const affected = Number(rows[0]![0])
  const note = `${affected} ${model.by ? `${model.by}${affected === 1 ? '' : 's'}` : affected === 1 ? 'key' : 'keys'}${skipped > 0 ? `, ${skipped} beyond the lookback` : ''}`
  const live = await parts.lake.files(table)
  if (affected === 0) {
    return {
      change: { table: model.name, operation: 'append', add: [], remove: [] },
      candidate: scanSql({ table, files: live, tails: [] }),
      rowsWritten: 0,
      note,
    }
  }
  const touched = await touchedFiles(session, table, live, units)
  const match = units.map((unit) => `t.${quoteName(unit)} IS NOT DISTINCT FROM a.${quoteName(unit)}`).join(' AND ')
  const columns = model.shape.fields.map((field) => quoteName(field.name)).join(', ')
  const recomputed = `SELECT ${columns} FROM (${inlineConstants(model.sql)}) AS t SEMI JOIN affected AS a ON ${match}`
  const kept =
    touched.length > 0
      ? `SELECT ${columns} FROM (${scanSql({ table, files: touched, tails: [] })}) AS t ANTI JOIN affected AS a ON ${match} UNION ALL `
      : ''
  const files = await writeParquet(session, { select: `${kept}${recomputed}`, table, directory: parts.lake.dataDirectory(table) })
  const gone = new Set(touched.map((file) => file.path))
  return {
    change: { table: model.name, operation: 'overwrite', add: files, remove: [...gone], validateFrom: table.current?.id ?? null },
    candidate: scanSql({ table, files: [...live.filter((file) => !gone.has(file.path)), ...files], tails: [] }),
    rowsWritten: rowsOf(files),
    note,
  }
}

/** Fills the temporary table `affected`: the intervals or keys that changed input rows contribute to. */
async function collectUnits(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  units: readonly string[],
  options: StageOptions,
): Promise<void> {
  const columns = units.map(quoteName).join(', ')
  await session.run(`CREATE TEMP TABLE affected AS SELECT ${columns} FROM (${inlineConstants(model.sql)}) LIMIT 0`)
  for (const [index, input] of options.inputs.entries()) {
    if (input.view !== undefined || (model.onChange === 'keep' && index > 0)) continue
    const state: InputState = { table: input.table, from: options.last?.[input.name] ?? null }
    const changed = await changedRows(parts.lake, state)
    if (changed === null) continue
    await withChanged(parts, options.inputs, input.name, changed, async (inner) => {
      const { rows } = await inner.rows(`SELECT DISTINCT ${columns} FROM (${inlineConstants(model.sql)})`)
      await insertUnits(session, rows)
    })
  }
  await session.run('CREATE OR REPLACE TEMP TABLE affected AS SELECT DISTINCT * FROM affected')
}

/** The model's own relations, with one input reduced to its changed rows. */
async function withChanged(
  parts: RefreshParts,
  inputs: readonly Input[],
  name: string,
  changed: string,
  action: (session: Session) => Promise<void>,
): Promise<void> {
  await withRelations(parts.engine, { ...(await scans(parts.lake, inputs)), [name]: changed }, action)
}

const INSERT_ROWS = 500

async function insertUnits(session: Session, rows: readonly (readonly unknown[])[]): Promise<void> {
  for (let at = 0; at < rows.length; at += INSERT_ROWS) {
    const values = rows.slice(at, at + INSERT_ROWS).map((row) => `(${row.map((value) => literal(value as string)).join(', ')})`)
    await session.run(`INSERT INTO affected VALUES ${values.join(', ')}`)
  }
}

/** Drops intervals older than the lookback; answers how many. */
async function applyLookback(session: Session, model: ModelManifest, table: LakeTable): Promise<number> {
  if (model.lookbackMs === undefined || !model.by || !table.current) return 0
  const by = quoteName(model.by)
  const bound = `(SELECT max(${by}) FROM affected) - INTERVAL '${model.lookbackMs} milliseconds'`
  const { rows } = await session.rows(`SELECT count(*) FROM affected WHERE ${by} < ${bound}`)
  await session.run(`DELETE FROM affected WHERE ${by} < ${bound}`)
  return Number(rows[0]![0])
}

/** Live files that hold a row of an affected unit. */
async function touchedFiles(session: Session, table: LakeTable, live: readonly DataFile[], units: readonly string[]): Promise<DataFile[]> {
  const touched: DataFile[] = []
  const match = units.map((unit) => `t.${quoteName(unit)} IS NOT DISTINCT FROM a.${quoteName(unit)}`).join(' AND ')
  for (const file of live) {
    const { rows } = await session.rows(
      `SELECT EXISTS (SELECT 1 FROM (${scanSql({ table, files: [file], tails: [] })}) AS t SEMI JOIN affected AS a ON ${match})`,
    )
    if (rows[0]![0] === true) touched.push(file)
  }
  return touched
}

/** Commits what was staged, with the snapshots that it read and the run that made it. */
export async function publish(lake: Lake, staged: Staged, run: { id: string; token?: string }): Promise<LakeTable> {
  const refresh = { model: staged.model.name, inputs: staged.inputs, runId: run.id, ...(run.token ? { token: run.token } : {}) }
  const isEmpty = staged.change.add.length === 0 && staged.change.remove.length === 0 && !staged.change.properties
  const {
    tables: [table],
  } = await lake.commit(isEmpty ? [] : [staged.change], { refresh })
  const current = table ?? (await lake.table(staged.model.name))
  if (!current)
    throw new MillraceError('MR_LAKE_TABLE_UNKNOWN', `there is no table "${staged.model.name}"`, { fix: 'run `millrace apply`' })
  return current
}
