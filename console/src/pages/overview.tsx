// `/`: is my data fresh and right, what needs me now, was any event lost? The answer stands in the heading.
import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import type { Attention, Overview } from '../../../src/serve/answers/overview.ts'
import type { RunSummary } from '../../../src/serve/answers/runs.ts'
import { serverNow } from '../api/clock.ts'
import { usePreferences } from '../api/preferences.ts'
import { overviewQuery, sessionQuery } from '../api/queries.ts'
import { Answer, Skeleton } from '../ui/answer.tsx'
import { balances, ConservationLine, missing } from '../ui/conservation.tsx'
import { formatCount, formatTime, plural } from '../ui/format.ts'
import { Title } from '../ui/head.tsx'
import { Empty } from '../ui/note.tsx'
import { RunAgain } from '../ui/run-again.tsx'
import { State, StateIcon } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { Span, Time } from '../ui/time.tsx'
import { failing, runWords } from '../ui/words.ts'
import { RelationTable } from './relation-table.tsx'

const SHOWN = 5

/** The sentence under the heading: what is down since when, what waits, whether events were lost. */
function Sentence({ of }: { readonly of: Overview }) {
  const { zone } = usePreferences()
  const late = of.relations.filter((one) => one.freshness.state === 'late')
  const sources = late.filter((one) => one.freshness.why?.kind === 'source')
  const waits = late.filter((one) => one.freshness.why?.kind === 'waits')
  const since = sources[0]?.freshness.why?.sinceMs
  const parts: string[] = []
  if (sources.length > 0) {
    const start = sources.length === 1 ? 'One source is down' : `${sources.length} sources are down`
    const when = since === undefined ? '' : ` since ${formatTime(since, serverNow(), zone, 'minute')}`
    const held =
      waits.length === 0
        ? ''
        : ` and ${sources.length === 1 ? 'holds' : 'hold'} back ${waits.length === 1 ? 'one model' : `${waits.length} models`}`
    parts.push(`${start}${when}${held}.`)
  } else if (late.length > 0)
    parts.push(
      `Late: ${late
        .map((one) => one.name)
        .slice(0, 3)
        .join(', ')}${late.length > 3 ? ` and ${late.length - 3} more` : ''}.`,
    )
  const counters = of.conservation
  if (counters !== null)
    parts.push(balances(counters) ? 'No event was lost.' : `The streams' counters are off by ${formatCount(Math.abs(missing(counters)))}.`)
  return <p className="sub">{parts.join(' ') || 'Nothing is late and no stream is defined.'}</p>
}

function Heading({ of }: { readonly of: Overview }) {
  const total = of.relations.length
  const fresh = of.relations.filter((one) => one.freshness.state !== 'late').length
  const late = total - fresh
  const warns = of.relations.reduce((sum, one) => sum + (one.checks === null ? 0 : failing(one.checks)), 0)
  return (
    <div className="head">
      <Title name="Overview">
        {total === 0
          ? 'There is no relation yet'
          : fresh === total
            ? `All ${total} relations are fresh`
            : `${fresh} of ${total} relations are fresh`}
      </Title>
      {late > 0 ? (
        <State pill tone="bad">
          {late} late
        </State>
      ) : null}
      {warns > 0 ? (
        <State pill tone="warn">
          {plural(warns, 'check warns', 'checks warn')}
        </State>
      ) : null}
    </div>
  )
}

function title(of: Attention): string {
  if (of.kind === 'late') return `${of.subject} is late`
  if (of.kind === 'run') return `${of.subject} failed`
  if (of.kind === 'rebuild') return `${of.subject} is computed again`
  if (of.kind === 'stopped') return `${of.subject} has stopped`
  if (of.kind === 'flow') return of.relation === undefined ? `Sink ${of.subject} does not write` : `${of.subject}: its topic is not read`
  if (of.kind === 'rejected') return `${of.subject}: ${plural(of.rows ?? 0, 'rejected row')}`
  return of.rows === undefined || of.rows === 0 ? `${of.subject}: a check fails` : `${of.subject}: ${plural(of.rows, 'row')} quarantined`
}

