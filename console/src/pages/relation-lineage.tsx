// The lineage tab of a relation: the part of the graph around it, and each of its columns with what makes it.
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import type { Lineage } from '../../../src/serve/answers/lineage.ts'
import { lineageQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { Segments } from '../ui/choice.tsx'
import { Card } from '../ui/tile-frame.tsx'
import { GraphBox, type OnChoose, PathList } from './lineage-parts.tsx'

function Columns({
  graph,
  id,
  chosen,
  onChoose,
}: {
  readonly graph: Lineage
  readonly id: string
  readonly chosen: string | null
  readonly onChoose: OnChoose
}) {
  const node = graph.nodes.find((one) => one.id === id)
  const nameOf = (other: string): string => graph.nodes.find((one) => one.id === other)?.name ?? other
  return (
    <Card title="Columns">
      <div className="scrollx">
        <table className="tight">
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Made from</th>
              <th scope="col" className="hide-m">
                How
              </th>
              <th scope="col" className="hide-m">
                Goes to
              </th>
            </tr>
          </thead>
          <tbody>
            {node?.columns.map((column) => {
              const from = graph.columns.filter((edge) => edge.to.node === id && edge.to.column === column.name && edge.role === 'value')
              const to = [
                ...new Set(
                  graph.columns
                    .filter((edge) => edge.from.node === id && edge.from.column === column.name)
                    .map((edge) => nameOf(edge.to.node)),
                ),
              ]
              return (
                <tr key={column.name} data-selected={column.name === chosen}>
                  <td>
                    <button type="button" className="link mono" onClick={() => onChoose(id, column.name)}>
                      {column.name}
                    </button>
                  </td>
                  <td className="mono s12">{from.map((edge) => `${nameOf(edge.from.node)}.${edge.from.column}`).join(', ')}</td>
                  <td className="mono s12 t2 hide-m">{column.made ?? ''}</td>
                  <td className="t2 hide-m">{to.join(', ')}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

export function RelationLineage() {
  const { relation: name } = useParams({ from: '/data/$relation' })
  const search = useSearch({ from: '/data/$relation/lineage' })
  const navigate = useNavigate()
  const query = useQuery(lineageQuery(name))
  const own = `relation:${name}`
  const columns = search.mode === 'columns'
  const chosen = { node: own, column: search.column ?? null, columns }
  const onChoose: OnChoose = (node, column) => {
    if (node === own)
      void navigate({
        to: '/data/$relation/lineage',
        params: { relation: name },
        search: column === undefined ? {} : { column, mode: 'columns' },
        replace: true,
        resetScroll: false,
      })
    else void navigate({ to: '/lineage', search: column === undefined ? { node } : { node, column, mode: 'columns' } })
  }
  return (
    <>
      <div className="row" style={{ marginBottom: 12 }}>
        {(query.data?.columns.length ?? 0) > 0 ? (
          <Segments
            label="Detail"
            value={columns ? 'columns' : 'relations'}
            options={[
              { value: 'relations', label: 'Relations' },
              { value: 'columns', label: 'Columns' },
            ]}
            onChange={(value) =>
              void navigate({
                to: '/data/$relation/lineage',
                params: { relation: name },
                search: value === 'columns' ? { mode: 'columns' } : {},
                replace: true,
                resetScroll: false,
              })
            }
          />
        ) : null}
        <span className="sp" />
        <Link
          className="btn sm"
          to="/lineage"
          search={{ node: own, ...(search.column ? { column: search.column, mode: 'columns' as const } : {}) }}
        >
          Open full graph
        </Link>
      </div>
      <Answer query={query} rows={12}>
        {(graph) => (
          <div className="stack">
            <Card label="Graph" className="hide-m">
              <GraphBox graph={graph} chosen={chosen} onChoose={onChoose} small />
            </Card>
            <div className="only-m">
              <PathList graph={graph} chosen={chosen} onChoose={onChoose} />
            </div>
            {graph.columns.length > 0 ? <Columns graph={graph} id={own} chosen={chosen.column} onChoose={onChoose} /> : null}
          </div>
        )}
      </Answer>
    </>
  )
}
