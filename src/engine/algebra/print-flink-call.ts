// Functions of live models as Flink SQL: a table by our names. Where Flink's function of the same name means something else (nulls,
// rounding, empty parts), the call is written so that it means the same, or refused by name. Sessions in UTC are assumed.
import { MillraceError } from '../../core/errors.ts'
import { type ConstantExpression, type Expression, isOptional } from './expression.ts'
import { fixedMicros } from './read-expression.ts'

/** @throws MR_PLAN_FLINK; `what` reads on with "cannot be said in Flink SQL". */
export function refuseFlink(what: string, fix: string): never {
  throw new MillraceError('MR_PLAN_FLINK', `${what} cannot be said in Flink SQL`, { fix })
}

/** Arguments as text, and as they are. */
type PrintCall = (texts: readonly string[], of: readonly Expression[]) => string

const infix =
  (sign: string): PrintCall =>
  (texts) =>
    `(${texts.join(` ${sign} `)})`

const named =
  (name: string): PrintCall =>
  (texts) =>
    `${name}(${texts.join(', ')})`

const refused =
  (what: string, fix: string): PrintCall =>
  () =>
    refuseFlink(what, fix)

const AS_COLUMN = 'compute it in the producer, or keep this model in Millrace'

/** Whole numbers that Flink must have in the text. */
function whole(of: Expression | undefined, least: number, what: string): number {
  const inner = of?.op === 'cast' ? of.of : of
  const value = inner?.op === 'constant' && inner.value !== null ? Number(inner.value) : Number.NaN
  return value >= least ? value : refuseFlink(`${what} that is no constant from ${least} on`, 'write the number')
}

const text = (of: Expression | undefined): string => String((of as ConstantExpression).value)

/** Both divide by nothing where DuckDB gives null. */
const byZeroIsNull =
  (print: (a: string, b: string) => string): PrintCall =>
  ([a, b]) =>
    print(a!, `NULLIF(${b}, 0)`)

const remainder: PrintCall = (texts, of) => {
  if (of[0]!.type.kind === 'double' || of[0]!.type.kind === 'float') return refuseFlink('% of doubles', 'take it of DECIMAL values')
  return byZeroIsNull((a, b) => `MOD(${a}, ${b})`)(texts, of)
}

/** Flink's extreme is null where any argument is. */
const extreme =
  (name: 'GREATEST' | 'LEAST'): PrintCall =>
  (texts, of) => {
    if (of.some(isOptional)) refuseFlink(`${name.toLowerCase()} of values that may be null`, 'coalesce them first')
    return `${name}(${texts.join(', ')})`
  }

/** Flink's part beyond the last is null, not empty. */
const splitPart: PrintCall = ([value, by], of) => {
  const part = `COALESCE(SPLIT_INDEX(${value}, ${by}, ${whole(of[2], 1, 'the number of a part')! - 1}), '')`
  return isOptional(of[0]!) ? `CASE WHEN ${value} IS NULL THEN NULL ELSE ${part} END` : part
}

/** Flink's match is null where there is none, not empty. */
const regexpExtract: PrintCall = ([value, pattern, group], of) => {
  const found = `COALESCE(REGEXP_EXTRACT(${value}, ${pattern}, ${group}), '')`
  return isOptional(of[0]!) ? `CASE WHEN ${value} IS NULL THEN NULL ELSE ${found} END` : found
}

/** Flink's replaces all matches. For the first alone, what is before and what is after it is taken: the least that a match follows. */
const regexpReplace: PrintCall = ([value, pattern, by, options], of) => {
  if (text(of[2]).includes('\\')) refuseFlink('a replacement with groups', AS_COLUMN)
  if (options) return `REGEXP_REPLACE(${value}, ${pattern}, ${by})`
  const match = `(?:${text(of[1]).replaceAll("'", "''")})`
  const [before, after] = [`REGEXP_EXTRACT(${value}, '\\A((?s:.*?))${match}', 1)`, `REGEXP_REPLACE(${value}, '\\A(?s:.*?)${match}', '')`]
  return `CASE WHEN REGEXP(${value}, ${pattern}) THEN CONCAT(${before}, ${by}, ${after}) ELSE ${value} END`
}

const substring: PrintCall = ([value], of) => {
  const from = whole(of[1], 1, 'a position')
  return of[2] ? `SUBSTRING(${value} FROM ${from} FOR ${whole(of[2], 0, 'a length')})` : `SUBSTRING(${value} FROM ${from})`
}

const cut =
  (name: string): PrintCall =>
  ([value], of) =>
    `${name}(${value}, ${whole(of[1], 0, 'a length')})`

const pad =
  (name: string): PrintCall =>
  ([value, , by], of) =>
    `${name}(${value}, ${whole(of[1], 0, 'a length')}, ${by})`

const jsonText: PrintCall = ([value], of) => {
  const path = text(of[1])
  return `JSON_VALUE(${value}, '${path.startsWith('$') ? path : `$.${path}`}')`
}

const PARTS: Readonly<Record<string, (at: string) => string>> = {
  ...Object.fromEntries(
    ['year', 'quarter', 'month', 'week', 'day', 'hour', 'minute', 'second'].map((part) => [
      part,
      (at: string) => `EXTRACT(${part.toUpperCase()} FROM ${at})`,
    ]),
  ),
  dayofyear: (at) => `EXTRACT(DOY FROM ${at})`,
  dayofweek: (at) => `(EXTRACT(DOW FROM ${at}) - 1)`,
  isodow: (at) => `(MOD(EXTRACT(DOW FROM ${at}) + 5, 7) + 1)`,
}