function Action({ of, mayRun }: { readonly of: Attention; readonly mayRun: boolean }) {
  if (of.runId !== undefined)
    return (
      <div className="row">
        <Link className="btn sm" to="/runs/$id" params={{ id: of.runId }}>
          Open run {of.runId}
        </Link>
        {mayRun && of.relation !== undefined ? <RunAgain assets={[of.relation]} label="Retry now" ghost /> : null}
      </div>
    )
  if (of.kind === 'flow')
    return (
      <Link
        className="btn sm"
        to="/lineage"
        search={{ node: of.relation === undefined ? `sink:${of.subject}` : `source:kafka ${of.relation}` }}
      >
        {of.relation === undefined ? 'See the sink' : 'See the topic'}
      </Link>
    )
  if (of.relation === undefined) return null
  if (of.kind === 'rejected' || of.kind === 'stopped' || of.kind === 'rebuild')
    return (
      <Link className="btn sm" to="/streams/$name" params={{ name: of.relation }}>
        See the stream
      </Link>
    )
  return (
    <Link className="btn sm" to="/data/$relation/quality" params={{ relation: of.relation }}>
      See the rows
    </Link>
  )
}

function Problems({ all, mayRun }: { readonly all: readonly Attention[]; readonly mayRun: boolean }) {
  return (
    <Card title="Needs attention" count={all.length} className="first-m">
      {all.length === 0 ? (
        <Empty title="Nothing needs you now." />
      ) : (
        <div className="in" style={{ display: 'grid', gap: 10 }}>
          {all.slice(0, SHOWN).map((one, index) => (
            <div
              key={`${one.kind} ${one.subject}`}
              style={index === 0 ? undefined : { borderTop: '1px solid var(--line)', paddingTop: 10 }}
            >
              <div className="row">
                <State tone={one.severity}>{title(one)}</State>
                <span className="sp" />
                <span className="muted s12">
                  <Time at={one.sinceMs} how="minute" />
                </span>
              </div>
              <p className="s12 t2 wrap-text" style={{ margin: '2px 0 6px' }}>
                {one.detail}
                {one.holdsBack.length === 0
                  ? null
                  : ` Holds back ${one.holdsBack.slice(0, 2).join(' and ')}${one.holdsBack.length > 2 ? ` and ${one.holdsBack.length - 2} more` : ''}.`}
              </p>
              <Action of={one} mayRun={mayRun} />
            </div>
          ))}
          {all.length > SHOWN ? <span className="muted s12">{all.length - SHOWN} more</span> : null}
        </div>
      )}
    </Card>
  )
}

function RecentRuns({ runs }: { readonly runs: readonly RunSummary[] }) {
  return (
    <Card
      title="Recent runs"
      controls={
        <Link className="link s12" to="/runs">
          All runs
        </Link>
      }
    >
      {runs.length === 0 ? (
        <Empty title="Nothing has run yet." />
      ) : (
        <table className="tight pad8" aria-label="Recent runs">
          <tbody>
            {runs.map((run) => (
              <tr key={run.id}>
                <td>
                  <Link className="row" to="/runs/$id" params={{ id: run.id }} data-row="">
                    <StateIcon {...runWords(run.state)} />
                    <span className="m5 cut">{run.name}</span>
                  </Link>
                </td>
                <td className="r muted">{run.endedAtMs === null ? 'running' : <Span ms={run.endedAtMs - run.startedAtMs} />}</td>
                <td className="r muted">
                  <Time at={run.startedAtMs} how="minute" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  )
}

export function OverviewPage() {
  const query = useQuery(overviewQuery())
  const session = useQuery(sessionQuery())
  const search = useSearch({ from: '/' })
  if (query.data === undefined)
    return (
      <>
        <div className="head">
          <Title name="Overview">Overview</Title>
        </div>
        <Answer query={query} rows={16}>
          {() => <Skeleton />}
        </Answer>
      </>
    )
  const overview = query.data
  return (
    <>
      <Heading of={overview} />
      <Sentence of={overview} />
      <div className="grid mix-m cols-side" style={{ gridTemplateColumns: 'minmax(0, 1fr) 296px', alignItems: 'start' }}>
        <div className="stack">
          <RelationTable relations={overview.relations} search={search} at="/" />
          {overview.conservation === null ? null : (
            <Card
              title="Was any event lost?"
              controls={
                <span className="muted s12">{overview.conservation.sinceMs === null ? 'all streams' : 'all streams, last 24 h'}</span>
              }
              className={balances(overview.conservation) ? '' : 'torn'}
            >
              <div className="in">
                <ConservationLine of={overview.conservation} />
              </div>
            </Card>
          )}
        </div>
        <div className="stack">
          <Problems all={overview.attention} mayRun={session.data?.mayRun ?? false} />
          <RecentRuns runs={overview.runs} />
        </div>
      </div>
    </>
  )
}
