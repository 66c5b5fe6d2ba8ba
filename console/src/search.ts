// The search parameters of the routes: what a filter, a choice or a range looks like in the address. Unknown values are dropped.

export const text = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : undefined
export const oneOf = <T extends string>(value: unknown, allowed: readonly T[]): T | undefined => allowed.find((one) => one === value)
/** Leaves absent parameters out of the address. */
export const present = <T extends object>(search: T): T =>
  Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as T

export interface TableSearch {
  kind?: 'stream' | 'table' | 'model' | undefined
  owner?: string | undefined
  sort?: 'name' | 'age' | 'rows' | 'state' | undefined
}
/** Which relations, in which order. */
export const tableSearch = (search: Record<string, unknown>): TableSearch =>
  present({
    kind: oneOf(search['kind'], ['stream', 'table', 'model'] as const),
    owner: text(search['owner']),
    sort: oneOf(search['sort'], ['name', 'age', 'rows', 'state'] as const),
  })

export interface RowsSearch {
  snapshot?: string | undefined
  order?: string | undefined
  desc?: boolean | undefined
  filter?: string | undefined
}
export interface RunsSearch {
  state?: 'failed' | 'running' | 'done' | undefined
  hours?: number | undefined
  step?: string | undefined
}
export const runsSearch = (search: Record<string, unknown>): RunsSearch =>
  present({
    state: oneOf(search['state'], ['failed', 'running', 'done'] as const),
    hours: [1, 24, 168].find((hours) => hours === Number(search['hours'])),
    step: text(search['step']),
  })
export interface LineageSearch {
  node?: string | undefined
  column?: string | undefined
  mode?: 'columns' | undefined
}
export const lineageSearch = (search: Record<string, unknown>): LineageSearch =>
  present({ node: text(search['node']), column: text(search['column']), mode: oneOf(search['mode'], ['columns'] as const) })
