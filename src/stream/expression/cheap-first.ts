// The order in which parts of AND and OR are computed: regular expressions last, since the others often decide. Parts change places
// only where none of them can fail, so that a row fails exactly where it would have.
import { childrenOf, type Expression, mapChildren } from '../../engine/algebra/expression.ts'

const REGULAR = new Set(['regexp_matches', 'regexp_full_match', 'regexp_extract', 'regexp_replace'])

/** Calls that have a value, or null, for whatever they are given. */
const NEVER_FAIL = new Set([
  ...REGULAR,
  ...['and', 'or', 'not', 'is_null', 'is_not_null', 'distinct_from', 'in', 'coalesce', 'greatest', 'least'],
  ...['=', '<>', '<', '<=', '>', '>='],
  ...['like', 'ilike', 'contains', 'starts_with', 'ends_with', 'strpos', 'length', 'strlen'],
  ...['lower', 'upper', 'trim', 'ltrim', 'rtrim', 'split_part', 'replace'],
])

/** The same truth for every row. */
export function cheapFirst(expression: Expression): Expression {
  if (childrenOf(expression).length === 0) return expression
  const inner = mapChildren(expression, cheapFirst)
  if (inner.op !== 'call' || (inner.name !== 'and' && inner.name !== 'or') || !inner.of.every(neverFails)) return inner
  return { ...inner, of: [...inner.of.filter((part) => !isDear(part)), ...inner.of.filter(isDear)] }
}

const neverFails = (expression: Expression): boolean =>
  expression.op !== 'cast' && (expression.op !== 'call' || NEVER_FAIL.has(expression.name)) && childrenOf(expression).every(neverFails)

const isDear = (expression: Expression): boolean =>
  (expression.op === 'call' && REGULAR.has(expression.name)) || childrenOf(expression).some(isDear)
