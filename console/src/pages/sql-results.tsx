// The answer to a query: rows, a chart of them, a profile of each column; below, what it was read from and what the policy did.
import { useState } from 'react'
import type { Cell } from '../../../src/serve/answers/admin.ts'
import type { SqlAnswer } from '../../../src/serve/answers/sql.ts'
import { usePreferences } from '../api/preferences.ts'
import { Chart } from '../ui/chart.tsx'
import type { ChartSeries } from '../ui/chart-props.ts'
import { Segments } from '../ui/choice.tsx'
import { axisMs, familyOf, formatBytes, formatCell, formatCount, formatDuration, formatShare, plural } from '../ui/format.ts'
import { Grid } from '../ui/grid.tsx'
import { Empty } from '../ui/note.tsx'
import { State } from '../ui/state.tsx'

export interface Answered {
  readonly answer: SqlAnswer
  readonly elapsedMs: number
  readonly as: string
}

const COLORS = ['--chart-1', '--chart-2', '--chart-3']
const isNumber = (type: string): boolean => familyOf(type) === 'number' || familyOf(type) === 'decimal'

function AnswerChart({ answer }: { readonly answer: SqlAnswer }) {
  const { zone } = usePreferences()
  const x = answer.columns.findIndex((column) => !isNumber(column.type))
  const ys = answer.columns.flatMap((column, index) => (isNumber(column.type) && index !== x ? [index] : [])).slice(0, COLORS.length)
  if (x < 0 || ys.length === 0 || answer.rows.length === 0)
    return <Empty title="A chart needs a column of words or times and one of numbers." />
  const family = familyOf(answer.columns[x]!.type)
  const timed = family === 'instant' || family === 'date'
  const rows = timed ? answer.rows.toSorted((a, b) => String(a[x]).localeCompare(String(b[x]))) : answer.rows.slice(0, 60)
  const series = ys.map(
    (index, at): ChartSeries => ({
      name: answer.columns[index]!.name,
      color: COLORS[at]!,
      dashed: timed && at > 0,
      area: timed && at === 0,
      values: rows.map((row) => (row[index] === null ? null : Number(row[index]))),
    }),
  )
  const axis = timed
    ? { kind: 'time' as const, values: rows.map((row) => axisMs(String(row[x]), zone)) }
    : { kind: 'words' as const, values: rows.map((row) => String(row[x])) }
  return (
    <div style={{ padding: 16 }}>
      <Chart
        title="Answer"
        kind={timed ? 'line' : 'bar'}
        height={260}
        x={axis}
        series={timed ? series : series.slice(0, 1)}
        days={family === 'date'}
      />
    </div>
  )
}

function compare(type: string): (a: Cell, b: Cell) => number {
  return isNumber(type) ? (a, b) => Number(a) - Number(b) : (a, b) => (String(a) < String(b) ? -1 : 1)
}

function Profile({ answer }: { readonly answer: SqlAnswer }) {
  return (
    <div className="gridbox fill">
      <table className="tight">
        <thead>
          <tr>
            <th scope="col">Column</th>
            <th scope="col" className="hide-m">
              Type
            </th>
            <th scope="col" className="r">
              Empty
            </th>
            <th scope="col" className="r">
              Distinct
            </th>
            <th scope="col" className="r hide-m">
              Least
            </th>
            <th scope="col" className="r hide-m">
              Greatest
            </th>
          </tr>
        </thead>
        <tbody>
          {answer.columns.map((column, index) => {
            const values = answer.rows.map((row) => row[index] ?? null)
            const known = values.filter((value) => value !== null).toSorted(compare(column.type))
            return (
              <tr key={column.name}>
                <td className="mono m5">{column.name}</td>
                <td className="mono t2 hide-m">{column.type.toLowerCase()}</td>
                <td className="r">{values.length === 0 ? '–' : formatShare(1 - known.length / values.length)}</td>
                <td className="r">{formatCount(new Set(known).size)}</td>
                <td className="r hide-m">{known[0] === undefined ? '–' : formatCell(known[0], column.type)}</td>
                <td className="r hide-m">{known.length === 0 ? '–' : formatCell(known.at(-1) ?? null, column.type)}</td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

/** 'daily_revenue snapshot 3214 + hot tail'. Ids of 63 bits are shortened; the title has them whole. */
export function readFrom(answer: SqlAnswer): string {
  const parts = Object.entries(answer.snapshots).map(
    ([name, id]) => `${name} snapshot ${id.length > 8 ? `…${id.slice(-6)}` : formatCount(Number(id))}`,
  )
  return `${parts.join(', ') || 'no table'}${answer.tail ? ' + hot tail' : ''}`
}

export function Results({
  of,
  onCopy,
  onExport,
}: {
  readonly of: Answered
  readonly onCopy: () => void
  readonly onExport: (accept: string, ending: string) => void
}) {
  const [part, setPart] = useState<'rows' | 'chart' | 'profile'>('rows')
  const { answer } = of
  const read = answer.readBytes === undefined ? '' : ` · ${formatBytes(answer.readBytes)} read`
  const policy = answer.policy
  return (
    <>
      <div className="tb">
        <Segments
          label="Show"
          value={part}
          onChange={setPart}
          options={[
            { value: 'rows', label: 'Rows' },
            { value: 'chart', label: 'Chart' },
            { value: 'profile', label: 'Profile' },
          ]}
        />
        <span className="sp" />
        <span className="s12 t2 num nowrap hide-m" role="status">
          {plural(answer.rows.length, 'row')}
          {answer.truncated ? ', cut at the limit' : ''} · {formatDuration(answer.durationMs ?? of.elapsedMs, 'fine')}
          {read}
        </span>
        <button type="button" className="btn sm hide-m" onClick={onCopy}>
          Copy
        </button>
        <button type="button" className="btn sm hide-m" onClick={() => onExport('text/csv', 'csv')}>
          CSV
        </button>
        <button type="button" className="btn sm hide-m" onClick={() => onExport('application/vnd.apache.parquet', 'parquet')}>
          Parquet
        </button>
      </div>
      {part === 'rows' ? (
        answer.rows.length === 0 ? (
          <div style={{ flex: 1 }}>
            <Empty title="The query gave no rows." />
          </div>
        ) : (
          <Grid columns={answer.columns} rows={answer.rows} masked={policy?.masked ?? []} numbered types height="fill" />
        )
      ) : part === 'chart' ? (
        <div style={{ flex: 1, overflow: 'auto' }}>
          <AnswerChart answer={answer} />
        </div>
      ) : (
        <Profile answer={answer} />
      )}
      <div className="statusline">
        <State tone="ok">Exact</State>
        <span
          className="cut"
          title={Object.entries(answer.snapshots)
            .map(([name, id]) => `${name} ${id}`)
            .join(', ')}
        >
          {readFrom(answer)}
        </span>
        <span className="sp" />
        <span>
          {policy === undefined
            ? `as ${of.as}`
            : `${policy.rowFilter ? 'a row filter applies' : 'no row filter'}, ${policy.masked.length === 0 ? 'no mask' : `masked: ${policy.masked.join(', ')}`}`}
        </span>
      </div>
    </>
  )
}
