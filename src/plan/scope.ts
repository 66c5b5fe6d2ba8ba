// What the parts of the compiler share: the definitions by name, the relations compiled so far, and the list of what is
// wrong. Compiling never stops at the first mistake; a part that cannot go on reports and leaves its definition out.
import { type Duration, durationMs } from '../core/duration.ts'
import { type ErrorCode, MillraceError } from '../core/errors.ts'
import type { Definition } from '../define/definition.ts'
import type { Relation as RelationManifest } from '../define/manifest.ts'
import type { Member, Project } from '../define/project.ts'
import { type Field, isNested, type Shape } from '../schema/type.ts'
import type { Binder } from './binder.ts'
import type { Finding } from './finding.ts'
import { didYouMean } from './suggest.ts'

export interface Scope {
  readonly project: Project
  readonly binder: Binder
  /** Directory of the project; places become relative to it. */
  readonly root: string
  readonly findings: Finding[]
  /** Relations of the project by name, compiled or not. */
  readonly defined: ReadonlyMap<string, Definition>
  /** Compiled relations, inputs first. */
  readonly relations: Map<string, RelationManifest>
  /** Columns of every relation that SQL can read: compiled ones, those beside streams, and the system's. */
  readonly shapes: Map<string, Shape>
}

/** The members of one kind, in the order of the project. */
export const membersOfKind = <D extends Definition>(scope: Scope, kind: D['$kind']): readonly (Member & { readonly definition: D })[] =>
  scope.project.$members.filter((member): member is Member & { readonly definition: D } => member.definition.$kind === kind)

/** `path:line` relative to the project. */
export function placeIn(root: string, at: string): string {
  const prefix = root.endsWith('/') ? root : `${root}/`
  return at.startsWith(prefix) ? at.slice(prefix.length) : at
}

export function fail(scope: Scope, code: ErrorCode, at: string, message: string, fix: string): void {
  scope.findings.push({ code, severity: 'error', message, at: placeIn(scope.root, at), fix })
}

export function warn(scope: Scope, code: ErrorCode, at: string, message: string, fix: string): void {
  scope.findings.push({ code, severity: 'warning', message, at: placeIn(scope.root, at), fix })
}

/** Milliseconds, or undefined when absent or malformed (then it is reported). */
export function durationOf(scope: Scope, at: string, what: string, text: Duration | undefined): number | undefined {
  if (text === undefined) return undefined
  try {
    return durationMs(text)
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error
    fail(scope, 'MR_DURATION', at, `${what}: ${error.message}`, error.fix ?? '')
    return undefined
  }
}

/** True when the value is one of the project; otherwise says what is missing. */
export function isMember(scope: Scope, definition: Definition | undefined, at: string, what: string): boolean {
  if (definition === undefined) {
    fail(scope, 'MR_PLAN_UNKNOWN', at, `${what} is undefined`, 'two files probably import each other: move one definition')
    return false
  }
  // An alias is another value of the same relation, so names decide; a wrong value under a right name is a duplicate.
  if (scope.project.$members.some((m) => m.definition.$kind === definition.$kind && m.definition.$name === definition.$name)) return true
  const where = placeIn(scope.root, definition.$at)
  fail(
    scope,
    'MR_PLAN_UNKNOWN',
    at,
    `${what}: ${definition.$kind} "${definition.$name}" (${where}) is not part of the project`,
    `export it and give its module to project('${scope.project.$name}', [...])`,
  )
  return false
}

/** The field, or undefined after a finding that names the nearest one. */
export function columnIn(
  scope: Scope,
  shape: Shape,
  name: string,
  at: string,
  what: string,
  code: ErrorCode = 'MR_DEFINE_COLUMN',
): Field | undefined {
  const field = shape.fields.find((candidate) => candidate.name === name)
  if (!field) {
    const known = shape.fields.map((candidate) => candidate.name)
    fail(scope, code, at, `${what}: there is no column "${name}"`, didYouMean(name, known, `add a column "${name}"`))
  }
  return field
}

/** As `columnIn`, of a column whose values can be compared. */
export function flatColumnIn(scope: Scope, shape: Shape, name: string, at: string, what: string, code: ErrorCode): Field | undefined {
  const field = columnIn(scope, shape, name, at, what, code)
  if (!field || !isNested(field.type)) return field
  fail(scope, code, at, `${what}: "${name}" is a ${field.type.kind}`, 'name a flat column, or make one of the part that counts')
  return undefined
}

/** Reports options that do not exist for this kind of definition: a misspelling must not be ignored. */
export function checkOptions(
  scope: Scope,
  definition: Definition,
  how: object,
  known: readonly string[],
  fixes: Readonly<Record<string, string>> = {},
): void {
  for (const option of Object.keys(how)) {
    if (known.includes(option)) continue
    const what = `${definition.$kind} "${definition.$name}" has an option "${option}"`
    fail(scope, 'MR_DEFINE_VALUE', definition.$at, `${what}, which does not exist`, fixes[option] ?? didYouMean(option, known, 'remove it'))
  }
}

export const listOf = <T>(value: T | readonly T[] | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value as T]
