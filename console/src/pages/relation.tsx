// `/data/$relation`: title, state, actions and tabs; each tab is its own route below.
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet, useParams, useRouterState } from '@tanstack/react-router'
import { Fragment, useEffect, useRef } from 'react'
import { isAsset } from '../../../src/orchestrate/graph.ts'
import type { RelationDetail } from '../../../src/serve/answers/relations.ts'
import { relationQuery, sessionQuery } from '../api/queries.ts'
import { Skeleton } from '../ui/answer.tsx'
import { formatCount, formatDuration } from '../ui/format.ts'
import { Tags, Title } from '../ui/head.tsx'
import { Icon, kindIcon } from '../ui/icon.tsx'
import { ErrorNote } from '../ui/note.tsx'
import { RunAgain } from '../ui/run-again.tsx'
import { Words } from '../ui/state.tsx'
import { titleWords } from '../ui/words.ts'
import { quoteName } from './sql-text.ts'

function tagsOf(of: RelationDetail): string[] {
  const { manifest, relation } = of
  const how =
    manifest.kind === 'model'
      ? manifest.by === undefined
        ? manifest.refresh
        : `${manifest.refresh} by ${manifest.by}`
      : manifest.kind === 'table'
        ? `table · ${manifest.source.kind === 'files' ? manifest.source.format : manifest.source.kind}`
        : `stream · ${manifest.source}`
  const key = manifest.kind === 'stream' ? (manifest.key === undefined ? [] : [manifest.key]) : manifest.key
  return [
    how,
    ...(key.length > 0 && manifest.kind !== 'model' ? [`key ${key.join(', ')}`] : []),
    ...(relation.owner === null ? [] : [`owner ${relation.owner}`]),
    ...relation.tags,
  ]
}

const TABS = [
  { to: '/data/$relation', name: 'Overview' },
  { to: '/data/$relation/rows', name: 'Rows' },
  { to: '/data/$relation/schema', name: 'Schema' },
  { to: '/data/$relation/quality', name: 'Quality' },
  { to: '/data/$relation/snapshots', name: 'Snapshots' },
  { to: '/data/$relation/lineage', name: 'Lineage' },
] as const

function Tabs({ name, of }: { readonly name: string; readonly of: RelationDetail }) {
  const path = useRouterState({ select: (state) => state.location.pathname })
  const last = path.split('/').filter((part) => part !== '' && part !== 'console')[2] ?? ''
  const counts: Record<string, number | null> = {
    Rows: of.relation.rows,
    Schema: of.manifest.shape.fields.length,
    Quality: of.counts.checks,
    Snapshots: of.counts.snapshots,
  }
  const bar = useRef<HTMLElement>(null)
  // biome-ignore lint/correctness/useExhaustiveDependencies: on small screens the chosen tab may stand outside the bar
  useEffect(() => {
    bar.current?.querySelector('[aria-current="page"]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [path])
  return (
    <nav ref={bar} className="tabs" aria-label={name} style={{ marginBottom: 'var(--s4)' }}>
      {TABS.map((tab) => {
        const suffix = tab.to.split('/')[3] ?? ''
        const count = counts[tab.name]
        return (
          <Link
            key={tab.to}
            to={tab.to}
            params={{ relation: name }}
            activeProps={{}}
            activeOptions={{ exact: true }}
            aria-current={last === suffix ? 'page' : undefined}
            resetScroll={false}
          >
            {tab.name}
            {count == null ? null : <span className="n">{formatCount(count)}</span>}
          </Link>
        )
      })}
    </nav>
  )
}

function Why({ of }: { readonly of: RelationDetail }) {
  const fresh = of.relation.freshness
  if (fresh.state !== 'late') return null
  const words = {
    source: 'its source is down',
    run: 'its last run failed',
    stopped: 'it has stopped, and starts again from its last commit',
    waits: `it waits for ${fresh.why?.on ?? 'an input'}`,
  }
  return (
    <p className="s12 c-bad" style={{ marginBottom: 8 }}>
      Late{fresh.targetMs === null ? '' : `, target ${formatDuration(fresh.targetMs)}`}
      {fresh.why === undefined ? '. ' : `: ${words[fresh.why.kind]}. `}
      {fresh.why?.runId === undefined ? null : (
        <Link className="link" to="/runs/$id" params={{ id: fresh.why.runId }}>
          Why: run {fresh.why.runId}
        </Link>
      )}
    </p>
  )
}

export function RelationPage() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const query = useQuery(relationQuery(name))
  const session = useQuery(sessionQuery())
  if (query.data === undefined)
    return (
      <>
        <div className="head">
          <Title name={name}>{name}</Title>
        </div>
        {query.isError ? <ErrorNote error={query.error} again={() => void query.refetch()} /> : <Skeleton rows={14} />}
      </>
    )
  const of = query.data
  const isStream = of.manifest.kind === 'stream'
  const isRun = isAsset(of.manifest)
  return (
    <>
      <div className="head">
        <span className="muted hide-m">
          <Icon name={kindIcon(of.relation.kind, of.relation.how)} size={18} />
        </span>
        <Title name={name}>{name}</Title>
        <Words words={titleWords(of.relation)} pill />
        <Tags tags={tagsOf(of)} />
        <span className="sp" />
        {isStream ? (
          <Link className="btn sm hide-m" to="/streams/$name" params={{ name }}>
            <Icon name="stream" size={13} />
            Stream
          </Link>
        ) : null}
        <Link className="btn sm" to="/sql" search={{ q: `SELECT *\nFROM ${quoteName(name)}\nLIMIT 100` }}>
          <Icon name="sql" size={13} />
          Query
        </Link>
        {session.data?.mayRun && isRun ? <RunAgain assets={[name]} label="Refresh" icon className="hide-m" /> : null}
      </div>
      <p className="sub" style={{ marginBottom: 8 }}>
        {of.relation.doc ?? <span className="muted">No description. Give it one with doc: in {of.manifest.at}.</span>}
      </p>
      <Why of={of} />
      <Tabs name={name} of={of} />
      {/* Another relation is another page: nothing of the last one may stay under the new title. */}
      <Fragment key={name}>
        <Outlet />
      </Fragment>
    </>
  )
}
