// Row checks of severity quarantine on what comes through the log: compiled to filters over column batches, so that a row
// that fails is set aside before anybody sees it. A null passes, except where the check is about null. PROTOCOL rule 23.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { CheckManifest, CheckSetManifest } from '../define/manifest.ts'
import { castTo, isExact, valueTypeOf } from '../engine/algebra/coerce.ts'
import { BOOLEAN, call, constant, type Expression, STRING } from '../engine/algebra/expression.ts'
import { comparison } from '../engine/algebra/functions.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import { Decimal } from '../schema/decimal.ts'
import { fieldOf, printType, type Shape } from '../schema/type.ts'
import { compileFilter } from './expression/compile.ts'

/** The first check that a row fails; null when it passes all. */
export type FailedCheck = (batch: ColumnBatch, row: number) => { readonly check: string; readonly column: string } | null

/** Of relations without such checks. */
export const passesAll: FailedCheck = () => null

/** Marks the rows of a batch that fail. */
type Fails = (batch: ColumnBatch) => Uint8Array

/**
 * Checks that need other rows (unique, references) are left out: they are reported when checks run, as warnings are.
 * @throws MR_PLAN_CHECK for a constant or pattern that means nothing.
 */
export function compileRowChecks(sets: readonly CheckSetManifest[], relation: string, shape: Shape): FailedCheck {
  const checks = sets.filter((set) => set.on === relation).flatMap((set) => set.checks.filter((check) => check.severity === 'quarantine'))
  const compiled = checks.flatMap((check) => compileOne(check, shape))
  if (compiled.length === 0) return passesAll
  // A batch is checked as a whole when its first row is asked for.
  let last: ColumnBatch | null = null
  let failing: Uint8Array[] = []
  return (batch, row) => {
    if (batch !== last) {
      failing = compiled.map(({ fails }) => fails(batch))
      last = batch
    }
    for (const [index, { check, column }] of compiled.entries()) if (failing[index]![row] === 1) return { check, column }
    return null
  }
}

function compileOne({ name, rule }: CheckManifest, shape: Shape): { check: string; column: string; fails: Fails }[] {
  if (rule.kind === 'matches') return [{ check: name, column: rule.column, fails: compileMatch(name, rule.column, rule.pattern, shape) }]
  try {
    const failing = failingRows(rule, shape)
    return failing ? [{ check: name, column: failing.column, fails: marking(failing.condition, shape) }] : []
  } catch (cause) {
    const { message, fix = 'correct the check' } = asMillraceError(cause)
    throw new MillraceError('MR_PLAN_CHECK', `check ${name}: ${message}`, { cause, fix })
  }
}

function marking(condition: Expression, shape: Shape): Fails {
  const filter = compileFilter(condition, shape)
  return ({ columns, rows }) => {
    const kept = new Int32Array(rows)
    const count = filter(columns, null, rows, kept)
    const marks = new Uint8Array(rows)
    for (let i = 0; i < count; i++) marks[kept[i]!] = 1
    return marks
  }
}

/** Null for rules that are not about single rows. */
function failingRows(rule: CheckManifest['rule'], shape: Shape): { column: string; condition: Expression } | null {
  switch (rule.kind) {
    case 'not_null':
      return { column: rule.column, condition: call('is_null', [columnOf(rule.column, shape)], BOOLEAN, false) }
    case 'in': {
      const tests = rule.values.map((value) => compare('=', rule.column, value, shape))
      return { column: rule.column, condition: call('not', [call('or', tests, BOOLEAN)], BOOLEAN) }
    }
    case 'between': {
      const { column, min, max } = rule
      const below = min === undefined ? [] : [compare('<', column, min, shape)]
      const above = max === undefined ? [] : [compare('>', column, max, shape)]
      return { column, condition: call('or', [...below, ...above], BOOLEAN) }
    }
    default:
      return null
  }
}

function columnOf(name: string, shape: Shape): Expression {
  const field = fieldOf(shape, name)
  if (!field) throw new MillraceError('MR_PLAN_CHECK', `there is no column "${name}"`, { fix: 'name a column of the relation' })
  return { op: 'column', name, type: valueTypeOf(field.type), optional: true }
}

function compare(name: '=' | '<' | '>', column: string, value: string | number | boolean, shape: Shape): Expression {
  const test = comparison(name)([columnOf(column, shape), constantFor(column, value, shape)])
  if (typeof test !== 'string') return test
  throw new MillraceError('MR_PLAN_CHECK', `"${value}" cannot be compared ${test}`, { fix: 'write a constant of the type of its column' })
}

/** Exact numbers keep all their digits, whatever the column has. */
function constantFor(column: string, value: string | number | boolean, shape: Shape): Expression {
  const { type } = fieldOf(shape, column)!
  const unfit = (cause?: unknown): MillraceError =>
    new MillraceError('MR_PLAN_CHECK', `"${value}" is no ${printType(type)}`, { cause, fix: 'write a constant of the type of its column' })
  try {
    if (!isExact(type)) return castTo({ op: 'constant', value: String(value), type: STRING, literal: true }, valueTypeOf(type))
    const { unscaled, scale } = Decimal.from(String(typeof value === 'boolean' ? Number(value) : value))
    const precision = Math.max(String(unscaled).replace('-', '').length, scale, 1)
    if (precision > 38) throw unfit()
    return constant(String(unscaled), { kind: 'decimal', precision, scale })
  } catch (cause) {
    throw unfit(cause)
  }
}

function compileMatch(name: string, column: string, pattern: string, shape: Shape): Fails {
  const index = shape.fields.findIndex((field) => field.name === column)
  const expression = expressionOf(name, pattern)
  return (batch) =>
    Uint8Array.from({ length: batch.rows }, (_, row) => {
      const value = valueAt(batch, index, row)
      return value !== null && !expression.test(String(value)) ? 1 : 0
    })
}

/** RE2's leading flags, as in `(?i)abc`, are JavaScript's own. */
function expressionOf(name: string, pattern: string): RegExp {
  const [, flags = '', source = ''] = /^(?:\(\?([ims]+)\))?([\s\S]*)$/.exec(pattern)!
  try {
    return new RegExp(source, `u${flags}`)
  } catch (cause) {
    throw new MillraceError('MR_PLAN_CHECK', `check ${name}: the pattern ${pattern} is not a regular expression`, {
      cause,
      fix: 'use syntax that RE2 and JavaScript share',
    })
  }
}
