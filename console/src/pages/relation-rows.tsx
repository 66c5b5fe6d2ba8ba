// The rows of a relation, now or at a snapshot: sorted and filtered by the server, under the caller's policy.
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { exportSql } from '../api/client.ts'
import { relationQuery, rowsQuery, snapshotsQuery } from '../api/queries.ts'
import type { RowsSearch } from '../search.ts'
import { Answer } from '../ui/answer.tsx'
import { FieldMenu } from '../ui/choice.tsx'
import { formatCount, formatDuration, plural } from '../ui/format.ts'
import { Grid } from '../ui/grid.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty } from '../ui/note.tsx'
import { saveFile } from '../ui/save-file.ts'
import { Card } from '../ui/tile-frame.tsx'
import { quoteName } from './sql-text.ts'

const OPS = ['>=', '<=', '<>', '=', '>', '<', '~'] as const

/** 'day >= 2026-11-18' as the API's `day:>=:2026-11-18`; null when it is no comparison. */
export function parseFilter(text: string, columns: readonly string[]): string | null {
  for (const op of OPS) {
    const at = text.indexOf(op)
    if (at < 1) continue
    const column = text.slice(0, at).trim()
    const value = text.slice(at + op.length).trim()
    if (columns.includes(column) && value !== '') return `${column}:${op === '~' ? 'contains' : op}:${value}`
  }
  return null
}

const filterText = (filter: string): string =>
  filter.replace(
    /^([^:]*):([^:]*):(.*)$/,
    (_, column: string, op: string, value: string) => `${column} ${op === 'contains' ? '~' : op} ${value}`,
  )

function Filters({
  columns,
  search,
  set,
}: {
  readonly columns: readonly string[]
  readonly search: RowsSearch
  readonly set: (change: RowsSearch) => void
}) {
  const [text, setText] = useState('')
  const [wrong, setWrong] = useState(false)
  return (
    <>
      {search.filter === undefined ? null : (
        <button type="button" className="field" onClick={() => set({ filter: undefined })} title="Clear filter">
          <Icon name="filter" size={13} />
          <b>{filterText(search.filter)}</b>
          <Icon name="close" size={11} />
        </button>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault()
          const filter = parseFilter(text, columns)
          setWrong(filter === null)
          if (filter === null) return
          setText('')
          set({ filter })
        }}
      >
        <input
          className="field"
          data-filter=""
          style={{ width: 190 }}
          aria-label="Filter"
          aria-invalid={wrong}
          placeholder={`Filter, as ${columns[0] ?? 'column'} = value`}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </form>
      {wrong ? <span className="s12 c-bad">Write a column, one of {OPS.join(' ')}, and a value.</span> : null}
    </>
  )
}

export function RelationRows() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const search = useSearch({ from: '/data/$relation/rows' })
  const navigate = useNavigate()
  const relation = useQuery(relationQuery(name)).data
  const query = useQuery(
    rowsQuery(name, {
      ...(search.snapshot ? { snapshot: search.snapshot } : {}),
      ...(search.order ? { order: search.order } : {}),
      ...(search.desc ? { desc: true } : {}),
      ...(search.filter ? { filters: [search.filter] } : {}),
    }),
  )
  const snapshots = useQuery(snapshotsQuery(name)).data?.snapshots ?? []
  const set = (change: RowsSearch): void =>
    void navigate({
      to: '/data/$relation/rows',
      params: { relation: name },
      search: Object.fromEntries(Object.entries({ ...search, ...change }).filter(([, value]) => value !== undefined)),
      replace: true,
    })
  const sortBy = (column: string): void => {
    if (search.order !== column) set({ order: column, desc: true })
    else if (search.desc) set({ desc: undefined })
    else set({ order: undefined })
  }
  const columns = relation?.manifest.shape.fields.map((field) => field.name) ?? []
  const at = search.snapshot === undefined ? '' : ` AT (VERSION => ${search.snapshot})`
  const save = async (): Promise<void> =>
    saveFile(await exportSql({ sql: `SELECT * FROM ${quoteName(name)}${at}` }, 'text/csv'), `${name}.csv`)
  return (
    <>
      <div className="row wrap" style={{ marginBottom: 12 }}>
        <Filters columns={columns} search={search} set={set} />
        <span className="sp" />
        {snapshots.length === 0 ? null : (
          <FieldMenu
            wide
            label="As of"
            value={search.snapshot ?? 'now'}
            options={[
              { value: 'now', label: relation?.tail ? 'now, with hot tail' : 'now' },
              ...snapshots.slice(0, 12).map((one) => ({ value: one.id, label: `snapshot ${formatCount(one.sequence)}` })),
            ]}
            onChange={(value) => set({ snapshot: value === 'now' ? undefined : value })}
          />
        )}
        <button type="button" className="btn sm hide-m" onClick={() => void save()}>
          Export CSV
        </button>
      </div>
      <Card label="Rows">
        <Answer query={query} rows={14}>
          {(page) =>
            page.rows.length === 0 ? (
              <Empty title={search.filter === undefined ? `No rows in ${name} yet.` : 'No row matches the filter.'}>
                {search.filter === undefined ? null : (
                  <button type="button" className="link" onClick={() => set({ filter: undefined })}>
                    Clear filter
                  </button>
                )}
              </Empty>
            ) : (
              <>
                <Grid
                  columns={page.columns}
                  rows={page.rows}
                  masked={page.policy.masked}
                  sort={search.order === undefined ? null : { column: search.order, desc: search.desc === true }}
                  onSort={sortBy}
                />
                <footer className="num">
                  {page.matched === null
                    ? plural(page.rows.length, 'row')
                    : `${plural(page.matched, 'row')}${page.total === null ? '' : ` of ${formatCount(page.total)}`} match`}
                  {page.matched !== null && page.rows.length < page.matched ? `, the first ${formatCount(page.rows.length)} shown` : ''} ·{' '}
                  {formatDuration(page.durationMs, 'fine')} · read from{' '}
                  {page.snapshot === null ? 'the log' : `snapshot ${formatCount(page.snapshot.sequence)}`}
                  {page.tail ? ' and the hot tail' : ''} · {page.policy.rowFilter ? 'a row filter applies' : 'no row filter'},{' '}
                  {page.policy.masked.length === 0 ? 'no mask' : `masked: ${page.policy.masked.join(', ')}`}
                </footer>
              </>
            )
          }
        </Answer>
      </Card>
    </>
  )
}
