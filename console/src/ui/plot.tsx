// uPlot in a box: lines, areas and bars over time or over a list of words. Colours are read from the tokens when it is drawn
// and again when the theme changes. Loaded with the pages that draw charts, never with the first page.
import { useEffect, useRef, useState } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { usePreferences } from '../api/preferences.ts'
import type { ChartProps } from './chart-props.ts'
import { formatNumber, formatTime } from './format.ts'

const color = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** '40k' on an axis: short, because the unit stands in the heading. */
export function axisNumber(value: number): string {
  const size = Math.abs(value)
  if (size >= 1e9) return `${formatNumber(value / 1e9, 1)}G`
  if (size >= 1e6) return `${formatNumber(value / 1e6, 1)}M`
  if (size >= 1e4) return `${formatNumber(value / 1e3, 1)}k`
  return formatNumber(value, 2)
}

const { bars } = uPlot.paths

const [DAY_S, HOUR_S] = [86_400, 3_600]

/** Half a bar more at both ends, so that the first and the last are whole. */
function roomForBars(props: ChartProps, low: number, high: number): uPlot.Range.MinMax {
  const count = props.x.values.length
  // uPlot ends an axis of one time years later.
  if (count === 1) return props.days ? [low - 4 * DAY_S, low + 4 * DAY_S] : [low - HOUR_S, low + HOUR_S]
  const half = props.kind === 'bar' ? ((high - low) / (count - 1)) * 0.6 : 0
  return [low - half, high + half]
}

function options(
  props: ChartProps,
  width: number,
  zone: 'UTC' | 'local',
  onCursor: (index: number | null, left: number) => void,
): uPlot.Options {
  const font = '11px "Inter Variable", Inter, sans-serif'
  const grid = { stroke: color('--chart-grid'), width: 1 }
  const ticks = { show: false }
  const axis = { stroke: color('--chart-axis'), font, ticks }
  const words = props.x.kind === 'words' ? props.x.values : null
  return {
    width,
    height: props.height,
    legend: { show: false },
    padding: [8, 16, 0, 0],
    tzDate: (ts) => (zone === 'UTC' ? uPlot.tzDate(new Date(ts * 1000), 'Etc/UTC') : new Date(ts * 1000)),
    cursor: {
      y: false,
      points: { show: props.kind === 'line' },
      drag: { x: false, y: false },
      ...(props.sync === undefined ? {} : { sync: { key: props.sync } }),
    },
    scales: {
      x: { time: words === null, range: words === null ? (_, low, high) => roomForBars(props, low, high) : [-0.6, words.length - 0.4] },
      y: { range: (_, low, high) => [Math.min(0, low), high <= 0 && low >= 0 ? 1 : high * 1.08] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        space: words === null ? 64 : 70,
        ...(words === null
          ? {
              values: (_: uPlot, splits: number[]) => {
                const days = props.days === true
                return splits.map((at, index) => {
                  const text = formatTime(at * 1000, at * 1000, zone, 'clock').slice(0, 5)
                  const date = new Date(at * 1000)
                  const day = `${date.getUTCDate()} ${new Intl.DateTimeFormat(undefined, { month: 'short', timeZone: 'UTC' }).format(date)}`
                  return days || (text === '00:00' && index > 0) ? day : text
                })
              },
            }
          : {
              values: (_: uPlot, splits: number[]) => splits.map((at) => (Number.isInteger(at) ? (words[at] ?? '') : '')),
              incrs: [1, 2, 5, 10, 20, 50, 100],
            }),
      },
      { ...axis, grid, size: 44, space: 36, values: (_: uPlot, splits: number[]) => splits.map((value) => axisNumber(value)) },
    ],
    series: [
      {},
      ...props.series.map((series): uPlot.Series => {
        const stroke = color(series.color)
        if (props.kind === 'bar')
          return {
            stroke,
            fill: stroke,
            width: 0,
            points: { show: false },
            ...(bars ? { paths: bars({ size: [0.8, 40], radius: 0.08 }) } : {}),
          }
        return {
          stroke,
          width: 1.5,
          points: { show: false },
          spanGaps: false,
          ...(series.dashed ? { dash: [4, 3] } : {}),
          ...(series.area ? { fill: color('--chart-1-soft') } : {}),
        }
      }),
    ],
    hooks: { setCursor: [(plot) => onCursor(plot.cursor.idx ?? null, plot.cursor.left ?? 0)] },
  }
}

export default function Plot(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null)
  const { theme, zone } = usePreferences()
  const [dark, setDark] = useState(0)
  const [at, setAt] = useState<{ index: number; left: number } | null>(null)
  const plot = useRef<uPlot | null>(null)
  const data = [
    props.x.kind === 'words' ? props.x.values.map((_, index) => index) : props.x.values.map((ms) => ms / 1000),
    ...props.series.map((series) => [...series.values]),
  ] as uPlot.AlignedData
  const shape = JSON.stringify([
    props.kind,
    props.height,
    props.series.map((series) => [series.name, series.color]),
    props.x.kind === 'words' ? props.x.values : 0,
    theme,
    zone,
    dark,
  ])

  useEffect(() => {
    const media = window.matchMedia('(prefers-color-scheme: dark)')
    const change = (): void => setDark((count) => count + 1)
    media.addEventListener('change', change)
    return () => media.removeEventListener('change', change)
  }, [])

  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` stands for what the drawing is made of; data follow below
  useEffect(() => {
    const target = box.current
    if (target === null) return
    const made = new uPlot(
      options(props, Math.max(40, target.clientWidth), zone, (index, left) => setAt(index === null || left < 0 ? null : { index, left })),
      data,
      target,
    )
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: Math.max(40, target.clientWidth), height: props.height }))
    watch.observe(target)
    return () => {
      watch.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [shape])

  const values = JSON.stringify(data)
  // biome-ignore lint/correctness/useExhaustiveDependencies: `values` is the data
  useEffect(() => {
    if (at === null) plot.current?.setData(data)
  }, [values])

  return (
    <div ref={box} className="chart" style={{ height: props.height }} aria-hidden="true">
      {at === null ? null : <Tip props={props} index={at.index} left={at.left} zone={zone} />}
    </div>
  )
}

function Tip({
  props,
  index,
  left,
  zone,
}: {
  readonly props: ChartProps
  readonly index: number
  readonly left: number
  readonly zone: 'UTC' | 'local'
}) {
  const head =
    props.x.kind === 'words'
      ? props.x.values[index]
      : formatTime(props.x.values[index] ?? 0, props.x.values.at(-1) ?? 0, zone, props.days === true ? 'usual' : 'minute')
  return (
    <div className="tip" style={{ left: Math.max(0, left - 20), top: 0 }}>
      <div className="muted">{props.days === true ? head?.slice(0, 10) : head}</div>
      {props.series.map((series) => (
        <div key={series.name}>
          {series.name} <b>{series.values[index] == null ? '–' : formatNumber(series.values[index], 2)}</b>
        </div>
      ))}
    </div>
  )
}
