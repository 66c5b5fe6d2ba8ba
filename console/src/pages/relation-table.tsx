// The table of relations, on the overview and on /data: grouped in project order, or one list when sorted. Which kind, owner
// and order stands in the address.
import { Link, useNavigate } from '@tanstack/react-router'
import { Fragment } from 'react'
import type { RelationSummary } from '../../../src/serve/answers/relations.ts'
import { serverNow } from '../api/clock.ts'
import type { TableSearch } from '../search.ts'
import { FieldMenu } from '../ui/choice.tsx'
import { formatBytes } from '../ui/format.ts'
import { FreshAge, FreshTarget } from '../ui/freshness.tsx'
import { useHeld } from '../ui/held.ts'
import { Icon, kindIcon } from '../ui/icon.tsx'
import { Empty } from '../ui/note.tsx'
import { Num, RowCount } from '../ui/num.tsx'
import { Spark } from '../ui/spark.tsx'
import { State } from '../ui/state.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { failing, groupOf, relationWords } from '../ui/words.ts'

const GROUPS = ['Streams', 'Tables', 'Models'] as const
const TONES = ['bad', 'warn', 'idle', 'run', 'ok']
const SORTS = [
  { value: 'project', label: 'project order' },
  { value: 'state', label: 'worst first' },
  { value: 'age', label: 'oldest first' },
  { value: 'rows', label: 'most rows' },
  { value: 'name', label: 'name' },
] as const

function compare(sort: NonNullable<TableSearch['sort']>): (a: RelationSummary, b: RelationSummary) => number {
  const now = serverNow()
  const age = (one: RelationSummary): number => one.freshness.lagMs ?? (one.freshness.asOfMs === null ? -1 : now - one.freshness.asOfMs)
  const rank = (one: RelationSummary): number => TONES.indexOf(relationWords(one.freshness, one.checks).tone)
  if (sort === 'name') return (a, b) => a.name.localeCompare(b.name)
  if (sort === 'rows') return (a, b) => (b.rows ?? -1) - (a.rows ?? -1)
  if (sort === 'age') return (a, b) => age(b) - age(a)
  return (a, b) => rank(a) - rank(b)
}

function RelationState({ of }: { readonly of: RelationSummary }) {
  const words = relationWords(of.freshness, of.checks)
  const [count, noun, ...rest] = words.word.split(' ')
  const shorter = words.tone === 'warn' && rest.length > 0
  return (
    <State tone={words.tone}>
      {shorter ? (
        <>
          {count} <span className="hide-m">{noun} </span>
          {rest.join(' ')}
        </>
      ) : (
        words.word
      )}
      {words.more === undefined ? null : <span className="hide-m">{words.more}</span>}
    </State>
  )
}

function RelationRow({ of, wide }: { readonly of: RelationSummary; readonly wide: boolean }) {
  const checks = of.checks
  const isFailing = checks !== null && failing(checks) > 0
  const navigate = useNavigate()
  return (
    <tr className="go" onClick={() => void navigate({ to: '/data/$relation', params: { relation: of.name } })}>
      <td>
        <Link
          className="row"
          to="/data/$relation"
          params={{ relation: of.name }}
          title={`${of.kind}, ${of.how}`}
          data-row=""
          onClick={(event) => event.stopPropagation()}
        >
          <span className="muted">
            <Icon name={kindIcon(of.kind, of.how)} />
          </span>
          <span className="m5 cut">{of.name}</span>
        </Link>
      </td>
      <td>
        <RelationState of={of} />
      </td>
      <td className="r">
        <FreshAge of={of.freshness} />
      </td>
      <td className="hide-m">
        <FreshTarget of={of.freshness} />
      </td>
      <td className="r hide-m">
        <RowCount of={of} short />
      </td>
      {wide ? (
        <>
          <td className="r hide-m">{of.bytes === null ? <span className="muted">–</span> : formatBytes(of.bytes)}</td>
          <td className="r hide-m">
            <Num value={of.files} />
          </td>
          <td className="hide-m t2">{of.owner ?? ''}</td>
        </>
      ) : null}
      <td className="hide-m">
        {of.arrivals.length === 0 ? null : <Spark values={of.arrivals} label={`rows in by hour: ${of.arrivals.join(', ')}`} />}
      </td>
      <td className={`r hide-m ${isFailing ? 'c-warn m5' : ''}`}>
        {checks === null || checks.lastAtMs === null ? (
          <span className="muted">{checks === null ? 'none' : 'not run'}</span>
        ) : (
          `${checks.passed}/${checks.total}`
        )}
      </td>
    </tr>
  )
}

