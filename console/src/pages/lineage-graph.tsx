// The graph: nodes laid out in layers by dagre, drawn by xyflow. Positions depend on the graph alone, so that nothing moves
// when states change. Arrow keys walk along its edges.
import Dagre from '@dagrejs/dagre'
import {
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
} from '@xyflow/react'
import '@xyflow/react/dist/base.css'
import { type KeyboardEvent, useEffect, useMemo } from 'react'
import type { Lineage, LineageNode } from '../../../src/serve/answers/lineage.ts'
import { FreshAge } from '../ui/freshness.tsx'
import { Icon, kindIcon } from '../ui/icon.tsx'
import { nodeWords } from '../ui/words.ts'
import { type ColumnEdge, closure, onPath } from './graph.ts'

const WIDTH = 164
const TOP = 47
const ROW = 25
/** Room for the key and the buttons below. */
const FIT = { maxZoom: 1, padding: { top: '16px', left: '20px', right: '20px', bottom: '60px' } } as const

interface Shown {
  readonly node: LineageNode
  readonly columns: LineageNode['columns']
  readonly chosen: boolean
  readonly path: boolean
  readonly marked: ReadonlySet<string>
  readonly onChoose: (node: string, column?: string) => void
  readonly [more: string]: unknown
}
type FlowNode = Node<Shown, 'asset'>

export interface GraphProps {
  readonly graph: Lineage
  readonly chosen: string | null
  /** Column edges to draw, with the set of columns on them; empty = relations only. */
  readonly path: { readonly edges: readonly ColumnEdge[]; readonly columns: ReadonlySet<string> }
  /** Nodes that show their columns. */
  readonly open: ReadonlySet<string>
  readonly onChoose: (node: string, column?: string) => void
}

function AssetNode({ data }: NodeProps<FlowNode>) {
  const { node, columns, chosen, path, marked, onChoose } = data
  const words = nodeWords(node)
  const wrong = words !== null && (words.tone === 'bad' || words.tone === 'warn') ? words : null
  return (
    <div className={`ln-node ${chosen ? 'on' : ''} ${path ? 'path' : ''}`}>
      <Handle type="target" position={Position.Left} id="in" style={{ top: 23 }} isConnectable={false} />
      <Handle type="source" position={Position.Right} id="out" style={{ top: 23 }} isConnectable={false} />
      <div className="ln-top">
        <span className="muted" style={{ gridRow: '1 / 3', paddingTop: 2 }}>
          <Icon name={kindIcon(node.kind, node.note)} size={14} />
        </span>
        <b className="cut" title={node.name}>
          {node.name}
        </b>
        {wrong === null ? null : (
          <span className={`mark c-${wrong.tone}`} title={wrong.word}>
            <Icon name={wrong.tone === 'bad' ? 'bad' : 'warn'} size={12} />
            <span className="sr">{wrong.word}</span>
          </span>
        )}
        <small className="cut">{node.note}</small>
        <span className="v">{node.freshness === undefined ? null : <FreshAge of={node.freshness} short />}</span>
      </div>
      {columns.length === 0 ? null : (
        <div className="ln-cols">
          {columns.map((column) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the same columns are buttons in the panel beside the graph
            // biome-ignore lint/a11y/noStaticElementInteractions: as above
            <div
              key={column.name}
              className={`ln-col ${onPath(marked, node.id, column.name) ? 'on' : ''}`}
              onClick={(event) => {
                event.stopPropagation()
                onChoose(node.id, column.name)
              }}
            >
              <Handle type="target" position={Position.Left} id={`in ${column.name}`} style={{ top: 12 }} isConnectable={false} />
              <Handle type="source" position={Position.Right} id={`out ${column.name}`} style={{ top: 12 }} isConnectable={false} />
              <span className="mono">{column.name}</span>
              <span>{column.type.replace(/\(.*/, '')}</span>
            </div>
          ))}
        </div>
      )}
    </div>
  )
}

const nodeTypes = { asset: AssetNode }

/** Layers from left to right. */
function place(graph: Lineage, heightOf: (node: LineageNode) => number): Map<string, { x: number; y: number }> {
  const layout = new Dagre.graphlib.Graph().setDefaultEdgeLabel(() => ({}))
  layout.setGraph({ rankdir: 'LR', nodesep: 22, ranksep: 46 })
  for (const node of graph.nodes) layout.setNode(node.id, { width: WIDTH, height: heightOf(node) })
  for (const edge of graph.edges) layout.setEdge(edge.from, edge.to)
  Dagre.layout(layout)
  return new Map(
    graph.nodes.map((node) => {
      const at = layout.node(node.id)
      return [node.id, { x: at.x - WIDTH / 2, y: at.y - heightOf(node) / 2 }]
    }),
  )
}

