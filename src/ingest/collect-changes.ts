// What a statement changes, from the rows of its SELECT (`engine/dml/changes-select.ts`) to lines for the log: the shape's own scanner
// reads every row that is to be written, keys are compared, and whatever is refused ends the statement before anything is written.
import { MillraceError } from '../core/errors.ts'
import type { ChangedTable, ChangesSelect } from '../engine/dml/changes-select.ts'
import type { Page } from '../engine/duckdb.ts'
import { ByteSink } from '../engine/encode/byte-sink.ts'
import { linesOf, type Placed } from '../engine/encode/row-lines.ts'
import { openVector } from '../engine/result-vector.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { keyFields } from '../schema/scan/key-scanner.ts'
import { compileScanner, type Scan, type Scanner } from '../schema/scan/scanner.ts'
import type { Field } from '../schema/type.ts'

export interface CollectedChanges {
  /** Lines of rows that are written, as scanned. */
  readonly rows: Uint8Array
  readonly scan: Scan
  /** Lines of keys whose rows go. */
  readonly deletes: Uint8Array
  readonly deleteCount: number
  readonly counts: ChangeCounts
}

export interface ChangeCounts {
  readonly inserted: number
  readonly updated: number
  readonly deleted: number
}

export interface ChangeRules {
  readonly table: ChangedTable
  readonly scanner: Scanner
  /** A row that a check would set aside is refused. */
  readonly failedCheck: (batch: ColumnBatch, row: number) => { readonly check: string; readonly column: string } | null
  /** Of all lines together. */
  readonly bytesMax: number
}

/** One row of the SELECT; `row` and `old` are lines, -1 for none. */
interface Entry {
  readonly kind: 'insert' | 'update' | 'delete' | 'in table'
  readonly row: number
  readonly old: number
}

const NOTHING: ReadonlySet<string> = new Set()

/**
 * @throws MR_SQL_ROW for a row that the shape or a check refuses, and for ERROR in MERGE; MR_SQL_KEY; MR_SQL_ROWS above the limit.
 */
export async function collectChanges(pages: AsyncIterable<Page>, select: ChangesSelect, rules: ChangeRules): Promise<CollectedChanges> {
  const { table, scanner, failedCheck } = rules
  const fields = keyFields(table)
  const [rows, olds] = [new ByteSink(), new ByteSink()]
  const entries: Entry[] = []
  let [rowCount, oldCount] = [0, 0]
  for await (const page of pages) {
    if (page.rowCount === 0) continue
    const branches = openVector(page.chunk, 0, page.types[0]!, page.rowCount)
    const oldLines = linesOf(olds, page, placed(fields, 1))
    const newLines = linesOf(rows, page, placed(table.shape.fields, 1 + fields.length))
    for (let row = 0; row < page.rowCount; row++) {
      const number = branches.kind === 'numbers' ? branches.values[row]! : -1
      const branch = number < 0 ? null : select.branches[number]!
      if (branch?.kind === 'error') throw new MillraceError('MR_SQL_ROW', 'a row came to THEN ERROR of the statement; nothing was written')
      const hasRow = branch !== null && branch.kind !== 'delete'
      const hasOld = branch === null || branch.kind === 'delete' || (branch.kind === 'update' && (select.mayRepeat || select.addsKeys))
      if (hasRow) writing(rowCount, () => newLines.writeLine(row, branch.absent))
      if (hasOld) oldLines.writeLine(row, NOTHING)
      entries.push({ kind: branch?.kind ?? 'in table', row: hasRow ? rowCount++ : -1, old: hasOld ? oldCount++ : -1 } as Entry)
      if (rows.length + olds.length > rules.bytesMax) throw tooMuch(rules.bytesMax, entries.length)
    }
  }
  const [rowBytes, oldBytes] = [rows.take(), olds.take()]
  const scan = scanner.scan(rowBytes)
  refuseRejected(scan, failedCheck)
  const oldScan = compileScanner({ fields }).scan(oldBytes)
  const newKey = keyReader(scan.batch, table.key)
  const oldKey = keyReader(oldScan.batch, table.key)
  const resolved = resolve(entries, select, { table, newKey, oldKey })
  const written = resolved.dropped.size === 0 ? rowBytes : withoutLines(rowBytes, scan, resolved.dropped)
  return {
    rows: written,
    scan: resolved.dropped.size === 0 ? scan : scanner.scan(written),
    deletes: linesAt(oldBytes, oldScan, resolved.deletes),
    deleteCount: resolved.deletes.length,
    counts: resolved.counts,
  }
}

const placed = (fields: readonly Field[], first: number): Placed[] => fields.map((field, index) => ({ field, at: first + index }))

function writing(row: number, write: () => void): void {
  try {
    write()
  } catch (cause) {
    if (!(cause instanceof MillraceError)) throw cause
    throw refusedRow(row, cause.message)
  }
}

const refusedRow = (row: number, why: string): MillraceError =>
  new MillraceError('MR_SQL_ROW', `row ${row + 1} of the statement: ${why}; nothing was written`, {
    fix: 'give every row values that its columns take, or leave such rows out',
  })

