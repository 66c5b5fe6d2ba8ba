// Expressions of DuckDB's syntax tree as typed expressions: the closed list of forms and functions, with the implicit casts of
// DuckDB made explicit. What names mean is the scope's matter. It refuses what is not listed, with its place.
import { MillraceError } from '../../core/errors.ts'
import { type Node, nodes } from '../ast.ts'
import { type Literal, literalValue } from '../literal.ts'
import { castTo, inMicros, isExact, isNumeric, isTime } from './coerce.ts'
import {
  BOOLEAN,
  call,
  constant,
  DATETIME,
  DOUBLE,
  type Expression,
  INT,
  type IntervalExpression,
  isOptional,
  LONG,
  NULL,
  STRING,
  sameValueType,
  type ValueType,
} from './expression.ts'
import { alignAll, coalesceOf, comparison, FUNCTIONS } from './functions.ts'
import { refuse } from './refuse.ts'
import type { Resolved } from './resolve.ts'

export interface Scope {
  /** What a column reference means. @throws MR_PLAN_UNKNOWN. */
  column(names: readonly string[], node: Node): Expression
  /** What a call of an aggregate or a window function means; undefined for other functions. */
  special(node: Node): Expression | undefined
  /** The whole expression as DuckDB computes it, where that is possible. */
  compute?(node: Node): Expression | undefined
}

/** @throws MR_PLAN_LIVE_SHAPE, MR_PLAN_UNKNOWN. */
export const readExpression = (node: Node, scope: Scope): Expression => orComputed(node, scope, () => readNative(node, scope))

/** A condition: what is no boolean is cast, as in DuckDB. Of several with AND each is read for itself. */
export function readCondition(node: Node, scope: Scope): Expression {
  return orComputed(
    node,
    scope,
    () => nativeCondition(node, scope),
    (computed) => asCondition(computed, node),
  )
}

/** DuckDB is left the whole expression, so that a CASE in it decides what is computed. */
function orComputed(
  node: Node,
  scope: Scope,
  read: () => Expression,
  settled: (computed: Expression) => Expression = (computed) => computed,
): Expression {
  try {
    return read()
  } catch (error) {
    if (!scope.compute || !(error instanceof MillraceError) || error.code !== 'MR_PLAN_LIVE_SHAPE') throw error
    if (node.type === 'CONJUNCTION_AND')
      return call(
        'and',
        nodes(node['children']).map((child) => readCondition(child, scope)),
        BOOLEAN,
      )
    const computed = scope.compute(node)
    if (!computed) throw error
    return settled(computed)
  }
}

function readNative(node: Node, scope: Scope): Expression {
  switch (node.class) {
    case 'COLUMN_REF':
      return scope.column(node['column_names'] as string[], node)
    case 'CONSTANT':
      return readConstant(node)
    case 'CAST':
      return readCast(node, scope)
    case 'COMPARISON':
      return readComparison(node, scope)
    case 'CONJUNCTION':
      return readConjunction(node, scope)
    case 'BETWEEN':
      return readBetween(node, scope)
    case 'OPERATOR':
      return readOperator(node, scope)
    case 'CASE':
      return readCase(node, scope)
    case 'FUNCTION':
    case 'WINDOW':
      return readFunction(node, scope)
    case 'SUBQUERY':
      return refuse(
        'a subquery here',
        node,
        'JOIN the stream within a time, or the table by its key; WHERE takes [NOT] EXISTS (...) and [NOT] IN (SELECT ...) between its ANDs',
      )
    default:
      return refuse(`this expression (${String(node.class).toLowerCase()})`, node)
  }
}

const nativeCondition = (node: Node, scope: Scope): Expression => asCondition(readNative(node, scope), node)

function asCondition(condition: Expression, node: Node): Expression {
  if (condition.type.kind === 'boolean') return condition
  if (condition.type.kind === 'null' || isNumeric(condition.type)) return castTo(condition, BOOLEAN)
  return refuse(`a condition of type ${condition.type.kind}`, node, 'write a comparison')
}

