// Keeps every version of a row (a slowly changing dimension of type 2): what the model's SQL gives now is compared with the
// current versions by key; one that differs or is gone is closed, and a new one begins at the same instant. History is only
// ever added to: a refresh that is told to rebuild compares like any other, since earlier versions cannot be had again.
import { MillraceError } from '../core/errors.ts'
import type { ModelManifest } from '../define/manifest.ts'
import { HISTORY_FIELDS } from '../define/system-columns.ts'
import type { Session } from '../engine/duckdb.ts'
import { filesAfter, mergeRows } from '../engine/merge.ts'
import { scanSql } from '../engine/scan.ts'
import { inlineConstants, quoteName } from '../engine/sql-text.ts'
import type { LakeTable } from '../lake/types.ts'
import type { Part, RefreshParts } from './inputs.ts'

/** What is written, made once: two underscores, which no relation has in front. */
const [NOW, CURRENT, VERSIONS] = ['__now', '__current', '__versions']

/** `atMs`: when what the SQL reads became as it is; the new versions begin then, or right after the newest that there is. */
export async function stageVersions(
  parts: RefreshParts,
  session: Session,
  model: ModelManifest,
  table: LakeTable,
  atMs: number,
): Promise<Part> {
  const live = await parts.lease.local(table.current ? await parts.lake.files(table) : [])
  const history = scanSql({ table, files: live, tails: [] })
  const own = model.shape.fields.map(({ name }) => name).filter((name) => !HISTORY_FIELDS.some((field) => field.name === name))
  const columns = own.map(quoteName).join(', ')
  await session.run(`CREATE TABLE ${NOW} AS SELECT ${columns} FROM (${inlineConstants(model.sql)})`)
  await mustBeUnique(session, model)
  await session.run(`CREATE TABLE ${CURRENT} AS SELECT ${columns}, valid_from FROM (${history}) WHERE is_current`)
  const at = await beginning(session, history, atMs)
  const same = (names: readonly string[]) =>
    names.map((name) => `n.${quoteName(name)} IS NOT DISTINCT FROM c.${quoteName(name)}`).join(' AND ')
  const list = (of: string) => own.map((name) => `${of}.${quoteName(name)}`).join(', ')
  await session.run(
    `CREATE TABLE ${VERSIONS} AS
      SELECT ${list('c')}, c.valid_from, ${at} AS valid_to, false AS is_current FROM ${CURRENT} AS c ANTI JOIN ${NOW} AS n ON ${same(own)}
      UNION ALL
      SELECT ${list('n')}, ${at}, NULL, true FROM ${NOW} AS n ANTI JOIN ${CURRENT} AS c ON ${same(own)}`,
  )
  const { rows } = await session.rows(`SELECT count(*) FILTER (WHERE is_current), count(*) FILTER (WHERE NOT is_current) FROM ${VERSIONS}`)
  const [begun, ended] = rows[0]!.map(Number) as [number, number]
  const note = `${begun} begun, ${ended} ended`
  if (begun + ended === 0)
    return { change: { table: table.name, operation: 'append', add: [], remove: [] }, candidate: history, rowsWritten: 0, note }
  const change = await mergeRows(session, { lake: parts.lake, table, key: [...model.key, 'valid_from'], rows: `SELECT * FROM ${VERSIONS}` })
  return { change, candidate: scanSql({ table, files: filesAfter(live, change), tails: [] }), rowsWritten: begun + ended, note }
}

async function mustBeUnique(session: Session, { name, key }: ModelManifest): Promise<void> {
  const columns = key.map(quoteName).join(', ')
  const { rows } = await session.rows(`SELECT ${columns} FROM ${NOW} GROUP BY ALL HAVING count(*) > 1 ORDER BY ALL`, undefined, {
    rowMax: 1,
  })
  const [twice] = rows
  if (!twice) return
  throw new MillraceError(
    'MR_RUN_KEY',
    `${name}: its SQL gives several rows with ${key.map((column, i) => `${column} ${String(twice[i])}`).join(', ')}`,
    {
      fix: 'a row of each key has versions: group the SQL by the key, or add what tells the rows apart to it',
    },
  )
}

/** An instant after that of every version that there is, so that no two versions of a key begin at once. */
async function beginning(session: Session, history: string, atMs: number): Promise<string> {
  const { rows } = await session.rows(
    `SELECT greatest(${Math.round(atMs)} * 1000::BIGINT, coalesce(epoch_us(max(valid_from)) + 1, 0))::VARCHAR FROM (${history})`,
  )
  return `make_timestamptz(${String(rows[0]![0])}::BIGINT)`
}
