// `/dashboards/$name`: tiles of five kinds, each with its source and age; a tile fails alone.
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import type { Cell } from '../../../src/serve/answers/admin.ts'
import type { DashboardDetail, TileAnswer } from '../../../src/serve/answers/dashboards.ts'
import { usePreferences } from '../api/preferences.ts'
import { dashboardQuery, tileQuery } from '../api/queries.ts'
import { Answer, Skeleton } from '../ui/answer.tsx'
import { Chart } from '../ui/chart.tsx'
import type { ChartSeries } from '../ui/chart-props.ts'
import { axisMs, familyOf, formatCell } from '../ui/format.ts'
import { Grid } from '../ui/grid.tsx'
import { Tags, Title } from '../ui/head.tsx'
import { Bars, Heat, HeatKey } from '../ui/heat.tsx'
import { Empty, ErrorNote } from '../ui/note.tsx'
import { TileFrame } from '../ui/tile-frame.tsx'

type Tile = DashboardDetail['tiles'][number]
const COLORS = ['--chart-1', '--chart-2', '--chart-3']
const TABLE_ROWS = 6

const indexOf = (answer: TileAnswer, name: string | undefined): number => answer.columns.findIndex((column) => column.name === name)
const numberOf = (value: Cell | undefined): number | null => (value == null || Number.isNaN(Number(value)) ? null : Number(value))

/** The figure's columns: `y[0]`, else the first. */
function NumberTile({ tile, answer }: { readonly tile: Tile; readonly answer: TileAnswer }) {
  const row = answer.rows[0]
  const figure = Math.max(0, indexOf(answer, tile.y?.[0]))
  const more = answer.columns.flatMap((column, index) =>
    index === figure || row?.[index] == null
      ? []
      : [familyOf(column.type) === 'text' ? String(row[index]) : `${column.name} ${formatCell(row[index] ?? null, column.type)}`],
  )
  return (
    <>
      <div className="s12 muted cut">
        {tile.title}
        {tile.unit === undefined ? '' : `, ${tile.unit}`}
      </div>
      <div className="big">
        {row?.[figure] == null ? <span className="muted">–</span> : formatCell(row[figure] ?? null, answer.columns[figure]?.type ?? '')}
      </div>
      <div className="s12 t2 num">{more.join(' · ') || '\u00a0'}</div>
    </>
  )
}

/** One series for each of `y`, or for each value of `by`, over the values of `x`. */
export function tileSeries(
  tile: Pick<Tile, 'x' | 'y' | 'by'>,
  answer: Pick<TileAnswer, 'columns' | 'rows'>,
): { x: Cell[]; series: { name: string; values: (number | null)[] }[] } {
  const at = (name: string | undefined): number => answer.columns.findIndex((column) => column.name === name)
  const x = Math.max(0, at(tile.x))
  const by = at(tile.by)
  const xs = [...new Set(answer.rows.map((row) => row[x] ?? null))]
  const ys = (tile.y ?? []).map(at).filter((index) => index >= 0)
  if (by < 0)
    return {
      x: answer.rows.map((row) => row[x] ?? null),
      series: ys.map((index) => ({ name: answer.columns[index]!.name, values: answer.rows.map((row) => numberOf(row[index])) })),
    }
  const groups = Map.groupBy(answer.rows, (row) => String(row[by]))
  const y = ys[0] ?? answer.columns.length - 1
  return {
    x: xs,
    series: [...groups].map(([name, rows]) => ({
      name,
      values: xs.map((value) => numberOf(rows.find((row) => (row[x] ?? null) === value)?.[y])),
    })),
  }
}

function LineTile({ tile, answer }: { readonly tile: Tile; readonly answer: TileAnswer }) {
  const { zone } = usePreferences()
  const { x, series } = tileSeries(tile, answer)
  const type = answer.columns[Math.max(0, indexOf(answer, tile.x))]?.type ?? ''
  const timed = familyOf(type) === 'instant' || familyOf(type) === 'date'
  const lines = series.map(
    (one, index): ChartSeries => ({
      name: one.name,
      values: one.values,
      color: COLORS[index % COLORS.length]!,
      dashed: index > 0,
      area: tile.kind === 'line' && index === 0,
    }),
  )
  const axis = timed
    ? { kind: 'time' as const, values: x.map((value) => axisMs(String(value), zone)) }
    : { kind: 'words' as const, values: x.map(String) }
  return (
    <Chart
      title={tile.title}
      kind={tile.kind === 'bar' ? 'bar' : 'line'}
      height={154}
      x={axis}
      series={lines}
      days={familyOf(type) === 'date'}
      legend={lines.length > 1}
    />
  )
}

