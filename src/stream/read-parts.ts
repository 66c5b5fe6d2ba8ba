// Batches of the log as parts of a delivery: rows are scanned, a run of one shape at once, and what a quarantine check refuses
// is set aside; keys that have gone, decisions and refusals of the door stand between them.
import { type Lines, openChanges } from '../log/changes.ts'
import type { LogBatch } from '../log/log.ts'
import { rawText } from '../log/refusal.ts'
import { type ColumnBatch, indexes, selectRows } from '../schema/batch.ts'
import { keyScanner } from '../schema/scan/key-scanner.ts'
import type { Scan, Scanner } from '../schema/scan/scanner.ts'
import type { Shape } from '../schema/type.ts'
import { groupsBetween } from './between-rows.ts'
import { decisionsOf } from './control.ts'
import { type DeletedKeys, deletedKeys } from './deleted-keys.ts'
import { type RejectedRow, rejectedFromDoor, rejectedFromScan } from './rejected.ts'
import { type FailedCheck, passesAll } from './row-checks.ts'

export interface RowsPart {
  readonly kind: 'rows'
  readonly batch: ColumnBatch
  readonly offsets: Float64Array
  readonly appendMs: Float64Array
  readonly redriven: Uint8Array | null
  readonly rejected: readonly RejectedRow[]
}

export type Part =
  | RowsPart
  | { readonly kind: 'rejects'; readonly rows: readonly RejectedRow[] }
  | { readonly kind: 'deletes'; readonly batch: ColumnBatch }
  | { readonly kind: 'control'; readonly watermarkUs: number | null; readonly offset: number; readonly appendMs: number }

export interface PartSettings {
  readonly scanner: Scanner
  /** Columns of the parts; may be some of the scanner's, which then reads no more of a row than that. */
  readonly shape: Shape
  /** Of a keyed table: the columns of its key. */
  readonly key: readonly string[]
  readonly failedCheck: FailedCheck
}

export class PartReader {
  readonly #settings: PartSettings
  readonly #isPart: boolean
  /** None where no rows go by their keys. */
  readonly #keys: Scanner | null

  constructor(settings: PartSettings) {
    this.#settings = settings
    this.#keys = settings.key.length > 0 ? keyScanner({ shape: settings.scanner.shape, key: settings.key }) : null
    this.#isPart = settings.shape.fields.length < settings.scanner.shape.fields.length
  }

