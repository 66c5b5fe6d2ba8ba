// A chart on a page: uPlot (loaded when first needed) in a box whose height never changes, with a legend, a summary in
// words and "Show as table".
import { lazy, Suspense, useState } from 'react'
import { usePreferences } from '../api/preferences.ts'
import type { ChartProps } from './chart-props.ts'
import { formatNumber, formatTime } from './format.ts'

const Plot = lazy(() => import('./plot.tsx'))

const words = (props: ChartProps, index: number, zone: 'UTC' | 'local'): string =>
  props.x.kind === 'words'
    ? (props.x.values[index] ?? '')
    : formatTime(props.x.values[index] ?? 0, 0, zone).slice(0, props.days === true ? 10 : 16)

/** 'revenue by day: last 32,131, from 11,200 to 112,000 over 61 points'. */
export function chartSummary(title: string, props: ChartProps): string {
  const all = props.series.map((series) => {
    const known = series.values.filter((value): value is number => value !== null)
    if (known.length === 0) return `${series.name}: no points`
    return `${series.name}: last ${formatNumber(known.at(-1) ?? 0, 2)}, from ${formatNumber(Math.min(...known), 2)} to ${formatNumber(Math.max(...known), 2)} over ${known.length} points`
  })
  return `${title}. ${all.join('. ')}.`
}

function Table(props: ChartProps) {
  const { zone } = usePreferences()
  return (
    <div className="as-table" style={{ maxHeight: props.height }}>
      <table className="tight">
        <thead>
          <tr>
            <th scope="col">{props.x.kind === 'time' ? 'Time' : ''}</th>
            {props.series.map((series) => (
              <th scope="col" className="r" key={series.name}>
                {series.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.x.values.map((x, index) => (
            <tr key={x}>
              <td className="num">{words(props, index, zone)}</td>
              {props.series.map((series) => (
                <td className="r" key={series.name}>
                  {series.values[index] == null ? 'null' : formatNumber(series.values[index], 2)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function Chart({ title, legend = true, ...props }: ChartProps & { readonly title: string; readonly legend?: boolean }) {
  const [table, setTable] = useState(false)
  return (
    <div>
      <div className="chart-box" style={{ minHeight: props.height }}>
        {table ? (
          <Table {...props} />
        ) : (
          <>
            <p className="sr">{chartSummary(title, props)}</p>
            <Suspense fallback={<div style={{ height: props.height }} />}>
              <Plot {...props} />
            </Suspense>
          </>
        )}
      </div>
      <div className="lgd" style={{ marginTop: 4 }}>
        {legend
          ? props.series.map((series) => (
              <span key={series.name}>
                <i style={{ color: `var(${series.color})`, borderTopStyle: series.dashed ? 'dashed' : 'solid' }} />
                {series.name}
              </span>
            ))
          : null}
        <span className="sp" />
        <button type="button" className="link s12" onClick={() => setTable(!table)}>
          {table ? 'Show as chart' : 'Show as table'}
        </button>
      </div>
    </div>
  )
}
