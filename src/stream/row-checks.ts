// Row checks of severity quarantine on what comes through the log: compiled to predicates over column batches, so that a row
// that fails is set aside before anybody sees it. A null passes, except where the check is about null. PROTOCOL rule 23.
import { asMillraceError, MillraceError } from '../core/errors.ts'
import type { CheckManifest, CheckSetManifest } from '../define/manifest.ts'
import type { LivePredicate } from '../engine/live-query.ts'
import { type ColumnBatch, valueAt } from '../schema/batch.ts'
import type { Shape } from '../schema/type.ts'
import { compileFilter } from './filter.ts'

/** The first check that a row fails; null when it passes all. */
export type FailedCheck = (batch: ColumnBatch, row: number) => { readonly check: string; readonly column: string } | null

type Fails = (batch: ColumnBatch, row: number) => boolean

/**
 * Checks that need other rows (unique, references) are left out: they are reported when checks run, as warnings are.
 * @throws MR_PLAN_CHECK for a constant or pattern that means nothing.
 */
export function compileRowChecks(sets: readonly CheckSetManifest[], relation: string, shape: Shape): FailedCheck {
  const checks = sets.filter((set) => set.on === relation).flatMap((set) => set.checks.filter((check) => check.severity === 'quarantine'))
  const compiled = checks.flatMap((check) => compileOne(check, shape))
  return (batch, row) => {
    for (const { fails, ...failed } of compiled) if (fails(batch, row)) return failed
    return null
  }
}

function compileOne({ name, rule }: CheckManifest, shape: Shape): { check: string; column: string; fails: Fails }[] {
  if (rule.kind === 'matches') return [{ check: name, column: rule.column, fails: compileMatch(name, rule.column, rule.pattern, shape) }]
  const failing = failingRows(rule)
  if (!failing) return []
  try {
    return [{ check: name, column: failing.column, fails: compileFilter(failing.predicate, shape) }]
  } catch (cause) {
    const { message, fix = 'correct the check' } = asMillraceError(cause)
    throw new MillraceError('MR_PLAN_CHECK', `check ${name}: ${message}`, { cause, fix })
  }
}

/** Null for rules that are not about single rows. */
function failingRows(rule: CheckManifest['rule']): { column: string; predicate: LivePredicate } | null {
  switch (rule.kind) {
    case 'not_null':
      return { column: rule.column, predicate: { kind: 'null', column: rule.column, negated: false } }
    case 'in':
      return { column: rule.column, predicate: { kind: 'not', of: { kind: 'in', column: rule.column, values: rule.values } } }
    case 'between': {
      const { column, min, max } = rule
      const outside: LivePredicate[] = [
        ...(min === undefined ? [] : [{ kind: 'compare', column, op: '<', value: min } as const]),
        ...(max === undefined ? [] : [{ kind: 'compare', column, op: '>', value: max } as const]),
      ]
      return { column, predicate: { kind: 'or', of: outside } }
    }
    default:
      return null
  }
}

function compileMatch(name: string, column: string, pattern: string, shape: Shape): Fails {
  const index = shape.fields.findIndex((field) => field.name === column)
  const expression = expressionOf(name, pattern)
  return (batch, row) => {
    const value = valueAt(batch, index, row)
    return value !== null && !expression.test(String(value))
  }
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