const datePart: PrintCall = ([, at], of) => {
  const part = text(of[0])
  return PARTS[part]?.(at!) ?? refuseFlink(`date_part('${part}', ...)`, `take one of ${Object.keys(PARTS).join(', ')}`)
}

const TRUNCATIONS = new Set(['year', 'quarter', 'month', 'day', 'hour', 'minute', 'second'])

const dateTrunc: PrintCall = ([, at], of) => {
  const part = text(of[0])
  if (!TRUNCATIONS.has(part)) refuseFlink(`date_trunc('${part}', ...)`, `truncate to one of ${[...TRUNCATIONS].join(', ')}`)
  return cutTo(at!, part.toUpperCase(), of[1])
}

/** Flink cuts times without a zone only. */
const cutTo = (at: string, unit: string, of: Expression | undefined): string =>
  of?.type.kind === 'datetime' ? `FLOOR(${at} TO ${unit})` : `CAST(FLOOR(CAST(${at} AS TIMESTAMP(6)) TO ${unit}) AS TIMESTAMP_LTZ(6))`

/** Bounds of a window row by row: of the lengths that Flink can cut a time to. */
const bucket: PrintCall = ([, at], of) => {
  const width = of[0]!
  const micros = width.op === 'interval' ? (fixedMicros(width) ?? 0) : 0
  const units: Readonly<Record<number, string>> = { 1000000: 'SECOND', 60000000: 'MINUTE', 3600000000: 'HOUR', 86400000000: 'DAY' }
  const unit = units[micros]
  if (unit) return cutTo(at!, unit, of[1])
  return refuseFlink(
    'a bound of a window row by row, of another length than a second, a minute, an hour or a day,',
    'group by window_start, or take one of these lengths',
  )
}

export const FLINK_CALLS: Readonly<Record<string, PrintCall>> = {
  ...Object.fromEntries(['=', '<>', '<', '<=', '>', '>=', '+', '-', '*', '/', '||'].map((sign) => [sign, infix(sign)])),
  distinct_from: infix('IS DISTINCT FROM'),
  and: infix('AND'),
  or: infix('OR'),
  like: infix('LIKE'),
  ilike: ([value, pattern]) => `(LOWER(${value}) LIKE LOWER(${pattern}))`,
  not: ([value]) => `(NOT ${value})`,
  is_null: ([value]) => `(${value} IS NULL)`,
  is_not_null: ([value]) => `(${value} IS NOT NULL)`,
  in: ([value, ...among]) => `(${value} IN (${among.join(', ')}))`,
  coalesce: named('COALESCE'),
  neg: ([value]) => `(- ${value})`,
  '//': byZeroIsNull((a, b) => `(${a} / ${b})`),
  '%': remainder,
  abs: named('ABS'),
  floor: named('FLOOR'),
  ceil: named('CEIL'),
  trunc: ([value]) => `TRUNCATE(${value}, 0)`,
  round: ([value]) => `ROUND(${value}, 0)`,
  round_to: ([value], of) => `ROUND(${value}, ${whole(of[1], 0, 'a number of digits')})`,
  isnan: refused('isnan', AS_COLUMN),
  isinf: refused('isinf', AS_COLUMN),
  greatest: extreme('GREATEST'),
  least: extreme('LEAST'),
  lower: named('LOWER'),
  upper: named('UPPER'),
  length: ([value]) => `CAST(CHAR_LENGTH(${value}) AS BIGINT)`,
  strlen: refused('strlen', 'use length, which counts characters'),
  trim: named('TRIM'),
  ltrim: named('LTRIM'),
  rtrim: named('RTRIM'),
  replace: named('REPLACE'),
  contains: ([value, part]) => `(POSITION(${part} IN ${value}) > 0)`,
  starts_with: ([value, part]) => `(LEFT(${value}, CHAR_LENGTH(${part})) = ${part})`,
  ends_with: ([value, part]) => `(RIGHT(${value}, CHAR_LENGTH(${part})) = ${part})`,
  strpos: ([value, part]) => `CAST(POSITION(${part} IN ${value}) AS BIGINT)`,
  substring,
  left: cut('LEFT'),
  right: cut('RIGHT'),
  repeat: cut('REPEAT'),
  lpad: pad('LPAD'),
  rpad: pad('RPAD'),
  split_part: splitPart,
  concat: (texts) => `CONCAT_WS('', ${texts.join(', ')})`,
  regexp_matches: named('REGEXP'),
  regexp_full_match: ([value], of) => `REGEXP(${value}, '\\A(?:${text(of[1]).replaceAll("'", "''")})\\z')`,
  regexp_extract: regexpExtract,
  regexp_replace: regexpReplace,
  json_extract_string: jsonText,
  date_part: datePart,
  date_trunc: dateTrunc,
  bucket,
  time_bucket: bucket,
  add_interval: infix('+'),
  date_minus: ([a, b]) => `CAST(TIMESTAMPDIFF(DAY, ${b}, ${a}) AS BIGINT)`,
  date_add: ([date, days]) => `TIMESTAMPADD(DAY, ${days}, ${date})`,
  date_sub: ([date, days]) => `TIMESTAMPADD(DAY, - ${days}, ${date})`,
  epoch_ms: refused('epoch_ms', AS_COLUMN),
  epoch_us: refused('epoch_us', AS_COLUMN),
}