const tooMuch = (bytesMax: number, rows: number): MillraceError =>
  new MillraceError(
    'MR_SQL_ROWS',
    `the statement changes more than ${rows} rows, which are more than ${bytesMax} bytes; nothing was written`,
    {
      fix: 'change fewer rows at once by a narrower WHERE, or raise MILLRACE_WRITE_BYTES',
    },
  )

function refuseRejected({ rejects, batch }: Scan, failedCheck: ChangeRules['failedCheck']): void {
  const [first] = rejects
  if (first) throw refusedRow(first.line, first.message)
  for (let row = 0; row < batch.rows; row++) {
    const failed = failedCheck(batch, row)
    if (failed) throw refusedRow(row, `field ${failed.column}: the check ${failed.check} fails`)
  }
}

type KeyReader = (row: number) => string

function keyReader(batch: ColumnBatch, key: readonly string[]): KeyReader {
  const indexes = key.map((name) => batch.shape.fields.findIndex((field) => field.name === name))
  return (row) => JSON.stringify(indexes.map((index) => String(valueAt(batch, index, row))))
}

interface Keys {
  readonly table: ChangedTable
  readonly newKey: KeyReader
  readonly oldKey: KeyReader
}

interface Resolved {
  /** Rows that are not written after all. */
  readonly dropped: ReadonlySet<number>
  /** Lines of old keys that go. */
  readonly deletes: readonly number[]
  readonly counts: ChangeCounts
}

/** Compares keys: one row a key before and after, whatever the order of the rows. */
function resolve(entries: readonly Entry[], { addsKeys, mayRepeat, onConflict }: ChangesSelect, keys: Keys): Resolved {
  const gone = new Map<string, number>()
  for (const { kind, old } of entries) {
    if (old < 0 || kind === 'in table') continue
    const key = keys.oldKey(old)
    if (gone.has(key)) throw repeated(keys, key)
    gone.set(key, old)
  }
  const inTable = new Set(entries.filter(({ kind }) => kind === 'in table').map(({ old }) => keys.oldKey(old)))
  const written = new Map<string, number>()
  const dropped = new Set<number>()
  let [inserted, updated, deleted] = [0, 0, 0]
  for (const { kind, row } of entries) {
    if (kind === 'delete') deleted++
    if (row < 0) continue
    if (!(addsKeys || mayRepeat)) {
      if (kind === 'insert') inserted++
      else updated++
      continue
    }
    const key = keys.newKey(row)
    const isTaken = inTable.has(key) && !gone.has(key)
    const before = written.get(key)
    const isInsert = kind === 'insert'
    if ((isTaken || before !== undefined) && isInsert && onConflict === 'ignore') {
      dropped.add(row)
      continue
    }
    if (isTaken && !(isInsert && onConflict === 'replace')) throw taken(keys, key, isInsert)
    if (before !== undefined) {
      if (!isInsert || onConflict !== 'replace') throw twice(keys, key)
      dropped.add(before)
    } else if (isInsert && !isTaken) inserted++
    else updated++
    written.set(key, row)
  }
  const deletes = [...gone].filter(([key]) => (addsKeys || mayRepeat ? !written.has(key) : true)).map(([, old]) => old)
  return { dropped, deletes, counts: { inserted, updated, deleted } }
}

const printKey = ({ table }: Keys, key: string): string => {
  const values = JSON.parse(key) as string[]
  return table.key.map((column, index) => `${column} = ${values[index]}`).join(', ')
}

const taken = (keys: Keys, key: string, isInsert: boolean): MillraceError =>
  new MillraceError('MR_SQL_KEY', `${keys.table.name} has a row with ${printKey(keys, key)}; nothing was written`, {
    fix: isInsert
      ? 'write INSERT OR REPLACE to replace such rows, ON CONFLICT DO NOTHING to keep them, or ON CONFLICT DO UPDATE SET ...'
      : 'give rows keys that no other row has',
  })

const twice = (keys: Keys, key: string): MillraceError =>
  new MillraceError('MR_SQL_KEY', `the statement would write two rows with ${printKey(keys, key)}; nothing was written`, {
    fix: 'give each row a key of its own, or choose one of them: QUALIFY row_number() OVER (PARTITION BY key ORDER BY ...) = 1',
  })

const repeated = (keys: Keys, key: string): MillraceError =>
  new MillraceError('MR_SQL_KEY', `two rows of the source match the row with ${printKey(keys, key)}; nothing was written`, {
    fix: 'let the source have one row for each: GROUP BY, or QUALIFY row_number() OVER (PARTITION BY key ORDER BY ...) = 1',
  })

const NEWLINE = Buffer.from('\n')

const lineAt = (bytes: Uint8Array, { lineStart, lineEnd }: Scan, row: number): Uint8Array[] => [
  bytes.subarray(lineStart[row]!, lineEnd[row]!),
  NEWLINE,
]

const linesAt = (bytes: Uint8Array, scan: Scan, rows: readonly number[]): Uint8Array =>
  rows.length === scan.batch.rows ? bytes : Buffer.concat(rows.flatMap((row) => lineAt(bytes, scan, row)))

function withoutLines(bytes: Uint8Array, scan: Scan, dropped: ReadonlySet<number>): Uint8Array {
  const kept = Array.from({ length: scan.batch.rows }, (_, row) => row).filter((row) => !dropped.has(row))
  return linesAt(bytes, scan, kept)
}