  /** What the batches have of the offsets [from, until); rows of one shape that follow each other are one part. */
  read(found: readonly LogBatch[], from: number, until: number): Part[] {
    const parts: Part[] = []
    for (let i = 0; i < found.length; ) {
      const batch = found[i]!
      if (batch.kind === 'control') {
        for (const [index, { watermarkUs }] of decisionsOf(batch).entries())
          if (batch.baseOffset + index >= from && batch.baseOffset + index < until)
            parts.push({ kind: 'control', watermarkUs, offset: batch.baseOffset + index, appendMs: batch.appendTimeMs })
        i++
      } else if (batch.kind === 'rejects') {
        parts.push({ kind: 'rejects', rows: rejectedFromDoor(batch).filter((row) => row.offset >= from && row.offset < until) })
        i++
      } else if (batch.kind === 'deletes') {
        parts.push({ kind: 'deletes', batch: this.#gone(batch, linesOf(batch), from, until).batch })
        i++
      } else if (batch.kind === 'changes') {
        const { keys, rows } = openChanges(batch)
        parts.push(...this.#inOrder(this.#scanRun([{ ...batch, ...rows }], from, until), this.#gone(batch, keys, from, until)))
        i++
      } else {
        const run = [batch]
        while (++i < found.length && found[i]!.kind === 'rows' && found[i]!.fingerprint === batch.fingerprint) run.push(found[i]!)
        parts.push(this.#scanRun(run, from, until))
      }
    }
    return parts
  }

  #gone(batch: LogBatch, lines: Lines, from: number, until: number): DeletedKeys {
    return deletedKeys(lines, batch, { from, until, shape: this.#settings.shape, scanner: this.#keys! })
  }

  #inOrder(rows: RowsPart, gone: DeletedKeys): Part[] {
    const parts: Part[] = []
    let at = 0
    for (const { before, keys } of groupsBetween(rows.batch, rows.offsets, gone, this.#settings.key)) {
      if (before > at) parts.push({ ...slice(rows, at, before), rejected: [] })
      parts.push({ kind: 'deletes', batch: selectRows(gone.batch, Int32Array.from(keys)) })
      at = before
    }
    return [...parts, slice(rows, at, rows.batch.rows)]
  }

  /** Rows of another shape of the stream are read whole, since they may not be of this one. */
  #scan(payload: Uint8Array, trusted: boolean): Scan {
    const { scanner, shape } = this.#settings
    const columns = shape.fields.map(({ name }) => name)
    if (!this.#isPart || trusted) return scanner.scan(payload, this.#isPart ? { trusted, columns } : { trusted })
    const scan = scanner.scan(payload, { trusted })
    const { fields } = scanner.shape
    const own = columns.map((name) => scan.batch.columns[fields.findIndex((field) => field.name === name)]!)
    return { ...scan, batch: { shape, rows: scan.batch.rows, columns: own } }
  }

  /** `offsets` are those of the lines where they do not count on from the base of their batch. */
  #scanRun(run: readonly (LogBatch & Partial<Lines>)[], from: number, until: number): RowsPart {
    const trusted = run[0]!.fingerprint === this.#settings.scanner.fingerprint
    const payload = joinPayloads(run)
    const scan = this.#scan(payload, trusted)
    const lines = run.reduce((sum, { count, offsets }) => sum + (offsets?.length ?? count), 0)
    const lineOffset = new Float64Array(lines)
    const lineMs = new Float64Array(lines)
    const redriven = run.some((batch) => batch.redriveOf !== undefined) ? new Uint8Array(lines) : null
    let line = 0
    for (const { baseOffset, count, offsets, appendTimeMs, redriveOf } of run) {
      const end = line + (offsets?.length ?? count)
      if (offsets) lineOffset.set(offsets, line)
      else for (let i = line; i < end; i++) lineOffset[i] = baseOffset + (i - line)
      lineMs.fill(appendTimeMs, line, end)
      if (redriven && redriveOf !== undefined) redriven.fill(1, line, end)
      line = end
    }
    return cutRows({ scan, lineOffset, lineMs, redriven, partition: run[0]!.partition, payload }, from, until, this.#settings.failedCheck)
  }
}

/** Those of one read mostly lie one behind the other already. */
function joinPayloads(run: readonly { readonly payload: Uint8Array }[]): Uint8Array {
  const first = run[0]!.payload
  let end = first.byteOffset
  for (const { payload } of run) {
    if (payload.buffer !== first.buffer || payload.byteOffset !== end) return Buffer.concat(run.map((batch) => batch.payload))
    end += payload.byteLength
  }
  return new Uint8Array(first.buffer, first.byteOffset, end - first.byteOffset)
}

function linesOf({ payload, baseOffset, count }: LogBatch): Lines {
  const offsets = new Float64Array(count)
  for (let line = 0; line < count; line++) offsets[line] = baseOffset + line
  return { payload, offsets }
}

/** Some of its rows; what was set aside goes with them. */
function slice(part: RowsPart, from: number, to: number): RowsPart {
  if (from === 0 && to === part.batch.rows) return part
  const rows = indexes(to - from).map((index) => from + index)
  const cut = <A extends Float64Array | Uint8Array>(values: A): A => values.subarray(from, to) as A
  const { batch, offsets, appendMs, redriven } = part
  return { ...part, batch: selectRows(batch, rows), offsets: cut(offsets), appendMs: cut(appendMs), redriven: redriven && cut(redriven) }
}

interface ScannedRun {
  readonly scan: Scan
  readonly lineOffset: Float64Array
  readonly lineMs: Float64Array
  readonly redriven: Uint8Array | null
  readonly partition: number
  readonly payload: Uint8Array
}

/** Keeps the rows whose offsets lie in [from, until), since a batch may begin before the position, and that pass the checks. */
function cutRows(run: ScannedRun, from: number, until: number, failedCheck: FailedCheck): RowsPart {
  const { scan, lineOffset, lineMs } = run
  const { lines, batch } = scan
  const isWithin = (offset: number): boolean => offset >= from && offset < until
  const rejected = rejectedFromScan(run.partition, scan, run.payload, lineOffset, lineMs).filter(({ offset }) => isWithin(offset))
  // Mostly all of them, and each line is a row.
  const isWhole = batch.rows === lineOffset.length && batch.rows > 0 && isWithin(lineOffset[0]!) && isWithin(lineOffset[batch.rows - 1]!)
  if (isWhole && failedCheck === passesAll)
    return { kind: 'rows', batch, offsets: lineOffset, appendMs: lineMs, redriven: run.redriven, rejected }
  const kept = new Int32Array(batch.rows)
  let count = 0
  for (let row = 0; row < batch.rows; row++) {
    if (!isWithin(lineOffset[lines[row]!]!)) continue
    const failed = failedCheck(batch, row)
    if (failed === null) kept[count++] = row
    else rejected.push(setAside(run, row, failed))
  }
  const rows = kept.subarray(0, count)
  const pick = (values: Float64Array): Float64Array => {
    const picked = new Float64Array(count)
    for (let i = 0; i < count; i++) picked[i] = values[lines[rows[i]!]!]!
    return picked
  }
  return {
    kind: 'rows',
    batch: count === batch.rows ? batch : selectRows(batch, rows),
    offsets: pick(lineOffset),
    appendMs: pick(lineMs),
    redriven: run.redriven && Uint8Array.from(rows, (row) => run.redriven![lines[row]!]!),
    rejected,
  }
}

function setAside(
  { scan, payload, partition, lineOffset, lineMs }: ScannedRun,
  row: number,
  failed: { check: string; column: string },
): RejectedRow {
  const line = scan.lines[row]!
  return {
    partition,
    offset: lineOffset[line]!,
    appendMs: lineMs[line]!,
    raw: rawText(payload.subarray(scan.lineStart[row]!, scan.lineEnd[row]!)),
    code: 'MR_ROW_CHECK',
    message: `the check ${failed.check} failed`,
    field: failed.column,
  }
}