function edgesOf({ graph, path, open, chosen }: GraphProps): Edge[] {
  const detailed = new Set(path.edges.map((edge) => `${edge.from.node} ${edge.to.node}`))
  const handle = (side: 'in' | 'out', node: string, column: string): string =>
    open.has(node) && graph.nodes.find((one) => one.id === node)?.columns.some((one) => one.name === column) ? `${side} ${column}` : side
  const near =
    chosen === null || path.edges.length > 0
      ? new Set<string>()
      : new Set([chosen, ...closure(graph, chosen, 'up'), ...closure(graph, chosen, 'down')])
  const plain = graph.edges
    .filter((edge) => !detailed.has(`${edge.from} ${edge.to}`))
    .map(
      (edge): Edge => ({
        id: `${edge.from} ${edge.to}`,
        source: edge.from,
        target: edge.to,
        sourceHandle: 'out',
        targetHandle: 'in',
        className: edge.stopped ? 'stopped' : near.has(edge.from) && near.has(edge.to) ? 'value' : '',
        focusable: false,
      }),
    )
  const fine = path.edges.map(
    (edge): Edge => ({
      id: `${edge.from.node} ${edge.from.column} ${edge.to.node} ${edge.to.column}`,
      source: edge.from.node,
      target: edge.to.node,
      sourceHandle: handle('out', edge.from.node, edge.from.column),
      targetHandle: handle('in', edge.to.node, edge.to.column),
      className: edge.role,
      focusable: false,
    }),
  )
  return [...plain, ...fine]
}

function Flow(props: GraphProps) {
  const { graph, chosen, path, open, onChoose } = props
  const flow = useReactFlow()
  const shape = JSON.stringify([graph.nodes.map((node) => node.id), graph.edges.map((edge) => [edge.from, edge.to]), [...open]])
  // biome-ignore lint/correctness/useExhaustiveDependencies: `shape` is all of the graph that positions depend on
  const places = useMemo(
    () => place(graph, (node) => TOP + (open.has(node.id) && node.columns.length > 0 ? 8 + node.columns.length * ROW : 0)),
    [shape],
  )
  const nodes = graph.nodes.map(
    (node): FlowNode => ({
      id: node.id,
      type: 'asset',
      position: places.get(node.id) ?? { x: 0, y: 0 },
      ariaLabel: `${node.kind} ${node.name}`,
      data: {
        node,
        columns: open.has(node.id) ? node.columns : [],
        chosen: node.id === chosen,
        path: [...path.columns].some((one) => one.startsWith(`${node.id}\n`)),
        marked: path.columns,
        onChoose,
      },
    }),
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: fits again when the graph's shape changes
  useEffect(() => {
    const frame = requestAnimationFrame(() => void flow.fitView(FIT))
    return () => cancelAnimationFrame(frame)
  }, [shape, flow])
  const walk = (event: KeyboardEvent): void => {
    const id = (event.target as HTMLElement).getAttribute('data-id') ?? chosen
    if (id === null) return
    if (event.key === 'Enter') onChoose(id)
    const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    const next =
      way === 1
        ? graph.edges.find((edge) => edge.from === id)?.to
        : way === -1
          ? graph.edges.find((edge) => edge.to === id)?.from
          : undefined
    if (next === undefined) return
    event.preventDefault()
    document.querySelector<HTMLElement>(`.react-flow__node[data-id="${CSS.escape(next)}"]`)?.focus()
    onChoose(next)
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the focusable nodes inside
    <div style={{ height: '100%' }} onKeyDown={walk}>
      <ReactFlow
        nodes={nodes}
        edges={edgesOf(props)}
        nodeTypes={nodeTypes}
        onNodeClick={(_, node) => onChoose(node.id)}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        zoomOnScroll={false}
        panOnScroll
        preventScrolling={false}
        minZoom={0.3}
        maxZoom={1.6}
        proOptions={{ hideAttribution: true }}
        defaultEdgeOptions={{ markerEnd: { type: MarkerType.Arrow, width: 0, height: 0 } }}
      />
      <div className="zoom">
        <button type="button" className="btn sm icon" aria-label="Zoom in" onClick={() => void flow.zoomIn()}>
          <Icon name="plus" size={13} />
        </button>
        <button type="button" className="btn sm icon" aria-label="Zoom out" onClick={() => void flow.zoomOut()}>
          <Icon name="minus" size={13} />
        </button>
        <button type="button" className="btn sm" onClick={() => void flow.fitView(FIT)}>
          Fit
        </button>
      </div>
    </div>
  )
}

export default function LineageGraph(props: GraphProps) {
  return (
    <ReactFlowProvider>
      <Flow {...props} />
    </ReactFlowProvider>
  )
}
