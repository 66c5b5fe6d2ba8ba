// One run: what broke and why, what it held back, what resuming repeats; its steps on a time axis, one step's log open.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import type { RunDetail, RunStep } from '../../../src/serve/answers/runs.ts'
import { serverNow } from '../api/clock.ts'
import { runQuery, sessionQuery } from '../api/queries.ts'
import { Skeleton } from '../ui/answer.tsx'
import { Segments } from '../ui/choice.tsx'
import { Code } from '../ui/code.tsx'
import { formatBytes, formatCount, formatDuration, plural } from '../ui/format.ts'
import { Title } from '../ui/head.tsx'
import { Empty, ErrorNote, Fix, Note } from '../ui/note.tsx'
import { RunAgain } from '../ui/run-again.tsx'
import { State } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { Time } from '../ui/time.tsx'
import { Timeline } from '../ui/timeline.tsx'
import { capital, runWords } from '../ui/words.ts'

/** '1 of 9 steps failed, 2 were skipped, 6 are done. Resuming runs 3 steps and repeats none.' */
export function runSentence(of: RunDetail): string {
  const { total, done, failed, skipped } = of.run.steps
  if (of.run.state === 'running' || of.run.state === 'queued') return `${done} of ${plural(total, 'step')} done.`
  if (failed === 0) return `All ${plural(total, 'step')} done.`
  const parts = [
    `${failed} of ${plural(total, 'step')} failed`,
    ...(skipped > 0 ? [`${skipped} ${skipped === 1 ? 'was' : 'were'} skipped`] : []),
    ...(done > 0 ? [`${done} ${done === 1 ? 'is' : 'are'} done`] : []),
  ]
  return `${parts.join(', ')}.${of.mayResume ? ` Resuming runs ${plural(failed + skipped, 'step')} and repeats none.` : ''}`
}

function Failure({ of }: { readonly of: RunDetail }) {
  const failure = of.failure
  if (failure === null) return null
  return (
    <div style={{ marginBottom: 16 }}>
      <Note tone="bad">
        <div className="m5 wrap-text">
          {failure.step}: {failure.error.message}
        </div>
        <div className="s12 t2 wrap-text" style={{ marginTop: 2 }}>
          {failure.left} {of.holdsBack.length === 0 ? '' : `Holds back ${of.holdsBack.join(', ')}. `}
          <span className="mono">{failure.error.code}</span>
        </div>
        <Fix fix={failure.error.fix} at={failure.error.at} />
      </Note>
    </div>
  )
}

function Log({ of }: { readonly of: RunStep }) {
  if (of.log.length === 0) return <span className="muted">This step logged nothing.</span>
  return of.log.map((line, index) => (
    <div className="lg" key={`${line.atMs} ${index}`}>
      <span className="muted">
        <Time at={line.atMs} how="milli" />
      </span>
      <span className={line.level === 'error' ? 'c-bad' : line.level === 'warn' ? 'c-warn' : 'muted'}>{line.level}</span>
      <span>{line.text}</span>
    </div>
  ))
}

/** '16 files became 1', with their bytes: what a chore of maintenance was for. */
function Saved({ of }: { readonly of: NonNullable<RunStep['saved']> }) {
  return (
    <>
      <dt>Files</dt>
      <dd className="num">
        {formatCount(of.filesBefore)} → {formatCount(of.filesAfter)}
      </dd>
      <dt>Bytes</dt>
      <dd className="num">
        {formatBytes(of.bytesBefore)} → {formatBytes(of.bytesAfter)}
      </dd>
    </>
  )
}

function Effects({ of }: { readonly of: RunStep }) {
  if (of.effects.length === 0 && of.saved === null) return <span className="muted">Nothing was committed by this step.</span>
  return (
    <dl className="facts">
      {of.saved === null ? null : <Saved of={of.saved} />}
      {of.effects.map((effect) => (
        <div key={effect.relation} style={{ display: 'contents' }}>
          <dt>
            <Link className="link" to="/data/$relation/snapshots" params={{ relation: effect.relation }}>
              {effect.relation}
            </Link>
          </dt>
          <dd className="num">
            snapshot {formatCount(effect.snapshot.sequence)}
            {effect.added === null ? '' : ` · +${formatCount(effect.added)}`}
            {effect.removed === null || effect.removed === 0 ? '' : ` · \u2212${formatCount(effect.removed)}`} rows
          </dd>
        </div>
      ))}
    </dl>
  )
}

