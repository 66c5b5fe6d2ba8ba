// Check sets: columns exist, rules fit their types, and the severity can be carried out where the rows are.
import type { CheckRule, CheckSet, TableCheck } from '../../define/checks.ts'
import type { CheckManifest, CheckSetManifest, Relation } from '../../define/manifest.ts'
import type { ColumnRef } from '../../define/relation.ts'
import { isLogged } from '../../define/system-columns.ts'
import { type Field, isNested, printType, sameType } from '../../schema/type.ts'
import { columnIn, durationOf, fail, isMember, membersOfKind, placeIn, type Scope } from '../scope.ts'
import { bindSql, readSql } from './query.ts'

type Rule = CheckManifest['rule']

const ROW_RULES = ['not_null', 'unique', 'between', 'in', 'matches', 'references']

export async function compileChecks(scope: Scope): Promise<readonly CheckSetManifest[]> {
  const sets: CheckSetManifest[] = []
  for (const { definition } of membersOfKind<CheckSet>(scope, 'checks')) {
    const what = `checks "${definition.$name}"`
    if (!isMember(scope, definition.$on, definition.$at, `${what}, on`)) continue
    const on = scope.relations.get(definition.$on.$name)
    if (!on) continue
    const checks: CheckManifest[] = []
    for (const check of definition.$checks) {
      const compiled = await compileCheck(scope, definition, on, check, checks)
      if (compiled) checks.push(compiled)
    }
    sets.push({
      name: definition.$name,
      at: placeIn(scope.root, definition.$at),
      on: on.name,
      ...(definition.$owner === undefined ? {} : { owner: definition.$owner }),
      checks,
    })
  }
  return sets
}

async function compileCheck(
  scope: Scope,
  set: CheckSet,
  on: Relation,
  check: TableCheck,
  before: readonly CheckManifest[],
): Promise<CheckManifest | undefined> {
  const name = nameOf(set.$name, check.$check, before)
  const what = `check "${name}"`
  checkSeverity(scope, what, on, check, set.$at)
  const rule = await ruleOf(scope, what, on, check.$check, set.$at)
  return rule && { name, severity: check.$severity, rule }
}

function nameOf(set: string, rule: CheckRule, before: readonly CheckManifest[]): string {
  const columns = 'columns' in rule ? rule.columns.map((column) => column.name) : 'column' in rule ? [rule.column.name] : []
  const base = [`${set}.${rule.kind}`, ...columns].join('_')
  const same = before.filter((check) => check.name === base || check.name.startsWith(`${base}_`)).length
  return same === 0 ? base : `${base}_${same + 1}`
}

/** A keyed table has one row a key: the check holds by itself. */
const isKey = (on: Relation, rule: { readonly columns: readonly { readonly name: string }[] }): boolean =>
  on.kind === 'table' && on.key.length > 0 && on.key.every((key) => rule.columns.some((column) => column.name === key))

function checkSeverity(scope: Scope, what: string, on: Relation, check: TableCheck, at: string): void {
  const { $severity: severity, $check: rule } = check
  const code = 'MR_PLAN_CHECK'
  const isAtOnce = isLogged(on) || (on.kind === 'model' && on.refresh === 'live')
  if (severity === 'quarantine' && !ROW_RULES.includes(rule.kind))
    fail(scope, code, at, `${what} is about the table: it cannot set single rows aside`, 'use .warn() or .block()')
  else if (severity === 'quarantine' && on.kind === 'model')
    fail(
      scope,
      code,
      at,
      `${what}: a model cannot set rows aside, it would lose what its inputs have`,
      'check what it reads, or use .warn() or .block()',
    )
  else if (severity === 'quarantine' && (rule.kind === 'references' || (rule.kind === 'unique' && !isKey(on, rule))))
    fail(
      scope,
      code,
      at,
      `${what}: rows of "${on.name}" are set aside one by one as they come in, and ${rule.kind} needs other rows`,
      rule.kind === 'unique' ? "use the stream's dedupe, or .warn()" : 'use .warn(), or check a model that reads it',
    )
  if (severity === 'block' && isAtOnce && !(rule.kind === 'unique' && isKey(on, rule)))
    fail(scope, code, at, `${what}: rows of "${on.name}" can be seen as they arrive; nothing is held back`, 'use .warn() or .quarantine()')
  if (severity !== 'warn' && on.kind === 'model' && on.refresh === 'view')
    fail(
      scope,
      code,
      at,
      `${what}: "${on.name}" is a view; nothing is published that could be held back`,
      "use .warn(), or refresh: 'full'",
    )
}