function BarTile({ tile, answer }: { readonly tile: Tile; readonly answer: TileAnswer }) {
  const { x, series } = tileSeries(tile, answer)
  const type = answer.columns[Math.max(0, indexOf(answer, tile.x))]?.type ?? ''
  const y = indexOf(answer, tile.y?.[0])
  if (familyOf(type) !== 'text' || x.length > 10 || series.length !== 1) return <LineTile tile={tile} answer={answer} />
  return (
    <Bars
      items={answer.rows.map((row, index) => ({
        name: String(x[index]),
        value: series[0]?.values[index] ?? 0,
        text: formatCell(row[y] ?? null, answer.columns[y]?.type ?? ''),
      }))}
    />
  )
}

function heatData(tile: Tile, answer: TileAnswer) {
  const { x, series } = tileSeries(tile, answer)
  const values = series.flatMap((one) => one.values.filter((value) => value !== null))
  return {
    rows: series.map((one) => one.name),
    columns: x.map(String),
    most: Math.max(1, ...values),
    at: (row: string, column: string) =>
      series.find((one) => one.name === row)?.values[x.findIndex((value) => String(value) === column)] ?? null,
  }
}

function body(tile: Tile, answer: TileAnswer): ReactNode {
  if (answer.rows.length === 0) return <Empty title="No rows yet." />
  switch (tile.kind) {
    case 'number':
      return <NumberTile tile={tile} answer={answer} />
    case 'line':
      return <LineTile tile={tile} answer={answer} />
    case 'bar':
      return <BarTile tile={tile} answer={answer} />
    case 'table':
      return <Grid columns={answer.columns} rows={answer.rows.slice(0, TABLE_ROWS)} masked={answer.policy.masked} />
    case 'heat':
      return <Heat data={heatData(tile, answer)} label={tile.title} />
  }
}

function TileView({ dashboard, tile, index }: { readonly dashboard: string; readonly tile: Tile; readonly index: number }) {
  const query = useQuery(tileQuery(dashboard, index))
  const masked = query.data?.policy.masked ?? []
  const note = masked.length > 0 ? `${masked.join(', ')} masked for you` : query.data?.policy.rowFilter ? 'your rows only' : undefined
  const heat = tile.kind === 'heat' && query.data !== undefined && query.data.rows.length > 0
  return (
    <TileFrame
      title={tile.kind === 'number' ? undefined : tile.title}
      beside={heat ? <HeatKey most={heatData(tile, query.data!).most} /> : tile.unit}
      span={tile.span}
      small={tile.kind === 'number'}
      sources={query.data?.sources ?? []}
      note={note}
    >
      <div className={`tile-body of-${tile.kind}`}>
        <Answer query={query} rows={tile.kind === 'number' ? 2 : tile.kind === 'table' ? 6 : 4}>
          {(answer) => body(tile, answer)}
        </Answer>
      </div>
    </TileFrame>
  )
}

export function DashboardPage() {
  const { name } = useParams({ from: '/dashboards/$name' })
  const query = useQuery(dashboardQuery(name))
  const of = query.data
  return (
    <>
      <div className="head" style={{ marginBottom: 12 }}>
        <Title name={of?.dashboard.title ?? name}>{of?.dashboard.title ?? name}</Title>
        {of === undefined ? null : <Tags tags={[of.dashboard.at]} />}
      </div>
      {of === undefined ? (
        query.isError ? (
          <ErrorNote error={query.error} again={() => void query.refetch()} />
        ) : (
          <Skeleton rows={12} />
        )
      ) : (
        <div className="dg">
          {of.tiles.map((tile, index) => (
            <TileView key={`${name} ${index} ${tile.title}`} dashboard={name} tile={tile} index={index} />
          ))}
        </div>
      )}
    </>
  )
}
