// SQL of any definition: printed, parsed, its relations looked up, bound. Problems of the engine become findings that
// point at the line in the user's file.
import type { ErrorCode } from '../../core/errors.ts'
import { type RenderedSql, renderSql, type ValueMode } from '../../define/render-sql.ts'
import { isSql, type Sql } from '../../define/sql.ts'
import type { Bound, Inspected, SqlProblem } from '../binder.ts'
import { fail, placeIn, type Scope } from '../scope.ts'
import { didYouMean } from '../suggest.ts'

export interface Query {
  readonly rendered: RenderedSql
  readonly inspected: Inspected
  /** Names of what it reads, in the order of the text. */
  readonly inputs: readonly string[]
}

const CODES: Readonly<Record<SqlProblem['kind'], ErrorCode>> = {
  syntax: 'MR_PLAN_SQL',
  unknown: 'MR_PLAN_UNKNOWN',
  type: 'MR_PLAN_SQL',
  other: 'MR_PLAN_SQL',
}

/** Parses `sql` and looks up its relations. Undefined after a finding. */
export async function readSql(scope: Scope, what: string, sql: Sql, values: ValueMode): Promise<Query | undefined> {
  if (!isSql(sql)) {
    fail(scope, 'MR_DEFINE_VALUE', '', `${what}: this is not SQL`, 'write sql`SELECT ...`')
    return undefined
  }
  const rendered = renderSql(sql, values)
  const inspected = await scope.binder.inspect(rendered.text)
  if (!inspected.ok) {
    reportProblem(scope, what, rendered, inspected.problem)
    return undefined
  }
  const known = inspected.relations.map(({ name, position }) => isKnown(scope, what, rendered, name, position))
  return known.every((is) => is) ? { rendered, inspected, inputs: inspected.relations.map(({ name }) => name) } : undefined
}

/** Binds a query that was read; undefined after a finding, or silently when an input could not be compiled. */
export async function bindSql(scope: Scope, what: string, query: Query): Promise<Bound | undefined> {
  if (!query.inputs.every((name) => scope.shapes.has(name))) return undefined
  const bound = await scope.binder.bind(query.rendered.text)
  if (bound.ok) return bound
  reportProblem(scope, what, query.rendered, bound.problem)
  return undefined
}

export function reportProblem(scope: Scope, what: string, rendered: RenderedSql, problem: SqlProblem): void {
  const at = rendered.at(problem.position ?? 0)
  const candidates = problem.candidates.map((name) => `"${name}"`).join(' or ')
  const fix = problem.fix ?? (candidates === '' ? 'correct the SQL' : `did you mean ${candidates}?`)
  fail(scope, CODES[problem.kind], at, `${what}: ${problem.message}`, fix)
}

/** The relation that has late and rejected rows beside it. */
export const ownerOf = (name: string): string => name.replace(/__(late|rejected|archive)$/, '')

function isKnown(scope: Scope, what: string, rendered: RenderedSql, name: string, position: number): boolean {
  if (scope.defined.has(name) || scope.shapes.has(name) || (name !== ownerOf(name) && scope.defined.has(ownerOf(name)))) return true
  const value = rendered.relations.find((relation) => relation.$name === name)
  const names = [...scope.defined.keys(), ...scope.shapes.keys()]
  if (value)
    fail(
      scope,
      'MR_PLAN_UNKNOWN',
      rendered.at(position),
      `${what}: "${name}" (${placeIn(scope.root, value.$at)}) is not part of the project`,
      `export it and give its module to project('${scope.project.$name}', [...])`,
    )
  else
    fail(
      scope,
      'MR_PLAN_UNKNOWN',
      rendered.at(position),
      `${what}: there is no relation "${name}"`,
      didYouMean(name, new Set(names), 'define it, or correct the name'),
    )
  return false
}