export function RelationTable({
  relations,
  search,
  at,
  wide = false,
}: {
  readonly relations: readonly RelationSummary[]
  readonly search: TableSearch
  readonly at: '/' | '/data'
  readonly wide?: boolean
}) {
  const navigate = useNavigate()
  const set = (change: TableSearch): void =>
    void navigate({ to: at, search: (old) => clean({ ...(old as TableSearch), ...change }), replace: true })
  const owners = [...new Set(relations.flatMap((one) => (one.owner === null ? [] : [one.owner])))].sort()
  const matching = relations.filter(
    (one) => (search.kind === undefined || one.kind === search.kind) && (search.owner === undefined || one.owner === search.owner),
  )
  const sorted = search.sort === undefined ? matching : matching.toSorted(compare(search.sort))
  const held = useHeld(sorted, (one) => one.name, JSON.stringify(search))
  const groups =
    search.sort === undefined
      ? GROUPS.map((name) => ({ name, rows: held.rows.filter((one) => groupOf(one) === name) }))
      : [{ name: '', rows: held.rows }]
  const columns = wide ? 10 : 7
  return (
    <Card
      title="Relations"
      count={relations.length}
      label="Relations"
      controls={
        <>
          <FieldMenu
            wide
            icon="filter"
            label="Kind"
            value={search.kind ?? 'any'}
            options={[
              { value: 'any', label: 'any' },
              { value: 'stream', label: 'stream' },
              { value: 'table', label: 'table' },
              { value: 'model', label: 'model' },
            ]}
            onChange={(value) => set({ kind: value === 'any' ? undefined : value })}
          />
          {owners.length === 0 ? null : (
            <FieldMenu
              wide
              label="Owner"
              value={search.owner ?? 'any'}
              options={['any', ...owners].map((value) => ({ value, label: value }))}
              onChange={(value) => set({ owner: value === 'any' ? undefined : value })}
            />
          )}
          <FieldMenu
            label="Sort"
            value={search.sort ?? 'project'}
            options={SORTS}
            onChange={(value) => set({ sort: value === 'project' ? undefined : value })}
          />
        </>
      }
    >
      {relations.length === 0 ? (
        <Empty title="There is no relation yet.">
          <p className="t2">
            Export a <span className="mono">stream</span>, <span className="mono">table</span> or <span className="mono">model</span> from
            the project's entry file; it appears here when it is saved.
          </p>
        </Empty>
      ) : matching.length === 0 ? (
        <Empty title="The filter hides every relation.">
          <button type="button" className="link" onClick={() => set({ kind: undefined, owner: undefined })}>
            Clear filter
          </button>
        </Empty>
      ) : (
        <>
          {held.waiting > 0 ? (
            <button type="button" className="pend" data-waiting="" onClick={held.apply}>
              {held.waiting} new
            </button>
          ) : null}
          <table className="tight pad8">
            <thead>
              <tr>
                <th scope="col">Relation</th>
                <th scope="col">State</th>
                <th scope="col" className="r">
                  Data age
                </th>
                <th scope="col" className="hide-m">
                  Target
                </th>
                <th scope="col" className="r hide-m">
                  Rows
                </th>
                {wide ? (
                  <>
                    <th scope="col" className="r hide-m">
                      Size
                    </th>
                    <th scope="col" className="r hide-m">
                      Files
                    </th>
                    <th scope="col" className="hide-m">
                      Owner
                    </th>
                  </>
                ) : null}
                <th scope="col" className="hide-m">
                  In, 13 h
                </th>
                <th scope="col" className="r hide-m">
                  Checks
                </th>
              </tr>
            </thead>
            <tbody>
              {groups.map((group) =>
                group.rows.length === 0 ? null : (
                  <Fragment key={group.name}>
                    {group.name === '' ? null : (
                      <tr className="grp">
                        <td colSpan={columns}>
                          {group.name} <span className="num">{group.rows.length}</span>
                        </td>
                      </tr>
                    )}
                    {group.rows.map((one) => (
                      <RelationRow key={one.name} of={one} wide={wide} />
                    ))}
                  </Fragment>
                ),
              )}
            </tbody>
          </table>
        </>
      )}
    </Card>
  )
}

const clean = (search: TableSearch): TableSearch =>
  Object.fromEntries(Object.entries(search).filter(([, value]) => value !== undefined)) as TableSearch