function Statement({ of }: { readonly of: RunStep }) {
  if (of.sql === null) return <span className="muted">This step ran no SQL.</span>
  const query = of.query
  const facts =
    query === null
      ? []
      : [
          query.cpuMs === null ? null : `${formatDuration(query.cpuMs, 'fine')} CPU`,
          query.rowsRead === null ? null : `${formatCount(query.rowsRead)} rows read`,
          query.readBytes === null ? null : `${formatBytes(query.readBytes)} read`,
          query.peakBytes === null ? null : `${formatBytes(query.peakBytes)} peak memory`,
        ]
  return (
    <div style={{ display: 'grid', gap: 8 }}>
      <Code text={of.sql} />
      <span className="muted s12 num">{facts.filter((fact) => fact !== null).join(' · ')}</span>
    </div>
  )
}

type Part = 'log' | 'effects' | 'sql'

function Step({ of }: { readonly of: RunStep }) {
  const [part, setPart] = useState<Part>(of.saved === null ? 'log' : 'effects')
  return (
    <Card
      title={of.name}
      className="step"
      controls={
        <>
          <Segments
            label="Part"
            value={part}
            onChange={setPart}
            options={[
              { value: 'log', label: 'Log' },
              { value: 'effects', label: 'Effects' },
              { value: 'sql', label: 'SQL' },
            ]}
          />
          <span className="muted s12 num hide-m">{part === 'log' ? plural(of.log.length, 'line') : ''}</span>
        </>
      }
    >
      <div className="in">{part === 'log' ? <Log of={of} /> : part === 'effects' ? <Effects of={of} /> : <Statement of={of} />}</div>
    </Card>
  )
}

export function RunView({ id, step, title }: { readonly id: string; readonly step: string | null; readonly title: boolean }) {
  const query = useQuery(runQuery(id))
  const session = useQuery(sessionQuery())
  const navigate = useNavigate()
  const of = query.data
  if (of === undefined)
    return (
      <>
        {title ? (
          <div className="head">
            <Title name={`Run ${id}`}>Run {id}</Title>
          </div>
        ) : null}
        {query.isError ? <ErrorNote error={query.error} again={() => void query.refetch()} /> : <Skeleton rows={10} />}
      </>
    )
  const words = runWords(of.run.state)
  const heading = (
    <>
      {of.run.name}{' '}
      <span className="muted num" style={{ fontWeight: 400 }}>
        {id}
      </span>
    </>
  )
  const chosen = step ?? of.steps.find((one) => one.state === 'failed')?.name ?? of.steps[0]?.name ?? null
  const open = of.steps.find((one) => one.name === chosen)
  const mayRun = session.data?.mayRun ?? false
  // Maintenance comes by itself; running its tables again would load and refresh them.
  const assets = of.steps.flatMap((one) => (one.relation === null || one.saved !== null ? [] : [one.relation]))
  return (
    <>
      <div className="head">
        {title ? <Title name={`Run ${id}`}>{heading}</Title> : <h2 style={{ font: '600 var(--t-20) var(--sans)' }}>{heading}</h2>}
        <State pill tone={words.tone}>
          {capital(words.word)}
        </State>
        <span className="sp" />
        {mayRun && of.mayResume ? <RunAgain resume={id} label="Resume from failure" primary icon /> : null}
        {mayRun && assets.length > 0 && of.run.endedAtMs !== null ? (
          <RunAgain assets={[...new Set(assets)]} label="Run all again" className="hide-m" />
        ) : null}
      </div>
      <p className="sub" style={{ marginBottom: 12 }}>
        {runSentence(of)}
      </p>
      <Failure of={of} />
      <div className="stack">
        <Card
          title="Steps"
          count={of.steps.length}
          controls={
            <span className="muted s12 num cut hide-m">
              <Time at={of.run.startedAtMs} /> to {of.run.endedAtMs === null ? 'now' : <Time at={of.run.endedAtMs} />} · {of.run.trigger}
              {of.code === null ? '' : ` · code ${of.code}`}
            </span>
          }
        >
          {of.steps.length === 0 ? (
            <Empty title="This run has no step yet." />
          ) : (
            <Timeline
              steps={of.steps}
              nowMs={serverNow()}
              chosen={chosen}
              onChoose={(name) =>
                void navigate({ to: '/runs/$id', params: { id }, search: (old) => ({ ...old, step: name }), replace: true })
              }
            />
          )}
        </Card>
        {open === undefined ? null : <Step key={open.name} of={open} />}
      </div>
    </>
  )
}
