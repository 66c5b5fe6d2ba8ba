// Typed expressions of live models as plain data: what a syntax tree is read into, what is printed to DuckDB's SQL and what is
// compiled to JavaScript. Types are DuckDB's own rules made explicit: every implicit cast stands as a cast. No behaviour here.
import type { Type } from '../../schema/type.ts'

/** Types of values inside of an expression: those of columns, and those that only results pass through. */
export type ValueType =
  | Type
  /** HUGEINT, as sums of integers are: 128 bits, signed. */
  | { readonly kind: 'huge' }
  /** NULL without a type yet. */
  | { readonly kind: 'null' }
  /** A constant length of time. */
  | { readonly kind: 'interval' }

/**
 * Plain and printable as JSON: boolean; int, date (days) and double as number, with NaN and infinities as text; long, huge,
 * decimal (unscaled), time, timestamp and datetime (microseconds) as the digits of an integer; text and uuid as they are.
 */
export type ConstantValue = null | boolean | number | string

export interface ColumnExpression {
  readonly op: 'column'
  readonly name: string
  readonly type: ValueType
  readonly optional: boolean
}

export interface ConstantExpression {
  readonly op: 'constant'
  readonly value: ConstantValue
  readonly type: ValueType
  /** A text literal as written: it takes the type of what it meets. */
  readonly literal?: true
  /** Written as TIMESTAMP '...': an instant, and a datetime where it meets one. */
  readonly zoneless?: true
}

export interface IntervalExpression {
  readonly op: 'interval'
  readonly months: number
  readonly days: number
  /** Beside the days. */
  readonly micros: number
  readonly type: { readonly kind: 'interval' }
}

export interface CallExpression {
  readonly op: 'call'
  /** A name of `functions.ts`. */
  readonly name: string
  readonly of: readonly Expression[]
  readonly type: ValueType
  readonly optional: boolean
}

export interface CastExpression {
  readonly op: 'cast'
  readonly of: Expression
  readonly type: ValueType
  readonly optional: boolean
  /** What cannot be cast is null. */
  readonly try: boolean
}

export interface CaseExpression {
  readonly op: 'case'
  readonly when: readonly { readonly test: Expression; readonly value: Expression }[]
  readonly else: Expression
  readonly type: ValueType
  readonly optional: boolean
}

/** What the expression compiler does not have: DuckDB computes it for each batch. */
export interface ComputedExpression {
  readonly op: 'computed'
  /** Its SQL, with the arguments in between: one piece more than there are arguments. */
  readonly text: readonly string[]
  readonly of: readonly Expression[]
  readonly type: ValueType
  readonly optional: boolean
}

/** A member of a struct, at any depth. */
export interface PartExpression {
  readonly op: 'part'
  /** A struct. */
  readonly of: Expression
  /** Names of members, from the outside in. */
  readonly path: readonly string[]
  readonly type: ValueType
  readonly optional: boolean
}

export type Expression =
  | ColumnExpression
  | ConstantExpression
  | IntervalExpression
  | CallExpression
  | CastExpression
  | CaseExpression
  | PartExpression
  | ComputedExpression

export const BOOLEAN = { kind: 'boolean' } as const
export const INT = { kind: 'int' } as const
export const LONG = { kind: 'long' } as const
export const HUGE = { kind: 'huge' } as const
export const DOUBLE = { kind: 'double' } as const
export const STRING = { kind: 'string' } as const
export const TIMESTAMP = { kind: 'timestamp' } as const
export const DATETIME = { kind: 'datetime' } as const
export const DATE = { kind: 'date' } as const
export const NULL = { kind: 'null' } as const

export const constant = (value: ConstantValue, type: ValueType): ConstantExpression => ({ op: 'constant', value, type })

export const isOptional = (expression: Expression): boolean => {
  if (expression.op === 'constant') return expression.value === null
  return expression.op === 'interval' ? false : expression.optional
}

/** Null when any argument is, which most functions are. */
export function call(name: string, of: readonly Expression[], type: ValueType, optional = of.some(isOptional)): CallExpression {
  return { op: 'call', name, of, type, optional }
}

/** The same columns, constants and functions; whether null is possible depends on where they stand. */
export const sameExpression = (a: Expression, b: Expression): boolean => textOf(a) === textOf(b)

const textOf = (expression: Expression): string => JSON.stringify(expression, (key, value) => (key === 'optional' ? undefined : value))

export const sameValueType = (a: ValueType, b: ValueType): boolean =>
  a.kind === b.kind && (a.kind !== 'decimal' || (b.kind === 'decimal' && a.precision === b.precision && a.scale === b.scale))

/** Every column that is read, once. */
export function columnsIn(expressions: readonly Expression[]): ReadonlySet<string> {
  const names = new Set<string>()
  const visit = (expression: Expression): void => {
    if (expression.op === 'column') names.add(expression.name)
    for (const inner of childrenOf(expression)) visit(inner)
  }
  for (const expression of expressions) visit(expression)
  return names
}

export function childrenOf(expression: Expression): readonly Expression[] {
  switch (expression.op) {
    case 'call':
    case 'computed':
      return expression.of
    case 'cast':
    case 'part':
      return [expression.of]
    case 'case':
      return [...expression.when.flatMap(({ test, value }) => [test, value]), expression.else]
    default:
      return []
  }
}

/** The same expression over changed arguments. */
export function mapChildren(expression: Expression, change: (inner: Expression) => Expression): Expression {
  switch (expression.op) {
    case 'call':
    case 'computed':
      return { ...expression, of: expression.of.map(change) }
    case 'cast':
    case 'part':
      return { ...expression, of: change(expression.of) }
    case 'case': {
      const when = expression.when.map(({ test, value }) => ({ test: change(test), value: change(value) }))
      return { ...expression, when, else: change(expression.else) }
    }
    default:
      return expression
  }
}

/** The same expression with some columns replaced; undefined leaves a column as it is. */
export function replaceColumns(expression: Expression, replace: (name: string) => Expression | undefined): Expression {
  if (expression.op === 'column') return replace(expression.name) ?? expression
  return mapChildren(expression, (inner) => replaceColumns(inner, replace))
}

/** Parts of an AND. */
export const conjuncts = (condition: Expression): readonly Expression[] =>
  condition.op === 'call' && condition.name === 'and' ? condition.of.flatMap(conjuncts) : [condition]

export const allOf = (conditions: readonly Expression[]): Expression | null =>
  conditions.length === 0 ? null : conditions.length === 1 ? conditions[0]! : call('and', conditions, BOOLEAN)
