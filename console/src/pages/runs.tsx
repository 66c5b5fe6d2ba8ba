// `/runs` and `/runs/$id`: the list beside the run on wide screens, two pages on small ones.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import type { RunSummary, Runs } from '../../../src/serve/answers/runs.ts'
import { useNow } from '../api/clock.ts'
import { runsQuery } from '../api/queries.ts'
import type { RunsSearch } from '../search.ts'
import { Answer } from '../ui/answer.tsx'
import { FieldMenu } from '../ui/choice.tsx'
import { formatAge, formatDuration, plural } from '../ui/format.ts'
import { Title } from '../ui/head.tsx'
import { useHeld } from '../ui/held.ts'
import { Empty } from '../ui/note.tsx'
import { StateIcon } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { runWords } from '../ui/words.ts'
import { RunView } from './run.tsx'

const WINDOWS = [
  { value: '1', label: '1 h' },
  { value: '24', label: '24 h' },
  { value: '168', label: '7 days' },
]
const windowName = (hours: number): string => WINDOWS.find((one) => one.value === String(hours))?.label ?? `${hours} h`

function Buckets({ of, hours }: { readonly of: Runs; readonly hours: number }) {
  const most = Math.max(1, ...of.buckets.map((bucket) => bucket.runs))
  const wide = 280 / Math.max(1, of.buckets.length)
  return (
    <div style={{ padding: '10px 16px', borderBottom: '1px solid var(--line)' }}>
      <div className="row s12 muted num" style={{ marginBottom: 4 }}>
        <span>
          {plural(of.total, 'run')}, {windowName(hours)}
        </span>
        <span className="sp" />
        {of.failed > 0 ? <span className="c-bad m5">{of.failed} failed</span> : <span>none failed</span>}
      </div>
      <svg
        viewBox="0 0 280 22"
        width="100%"
        height="22"
        preserveAspectRatio="none"
        role="img"
        aria-label={`${of.total} runs, ${of.failed} failed`}
      >
        {of.buckets.map((bucket, index) => {
          const tall = bucket.runs === 0 ? 1 : Math.max(3, (bucket.runs / most) * 22)
          return (
            <rect
              key={bucket.startMs}
              x={index * wide}
              y={22 - tall}
              width={Math.max(1, wide - 1)}
              height={tall}
              fill={bucket.failed > 0 ? 'var(--bad)' : 'var(--chart-3)'}
            />
          )
        })}
      </svg>
    </div>
  )
}

function Item({ run, chosen, search }: { readonly run: RunSummary; readonly chosen: boolean; readonly search: RunsSearch }) {
  const now = useNow()
  const words = runWords(run.state)
  return (
    <Link
      className="ri"
      to="/runs/$id"
      params={{ id: run.id }}
      search={{ ...search, step: undefined }}
      aria-current={chosen ? 'true' : undefined}
      activeProps={{}}
      activeOptions={{ exact: true, includeSearch: false }}
      data-row=""
      {...(chosen ? { 'data-here': '' } : {})}
    >
      <span>
        <StateIcon {...words} />
      </span>
      <span className="col">
        <span className="row" style={{ gap: 6 }}>
          <span className="m5 cut lead">{run.name}</span>
          <span className="muted num s12 cut">{run.id}</span>
        </span>
        <span className="s12 muted cut" style={{ display: 'block' }}>
          {run.trigger} · {words.word}
        </span>
      </span>
      <span className="r s12 t2">
        <Time at={run.startedAtMs} how="minute" />
        <br />
        <span className="muted">
          {run.endedAtMs === null ? formatAge(now - run.startedAtMs) : formatDuration(run.endedAtMs - run.startedAtMs, 'measured')}
        </span>
      </span>
    </Link>
  )
}

function List({
  of,
  chosen,
  search,
  hours,
  old,
}: {
  readonly of: Runs
  readonly chosen: string | null
  readonly search: RunsSearch
  readonly hours: number
  /** These are still the runs of the last filter. */
  readonly old: boolean
}) {
  const held = useHeld(of.runs, (run) => run.id, `${search.state ?? ''} ${hours} ${old}`)
  return (
    <>
      <Buckets of={of} hours={hours} />
      {held.waiting > 0 ? (
        <button type="button" className="pend" data-waiting="" onClick={held.apply}>
          {plural(held.waiting, 'new run')}
        </button>
      ) : null}
      {of.runs.length === 0 ? (
        <Empty title={search.state === undefined ? `Nothing ran in the last ${windowName(hours)}.` : `No run is ${search.state}.`}>
          {search.state === undefined ? null : (
            <Link className="link" to="/runs">
              Clear filter
            </Link>
          )}
        </Empty>
      ) : null}
      {held.rows.map((run) => (
        <Item key={run.id} run={run} chosen={run.id === chosen} search={search} />
      ))}
    </>
  )
}

function RunsSplit({ id, search }: { readonly id: string | null; readonly search: RunsSearch }) {
  const hours = search.hours ?? 24
  const query = useQuery(runsQuery(search.state, hours))
  const navigate = useNavigate()
  const [first, setFirst] = useState<string | null>(null)
  const runs = query.data?.runs ?? []
  const proposed = (runs.find((run) => run.state === 'failed' || run.state === 'partial') ?? runs[0])?.id ?? null
  if (id === null && first === null && proposed !== null) setFirst(proposed)
  const chosen = id ?? first
  const set = (change: RunsSearch): void =>
    void navigate({
      to: '/runs',
      search: Object.fromEntries(Object.entries({ ...search, step: undefined, ...change }).filter(([, value]) => value !== undefined)),
      replace: true,
    })
  return (
    <div className="split">
      <section className={`rl ${id === null ? '' : 'hide-m'}`} aria-label="Runs">
        <div className="rl-head">
          {id === null ? (
            <Title name="Runs" small>
              Runs
            </Title>
          ) : (
            <h2 style={{ fontSize: 14 }}>Runs</h2>
          )}
          <span className="sp" />
          <FieldMenu
            label="State"
            value={search.state ?? 'any'}
            options={[
              { value: 'any', label: 'any' },
              { value: 'failed', label: 'failed' },
              { value: 'running', label: 'running' },
              { value: 'done', label: 'done' },
            ]}
            onChange={(value) => set({ state: value === 'any' ? undefined : value })}
          />
          <FieldMenu
            label="Last"
            value={String(hours)}
            options={WINDOWS}
            onChange={(value) => set({ hours: value === '24' ? undefined : Number(value) })}
          />
        </div>
        <Answer query={query} rows={14}>
          {(of) => <List of={of} chosen={chosen} search={search} hours={hours} old={query.isPlaceholderData} />}
        </Answer>
      </section>
      <section className={`rd ${id === null ? 'hide-m' : ''}`} aria-label="Run">
        {chosen === null ? (
          <Empty title="No run is chosen." />
        ) : (
          <RunView key={chosen} id={chosen} step={search.step ?? null} title={id !== null} />
        )}
      </section>
    </div>
  )
}

export function RunsPage() {
  return <RunsSplit id={null} search={useSearch({ from: '/runs' })} />
}

export function RunPage() {
  const { id } = useParams({ from: '/runs/$id' })
  return <RunsSplit id={id} search={useSearch({ from: '/runs/$id' })} />
}
