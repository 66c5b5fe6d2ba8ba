// `/streams/$name`: does it keep up, does it balance, what was rejected and why?
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import type { Series, StreamDetail } from '../../../src/serve/answers/streams.ts'
import { serverNow, useNow } from '../api/clock.ts'
import { setPaused, useLive } from '../api/events.ts'
import { streamQuery } from '../api/queries.ts'
import { Skeleton } from '../ui/answer.tsx'
import { Chart } from '../ui/chart.tsx'
import type { ChartSeries } from '../ui/chart-props.ts'
import { Segments } from '../ui/choice.tsx'
import { Balance, balances, Conservation } from '../ui/conservation.tsx'
import { formatCount, formatDuration, formatRate, formatShare } from '../ui/format.ts'
import { Tags, Title } from '../ui/head.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty, ErrorNote, Note } from '../ui/note.tsx'
import { Num } from '../ui/num.tsx'
import { Words } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { Time } from '../ui/time.tsx'
import { quoteName } from './sql-text.ts'
import { streamWords } from './stream-words.ts'

const HEIGHT = 132
const COLORS = ['--chart-1', '--chart-2', '--chart-3']

function tagsOf(of: StreamDetail): string[] {
  return [
    of.stream.source,
    ...(of.key === null ? [] : [`key ${of.key}`]),
    ...(of.time === null ? [] : [`lateness ${formatDuration(of.latenessMs)}`]),
    ...(of.maxSkewMs === null ? [] : [`max skew ${formatDuration(of.maxSkewMs)}`]),
    ...(of.owner === null ? [] : [`owner ${of.owner}`]),
  ]
}

const lines = (series: readonly Series[], area: boolean): ChartSeries[] =>
  series.map((one, index) => ({
    name: one.name,
    color: COLORS[index % COLORS.length]!,
    values: one.values,
    dashed: index > 0,
    area: area && index === 0,
  }))

/** Minutes behind now; the partitions that are behind stand out, the others are one colour. */
function watermarkLines(of: StreamDetail): ChartSeries[] {
  const minutes = (series: Series): (number | null)[] => series.values.map((value) => (value === null ? null : value / 60_000))
  const behind = of.series.watermark.filter((series) => of.stream.behind.includes(Number(series.name)))
  const others = of.series.watermark.filter((series) => !of.stream.behind.includes(Number(series.name)))
  const worst = others
    .map(minutes)
    .reduce<(number | null)[] | null>(
      (sum, values) =>
        sum === null ? values : values.map((value, index) => (value === null ? (sum[index] ?? null) : Math.max(value, sum[index] ?? 0))),
      null,
    )
  return [
    ...behind.map((series): ChartSeries => ({ name: `partition ${series.name}`, color: '--warn', values: minutes(series) })),
    ...(worst === null
      ? []
      : [
          {
            name: others.length > 1 ? others.map((series) => series.name).join(', ') : `partition ${others[0]!.name}`,
            color: '--chart-2',
            values: worst,
          },
        ]),
  ]
}

function Charts({ of }: { readonly of: StreamDetail }) {
  const now = useNow()
  const { startMs, stepMs, rate, lag, watermark } = of.series
  const count = Math.max(0, ...[...rate, ...lag, ...watermark].map((series) => series.values.length))
  const x = { kind: 'time' as const, values: Array.from({ length: count }, (_, index) => startMs + index * stepMs) }
  const one = (title: string, figure: string, warn: boolean, series: ChartSeries[]) => (
    <Card title={title} controls={<span className={`num m5 ${warn ? 'c-warn' : ''}`}>{figure}</span>}>
      <div className="in" style={{ padding: '8px 12px' }}>
        {series.length === 0 || count === 0 ? (
          <div style={{ height: HEIGHT + 20 }} className="muted s12">
            Not measured yet.
          </div>
        ) : (
          <Chart title={title} kind="line" height={HEIGHT} x={x} series={series} sync={`stream ${of.stream.name}`} />
        )}
      </div>
    </Card>
  )
  const { ratePerSecond, lagMaxMs, watermarkMs, behind } = of.stream
  return (
    <div className="grid cols-side" style={{ gridTemplateColumns: 'repeat(3, minmax(0, 1fr))', margin: '12px 0 16px' }}>
      {one('Throughput', ratePerSecond === null ? '' : formatRate(ratePerSecond), false, lines(rate, true))}
      {one('Lag, ms', lagMaxMs === null ? '' : `at most ${formatDuration(lagMaxMs, 'fine')}`, false, lines(lag, true))}
      {one(
        'Watermark behind now, min',
        watermarkMs === null ? '' : formatDuration(now - watermarkMs),
        behind.length > 0,
        watermarkLines(of),
      )}
    </div>
  )
}

