// DuckDB's errors as ours: class, position and suggestion are kept, internals are not.
import { type ErrorCode, MillraceError } from '../core/errors.ts'

const CLASSES: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/^Parser Error/, 'MR_SQL_SYNTAX', 'check the SQL near that place'],
  [/^Catalog Error/, 'MR_SQL_UNKNOWN', 'check the names'],
  [/^Binder Error: (Referenced|Table|Column|Values list|Ambiguous)/, 'MR_SQL_UNKNOWN', 'check the names'],
  [/^Binder Error/, 'MR_SQL_TYPE', 'check the types and the arguments'],
  [
    /^(Conversion|Out of Range|Invalid Input|Mismatch Type|Constraint) Error/,
    'MR_SQL_RUNTIME',
    'use TRY_CAST, or filter such rows out before',
  ],
  [/^INTERRUPT Error/, 'MR_SQL_TIMEOUT', 'ask for less, or raise the time limit'],
  [/^Out of Memory Error/, 'MR_SQL_MEMORY', 'ask for less at once'],
  [/^Permission Error/, 'MR_SQL_FORBIDDEN', 'read relations of the project only'],
]

/** `text`: the SQL that failed; the position is given in it. */
export function engineError(cause: unknown, text: string): MillraceError {
  if (cause instanceof MillraceError) return cause
  const full = cause instanceof Error ? cause.message : String(cause)
  if (/No space left on device/.test(full)) return new MillraceError('MR_DATA_FULL', 'the disk is full', { cause, fix: 'free disk space' })
  const known = CLASSES.find(([pattern]) => pattern.test(full))
  if (!known) return new MillraceError('MR_ENGINE', firstLine(full), { cause, fix: 'if the query is right, please report this' })
  return new MillraceError(known[1], `${describe(full)}${positionIn(full, text)}`, { cause, fix: known[2] })
}

const firstLine = (text: string): string => text.split('\n')[0]!

/** The message without its class and the engine's drawing of the line, suggestions kept. */
function describe(full: string): string {
  const body = full.replace(/^[\w ]+ Error: /, '')
  const lines = body.split('\n').filter((line) => line.trim() !== '' && !/^LINE \d+:/.test(line) && !/^\s*\^/.test(line))
  return lines.slice(0, 3).join(' ').trim()
}

function positionIn(full: string, text: string): string {
  const drawn = /LINE (\d+): ([^\n]*)\n(\s*)\^/.exec(full)
  if (!drawn) return ''
  const column = Math.max(1, drawn[3]!.length - `LINE ${drawn[1]}: `.length + 1)
  const isWhole = (text.split('\n')[Number(drawn[1]) - 1] ?? '').startsWith(drawn[2]!.slice(0, 10))
  return isWhole ? ` (line ${drawn[1]}, column ${column})` : ` (line ${drawn[1]})`
}