function readConstant(node: Node): Expression {
  const literal = node['value'] as Literal & { type: { type_info: { width?: number; scale?: number } | null } }
  if (literal.is_null) return constant(null, NULL)
  const value = literalValue(literal)
  switch (literal.type.id) {
    case 'INTEGER':
      return constant(Number(value), INT)
    case 'BIGINT':
      return constant(String(value), LONG)
    case 'DECIMAL': {
      const { width = 18, scale = 0 } = literal.type.type_info ?? {}
      return constant(
        String(value)
          .replace('.', '')
          .replace(/^(-?)0+(?=\d)/, '$1'),
        { kind: 'decimal', precision: width, scale },
      )
    }
    case 'DOUBLE':
      return constant(Object.is(value, -0) ? '-0' : (value as number), DOUBLE)
    case 'VARCHAR':
      return { op: 'constant', value: value as string, type: STRING, literal: true }
    case 'BOOLEAN':
      return constant(value as boolean, BOOLEAN)
    default:
      return refuse(`a constant of type ${literal.type.id}`, node)
  }
}

const CAST_TYPES: Readonly<Record<string, ValueType>> = {
  BOOLEAN: { kind: 'boolean' },
  INTEGER: { kind: 'int' },
  BIGINT: { kind: 'long' },
  FLOAT: { kind: 'float' },
  DOUBLE: { kind: 'double' },
  VARCHAR: { kind: 'string' },
  DATE: { kind: 'date' },
  TIME: { kind: 'time' },
  'TIMESTAMP WITH TIME ZONE': { kind: 'timestamp' },
  UUID: { kind: 'uuid' },
}

function readCast(node: Node, scope: Scope): Expression {
  const target = node['cast_type'] as { id: string; type_info: { width?: number; scale?: number } | null }
  const child = node['child'] as Node
  if (target.id === 'INTERVAL') return readIntervalText(child)
  const of = readNative(child, scope)
  // TIMESTAMP '...' is an instant here, where it meets no datetime: sessions run in UTC.
  const isInstant = target.id === 'TIMESTAMP' && of.op === 'constant'
  const type: ValueType | undefined =
    target.id === 'DECIMAL'
      ? { kind: 'decimal', precision: target.type_info?.width ?? 18, scale: target.type_info?.scale ?? 3 }
      : isInstant
        ? { kind: 'timestamp' }
        : CAST_TYPES[target.id]
  if (!type) return refuse(`a cast to ${target.id}`, node, `cast to ${Object.keys(CAST_TYPES).join(', ')} or DECIMAL`)
  if (!isCastable(of, type)) return refuse(`a cast of ${of.type.kind} to ${target.id}`, node, 'give the column of the stream that type')
  return placed(node, () => {
    const cast = castTo(of, isInstant ? DATETIME : type, node['try_cast'] === true)
    return isInstant && cast.op === 'constant' ? { ...cast, type, zoneless: true } : cast
  })
}

/** Casts that are computed as DuckDB computes them. */
function isCastable(of: Expression, to: ValueType): boolean {
  const from = of.type
  if (sameValueType(from, to) || from.kind === 'null' || (of.op === 'constant' && of.literal)) return true
  if (isNumeric(from) && isNumeric(to)) return true
  if (from.kind === 'boolean') return to.kind === 'int' || to.kind === 'long' || to.kind === 'string'
  if (to.kind === 'boolean') return isExact(from) || from.kind === 'double'
  if (to.kind === 'string') return !['binary', 'interval', 'float'].includes(from.kind)
  if (from.kind === 'string') return to.kind === 'int' || to.kind === 'long' || to.kind === 'double' || to.kind === 'decimal'
  return isTime(from) && isTime(to)
}

const COMPARISONS: Readonly<Record<string, '=' | '<>' | '<' | '<=' | '>' | '>=' | 'distinct_from'>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '<>',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
  COMPARE_DISTINCT_FROM: 'distinct_from',
  COMPARE_NOT_DISTINCT_FROM: 'distinct_from',
}

function readComparison(node: Node, scope: Scope): Expression {
  const name = COMPARISONS[node.type ?? '']
  if (!name) return refuse(`the comparison ${node.type}`, node)
  const of = readCompared(node['left'] as Node, node['right'] as Node, scope)
  const test = settle(node, `a comparison`, () => comparison(name)(of))
  return node.type === 'COMPARE_NOT_DISTINCT_FROM' ? call('not', [test], BOOLEAN) : test
}

function readConjunction(node: Node, scope: Scope): Expression {
  const of = nodes(node['children']).map((child) => nativeCondition(child, scope))
  return call(node.type === 'CONJUNCTION_AND' ? 'and' : 'or', of, BOOLEAN)
}

