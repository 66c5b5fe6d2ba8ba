// What resolving a call of a function gives: an expression with its type, or why there is none.
import type { Expression } from './expression.ts'

/** An expression, or why there is none, to be read after the name of the function. */
export type Resolved = Expression | string

export type Resolve = (of: readonly Expression[]) => Resolved

export const count = (of: readonly Expression[], ...allowed: readonly number[]): string | undefined =>
  allowed.includes(of.length) ? undefined : `with ${of.length} arguments`

export const typesOf = (of: readonly Expression[]): string => of.map(({ type }) => type.kind).join(' and ')
