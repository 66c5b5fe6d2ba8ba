// What the full lineage page and the relation's tab share: the graph in its box, the list form of small screens, and the
// panel that answers "where does this number come from, whom does a change hit".
import { Link } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense } from 'react'
import type { NodeFlow } from '../../../src/serve/answers/flows.ts'
import type { Lineage, LineageNode } from '../../../src/serve/answers/lineage.ts'
import { Code } from '../ui/code.tsx'
import { formatDuration } from '../ui/format.ts'
import { FreshAge } from '../ui/freshness.tsx'
import { Icon, kindIcon } from '../ui/icon.tsx'
import { At, Fix, Note } from '../ui/note.tsx'
import { Num } from '../ui/num.tsx'
import { State } from '../ui/state.tsx'
import { Time } from '../ui/time.tsx'
import { nodeWords } from '../ui/words.ts'
import { type ColumnEdge, closure, columnPath, sourceFirst } from './graph.ts'

const Graph = lazy(() => import('./lineage-graph.tsx'))

export interface Chosen {
  readonly node: string | null
  readonly column: string | null
  readonly columns: boolean
}
export type OnChoose = (node: string, column?: string) => void

const NOTHING: { edges: readonly ColumnEdge[]; columns: ReadonlySet<string> } = { edges: [], columns: new Set() }

export function pathOf(graph: Lineage, chosen: Chosen): { edges: readonly ColumnEdge[]; columns: ReadonlySet<string> } {
  return chosen.node === null || chosen.column === null ? NOTHING : columnPath(graph, { node: chosen.node, column: chosen.column })
}

/** In column mode the chosen node and the nodes with columns on the path are open. */
function openNodes(graph: Lineage, chosen: Chosen, path: { readonly columns: ReadonlySet<string> }): Set<string> {
  if (!chosen.columns || chosen.node === null) return new Set()
  return new Set([
    chosen.node,
    ...graph.nodes
      .map((node) => node.id)
      .filter((id) => id.startsWith('relation:') && [...path.columns].some((one) => one.startsWith(`${id}\n`))),
  ])
}

/** In an open node other than the chosen one, only the columns on the path are worth their room. */
function trimmed(graph: Lineage, chosen: Chosen, path: { readonly columns: ReadonlySet<string> }): Lineage {
  return {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.id === chosen.node
        ? node
        : { ...node, columns: node.columns.filter((column) => path.columns.has(`${node.id}\n${column.name}`)) },
    ),
  }
}

export function GraphBox({
  graph,
  chosen,
  onChoose,
  small = false,
}: {
  readonly graph: Lineage
  readonly chosen: Chosen
  readonly onChoose: OnChoose
  readonly small?: boolean
}) {
  const path = pathOf(graph, chosen)
  return (
    <div
      className={`lin-box hide-m ${small ? 'small' : ''}`}
      style={{ background: 'radial-gradient(var(--line) 1px, transparent 1px) 0 0 / 16px 16px' }}
    >
      <Suspense fallback={null}>
        <Graph
          graph={trimmed(graph, chosen, path)}
          chosen={chosen.node}
          path={path}
          open={openNodes(graph, chosen, path)}
          onChoose={onChoose}
        />
      </Suspense>
      <div className="key">
        <span>
          <i style={{ color: 'var(--accent)' }} />
          makes the value
        </span>
        <span>
          <i style={{ color: 'var(--accent)', borderTopStyle: 'dashed' }} />
          filters or joins it
        </span>
        <span>
          <i style={{ color: 'var(--bad)', borderTopStyle: 'dashed' }} />
          stopped
        </span>
      </div>
    </div>
  )
}

function NodeState({ of }: { readonly of: LineageNode }) {
  const words = nodeWords(of)
  if (words === null) return <span className="muted s12">{of.note}</span>
  return (
    <State tone={words.tone}>{words.tone === 'ok' && of.freshness !== undefined ? <FreshAge of={of.freshness} short /> : words.word}</State>
  )
}

