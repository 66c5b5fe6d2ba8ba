// Collects the intervals or keys of an incremental model that changed input rows touch, by running the model's SQL over the
// changed rows of one input after the other. The inputs before it are as they were then and those behind as they are now: the
// sum of these differences is the whole difference, also when rows of two joined inputs changed at once.
import type { ModelManifest } from '../define/manifest.ts'
import { type Node, openParser } from '../engine/ast.ts'
import type { Session } from '../engine/duckdb.ts'
import { inlineConstants, quoteName } from '../engine/sql-text.ts'
import { withRelations } from '../engine/workspace.ts'
import { type ChangedRows, changedRows } from './changed-rows.ts'
import { type Input, type RefreshParts, scans, unitsOf } from './inputs.ts'
import { traceUnits, type UnitTrace } from './trace-units.ts'

/** The table of units; two underscores, which no relation has in front. */
export const AFFECTED = '__affected'

interface Changed extends ChangedRows {
  readonly name: string
}

/** Fills `__affected` in the session's catalog. Answers why the model must be rebuilt instead; null when it need not. */
export async function collectAffected(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  inputs: readonly Input[],
  last: Readonly<Record<string, string | null>>,
): Promise<string | null> {
  const units = unitsOf(model)
  const columns = units.map(quoteName).join(', ')
  await session.run(`CREATE TABLE ${AFFECTED} AS SELECT ${columns} FROM (${inlineConstants(model.sql)}) LIMIT 0`)
  const changes = await changesOf(parts, session, model, inputs, last)
  if (typeof changes === 'string') return changes
  if (changes.length === 0) return null
  const { traceable, why, sql } = await trace(parts, session, model, inputs)
  const lost = changes.find(({ name }) => !traceable.has(name))
  if (lost) return why ?? `rows of ${lost.name} changed`
  const catalog = quoteName(String((await session.rows('SELECT current_catalog()')).rows[0]![0]))
  const now = await scans(parts, inputs)
  for (const [index, { name }] of changes.entries()) {
    const before = Object.fromEntries(changes.slice(0, index).map((change) => [change.name, change.before]))
    const relations = { ...now, ...before, [name]: `SELECT * FROM ${catalog}.main.__changed_${index}` }
    await withRelations(parts.engine, relations, (inner) =>
      inner.run(`INSERT INTO ${catalog}.main.${AFFECTED} SELECT DISTINCT ${columns} FROM (${sql})`),
    )
  }
  await session.run(`CREATE OR REPLACE TABLE ${AFFECTED} AS SELECT DISTINCT * FROM ${AFFECTED}`)
  return null
}

/** Changed rows of each input, in tables of their own; inputs without any are left out. */
async function changesOf(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  inputs: readonly Input[],
  last: Readonly<Record<string, string | null>>,
): Promise<Changed[] | string> {
  const changes: Changed[] = []
  for (const [index, { name, table, view }] of inputs.entries()) {
    if (view !== undefined || (model.onChange === 'keep' && index > 0)) continue
    const rows = await changedRows(parts, table, last[name] ?? null)
    if (rows === 'unknown') return `the snapshot of ${name} that was read last has expired`
    if (rows === 'none') continue
    const place = `__changed_${changes.length}`
    await session.run(`CREATE OR REPLACE TABLE ${place} AS ${rows.changed}`)
    const counted = await session.rows(`SELECT count(*) FROM ${place}`)
    if (Number(counted.rows[0]![0]) > 0) changes.push({ ...rows, name })
  }
  return changes
}

/** SQL that gives the units of changed rows, and for which inputs it does. */
async function trace(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  inputs: readonly Input[],
): Promise<UnitTrace & { readonly sql: string }> {
  const { rows } = await session.rows("SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type = 'aggregate'")
  const aggregates = new Set(rows.map(([name]) => String(name)))
  const sql = inlineConstants(model.sql)
  const parser = await openParser(parts.engine)
  try {
    const views = new Map<string, Node>()
    for (const { name, view } of inputs) if (view !== undefined) views.set(name, (await parser.parse(view)).node)
    const statement = await parser.parse(sql)
    const traced = traceUnits(statement.node, unitsOf(model), views, aggregates)
    return { ...traced, sql: traced.isStripped && traced.why === null ? await parser.print(statement) : sql }
  } finally {
    parser.close()
  }
}