/** Both sides of a comparison. `a - b < INTERVAL ...` of times is `a < b + INTERVAL ...`. */
function readCompared(left: Node, right: Node, scope: Scope): readonly [Expression, Expression] {
  const [a, b] = [differenceIn(left), differenceIn(right)]
  if (a) return movedTimes(a, right, scope) ?? [readNative(left, scope), readNative(right, scope)]
  const moved = b && movedTimes(b, left, scope)
  return moved ? [moved[1], moved[0]] : [readNative(left, scope), readNative(right, scope)]
}

function differenceIn(node: Node): readonly [Node, Node] | undefined {
  const of = node.class === 'FUNCTION' && node['function_name'] === '-' ? nodes(node['children']) : []
  return of.length === 2 ? [of[0]!, of[1]!] : undefined
}

function movedTimes([later, earlier]: readonly [Node, Node], length: Node, scope: Scope): readonly [Expression, Expression] | undefined {
  if (differenceIn(length) || length.class === 'COLUMN_REF') return undefined
  const by = readNative(length, scope)
  if (by.op !== 'interval' || fixedMicros(by) === undefined) return undefined
  const [a, b] = [readNative(later, scope), readNative(earlier, scope)]
  if (!isTime(a.type) || !isTime(b.type)) return undefined
  const at = inMicros(b)
  return [inMicros(a), call('add_interval', [at, by], at.type, isOptional(at))]
}

function readBetween(node: Node, scope: Scope): Expression {
  const [input, lower, upper] = (['input', 'lower', 'upper'] as const).map((key) => node[key] as Node)
  const from = settle(node, 'BETWEEN', () => comparison('>=')(readCompared(input!, lower!, scope)))
  const until = settle(node, 'BETWEEN', () => comparison('<=')(readCompared(input!, upper!, scope)))
  return call('and', [from, until], BOOLEAN)
}

/** `(a.b).c` and `a['b']` as the names in `a.b.c`; null where no names alone lead there. */
function memberPath(node: Node): readonly string[] | null {
  if (node.class === 'COLUMN_REF') return node['column_names'] as string[]
  const [of, name] = nodes(node['children'])
  const path = node.class === 'OPERATOR' && of && name?.class === 'CONSTANT' ? memberPath(of) : null
  const member = path && literalValue(name!['value'] as Literal)
  return typeof member === 'string' ? [...path!, member] : null
}

function readOperator(node: Node, scope: Scope): Expression {
  const children = nodes(node['children'])
  switch (node.type) {
    case 'OPERATOR_NOT':
      return call('not', [nativeCondition(children[0]!, scope)], BOOLEAN)
    case 'OPERATOR_IS_NULL':
    case 'OPERATOR_IS_NOT_NULL': {
      const of = readNative(children[0]!, scope)
      return call(node.type === 'OPERATOR_IS_NULL' ? 'is_null' : 'is_not_null', [of], BOOLEAN, false)
    }
    case 'OPERATOR_COALESCE':
      return settle(node, 'COALESCE', () => coalesceOf(children.map((child) => readNative(child, scope))))
    case 'COMPARE_IN':
    case 'COMPARE_NOT_IN': {
      const test = readIn(node, children, scope)
      return node.type === 'COMPARE_IN' ? test : call('not', [test], BOOLEAN)
    }
    case 'STRUCT_EXTRACT':
    case 'ARRAY_EXTRACT': {
      const path = memberPath(node)
      return path ? scope.column(path, node) : refuse('a part of what is no column', node)
    }
    default:
      return refuse(`the operator ${String(node.type).replace('OPERATOR_', '')}`, node)
  }
}

function readIn(node: Node, children: readonly Node[], scope: Scope): Expression {
  const of = children.map((child) => readNative(child, scope))
  if (of.slice(1).some(({ op }) => op !== 'constant')) return refuse('IN of other than constants', node, 'write the comparisons with OR')
  const aligned = placed(node, () => alignAll(of))
  return aligned ? call('in', aligned, BOOLEAN) : refuse('IN of several types', node, 'cast them to one type')
}

function readCase(node: Node, scope: Scope): Expression {
  const checks = nodes(node['case_checks'])
  const tests = checks.map((check) => nativeCondition(check['when_expr'] as Node, scope))
  const values = [...checks.map((check) => check['then_expr'] as Node), node['else_expr'] as Node].map((child) => readNative(child, scope))
  const aligned = placed(node, () => alignAll(values))
  if (!aligned) return refuse('CASE of several types', node, 'cast its values to one type')
  const when = tests.map((test, i) => ({ test, value: aligned[i]! }))
  return { op: 'case', when, else: aligned.at(-1)!, type: aligned[0]!.type, optional: aligned.some(isOptional) }
}

