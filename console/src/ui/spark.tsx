// Small bars in a cell: arrivals by hour, spread of a column, days of a check. A summary for screen readers goes with each.
import type { CheckStatus } from '../../../src/serve/answers/quality.ts'

/** A bar that stands on the ground, as part of a path. */
const bar = (x: number, width: number, tall: number, ground: number): string => `M${x} ${ground}v${-tall}h${width}v${tall}z`

export function Spark({
  values,
  label,
  width = 60,
  height = 18,
}: {
  readonly values: readonly number[]
  readonly label: string
  readonly width?: number
  readonly height?: number
}) {
  const most = Math.max(1, ...values)
  const step = width / Math.max(1, values.length)
  return (
    <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path
        d={values
          .map((value, index) => bar(index * step, Math.max(1, step - 1), Math.max(1.5, (value / most) * (height - 1)), height))
          .join('')}
        fill="var(--chart-3)"
      />
    </svg>
  )
}

const DAY: Record<CheckStatus, [fill: string, tall: number]> = {
  pass: ['var(--ok)', 7],
  warn: ['var(--warn)', 13],
  quarantine: ['var(--warn)', 13],
  block: ['var(--bad)', 13],
  error: ['var(--bad)', 13],
  never: ['var(--chart-3)', 3],
}

/** One bar a day: low and green when the check passed, tall when it did not. */
export function CheckDays({ days }: { readonly days: readonly CheckStatus[] }) {
  const failed = days.filter((day) => day !== 'pass' && day !== 'never').length
  return (
    <svg
      width={days.length * 5}
      height={14}
      viewBox={`0 0 ${Math.max(1, days.length * 5)} 14`}
      role="img"
      aria-label={`failed on ${failed} of ${days.length} days`}
    >
      {(Object.keys(DAY) as CheckStatus[]).map((status) => (
        <path
          key={status}
          d={days.map((day, index) => (day === status ? bar(index * 5, 4, DAY[status][1], 14) : '')).join('')}
          fill={DAY[status][0]}
          opacity={status === 'pass' ? 0.5 : 1}
        />
      ))}
    </svg>
  )
}
