// Whether a question must be answered in two stages: first what the policy shows is copied, then the question runs on the
// copy alone. The engine evaluates some functions and casts on rows that a policy hides (on entries of dictionaries, or before
// the policy's filter), and one that fails there tells about them. Judged on the bound plan, which has every implicit cast
// and type; what is not known to be harmless needs two stages. The lists come from scripts/fuzz-functions.ts.
import { parseJson } from '../core/json.ts'
import type { Session } from '../engine/duckdb.ts'
import { SAFE_FUNCTIONS, STRICT_FUNCTIONS } from '../engine/listed-functions.ts'

/** A node of a plan; expressions have an `expression_class`. */
interface PlanNode {
  readonly expression_class?: string
  readonly [key: string]: unknown
}

interface PlanType {
  readonly id: string
  readonly type_info: { readonly width?: number; readonly scale?: number } | null
}

/** `text`: without parameters. A text that does not bind reads no rows, and needs nothing. */
export async function needsTwoStages(session: Session, text: string): Promise<boolean> {
  const { rows } = await session.rows('SELECT json_serialize_plan($1::VARCHAR)', [text])
  const plan = parseJson(String(rows[0]![0])) as { error: boolean; error_type?: string; plans?: unknown }
  if (plan.error) return !['binder', 'catalog', 'parser'].includes(plan.error_type ?? '')
  return expressionsOf(plan.plans).some(mayTell)
}

const isObject = (value: unknown): value is PlanNode => value !== null && typeof value === 'object'

/** Every expression below `value`, those inside others too. */
function expressionsOf(value: unknown): PlanNode[] {
  if (Array.isArray(value)) return value.flatMap(expressionsOf)
  if (!isObject(value)) return []
  const inner = Object.values(value).flatMap(expressionsOf)
  return value.expression_class === undefined ? inner : [value, ...inner]
}

/** Have no failure of their own, or see only rows that passed every filter. */
const HARMLESS_CLASSES = new Set([
  'BOUND_AGGREGATE',
  'BOUND_BETWEEN',
  'BOUND_CASE',
  'BOUND_COLUMN_REF',
  'BOUND_COMPARISON',
  'BOUND_CONJUNCTION',
  'BOUND_CONSTANT',
  'BOUND_LAMBDA_REF',
  'BOUND_OPERATOR',
  'BOUND_REF',
  'BOUND_SUBQUERY',
  'BOUND_UNNEST',
  'BOUND_WINDOW',
])

function mayTell(node: PlanNode): boolean {
  if (HARMLESS_CLASSES.has(node.expression_class!)) return false
  if (!dependsOnRows(node)) return false
  if (node.expression_class === 'BOUND_CAST')
    return node['try_cast'] !== true && !isSafeCast(typeOf(node['child'] as PlanNode), node['return_type'] as PlanType)
  return node.expression_class !== 'BOUND_FUNCTION' || mayTellFunction(node)
}

/** Made of nothing but these, an expression is the same for every row. */
const CONSTANT_CLASSES = new Set([
  'BOUND_CONSTANT',
  'BOUND_CAST',
  'BOUND_FUNCTION',
  'BOUND_OPERATOR',
  'BOUND_CASE',
  'BOUND_COMPARISON',
  'BOUND_CONJUNCTION',
])

const dependsOnRows = (node: PlanNode): boolean => expressionsOf(node).some((inner) => !CONSTANT_CLASSES.has(inner.expression_class!))

function typeOf(node: PlanNode): PlanType | undefined {
  if (['BOUND_COMPARISON', 'BOUND_CONJUNCTION', 'BOUND_BETWEEN'].includes(node.expression_class!)) return { id: 'BOOLEAN', type_info: null }
  return (node['return_type'] ?? (node['value'] as { type?: PlanType } | undefined)?.type) as PlanType | undefined
}

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Between these, the engine knows that a cast can fail, and keeps it above the policy's filter; decimals apart. */
const PLAIN_TYPES: ReadonlySet<string> = new Set([
  ...words('BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT FLOAT DOUBLE DECIMAL VARCHAR DATE TIME TIMESTAMP INTERVAL UUID ENUM'),
  'TIMESTAMP WITH TIME ZONE',
])
/** Decimal digits that always fit, and that may occur. */
const INTEGER_DIGITS: Readonly<Record<string, readonly [fit: number, occur: number]>> = {
  TINYINT: [2, 3],
  SMALLINT: [4, 5],
  INTEGER: [9, 10],
  BIGINT: [18, 19],
  HUGEINT: [38, 39],
}

function isSafeCast(from: PlanType | undefined, to: PlanType): boolean {
  if (!from || !PLAIN_TYPES.has(from.id) || !PLAIN_TYPES.has(to.id)) return false
  if (from.id !== 'DECIMAL' && to.id !== 'DECIMAL') return true
  const [held, room] = [digitsOf(from, 1), digitsOf(to, 0)]
  return held === undefined || room === undefined || room >= held
}

/** Digits before the point of an exact number. */
function digitsOf({ id, type_info: info }: PlanType, side: 0 | 1): number | undefined {
  return id === 'DECIMAL' ? (info?.width ?? 18) - (info?.scale ?? 3) : INTEGER_DIGITS[id]?.[side]
}

