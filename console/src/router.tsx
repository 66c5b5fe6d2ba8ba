// The routes of the console with their search parameters, all under /console. Pages other than the overview are loaded when
// they are first wanted; hovering or focusing a link fetches page and data ahead.
import type { FetchQueryOptions, QueryKey } from '@tanstack/react-query'
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router'
import {
  dashboardQuery,
  dashboardsQuery,
  lineageQuery,
  overviewQuery,
  qualityQuery,
  queryClient,
  relationQuery,
  relationsQuery,
  runQuery,
  runsQuery,
  schemaQuery,
  snapshotsQuery,
  streamQuery,
  streamsQuery,
} from './api/queries.ts'
import { OverviewPage } from './pages/overview.tsx'
import { lineageSearch, oneOf, present, type RowsSearch, runsSearch, tableSearch, text } from './search.ts'
import { focusTitle } from './ui/head.tsx'
import { Empty, ErrorNote } from './ui/note.tsx'
import { Shell } from './ui/shell.tsx'

/** Fetches without waiting: the page shows its skeleton meanwhile. */
function ahead<T, K extends QueryKey>(query: FetchQueryOptions<T, Error, T, K>): void {
  void queryClient.prefetchQuery(query)
}
const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => <Empty title="There is nothing at this address." />,
  errorComponent: ({ error, reset }) => <ErrorNote error={error} again={reset} />,
})

const overview = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: OverviewPage,
  validateSearch: tableSearch,
  loader: () => ahead(overviewQuery()),
})
const data = createRoute({
  getParentRoute: () => root,
  path: 'data',
  component: lazyRouteComponent(() => import('./pages/data.tsx'), 'DataPage'),
  validateSearch: tableSearch,
  loader: () => ahead(relationsQuery()),
})
const relationModule = () => import('./pages/relation.tsx')
const relation = createRoute({
  getParentRoute: () => root,
  path: 'data/$relation',
  component: lazyRouteComponent(relationModule, 'RelationPage'),
  loader: ({ params }) => ahead(relationQuery(params.relation)),
})
const relationOverview = createRoute({
  getParentRoute: () => relation,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/relation-overview.tsx'), 'RelationOverview'),
})
const relationRows = createRoute({
  getParentRoute: () => relation,
  path: 'rows',
  component: lazyRouteComponent(() => import('./pages/relation-rows.tsx'), 'RelationRows'),
  validateSearch: (search: Record<string, unknown>): RowsSearch =>
    present({
      snapshot: text(search['snapshot']),
      order: text(search['order']),
      desc: search['desc'] === true ? true : undefined,
      filter: text(search['filter']),
    }),
})
const relationSchema = createRoute({
  getParentRoute: () => relation,
  path: 'schema',
  component: lazyRouteComponent(() => import('./pages/relation-schema.tsx'), 'RelationSchema'),
  loader: ({ params }) => ahead(schemaQuery((params as { relation: string }).relation)),
})
const relationQuality = createRoute({
  getParentRoute: () => relation,
  path: 'quality',
  component: lazyRouteComponent(() => import('./pages/relation-quality.tsx'), 'RelationQuality'),
  loader: ({ params }) => ahead(qualityQuery((params as { relation: string }).relation)),
})
const relationSnapshots = createRoute({
  getParentRoute: () => relation,
  path: 'snapshots',
  component: lazyRouteComponent(() => import('./pages/relation-snapshots.tsx'), 'RelationSnapshots'),
  loader: ({ params }) => ahead(snapshotsQuery((params as { relation: string }).relation)),
})
const relationLineage = createRoute({
  getParentRoute: () => relation,
  path: 'lineage',
  component: lazyRouteComponent(() => import('./pages/relation-lineage.tsx'), 'RelationLineage'),
  validateSearch: lineageSearch,
  loader: ({ params }) => ahead(lineageQuery((params as { relation: string }).relation)),
})
const lineage = createRoute({
  getParentRoute: () => root,
  path: 'lineage',
  component: lazyRouteComponent(() => import('./pages/lineage.tsx'), 'LineagePage'),
  validateSearch: lineageSearch,
  loader: () => ahead(lineageQuery()),
})
const streams = createRoute({
  getParentRoute: () => root,
  path: 'streams',
  component: lazyRouteComponent(() => import('./pages/streams.tsx'), 'StreamsPage'),
  loader: () => ahead(streamsQuery()),
})
const stream = createRoute({
  getParentRoute: () => root,
  path: 'streams/$name',
  component: lazyRouteComponent(() => import('./pages/stream.tsx'), 'StreamPage'),
  validateSearch: (search: Record<string, unknown>): { range?: '24h' | '7d' | undefined } =>
    present({ range: oneOf(search['range'], ['24h', '7d'] as const) }),
  loader: ({ params }) => ahead(streamQuery(params.name, '1h')),
})
const runsModule = () => import('./pages/runs.tsx')
const runs = createRoute({
  getParentRoute: () => root,
  path: 'runs',
  component: lazyRouteComponent(runsModule, 'RunsPage'),
  validateSearch: runsSearch,
  loader: () => ahead(runsQuery(undefined, 24)),
})
const run = createRoute({
  getParentRoute: () => root,
  path: 'runs/$id',
  component: lazyRouteComponent(runsModule, 'RunPage'),
  validateSearch: runsSearch,
  loader: ({ params }) => {
    ahead(runQuery(params.id))
    ahead(runsQuery(undefined, 24))
  },
})
const sql = createRoute({
  getParentRoute: () => root,
  path: 'sql',
  component: lazyRouteComponent(() => import('./pages/sql.tsx'), 'SqlPage'),
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined; run?: boolean | undefined } =>
    present({ q: text(search['q']), run: search['run'] === true ? true : undefined }),
  loader: () => ahead(relationsQuery()),
})
const dashboards = createRoute({
  getParentRoute: () => root,
  path: 'dashboards',
  component: lazyRouteComponent(() => import('./pages/dashboards.tsx'), 'DashboardsPage'),
  loader: () => ahead(dashboardsQuery()),
})
const dashboard = createRoute({
  getParentRoute: () => root,
  path: 'dashboards/$name',
  component: lazyRouteComponent(() => import('./pages/dashboard.tsx'), 'DashboardPage'),
  loader: ({ params }) => ahead(dashboardQuery(params.name)),
})

export const router = createRouter({
  routeTree: root.addChildren([
    overview,
    data,
    relation.addChildren([relationOverview, relationRows, relationSchema, relationQuality, relationSnapshots, relationLineage]),
    lineage,
    streams,
    stream,
    runs,
    run,
    sql,
    dashboards,
    dashboard,
  ]),
  basepath: '/console',
  defaultPreload: 'intent',
  defaultPreloadStaleTime: 0,
  scrollRestoration: true,
})

router.subscribe('onResolved', ({ fromLocation, pathChanged }) => {
  if (fromLocation !== undefined && pathChanged) focusTitle()
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
