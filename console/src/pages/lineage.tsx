// `/lineage`: where does this number come from, whom does a change hit? The whole graph; the choice stands in the address.
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { lineageQuery } from '../api/queries.ts'
import { Answer } from '../ui/answer.tsx'
import { Segments } from '../ui/choice.tsx'
import { Title } from '../ui/head.tsx'
import { Icon } from '../ui/icon.tsx'
import { Empty } from '../ui/note.tsx'
import { GraphBox, LineagePanel, type OnChoose, PathList } from './lineage-parts.tsx'

export function LineagePage() {
  const search = useSearch({ from: '/lineage' })
  const navigate = useNavigate()
  const query = useQuery(lineageQuery())
  const chosen = { node: search.node ?? null, column: search.column ?? null, columns: search.mode === 'columns' }
  const onChoose: OnChoose = (node, column) =>
    void navigate({
      to: '/lineage',
      search: column === undefined ? { node, ...(search.mode ? { mode: search.mode } : {}) } : { node, column, mode: 'columns' },
    })
  const name = query.data?.nodes.find((node) => node.id === chosen.node)?.name
  const hasColumns = (query.data?.columns.length ?? 0) > 0
  return (
    <>
      <div className="lin-bar">
        <Title name="Lineage" small>
          Lineage
        </Title>
        {name === undefined ? null : (
          <button type="button" className="field hide-m" title="Clear" onClick={() => void navigate({ to: '/lineage' })}>
            <b>{name}</b>
            {chosen.column === null ? null : `.${chosen.column}`} <Icon name="close" size={11} />
          </button>
        )}
        <span className="sp" />
        {hasColumns ? (
          <Segments
            label="Detail"
            value={chosen.columns ? 'columns' : 'relations'}
            options={[
              { value: 'relations', label: 'Relations' },
              { value: 'columns', label: 'Columns' },
            ]}
            onChange={(value) =>
              void navigate({
                to: '/lineage',
                search: {
                  ...(search.node ? { node: search.node } : {}),
                  ...(value === 'columns' ? { mode: 'columns' as const, ...(search.column ? { column: search.column } : {}) } : {}),
                },
                replace: true,
              })
            }
          />
        ) : null}
      </div>
      <Answer query={query} rows={12}>
        {(graph) =>
          graph.nodes.length === 0 ? (
            <Empty title="There is nothing to show yet: the project defines no relation." />
          ) : (
            <div className="lin">
              <div className="col">
                <GraphBox graph={graph} chosen={chosen} onChoose={onChoose} />
                <div className="only-m" style={{ padding: '12px 16px 0' }}>
                  <PathList graph={graph} chosen={chosen} onChoose={onChoose} />
                </div>
              </div>
              <LineagePanel graph={graph} chosen={chosen} onChoose={onChoose} />
            </div>
          )
        }
      </Answer>
    </>
  )
}