/** The tree as a list: the chosen node's path, source first, or everything. */
export function PathList({ graph, chosen, onChoose }: { readonly graph: Lineage; readonly chosen: Chosen; readonly onChoose: OnChoose }) {
  const node = chosen.node
  const path = pathOf(graph, chosen)
  const near = node === null ? null : new Set([node, ...closure(graph, node, 'up'), ...closure(graph, node, 'down')])
  const columnsOf = (id: string): string[] =>
    [...path.columns].filter((one) => one.startsWith(`${id}\n`)).map((one) => one.slice(id.length + 1))
  const shown = sourceFirst(graph).filter((one) =>
    path.edges.length > 0 ? columnsOf(one.id).length > 0 : near === null || near.has(one.id),
  )
  return (
    <>
      <p className="muted s12">
        {chosen.column === null
          ? node === null
            ? 'Everything, source first'
            : 'Path of one relation, source first'
          : 'Path of one column, source first'}
      </p>
      <ul className="path-list">
        {shown.map((one) => {
          const columns = columnsOf(one.id)
          const name = columns.length === 1 ? `${one.name}.${columns[0]}` : one.name
          return (
            <li key={one.id}>
              <button type="button" className="plain" style={{ width: '100%' }} onClick={() => onChoose(one.id)}>
                <span className="row">
                  <Icon name={kindIcon(one.kind, one.note)} />
                  <span className={`mono cut ${one.id === node ? 'b' : ''}`}>{name}</span>
                  <span className="sp" />
                  <NodeState of={one} />
                </span>
                <span className="s12 muted" style={{ display: 'block', paddingLeft: 22 }}>
                  {one.kind === one.note ? one.kind : `${one.kind} · ${one.note}`}
                </span>
              </button>
            </li>
          )
        })}
      </ul>
    </>
  )
}

function Pairs({ pairs }: { readonly pairs: readonly (readonly [key: string, name: ReactNode, note: string])[] }) {
  if (pairs.length === 0) return <p className="s12 muted">nothing</p>
  return (
    <div style={{ display: 'grid', gap: 6 }}>
      {pairs.map(([id, name, note]) => (
        <div className="row" key={id}>
          <span className="s12 cut">{name}</span>
          <span className="sp" />
          <span className="s12 muted nowrap">{note}</span>
        </div>
      ))}
    </div>
  )
}

const nameOf = (graph: Lineage, id: string): string => graph.nodes.find((node) => node.id === id)?.name ?? id

function ColumnPanel({
  graph,
  node,
  column,
  onChoose,
}: {
  readonly graph: Lineage
  readonly node: LineageNode
  readonly column: LineageNode['columns'][number]
  readonly onChoose: OnChoose
}) {
  const into = graph.columns.filter((edge) => edge.to.node === node.id && edge.to.column === column.name)
  const out = graph.columns.filter((edge) => edge.from.node === node.id && edge.from.column === column.name)
  const link = (id: string, name: string) => (
    <button type="button" className="link mono" onClick={() => onChoose(id, name)}>
      {nameOf(graph, id)}.{name}
    </button>
  )
  return (
    <>
      <div>
        <div className="s12 muted">Where does this number come from?</div>
        <div style={{ font: '600 14px/22px var(--mono)', marginTop: 2, overflowWrap: 'anywhere' }}>
          {node.name}.{column.name}
        </div>
        <div className="row wrap" style={{ gap: 4, marginTop: 6 }}>
          <span className="tag">{column.type}</span>
          {column.unit === undefined ? null : <span className="tag">unit {column.unit}</span>}
          <span className="tag">{column.pii === undefined ? 'no personal data' : `pii.${column.pii}`}</span>
        </div>
      </div>
      {column.made === undefined ? null : (
        <div>
          <h3>Made by</h3>
          <Code text={column.made} />
          {node.at === undefined ? null : (
            <p className="s12 t2" style={{ marginTop: 6 }}>
              <At at={node.at} />
            </p>
          )}
        </div>
      )}
      <div>
        <h3>Comes from</h3>
        <Pairs pairs={into.map((edge) => [`${edge.from.node} ${edge.from.column}`, link(edge.from.node, edge.from.column), edge.note])} />
      </div>
      <div>
        <h3>Goes to</h3>
        <Pairs
          pairs={out.map((edge) => [
            `${edge.to.node} ${edge.to.column}`,
            link(edge.to.node, edge.to.column),
            graph.nodes.find((one) => one.id === edge.to.node)?.kind ?? '',
          ])}
        />
      </div>
    </>
  )
}

