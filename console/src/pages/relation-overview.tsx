// The relation's first tab: how old, how many, whether right, who reads; its measures by day; how it is kept.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import type { Field } from '../../../src/schema/type.ts'
import type { Cell } from '../../../src/serve/answers/admin.ts'
import type { RelationDetail } from '../../../src/serve/answers/relations.ts'
import { serverNow } from '../api/clock.ts'
import { relationQuery, rowsQuery, sqlQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { Chart } from '../ui/chart.tsx'
import { Segments } from '../ui/choice.tsx'
import { Code } from '../ui/code.tsx'
import { formatBytes, formatCount, formatDuration, plural } from '../ui/format.ts'
import { FreshAge, targetWord } from '../ui/freshness.tsx'
import { Grid } from '../ui/grid.tsx'
import { At, Empty } from '../ui/note.tsx'
import { RowCount } from '../ui/num.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { Span, Time } from '../ui/time.tsx'
import { runWords } from '../ui/words.ts'
import { quoteColumn, quoteName } from './sql-text.ts'

const DAYS = 61
const LATEST = 5
const MEASURES = 3
const CHART_PX = 172

function Figure({ name, children, below }: { readonly name: string; readonly children: ReactNode; readonly below: ReactNode }) {
  return (
    <div className="kpi">
      <dt>{name}</dt>
      <dd>
        {children}
        <small>{below}</small>
      </dd>
    </div>
  )
}

function Figures({ of }: { readonly of: RelationDetail }) {
  const { relation } = of
  const checks = relation.checks
  const limited = of.readers.filter((reader) => reader.limited)
  return (
    <dl className="kpis" style={{ margin: '0 0 16px' }}>
      <Figure name="Data age" below={`target ${targetWord(relation.freshness)}`}>
        <FreshAge of={relation.freshness} />
      </Figure>
      <Figure
        name="Rows"
        below={
          [
            of.rowsToday === null ? null : `+${formatCount(of.rowsToday)} today`,
            relation.bytes === null ? null : formatBytes(relation.bytes),
          ]
            .filter(Boolean)
            .join(' · ') || 'counted at each commit'
        }
      >
        <RowCount of={relation} />
      </Figure>
      <Figure
        name="Checks"
        below={
          checks?.lastAtMs == null ? (
            'none has run'
          ) : (
            <>
              last run <Time at={checks.lastAtMs} />
            </>
          )
        }
      >
        {checks === null ? 'none' : `${formatCount(checks.passed)} of ${formatCount(checks.total)}`}
      </Figure>
      <Figure
        name="Who may read"
        below={limited.length === 0 ? 'all rows and columns' : `${limited.map((reader) => reader.role).join(', ')}: in part`}
      >
        {plural(of.readers.length, 'role')}
      </Figure>
    </dl>
  )
}

const NUMERIC = ['int', 'long', 'float', 'double', 'decimal']
const isTime = (field: Field): boolean => ['date', 'timestamp', 'datetime'].includes(field.type.kind)

function dayColumn(of: RelationDetail): Field | undefined {
  const { manifest } = of
  const wanted = manifest.kind === 'model' ? manifest.by : manifest.kind === 'stream' ? manifest.time : undefined
  const fields = manifest.shape.fields
  return fields.find((field) => field.name === wanted && isTime(field)) ?? fields.find(isTime)
}

const asNumber = (value: Cell | undefined): number | null => (value == null ? null : Number(value))

function ByDay({ of, day }: { readonly of: RelationDetail; readonly day: Field }) {
  const name = of.relation.name
  const keys = of.manifest.kind === 'stream' ? [] : of.manifest.key
  const fields = of.manifest.shape.fields
    .filter((field) => NUMERIC.includes(field.type.kind) && !keys.includes(field.name))
    .slice(0, MEASURES)
  const options = ['rows', ...fields.map((field) => field.name)]
  const [chosen, setChosen] = useState(options.at(-1) ?? 'rows')
  const column = quoteColumn(day.name)
  const since =
    of.manifest.kind === 'stream'
      ? ` WHERE ${column} >= TIMESTAMP '${new Date(Math.floor((serverNow() - DAYS * 86_400_000) / 86_400_000) * 86_400_000).toISOString().slice(0, 10)}'`
      : ` WHERE ${column} IS NOT NULL`
  const sums = fields.map((field) => `, sum(${quoteColumn(field.name)})`).join('')
  const query = useQuery(
    sqlQuery(
      name,
      `SELECT CAST(${column} AS DATE) AS day, count(*)${sums} FROM ${quoteName(name)}${since} GROUP BY 1 ORDER BY 1 DESC LIMIT ${DAYS}`,
    ),
  )
  const unit = fields.find((field) => field.name === chosen)?.unit
  const index = 1 + options.indexOf(chosen)
  const title = `${chosen} by day`
  return (
    <Card
      title={title}
      beside={[unit, `last ${DAYS} days with rows`].filter(Boolean).join(', ')}
      controls={
        <Segments label="Measure" value={chosen} onChange={setChosen} options={options.map((value) => ({ value, label: value }))} />
      }
    >
      <div className="in" style={{ minHeight: 214 }}>
        <Answer query={query} rows={6} height={CHART_PX}>
          {(answer) =>
            answer.rows.length === 0 ? (
              <Empty title="No rows yet." />
            ) : (
              <Chart
                title={title}
                kind="bar"
                days
                height={CHART_PX}
                legend={false}
                x={{ kind: 'time', values: answer.rows.map((row) => Date.parse(`${String(row[0]).slice(0, 10)}T00:00:00Z`)).reverse() }}
                series={[{ name: chosen, color: '--chart-1', values: answer.rows.map((row) => asNumber(row[index])).reverse() }]}
              />
            )
          }
        </Answer>
      </div>
    </Card>
  )
}

function Latest({ name, of }: { readonly name: string; readonly of: RelationDetail }) {
  const query = useQuery(rowsQuery(name, { limit: LATEST }))
  const from =
    of.snapshot === null ? (of.tail ? 'hot tail' : '') : `snapshot ${formatCount(of.snapshot.sequence)}${of.tail ? ' and hot tail' : ''}`
  return (
    <Card
      title="Latest rows"
      beside={from}
      controls={
        <Link className="link s12" to="/data/$relation/rows" params={{ relation: name }}>
          All rows
        </Link>
      }
    >
      <Answer query={query} rows={6}>
        {(page) =>
          page.rows.length === 0 ? (
            <Empty title={`No rows in ${name} yet.`} />
          ) : (
            <Grid columns={page.columns} rows={page.rows.slice(0, LATEST)} masked={page.policy.masked} />
          )
        }
      </Answer>
    </Card>
  )
}

function Definition({ of }: { readonly of: RelationDetail }) {
  const { manifest } = of
  const text =
    manifest.kind === 'model'
      ? manifest.sql.text
      : `${manifest.kind}('${manifest.name}', {\n${manifest.shape.fields.map((field) => `  ${field.name}: ${field.type.kind}${field.optional ? '?' : ''}`).join(',\n')}\n})`
  return (
    <Card
      title="Definition"
      controls={
        <span className="s12">
          <At at={manifest.at} />
        </span>
      }
    >
      <div className="in">
        <Code text={text} />
      </div>
    </Card>
  )
}

/** What the manifest says about how it is kept, as pairs. */
function stateWords({ memoryBytes, spilledBytes }: NonNullable<RelationDetail['state']>, limitBytes: number | undefined): string {
  const memory = `${formatBytes(memoryBytes)} in memory${limitBytes === undefined ? '' : ` of ${formatBytes(limitBytes)}`}`
  return spilledBytes === 0 ? memory : `${memory} · ${formatBytes(spilledBytes)} on the disk`
}

function keepFacts(of: RelationDetail): [string, ReactNode][] {
  const { manifest, relation } = of
  const facts: [string, ReactNode][] = []
  if (manifest.kind === 'model') {
    facts.push([
      'Refresh',
      manifest.by === undefined
        ? manifest.refresh
        : `by ${manifest.by}${manifest.key.length > 0 ? `; key ${manifest.key.join(', ')}` : ''}`,
    ])
    facts.push([
      'When',
      manifest.refresh === 'live'
        ? 'live'
        : manifest.refresh === 'view'
          ? 'at each read'
          : manifest.freshMs === undefined
            ? 'when its inputs commit'
            : `within ${formatDuration(manifest.freshMs)} of a commit`,
    ])
    if (manifest.onChange !== undefined)
      facts.push([
        'If inputs change',
        manifest.onChange === 'recompute'
          ? `recompute the touched ${manifest.by === undefined ? 'parts' : 'intervals'}`
          : 'keep what was computed',
      ])
    facts.push([
      'Reads',
      manifest.inputs.map((input, index) => [
        index === 0 ? '' : ', ',
        <Link key={input} className="link" to="/data/$relation" params={{ relation: input }}>
          {input}
        </Link>,
      ]),
    ])
  } else if (manifest.kind === 'stream') {
    facts.push(['Source', manifest.source === 'http' ? 'HTTP' : `processor ${manifest.processor ?? ''}`])
    facts.push(['Partitions', `${manifest.partitions}${manifest.key === undefined ? ', round robin' : `, by ${manifest.key}`}`])
    if (manifest.time !== undefined) facts.push(['Event time', `${manifest.time}, lateness ${formatDuration(manifest.latenessMs)}`])
    if (manifest.dedupe !== undefined)
      facts.push(['Deduplicated', `by ${manifest.dedupe.by.join(', ')} within ${formatDuration(manifest.dedupe.withinMs)}`])
    facts.push(['Log kept', formatDuration(manifest.keep.logMs)])
  } else {
    const source = manifest.source
    facts.push(['Source', source.kind === 'files' ? `${source.format} files` : source.kind === 'http' ? 'HTTP, by key' : 'none'])
    facts.push(['Load', manifest.load])
    if (source.kind === 'files' && (source.everyMs !== undefined || source.cron !== undefined))
      facts.push([
        'When',
        source.everyMs === undefined ? `cron ${source.cron} ${source.zone ?? ''}` : `every ${formatDuration(source.everyMs)}`,
      ])
    if (manifest.key.length > 0) facts.push(['Key', manifest.key.join(', ')])
  }
  if (of.lastRun !== null)
    facts.push([
      'Last run',
      <>
        <Link className="link" to="/runs/$id" params={{ id: of.lastRun.id }}>
          {of.lastRun.id}
        </Link>
        {of.lastRun.note === null ? ` · ${runWords(of.lastRun.state).word}` : ` · ${of.lastRun.note}`}
        {of.lastRun.durationMs === null ? null : (
          <>
            {' '}
            · <Span ms={of.lastRun.durationMs} />
          </>
        )}
      </>,
    ])
  const partition = manifest.partition
    .map((rule) => (rule.transform === 'identity' ? rule.column : `${rule.transform}(${rule.column})`))
    .join(', ')
  facts.push([
    'Partition',
    [
      partition || 'none',
      relation.files === null ? null : plural(relation.files, 'file'),
      relation.bytes === null ? null : formatBytes(relation.bytes),
    ]
      .filter(Boolean)
      .join(' · '),
  ])
  if (manifest.keep.tableMs !== undefined) facts.push(['Rows kept', formatDuration(manifest.keep.tableMs)])
  if (of.state !== null) facts.push(['State', stateWords(of.state, manifest.kind === 'model' ? manifest.memoryBytes : undefined)])
  if (manifest.encrypted) facts.push(['Encrypted', 'only Millrace reads its files'])
  return facts
}

export function RelationOverview() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const of = useQuery(relationQuery(name)).data
  if (of === undefined) return null
  const day = dayColumn(of)
  return (
    <>
      <Figures of={of} />
      <div className="grid cols-side" style={{ gridTemplateColumns: 'minmax(0, 1fr) 330px', alignItems: 'start' }}>
        <div className="stack">
          {day === undefined ? null : <ByDay key={name} of={of} day={day} />}
          <Latest name={name} of={of} />
        </div>
        <div className="stack">
          <Definition of={of} />
          <Card title="How it is kept">
            <div className="in">
              <dl className="facts">
                {keepFacts(of).map(([term, fact]) => (
                  <div key={term} style={{ display: 'contents' }}>
                    <dt>{term}</dt>
                    <dd>{fact}</dd>
                  </div>
                ))}
              </dl>
            </div>
          </Card>
        </div>
      </div>
    </>
  )
}