/** Of these only the overloads with one of the types fail unsafely. */
const ONLY_WITH: Readonly<Record<string, readonly string[]>> = {
  '+': ['TIMESTAMP WITH TIME ZONE'],
  '-': ['TIMESTAMP WITH TIME ZONE'],
  array_extract: ['VARCHAR'],
}

function mayTellFunction(node: PlanNode): boolean {
  const name = String(node['name']).toLowerCase()
  const types = (node['arguments'] as PlanType[]).map((type) => type.id)
  if (types.includes('LAMBDA')) return true
  if (SAFE_FUNCTIONS.has(name)) return false
  if (STRICT_FUNCTIONS.has(name) && ONLY_WITH[name] && !ONLY_WITH[name].some((type) => types.includes(type))) return false
  const args = node['children'] as PlanNode[]
  return !(HARMLESS_CALLS[name]?.(args) ?? false)
}

/** The value of a constant, below casts; undefined when it is none. */
function constantOf(node: PlanNode | undefined): unknown {
  if (node?.expression_class === 'BOUND_CAST') return constantOf(node['child'] as PlanNode)
  if (node?.expression_class !== 'BOUND_CONSTANT') return undefined
  const { is_null: isNull, value } = node['value'] as { is_null: boolean; value?: unknown }
  return isNull ? null : value
}

const isSmall = (node: PlanNode | undefined): boolean => {
  const value = constantOf(node)
  return typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 31
}
const isText = (node: PlanNode | undefined): boolean => typeof constantOf(node) === 'string'

const SPECIFIERS = new Set(
  words(
    'millennium century decade year quarter month week day hour minute second millisecond microsecond milliseconds microseconds',
  ).flatMap((unit) => [unit, `${unit}s`]),
)
const isSpecifier = (node: PlanNode | undefined): boolean => SPECIFIERS.has(String(constantOf(node)).toLowerCase())
const isFormat = (node: PlanNode | undefined): boolean =>
  isText(node) && /^([^%]|%[aAbBdfHIjmMpSyYwuUWVGZz%])+$/.test(constantOf(node) as string)

/** The pattern may not end with the escape character, which fails on every row that it meets. */
const isLike = ([, pattern, escapeSign]: readonly PlanNode[]): boolean => {
  const [text, sign] = [constantOf(pattern), constantOf(escapeSign)]
  return typeof text === 'string' && typeof sign === 'string' && sign.length <= 1 && (sign === '' || !text.endsWith(sign))
}
/** Constant patterns are compiled before any row is read. */
const isRegexp = (args: readonly PlanNode[]): boolean => args.slice(1).every((arg) => isText(arg) || isSmall(arg))

const UNIT_YEARS: Readonly<Record<string, number>> = {
  to_years: 1,
  to_quarters: 0.25,
  to_months: 1 / 12,
  to_weeks: 1 / 52,
  to_days: 1 / 365,
  to_hours: 1 / 8_760,
  to_minutes: 1 / 525_600,
  to_seconds: 1 / 31_536_000,
}
/** Farther from what a time can hold than any time that occurs. */
const SPAN_YEARS = 1_000

/** `INTERVAL 7 DAY`: a span that no real time overflows by. */
function isShortSpan(node: PlanNode | undefined): boolean {
  const perUnit = UNIT_YEARS[String(node?.['name'])]
  let amount = (node?.['children'] as PlanNode[] | undefined)?.[0]
  while (amount?.expression_class === 'BOUND_CAST' || amount?.['name'] === 'trunc')
    amount = (amount['child'] ?? (amount['children'] as PlanNode[])[0]) as PlanNode
  const value = constantOf(amount)
  return perUnit !== undefined && typeof value === 'number' && Math.abs(value) * perUnit <= SPAN_YEARS
}
const isTimeAndSpan = (args: readonly PlanNode[]): boolean =>
  args.length === 2 && args.some((arg) => isShortSpan(arg)) && args.some((arg) => typeOf(arg)?.id === 'TIMESTAMP WITH TIME ZONE')

type Calls = Readonly<Record<string, (args: readonly PlanNode[]) => boolean>>
const each = (names: string, isHarmless: Calls[string]): Calls => Object.fromEntries(words(names).map((name) => [name, isHarmless]))

/** Calls of strict functions that cannot fail by their row: their other arguments are constants that are known to be good. */
const HARMLESS_CALLS: Calls = {
  ...each('substr substring substring_grapheme', (args) => args.slice(1).every(isSmall)),
  ...each('left right left_grapheme right_grapheme', (args) => isSmall(args[1])),
  ...each('date_trunc datetrunc date_diff datediff date_sub datesub', (args) => isSpecifier(args[0])),
  ...each('strftime', (args) => isFormat(args[1])),
  ...each('like_escape ilike_escape not_like_escape not_ilike_escape', isLike),
  ...each('regexp_replace regexp_full_match regexp_extract_all regexp_split_to_array string_split_regex str_split_regex', isRegexp),
  ...each('+ -', isTimeAndSpan),
}