/** What is known of a topic that flows in or out. */
function FlowPart({ of, isSink }: { readonly of: NodeFlow; readonly isSink: boolean }) {
  const { topic, bus, format, key, everyMs, lag, stopped } = of
  const facts: (readonly [string, ReactNode])[] = [
    ['Name', topic],
    ['Cluster', bus],
    ['Format', format],
    ...(key === undefined ? [] : [['Message key', key.length === 0 ? 'none' : key.join(', ')] as const]),
    ...(everyMs === undefined ? [] : [['A row waits at most', formatDuration(everyMs)] as const]),
    [isSink ? 'Rows not written yet' : 'Messages not read yet', <Num key="lag" value={lag} />],
  ]
  return (
    <div>
      <h3>Topic</h3>
      <dl className="facts s12">
        {facts.map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd className="wrap-text">{value}</dd>
          </div>
        ))}
      </dl>
      {stopped === null ? null : (
        <div style={{ marginTop: 10 }}>
          <Note tone="bad">
            <div className="s12 wrap-text">{stopped.message}</div>
            <div className="s12 t2">
              <span className="mono">{stopped.code}</span>, since <Time at={stopped.sinceMs} />; it is tried again.
            </div>
            <Fix fix={stopped.fix ?? undefined} />
          </Note>
        </div>
      )}
    </div>
  )
}

function NodePanel({ graph, node, onChoose }: { readonly graph: Lineage; readonly node: LineageNode; readonly onChoose: OnChoose }) {
  const near = (way: 'up' | 'down') =>
    graph.edges
      .filter((edge) => (way === 'up' ? edge.to : edge.from) === node.id)
      .map((edge) => (way === 'up' ? edge.from : edge.to))
      .map((id): [string, ReactNode, string] => [
        id,
        <button key={id} type="button" className="link" onClick={() => onChoose(id)}>
          {nameOf(graph, id)}
        </button>,
        graph.nodes.find((one) => one.id === id)?.kind ?? '',
      ])
  const to = near('down')
  return (
    <>
      <div>
        <div className="s12 muted">{node.kind === node.note ? node.kind : `${node.kind} · ${node.note}`}</div>
        <div style={{ font: '600 14px/22px var(--mono)', marginTop: 2, overflowWrap: 'anywhere' }}>{node.name}</div>
        <div className="row" style={{ marginTop: 4 }}>
          <NodeState of={node} />
          <span className="sp" />
          {node.id.startsWith('relation:') ? (
            <Link className="link s12" to="/data/$relation" params={{ relation: node.name }}>
              Open
            </Link>
          ) : null}
        </div>
        {node.doc === undefined ? null : (
          <p className="s12 t2" style={{ marginTop: 6 }}>
            {node.doc}
          </p>
        )}
      </div>
      {node.flow === undefined ? null : <FlowPart of={node.flow} isSink={node.kind === 'sink'} />}
      {node.columns.length === 0 ? null : (
        <div>
          <h3>Columns</h3>
          <Pairs
            pairs={node.columns.map((column) => [
              column.name,
              <button key={column.name} type="button" className="link mono" onClick={() => onChoose(node.id, column.name)}>
                {column.name}
              </button>,
              column.type.replace(/\(.*/, ''),
            ])}
          />
        </div>
      )}
      <div>
        <h3>Comes from</h3>
        <Pairs pairs={near('up')} />
      </div>
      {node.kind === 'sink' && to.length === 0 ? null : (
        <div>
          <h3>Goes to</h3>
          <Pairs pairs={to} />
        </div>
      )}
    </>
  )
}

export function LineagePanel({
  graph,
  chosen,
  onChoose,
}: {
  readonly graph: Lineage
  readonly chosen: Chosen
  readonly onChoose: OnChoose
}) {
  const node = graph.nodes.find((one) => one.id === chosen.node)
  const column = node?.columns.find((one) => one.name === chosen.column)
  return (
    <aside className="side col" aria-label="Chosen">
      {node === undefined ? (
        <div>
          <p className="t2">
            Choose a relation to see where it comes from and what it goes to
            {graph.columns.length > 0 ? '; then one of its columns to see what makes the value' : ''}.
          </p>
        </div>
      ) : column === undefined ? (
        <NodePanel graph={graph} node={node} onChoose={onChoose} />
      ) : (
        <ColumnPanel graph={graph} node={node} column={column} onChoose={onChoose} />
      )}
    </aside>
  )
}
