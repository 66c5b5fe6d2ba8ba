// DuckDB's errors as ours: class, place and suggestion are kept, internals are not. Relies on the engine being opened with
// errors_as_json, which gives the class, the byte position and the candidates; anything else becomes MR_ENGINE.
import { type ErrorCode, MillraceError } from '../core/errors.ts'

/** What DuckDB tells about an error; all as text. */
interface Raw {
  readonly exception_type: string
  readonly exception_message: string
  readonly error_subtype?: string
  readonly position?: string
}

const CLASSES: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  Parser: ['MR_SQL_SYNTAX', 'check the SQL near that place'],
  Syntax: ['MR_SQL_SYNTAX', 'check the SQL near that place'],
  Catalog: ['MR_SQL_UNKNOWN', 'check the names'],
  Binder: ['MR_SQL_TYPE', 'check the types and the arguments, or cast'],
  'Parameter Not Resolved': ['MR_SQL_PARAMETER', 'give the parameter a type: CAST($1 AS DATE)'],
  'Parameter Not Allowed': ['MR_SQL_PARAMETER', 'write a constant there'],
  Conversion: ['MR_SQL_RUNTIME', 'use TRY_CAST, or filter such rows out before'],
  'Out of Range': ['MR_SQL_RUNTIME', 'cast to a wider type first'],
  'Invalid Input': ['MR_SQL_RUNTIME', 'check the values that the query meets'],
  'Mismatch Type': ['MR_SQL_RUNTIME', 'use TRY_CAST, or filter such rows out before'],
  'Divide by Zero': ['MR_SQL_RUNTIME', 'guard the divisor with nullif(x, 0)'],
  Constraint: ['MR_SQL_RUNTIME', 'check the values that the query meets'],
  'Not implemented': ['MR_SQL_FORBIDDEN', 'write it in another way'],
  Permission: ['MR_SQL_FORBIDDEN', 'read relations of the project only'],
  INTERRUPT: ['MR_SQL_TIMEOUT', 'ask for less, or raise the time limit'],
  'Out of Memory': ['MR_SQL_MEMORY', 'ask for less at once: filter, or group by fewer values'],
}

/** Binder errors that are about names, by subtype or, where it has none, by message. */
const UNKNOWN_NAME = /^(Referenced (column|table)|Ambiguous reference|Table ".*" does not have a column|Values list ".*" does not have)/

/** `text`: what was run; `source`: the part of it that the user wrote, in which the position is given, if it is in there. */
export function engineError(cause: unknown, text: string, source = text): MillraceError {
  if (cause instanceof MillraceError) return cause
  const full = cause instanceof Error ? cause.message : String(cause)
  if (/No space left on device/.test(full)) return new MillraceError('MR_DATA_FULL', 'the disk is full', { cause, fix: 'free disk space' })
  const raw = parseRaw(full)
  if (/^Computed AES tag differs/.test(raw.exception_message))
    return new MillraceError('MR_SEAL_DAMAGED', 'an encrypted data file is not what was written', {
      cause,
      fix: 'find out which with `millrace verify`, and restore it from a backup',
    })
  const known = CLASSES[raw.exception_type]
  if (!known)
    return new MillraceError('MR_ENGINE', firstLine(raw.exception_message), { cause, fix: 'if the query is right, please report this' })
  const isName = raw.exception_type === 'Binder' && (raw.error_subtype === 'COLUMN_NOT_FOUND' || UNKNOWN_NAME.test(raw.exception_message))
  const [code, fix] = isName ? CLASSES['Catalog']! : known
  const unit = raw.exception_type === 'Parser' ? 'characters' : 'bytes'
  const place = raw.position === undefined ? '' : placeOf(text, Number(raw.position), unit, source)
  return new MillraceError(code, `${describe(raw.exception_message)}${place}`, { cause, fix })
}

/** `Parser Error: {"exception_type": ...}`, the object alone, or plain text of an error outside of a statement. */
function parseRaw(full: string): Raw {
  const start = full.indexOf('{"exception_type"')
  if (start >= 0) {
    try {
      return JSON.parse(full.slice(start)) as Raw
    } catch {
      // Text that only looks so: shown as it is.
    }
  }
  const plain = /^(?:[^:]*: )?([A-Za-z ]+) Error: (.*)$/s.exec(full)
  return { exception_type: plain?.[1] ?? '', exception_message: plain?.[2] ?? full }
}

const firstLine = (text: string): string => text.split('\n')[0]!

/** Suggestions of the engine's own names, or of how we store things, are of no use to the user. */
const INTERNAL = /^Did you mean:? "(pg_|duckdb_|sqlite_|pragma_|information_schema|force_|[^"]*#)/

/** The first line, and the suggestion when there is one; lists of overloads, drawings and advice on settings are not kept. */
function describe(message: string): string {
  const [first, ...rest] = message.split('\n').map((line) => line.trim())
  const hint = rest.find((line) => /^(Did you mean|Candidate bindings)/.test(line) && !INTERNAL.test(line))
  return hint === undefined ? first! : `${first} ${hint}`
}

/**
 * ` (line 2, column 5)` in `source`, of an offset into `text`; empty when it is outside. DuckDB's parser counts characters,
 * its binder bytes.
 */
export function placeOf(text: string, offset: number, unit: 'bytes' | 'characters', source = text): string {
  const before = unit === 'bytes' ? Buffer.from(text).subarray(0, offset).toString() : Array.from(text).slice(0, offset).join('')
  const start = text.indexOf(source)
  if (start < 0 || before.length < start || before.length > start + source.length) return ''
  const lines = before.slice(start).split('\n')
  return ` (line ${lines.length}, column ${Array.from(lines.at(-1)!).length + 1})`
}