function readFunction(node: Node, scope: Scope): Expression {
  const special = scope.special(node)
  if (special) return special
  const name = String(node['function_name'])
  const interval = readIntervalCall(node)
  if (interval) return interval
  const resolve = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined
  if (!resolve) return refuse(`${name}(...)`, node, 'docs/reference/live-sql.md lists the functions that are')
  for (const clause of ['distinct', 'filter'] as const) if (node[clause]) return refuse(`${clause.toUpperCase()} in ${name}(...)`, node)
  const of = nodes(node['children']).map((child) => readNative(child, scope))
  return settle(node, /^\w/.test(name) ? `${name}(...)` : `the operator ${name}`, () => resolve(of))
}

/** A resolved call, or the refusal with its place. */
function settle(node: Node, what: string, resolve: () => Resolved): Expression {
  const resolved = placed(node, resolve)
  return typeof resolved === 'string'
    ? refuse(`${what} ${resolved}`, node, 'docs/reference/live-sql.md lists the functions and their types')
    : resolved
}

/** Refusals of constants get the place of what they stand in. */
function placed<T>(node: Node, action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (error instanceof MillraceError && error.code === 'MR_PLAN_LIVE_SHAPE') refuse(error.message, node, error.fix)
    throw error
  }
}

const UNIT: Readonly<Record<string, readonly [months: number, days: number, micros: number]>> = {
  microsecond: [0, 0, 1],
  millisecond: [0, 0, 1_000],
  second: [0, 0, 1_000_000],
  minute: [0, 0, 60_000_000],
  hour: [0, 0, 3_600_000_000],
  day: [0, 1, 0],
  week: [0, 7, 0],
  month: [1, 0, 0],
  quarter: [3, 0, 0],
  year: [12, 0, 0],
}

const interval = (count: number, unit: string, node: Node): IntervalExpression => {
  const of = UNIT[unit.replace(/s$/, '')]
  if (!of || !Number.isSafeInteger(count)) return refuse('this interval', node, "write INTERVAL 5 MINUTE or INTERVAL '90 seconds'")
  return { op: 'interval', months: of[0] * count, days: of[1] * count, micros: of[2] * count, type: { kind: 'interval' } }
}

/** `INTERVAL 5 MINUTE` is to_minutes(CAST(trunc(CAST(5 AS DOUBLE)) AS BIGINT)). */
function readIntervalCall(node: Node): IntervalExpression | undefined {
  const unit = /^to_(\w+)$/.exec(String(node['function_name']))?.[1]
  if (!unit || !UNIT[unit.replace(/s$/, '')]) return undefined
  const count = countIn(nodes(node['children'])[0])
  return count === undefined ? refuse('an interval that is not constant', node) : interval(count, unit, node)
}

function countIn(node: Node | undefined): number | undefined {
  if (!node) return undefined
  if (node.class === 'CAST') return countIn(node['child'] as Node)
  if (node.class === 'FUNCTION' && node['function_name'] === 'trunc') return countIn(nodes(node['children'])[0])
  if (node.class !== 'CONSTANT') return undefined
  const count = Number(literalValue(node['value'] as Literal))
  return Number.isNaN(count) ? undefined : Math.trunc(count)
}

function readIntervalText(node: Node): IntervalExpression {
  const text = node.class === 'CONSTANT' ? String(literalValue(node['value'] as Literal)) : ''
  const parts = [...text.matchAll(/(-?\d+)\s*([a-z]+)/gi)]
  if (parts.length === 0 || text.replace(/(-?\d+)\s*([a-z]+)/gi, '').trim() !== '')
    return refuse('this interval', node, "write INTERVAL '90 seconds'")
  const found = parts.map(([, count, unit]) => interval(Number(count), unit!.toLowerCase(), node))
  const sum = (of: (part: IntervalExpression) => number): number => found.reduce((total, part) => total + of(part), 0)
  return { ...found[0]!, months: sum(({ months }) => months), days: sum(({ days }) => days), micros: sum(({ micros }) => micros) }
}

/** Of fixed length, in microseconds; undefined for months. */
export const fixedMicros = ({ months, days, micros }: IntervalExpression): number | undefined =>
  months === 0 ? days * 86_400_000_000 + micros : undefined
