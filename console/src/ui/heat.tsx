// A heat map in CSS: one row a `by` value, one column an `x` value, six shades. The value is in the title of each field and
// in the table for screen readers.
import { formatNumber } from './format.ts'

export interface HeatData {
  readonly rows: readonly string[]
  readonly columns: readonly string[]
  readonly at: (row: string, column: string) => number | null
  readonly most: number
}

const shade = (value: number | null, most: number): string =>
  `var(--heat-${value === null || value <= 0 ? 0 : Math.min(5, 1 + Math.floor((value / most) * 4.999))})`

export function HeatKey({ most }: { readonly most: number }) {
  return (
    <span className="row s12 muted" style={{ gap: 3 }}>
      0
      {[0, 1, 2, 3, 4, 5].map((level) => (
        <i key={level} style={{ width: 14, height: 10, borderRadius: 2, background: `var(--heat-${level})` }} />
      ))}
      <span className="num">{formatNumber(most, 1)}</span>
    </span>
  )
}

export function Heat({ data, label }: { readonly data: HeatData; readonly label: string }) {
  const every = Math.ceil(data.columns.length / 8)
  return (
    <div
      className="heat"
      role="img"
      aria-label={`${label}: ${data.rows.length} rows, ${data.columns.length} columns, highest ${formatNumber(data.most, 1)}`}
      style={{ gridTemplateColumns: `minmax(28px, max-content) repeat(${data.columns.length}, minmax(0, 1fr))` }}
    >
      {data.rows.flatMap((row) => [
        <span key={row}>{row}</span>,
        ...data.columns.map((column) => {
          const value = data.at(row, column)
          return (
            <i
              key={`${row} ${column}`}
              style={{ background: shade(value, data.most) }}
              title={`${row} ${column}: ${value === null ? 'none' : formatNumber(value, 2)}`}
            />
          )
        }),
      ])}
      <span />
      {data.columns.map((column, index) => (
        <span key={column} className="hx" style={{ overflow: 'visible' }}>
          {index % every === every - 1 ? column : ''}
        </span>
      ))}
    </div>
  )
}

/** Plain bars beside their words and figures. */
export function Bars({ items }: { readonly items: readonly { readonly name: string; readonly value: number; readonly text: string }[] }) {
  const most = Math.max(1e-9, ...items.map((item) => Math.abs(item.value)))
  return (
    <div style={{ display: 'grid', gap: 9 }}>
      {items.map((item) => (
        <div key={item.name} className="hbar">
          <span className="cut">{item.name}</span>
          <i style={{ width: `${(Math.abs(item.value) / most) * 100}%` }} />
          <span className="r">{item.text}</span>
        </div>
      ))}
    </div>
  )
}
