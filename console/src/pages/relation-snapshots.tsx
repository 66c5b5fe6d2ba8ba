// The commits of a relation: when, by which run and code, how many rows came and went, from which snapshots of its inputs.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { SnapshotInfo } from '../../../src/serve/answers/snapshots.ts'
import { snapshotsQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { formatBytes, formatCount, formatDuration, plural } from '../ui/format.ts'
import { useHeld } from '../ui/held.ts'
import { Empty } from '../ui/note.tsx'
import { Num } from '../ui/num.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { Time } from '../ui/time.tsx'
import { quoteName } from './sql-text.ts'

const change = (of: SnapshotInfo): string =>
  `${of.added === null ? '' : `+${formatCount(of.added)}`} ${of.removed === null ? '' : `\u2212${formatCount(of.removed)}`}`.trim()

function Rows({ name, snapshots }: { readonly name: string; readonly snapshots: readonly SnapshotInfo[] }) {
  const held = useHeld(snapshots, (one) => one.id, name)
  const newest = snapshots[0]?.id
  return (
    <>
      {held.waiting > 0 ? (
        <button type="button" className="pend" data-waiting="" onClick={held.apply}>
          {plural(held.waiting, 'new snapshot')}
        </button>
      ) : null}
      <div className="scrollx">
        <table>
          <thead>
            <tr>
              <th scope="col">Snapshot</th>
              <th scope="col">Committed</th>
              <th scope="col" className="hide-m">
                By
              </th>
              <th scope="col" className="r">
                Rows + −
              </th>
              <th scope="col" className="r hide-m">
                Rows
              </th>
              <th scope="col" className="hide-m">
                Read from
              </th>
              <th scope="col" className="hide-m">
                Code
              </th>
              <th scope="col" className="hide-m">
                Note
              </th>
              <th scope="col" className="hide-m">
                <span className="sr">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {held.rows.map((one) => (
              <tr key={one.id}>
                <td className="num m5" title={`id ${one.id}`}>
                  {formatCount(one.sequence)}
                </td>
                <td>
                  <Time at={one.committedAtMs} />
                </td>
                <td className="hide-m">
                  {one.run === null ? (
                    <span className="muted">{one.operation}</span>
                  ) : (
                    <Link className="link" to="/runs/$id" params={{ id: one.run.id }}>
                      {one.run.name}
                    </Link>
                  )}
                </td>
                <td className="r mono s12">{change(one)}</td>
                <td className="r hide-m">
                  <Num value={one.rows} />
                </td>
                <td className="hide-m t2 num">
                  {one.inputs.map((input) => `${input.relation} ${formatCount(input.sequence)}`).join(' · ')}
                </td>
                <td className="hide-m mono s12">{one.code ?? ''}</td>
                <td className="hide-m t2">{one.note ?? ''}</td>
                <td className="hide-m">
                  {one.id === newest ? (
                    <span className="tag">now</span>
                  ) : (
                    <Link
                      className="link"
                      to="/sql"
                      search={{ q: `SELECT *\nFROM ${quoteName(name)} AT (VERSION => ${one.id})\nLIMIT 100` }}
                    >
                      Query
                    </Link>
                  )}{' '}
                  {one.refs.map((ref) => (
                    <span className="tag" key={ref}>
                      {ref}
                    </span>
                  ))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
}

export function RelationSnapshots() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const query = useQuery(snapshotsQuery(name))
  return (
    <Answer query={query} rows={10}>
      {(page) => (
        <>
          <p className="muted s12 num" style={{ marginBottom: 12 }}>
            {[
              page.keepMs === null ? null : `kept ${formatDuration(page.keepMs)}`,
              plural(page.total, 'snapshot'),
              page.bytes === null ? null : formatBytes(page.bytes),
            ]
              .filter(Boolean)
              .join(' · ')}
          </p>
          <Card label="Snapshots">
            {page.snapshots.length === 0 ? (
              <Empty title={`${name} has no snapshot yet.`} />
            ) : (
              <Rows name={name} snapshots={page.snapshots} />
            )}
          </Card>
        </>
      )}
    </Answer>
  )
}