function Partitions({ of }: { readonly of: StreamDetail }) {
  const hot = of.partitions.find((one) => one.share !== null && of.partitions.length > 1 && one.share > 2 / of.partitions.length)
  return (
    <Card
      title="Partitions"
      controls={<span className="muted s12">{hot === undefined ? 'no hot key' : `partition ${hot.partition} is hot`}</span>}
    >
      <div className="scrollx">
        <table className="tight pad8">
          <thead>
            <tr>
              <th scope="col">No</th>
              <th scope="col" className="r">
                End offset
              </th>
              <th scope="col" className="r hide-m">
                Committed
              </th>
              <th scope="col" className="r">
                In tail
              </th>
              <th scope="col" className="r">
                Watermark
              </th>
              <th scope="col" className="r hide-m">
                Share
              </th>
            </tr>
          </thead>
          <tbody>
            {of.partitions.map((one) => (
              <tr key={one.partition}>
                <td className="num">{one.partition}</td>
                <td className="r">
                  <Num value={one.endOffset} />
                </td>
                <td className="r hide-m">
                  <Num value={one.committedOffset} />
                </td>
                <td className="r">
                  <Num value={one.endOffset - one.committedOffset} />
                </td>
                <td className={`r ${of.stream.behind.includes(one.partition) ? 'c-warn m5' : ''}`}>
                  {one.watermarkMs === null ? <span className="muted">–</span> : <Time at={one.watermarkMs} />}
                </td>
                <td className="r hide-m">
                  {one.share === null ? <span className="muted">–</span> : formatShare(Math.round(one.share * 100) / 100)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

function Rejected({ of }: { readonly of: StreamDetail }) {
  const name = of.stream.name
  return (
    <Card
      title="Rejected rows"
      count={formatCount(of.rejected.total)}
      controls={
        of.rejected.total === 0 ? null : (
          <Link
            className="btn sm"
            to="/sql"
            search={{ q: `SELECT *\nFROM ${quoteName(`${name}__rejected`)}\nORDER BY _ingested_at DESC\nLIMIT 100` }}
          >
            Open in SQL
          </Link>
        )
      }
    >
      {of.rejected.groups.length === 0 ? (
        <Empty title="No row was rejected." />
      ) : (
        <div className="scrollx">
          <table className="tight">
            <thead>
              <tr>
                <th scope="col">Reason</th>
                <th scope="col" className="hide-m">
                  Field
                </th>
                <th scope="col" className="r">
                  Rows
                </th>
                <th scope="col" className="hide-m">
                  Seen
                </th>
                <th scope="col" className="hide-m">
                  Newest row
                </th>
              </tr>
            </thead>
            <tbody>
              {of.rejected.groups.map((group) => (
                <tr key={`${group.code} ${group.field}`}>
                  <td className="mono s12">{group.code}</td>
                  <td className="mono s12 hide-m">{group.field ?? ''}</td>
                  <td className="r">
                    <Num value={group.rows} />
                  </td>
                  <td className="num hide-m">
                    <Time at={group.firstAtMs} how="minute" /> to <Time at={group.lastAtMs} how="minute" />
                  </td>
                  <td className="hide-m">
                    {group.newest === null ? (
                      <span className="muted">hidden for your role</span>
                    ) : (
                      <code className="s12 t2">
                        {group.newest.slice(0, 72)}
                        {group.newest.length > 72 ? '…' : ''}
                      </code>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

const RANGES = [
  { value: '1h', label: '1 h' },
  { value: '24h', label: '24 h' },
  { value: '7d', label: '7 d' },
] as const

export function StreamPage() {
  const { name } = useParams({ from: '/streams/$name' })
  const { range = '1h' } = useSearch({ from: '/streams/$name' })
  const navigate = useNavigate()
  const live = useLive()
  const query = useQuery(streamQuery(name, range))
  const of = query.data
  if (of === undefined || of.stream.name !== name)
    return (
      <>
        <div className="head">
          <Title name={name}>{name}</Title>
        </div>
        {query.isError ? <ErrorNote error={query.error} again={() => void query.refetch()} /> : <Skeleton rows={16} />}
      </>
    )
  return (
    <div className="stream-page">
      <div className="head">
        <span className="muted hide-m">
          <Icon name={of.stream.source === 'processor' ? 'processor' : 'stream'} size={18} />
        </span>
        <Title name={name}>{name}</Title>
        <Words words={streamWords(of.stream)} pill />
        <Tags tags={tagsOf(of)} />
        <span className="sp" />
        <Segments
          label="Range"
          value={range}
          options={RANGES}
          onChange={(value) =>
            void navigate({ to: '/streams/$name', params: { name }, search: value === '1h' ? {} : { range: value }, replace: true })
          }
        />
        <Link className="btn sm hide-m" to="/data/$relation" params={{ relation: name }}>
          Table
        </Link>
        <button
          type="button"
          className="btn sm hide-m"
          aria-pressed={live.state === 'paused'}
          onClick={() => setPaused(live.state !== 'paused')}
        >
          {live.state === 'paused' ? 'Go on' : 'Pause'}
        </button>
      </div>
      {of.stream.stopped === null ? null : (
        <div style={{ marginTop: 8 }}>
          <Note tone="bad">
            <div className="m5 wrap-text">{of.stream.stopped.message}</div>
            <div className="s12 t2">
              Stopped <Time at={of.stream.stopped.sinceMs} />; rows are kept in the log and go on from here.{' '}
              <span className="mono">{of.stream.stopped.code}</span>
            </div>
          </Note>
        </div>
      )}
      <Charts of={of} />
      <div className="grid cons cols-side" style={{ gridTemplateColumns: 'minmax(0, 1fr) 392px', alignItems: 'start', marginBottom: 16 }}>
        <Card
          title="Was any event lost?"
          beside={
            of.stream.conservation.sinceMs === null
              ? 'since the beginning'
              : `last ${formatDuration(Math.round((serverNow() - of.stream.conservation.sinceMs) / 60_000) * 60_000, 'short')}`
          }
          controls={<Balance of={of.stream.conservation} />}
          className={balances(of.stream.conservation) ? '' : 'torn'}
        >
          <Conservation of={of.stream.conservation} />
        </Card>
        <Partitions of={of} />
      </div>
      <Rejected of={of} />
    </div>
  )
}