async function ruleOf(scope: Scope, what: string, on: Relation, rule: CheckRule, at: string): Promise<Rule | undefined> {
  switch (rule.kind) {
    case 'row_count':
    case 'row_count_anomaly':
      return rule.kind === 'row_count_anomaly' && !(rule.sigma > 0)
        ? refuse(scope, what, at, 'sigma must be above 0', 'write { sigma: 4 }')
        : rule
    case 'sql': {
      const query = await readSql(scope, what, rule.sql, 'inline')
      const bound = query && (await bindSql(scope, what, query))
      return bound && { kind: 'sql', sql: { text: query.rendered.text, params: query.rendered.params } }
    }
    case 'unique': {
      const fields = rule.columns.map((column) => columnOn(scope, what, on, column, at))
      const nested = fields.find((field) => field && isNested(field.type))
      if (nested) return refuse(scope, what, at, `"${nested.name}" is ${printType(nested.type)}`, 'name flat columns')
      return fields.every((field) => field !== undefined)
        ? { kind: 'unique', columns: rule.columns.map((column) => column.name) }
        : undefined
    }
    default: {
      const field = columnOn(scope, what, on, rule.column, at)
      return field && columnRule(scope, what, rule, field, at)
    }
  }
}

type ColumnRule = Exclude<CheckRule, { readonly kind: 'row_count' | 'row_count_anomaly' | 'sql' | 'unique' }>

function columnRule(scope: Scope, what: string, rule: ColumnRule, field: Field, at: string): Rule | undefined {
  const column = field.name
  const is = `"${column}" is ${printType(field.type)}`
  if (isNested(field.type) && rule.kind !== 'not_null') return refuse(scope, what, at, is, 'check a part of it with noRows(sql`...`)')
  switch (rule.kind) {
    case 'not_null':
      return { kind: 'not_null', column }
    case 'in':
      return { kind: 'in', column, values: rule.values }
    case 'between':
      if (['boolean', 'json', 'binary'].includes(field.type.kind)) return refuse(scope, what, at, `${is}, which has no order`, 'use oneOf')
      return {
        kind: 'between',
        column,
        ...(rule.min === undefined ? {} : { min: rule.min }),
        ...(rule.max === undefined ? {} : { max: rule.max }),
      }
    case 'matches':
      if (!['string', 'enum', 'uuid', 'json'].includes(field.type.kind))
        return refuse(scope, what, at, `${is}, not text`, 'match a text column')
      return { kind: 'matches', column, pattern: rule.pattern }
    case 'fresh': {
      if (!['timestamp', 'date'].includes(field.type.kind))
        return refuse(scope, what, at, `${is}, ${field.type.kind === 'datetime' ? 'of no zone' : 'not a time'}`, 'name a timestamp column')
      const withinMs = durationOf(scope, at, what, rule.within)
      return withinMs === undefined ? undefined : { kind: 'fresh', column, withinMs }
    }
    case 'references':
      return referenceRule(scope, what, rule.to, field, at)
  }
}

function referenceRule(scope: Scope, what: string, to: ColumnRef, field: Field, at: string): Rule | undefined {
  const shape = scope.shapes.get(to.relation)
  if (!shape) {
    if (!scope.defined.has(to.relation))
      refuse(scope, what, at, `"${to.relation}" is not part of the project`, 'give its module to project(...)')
    return undefined
  }
  const target = columnIn(scope, shape, to.name, at, `${what}, in "${to.relation}"`)
  if (target && !sameType(target.type, field.type))
    return refuse(
      scope,
      what,
      at,
      `"${field.name}" is ${printType(field.type)}, "${to.relation}.${to.name}" is ${printType(target.type)}`,
      'compare columns of one type',
    )
  return target && { kind: 'references', column: field.name, to: { relation: to.relation, column: to.name } }
}

function columnOn(scope: Scope, what: string, on: Relation, column: ColumnRef, at: string): Field | undefined {
  if (column.relation === on.name) return columnIn(scope, on.shape, column.name, at, what)
  return refuse(
    scope,
    what,
    at,
    `"${column.name}" is a column of "${column.relation}", not of "${on.name}"`,
    `check a column of "${on.name}"`,
  )
}

function refuse(scope: Scope, what: string, at: string, message: string, fix: string): undefined {
  fail(scope, 'MR_PLAN_CHECK', at, `${what}: ${message}`, fix)
  return undefined
}
