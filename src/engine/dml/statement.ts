// A statement that changes rows, cut at its outer keywords. Expressions, conditions and queries are text of the user's, which only
// DuckDB's parser reads, as parts of the SELECT that `select-changes.ts` makes of it.

export interface Target {
  /** Empty where the name has none. */
  readonly schema: string
  readonly name: string
  /** What the rest of the statement calls it. */
  readonly alias: string
}

export interface Assignment {
  readonly column: string
  /** An expression; null = DEFAULT. */
  readonly value: string | null
}

/** Rows for INSERT: a query, or rows of expressions that leave the same columns to their defaults. */
export type Source =
  | { readonly kind: 'query'; readonly query: string }
  | {
      readonly kind: 'values'
      /** Without those that are DEFAULT. */
      readonly rows: readonly (readonly string[])[]
      /** Positions of the columns that are DEFAULT. */
      readonly defaults: readonly number[]
    }

export type WhenAction =
  | { readonly kind: 'update'; readonly set: readonly Assignment[] | 'by name' }
  | { readonly kind: 'insert'; readonly set: readonly Assignment[] | 'by name' }
  /** Values in the order of the table's columns. */
  | { readonly kind: 'insert values'; readonly values: readonly (string | null)[] }
  | { readonly kind: 'delete' | 'nothing' | 'error' }

export interface When {
  readonly when: 'matched' | 'not matched' | 'not matched by source'
  readonly condition: string | null
  readonly action: WhenAction
}

interface Common {
  readonly target: Target
  /** `WITH ...`, or empty. */
  readonly ctes: string
  /** Names of its parameters; those that have none are numbered from 1. */
  readonly parameters: ReadonlySet<string>
}

export interface InsertStatement extends Common {
  readonly kind: 'insert'
  readonly columns: readonly string[] | null
  readonly byName: boolean
  /** Empty: one row of defaults. */
  readonly sources: readonly Source[]
  readonly onConflict: 'error' | 'ignore' | 'replace' | { readonly set: readonly Assignment[]; readonly where: string | null }
  /** Columns of ON CONFLICT (...); null when it names none. */
  readonly conflictColumns: readonly string[] | null
}

export interface UpdateStatement extends Common {
  readonly kind: 'update'
  readonly set: readonly Assignment[]
  readonly from: string | null
  readonly where: string | null
}

export interface DeleteStatement extends Common {
  readonly kind: 'delete'
  readonly using: string | null
  readonly where: string | null
}

export interface MergeStatement extends Common {
  readonly kind: 'merge'
  readonly source: string
  /** A condition, or columns that are equal. */
  readonly on: string | readonly string[]
  readonly whens: readonly When[]
}

export type WriteStatement = InsertStatement | UpdateStatement | DeleteStatement | MergeStatement
