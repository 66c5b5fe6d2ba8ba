// Every question the console asks /admin, as TanStack Query options. Keys are `[kind, name, ...]`: the kind and name are
// those of `ChangedKey`, so that an event finds what it makes old.
import { QueryClient, queryOptions } from '@tanstack/react-query'
import type { DashboardDetail, Dashboards, TileAnswer } from '../../../src/serve/answers/dashboards.ts'
import type { Lineage } from '../../../src/serve/answers/lineage.ts'
import type { Overview } from '../../../src/serve/answers/overview.ts'
import type { QualityPage } from '../../../src/serve/answers/quality.ts'
import type { RelationDetail, Relations } from '../../../src/serve/answers/relations.ts'
import type { RowsPage } from '../../../src/serve/answers/rows.ts'
import type { RunDetail, Runs } from '../../../src/serve/answers/runs.ts'
import type { SchemaPage } from '../../../src/serve/answers/schema.ts'
import type { Session } from '../../../src/serve/answers/session.ts'
import type { SnapshotsPage } from '../../../src/serve/answers/snapshots.ts'
import type { SqlAnswer } from '../../../src/serve/answers/sql.ts'
import type { StreamDetail, Streams } from '../../../src/serve/answers/streams.ts'
import { ApiError, getJson, runSql } from './client.ts'

/** One client a tab. Old values stay while new ones load; what is refused is not asked again. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      gcTime: 300_000,
      refetchOnWindowFocus: true,
      retry: (times, error) => times < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      placeholderData: (previous: unknown) => previous,
    },
  },
})

const path = (
  base: string,
  params: Readonly<Record<string, string | number | undefined>> = {},
  lists: readonly [string, string][] = [],
): string => {
  const search = new URLSearchParams(lists.map(([name, value]) => [name, value]))
  for (const [name, value] of Object.entries(params)) if (value !== undefined) search.set(name, String(value))
  const text = search.toString()
  return text === '' ? base : `${base}?${text}`
}
const at = (kind: string, name: string, rest = ''): string => `/admin/${kind}/${encodeURIComponent(name)}${rest}`

export const sessionQuery = () =>
  queryOptions({ queryKey: ['session'], queryFn: ({ signal }) => getJson<Session>('/admin/session', signal), staleTime: 60_000 })
export const overviewQuery = () =>
  queryOptions({ queryKey: ['overview'], queryFn: ({ signal }) => getJson<Overview>('/admin/overview', signal) })
export const relationsQuery = () =>
  queryOptions({ queryKey: ['relations'], queryFn: ({ signal }) => getJson<Relations>('/admin/relations', signal) })
export const relationQuery = (name: string) =>
  queryOptions({
    queryKey: ['relation', name],
    queryFn: ({ signal }) => getJson<RelationDetail>(at('relations', name), signal),
    placeholderData: undefined,
  })

export interface RowsAsked {
  readonly snapshot?: string
  readonly limit?: number
  readonly order?: string
  readonly desc?: boolean
  readonly filters?: readonly string[]
}
export const rowsQuery = (name: string, asked: RowsAsked) =>
  queryOptions({
    queryKey: ['relation', name, 'rows', asked],
    queryFn: ({ signal }) =>
      getJson<RowsPage>(
        path(
          at('relations', name, '/rows'),
          { snapshot: asked.snapshot, limit: asked.limit ?? 200, order: asked.order, desc: asked.desc ? 1 : undefined },
          (asked.filters ?? []).map((filter) => ['filter', filter]),
        ),
        signal,
      ),
  })
export const schemaQuery = (name: string) =>
  queryOptions({
    queryKey: ['relation', name, 'schema'],
    queryFn: ({ signal }) => getJson<SchemaPage>(at('relations', name, '/schema'), signal),
  })
export const qualityQuery = (name: string) =>
  queryOptions({
    queryKey: ['relation', name, 'quality'],
    queryFn: ({ signal }) => getJson<QualityPage>(at('relations', name, '/quality'), signal),
  })
export const snapshotsQuery = (name: string, limit = 50) =>
  queryOptions({
    queryKey: ['relation', name, 'snapshots', limit],
    queryFn: ({ signal }) => getJson<SnapshotsPage>(path(at('relations', name, '/snapshots'), { limit }), signal),
  })
export const lineageQuery = (name?: string) =>
  queryOptions({
    queryKey: ['lineage', name ?? ''],
    queryFn: ({ signal }) =>
      getJson<Lineage>(name === undefined ? '/admin/lineage' : path(at('relations', name, '/lineage'), { up: 2, down: 2 }), signal),
  })
/** A figure that a page works out itself, under the caller's policy like any other question. */
export const sqlQuery = (relation: string, sql: string) =>
  queryOptions({ queryKey: ['relation', relation, 'sql', sql], queryFn: (): Promise<SqlAnswer> => runSql({ sql }) })

export const streamsQuery = () =>
  queryOptions({ queryKey: ['streams'], queryFn: ({ signal }) => getJson<Streams>('/admin/streams', signal) })
export const streamQuery = (name: string, range: string) =>
  queryOptions({
    queryKey: ['stream', name, range],
    queryFn: ({ signal }) => getJson<StreamDetail>(path(at('streams', name), { range }), signal),
  })
export const runsQuery = (state: string | undefined, hours: number) =>
  queryOptions({
    queryKey: ['runs', state ?? '', hours],
    queryFn: ({ signal }) => getJson<Runs>(path('/admin/runs', { state, hours, limit: 200 }), signal),
  })
export const runQuery = (id: string) =>
  queryOptions({ queryKey: ['run', id], queryFn: ({ signal }) => getJson<RunDetail>(at('runs', id), signal), placeholderData: undefined })
export const dashboardsQuery = () =>
  queryOptions({ queryKey: ['dashboards'], queryFn: ({ signal }) => getJson<Dashboards>('/admin/dashboards', signal) })
export const dashboardQuery = (name: string) =>
  queryOptions({
    queryKey: ['dashboard', name],
    queryFn: ({ signal }) => getJson<DashboardDetail>(at('dashboards', name), signal),
    placeholderData: undefined,
  })
export const tileQuery = (name: string, index: number) =>
  queryOptions({
    queryKey: ['dashboard', name, 'tile', index],
    queryFn: ({ signal }) => getJson<TileAnswer>(at('dashboards', name, `/tiles/${index}`), signal),
  })

/** Keys that an event of `kind` (and name) makes old. */
export function touches(key: readonly unknown[], kind: string, name: string | undefined): boolean {
  const [first, second] = key
  const same = first === kind && (name === undefined || second === undefined || second === name)
  if (kind === 'relation')
    return same || first === 'overview' || first === 'relations' || first === 'lineage' || (first === 'dashboard' && key[2] === 'tile')
  if (kind === 'stream') return same || first === 'streams' || first === 'overview'
  if (kind === 'run') return same || first === 'runs' || first === 'overview' || first === 'session'
  if (kind === 'dashboard') return same || first === 'dashboards'
  return same
}
