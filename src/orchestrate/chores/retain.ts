// Rows past their time leave the table (`keep.table`), into the archive where there is one: whole files where all their rows are
// old, other files written anew without them. What goes and what comes into the archive is one commit, so that after a crash
// each row is in exactly one of both. A row without a time stays.
import { addAll } from '../../core/add-all.ts'
import { movedSql } from '../../engine/lineage.ts'
import { scanSql } from '../../engine/scan.ts'
import { quoteName } from '../../engine/sql-text.ts'
import { withRelations } from '../../engine/workspace.ts'
import { writeParquet } from '../../engine/write.ts'
import { RETAINED_BY, RETAINED_FROM } from '../../lake/snapshot-summary.ts'
import type { DataFile, LakeField, LakeTable, TableChange } from '../../lake/types.ts'
import { decodeValue } from '../../lake/value/single-value.ts'
import type { Keeping } from '../keeping.ts'
import { bytesOf, type Chore, type ChoreDone, type ChoreParts, type ChoreTask, mayRewrite, unlessLost } from './chore.ts'

const DAY_MS = 86_400_000
/** Bytes of files whose rows are written anew or archived in one commit. */
const GROUP_BYTES = 512 * 1024 * 1024

export const retain: Chore = { name: 'retain', run }

interface Cut {
  readonly column: LakeField
  /** Rows before it are old: microseconds since 1970, and days for dates. */
  readonly us: number
  readonly days: number
}

async function run(parts: ChoreParts, { table, keeping, isAsked }: ChoreTask): Promise<ChoreDone | null> {
  const column = table.schema.fields.find(({ name }) => name === keeping?.by)
  if (!keeping || !column || !mayRewrite(table) || !table.current) return null
  const cut = cutAt(parts.clock.nowMs(), keeping, column, isAsked)
  const before: DataFile[] = []
  const after: DataFile[] = []
  let removedRows = 0
  for (const files of groupsOf(await oldFiles(parts, table, cut, isAsked), cut, keeping)) {
    const done = await move(parts, table, keeping, cut, files)
    if (!done) continue
    addAll(before, files)
    addAll(after, done.rest)
    removedRows += done.rows
  }
  if (before.length === 0) return null
  const where = keeping.archive === null ? 'are gone' : `moved to ${keeping.archive}`
  return {
    note: `${removedRows} rows before ${new Date(cut.us / 1_000).toISOString()} ${where}`,
    saved: { filesBefore: before.length, filesAfter: after.length, bytesBefore: bytesOf(before), bytesAfter: bytesOf(after) },
    removedRows,
  }
}

/** By itself the cut moves on in steps of a 24th of the time, at most a day: files at the edge are not rewritten in every pass. */
function cutAt(nowMs: number, { keepMs }: Keeping, column: LakeField, isAsked: boolean): Cut {
  const stepMs = isAsked ? 1 : Math.max(1_000, Math.min(DAY_MS, Math.floor(keepMs / 24)))
  const exactMs = Math.floor((nowMs - keepMs) / stepMs) * stepMs
  const days = Math.floor(exactMs / DAY_MS)
  return { column, days, us: (column.type === 'date' ? days * DAY_MS : exactMs) * 1_000 }
}

const isDate = ({ column }: Cut): boolean => column.type === 'date'

/** A file of others that does not say how old its rows are is read only for somebody who asks. */
async function oldFiles({ lake }: ChoreParts, table: LakeTable, cut: Cut, isAsked: boolean): Promise<DataFile[]> {
  const files = await lake.files(table, undefined, [{ column: cut.column.name, op: '<', values: [isDate(cut) ? cut.days : cut.us] }])
  return files.filter((file) => isAsked || file.columns.get(cut.column.id)?.lower !== undefined)
}

/** Whether all rows of a file are old. */
function isWholly(cut: Cut, file: DataFile): boolean {
  const stats = file.columns.get(cut.column.id)
  if (!stats?.upper || stats.nulls > 0) return false
  return Number(decodeValue(isDate(cut) ? 'date' : 'timestamptz', stats.upper)) < (isDate(cut) ? cut.days : cut.us)
}

/** Files that only go are dropped together; others by their size, since their rows are read. */
function groupsOf(files: readonly DataFile[], cut: Cut, { archive }: Keeping): DataFile[][] {
  const isDropped = (file: DataFile): boolean => archive === null && isWholly(cut, file)
  const groups: DataFile[][] = [files.filter(isDropped), []]
  for (const file of files) {
    if (isDropped(file)) continue
    if (bytesOf(groups.at(-1)!) >= GROUP_BYTES) groups.push([])
    groups.at(-1)!.push(file)
  }
  return groups.filter((group) => group.length > 0)
}

/** Null when nothing of it was old, or another writer was faster. */
async function move(
  { lake, engine }: ChoreParts,
  table: LakeTable,
  keeping: Keeping,
  cut: Cut,
  files: readonly DataFile[],
): Promise<{ rest: readonly DataFile[]; rows: number } | null> {
  using lease = lake.lease()
  const column = quoteName(cut.column.name)
  const isOld = isDate(cut) ? `${column} < DATE '1970-01-01' + ${cut.days}` : `epoch_us(${column}) < ${cut.us}`
  const edge = files.filter((file) => !isWholly(cut, file))
  const archive = keeping.archive === null ? null : await lake.table(keeping.archive)
  const write = async (into: LakeTable, of: readonly DataFile[], where: string): Promise<DataFile[]> => {
    if (of.length === 0) return []
    // Rows that stay keep who they are; in the archive they are new.
    const moved = into === table
    const local = await lease.local(of)
    const select = `SELECT * FROM (${moved ? movedSql(table, local) : scanSql({ table, files: local, tails: [] })}) WHERE ${where}`
    return withRelations(engine, {}, (session) =>
      writeParquet(session, { select, moved, table: into, directory: lake.dataDirectory(into) }),
    )
  }
  const rest = await write(table, edge, `(${isOld}) IS NOT TRUE`)
  const rowsIn = (of: readonly DataFile[]): number => of.reduce((sum, file) => sum + file.rows, 0)
  // A file of which rows were deleted only is written anew too, or it would be looked at in every pass.
  if (rowsIn(files) === rowsIn(rest)) return null
  const deleted = files.reduce((sum, { deletes }) => sum + (deletes?.vector?.positions.length ?? 0), 0)
  const rows = rowsIn(files) - deleted - rowsIn(rest)
  const archived = archive ? await write(archive, files, isOld) : []
  const out: TableChange = {
    table: table.name,
    operation: rest.length > 0 ? 'overwrite' : 'delete',
    add: rest,
    remove: files.map((file) => file.path),
    readFrom: table.current!.id,
    summary: { [RETAINED_BY]: String(cut.column.id), [RETAINED_FROM]: String(isDate(cut) ? cut.days : cut.us) },
  }
  const into: TableChange[] = archive ? [{ table: archive.name, operation: 'append', add: archived, remove: [] }] : []
  return (await unlessLost(lake.commit([out, ...into]))) ? { rest, rows } : null
}
