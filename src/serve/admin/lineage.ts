// The console's lineage: sources, relations, processors, sinks, endpoints, dashboards, alerts and what feeds what.
import type { Manifest, Relation, TableManifest, TopicManifest } from '../../define/manifest.ts'
import { sinkAsset } from '../../define/sink.ts'
import { storedShape, topicOf } from '../../define/system-columns.ts'
import type { CheckRecord } from '../../quality/history.ts'
import { printType, type Shape } from '../../schema/type.ts'
import { type Caller, isAllowed } from '../answer.ts'
import type { FlowSummary, NodeFlow } from '../answers/flows.ts'
import type { Lineage, LineageNode } from '../answers/lineage.ts'
import { freshnessOf, type Moment, readMoment } from './freshness.ts'
import { type AdminParts, isVisible } from './parts.ts'
import { checkCounts, findRelation } from './relations.ts'
import { shownFlows, shownFreshness } from './shown.ts'

interface Edge {
  readonly from: string
  readonly to: string
}

const relationId = (name: string): string => `relation:${name}`

/** Every edge of the project, by node ids. */
function edgesOf(manifest: Manifest): Edge[] {
  const fromRelations = (inputs: readonly string[], to: string): Edge[] => inputs.map((input) => ({ from: relationId(input), to }))
  return [
    ...manifest.relations.flatMap(sourceEdges),
    ...manifest.processors.flatMap((processor) => [{ from: relationId(processor.from), to: `processor:${processor.name}` }]),
    ...(manifest.sinks ?? []).map(({ name, from }) => ({ from: relationId(from), to: sinkAsset(name) })),
    ...manifest.endpoints.flatMap((endpoint) => fromRelations(endpoint.inputs, `endpoint:${endpoint.name}`)),
    ...manifest.dashboards.flatMap((dashboard) =>
      fromRelations([...new Set(dashboard.tiles.flatMap((tile) => tile.inputs))], `dashboard:${dashboard.name}`),
    ),
    ...manifest.alerts.flatMap((alert) => alertInputs(manifest, alert).map((from) => ({ from, to: `alert:${alert.name}` }))),
  ]
}

/** Ids of nodes. */
function alertInputs(manifest: Manifest, { when }: Manifest['alerts'][number]): string[] {
  if (when.kind === 'checks') return manifest.checks.filter((set) => set.name === when.set).map((set) => relationId(set.on))
  if (when.kind === 'late' || when.kind === 'rows') return [relationId(when.relation)]
  if (when.kind !== 'run') return []
  return [manifest.sinks?.some(({ name }) => sinkAsset(name) === when.asset) ? when.asset : relationId(when.asset)]
}

function sourceEdges(relation: Relation): Edge[] {
  const to = relationId(relation.name)
  if (relation.kind === 'model') return relation.inputs.map((input) => ({ from: relationId(input), to }))
  if (relation.kind === 'stream' && relation.source === 'processor')
    return [{ from: `processor:${relation.processor ?? relation.name}`, to }]
  const kind = sourceKind(relation)
  return kind === 'none' ? [] : [{ from: sourceId(relation), to }]
}

const makes = (processor: string, relation: Relation): boolean =>
  relation.kind === 'stream' && relation.source === 'processor' && (relation.processor ?? relation.name) === processor

/** Of a relation that no processor or model makes. */
const sourceKind = (relation: Exclude<Relation, { kind: 'model' }>): TableManifest['source']['kind'] =>
  topicOf(relation) ? 'kafka' : relation.kind === 'table' ? relation.source.kind : 'http'

const sourceId = (relation: Exclude<Relation, { kind: 'model' }>): string => `source:${sourceKind(relation)} ${relation.name}`

function sourceNote(relation: Exclude<Relation, { kind: 'model' }>): string {
  const topic = topicOf(relation)
  return topic ? topicNote(topic) : sourceKind(relation) === 'files' ? 'files' : 'POST /streams'
}

const topicNote = ({ topic, connection }: TopicManifest): string => `topic ${topic} of ${connection.bus}`

/** `figures`: absent where the caller may not count the relation's rows. */
const flowOf = ({ topic, connection, format }: TopicManifest, figures: FlowSummary | undefined): NodeFlow => ({
  topic,
  bus: connection.bus,
  format: format.kind,
  lag: figures?.lag ?? null,
  stopped: figures?.stopped ?? null,
})

export async function lineage(parts: AdminParts, caller: Caller, around?: { name: string; up: number; down: number }): Promise<Lineage> {
  const moment = await readMoment(parts)
  const latest = await parts.checks.latest()
  const manifest = parts.manifest()
  const nodes = allNodes(parts, caller, moment, latest)
  const ids = new Set(nodes.map((node) => node.id))
  const edges = edgesOf(manifest).filter((edge) => ids.has(edge.from) && ids.has(edge.to))
  if (around) findRelation(parts, caller, around.name)
  const kept = around ? near(relationId(around.name), edges, around.up, around.down) : ids
  const late = new Set(nodes.filter((node) => node.freshness?.state === 'late').map((node) => node.id))
  const stopped = new Set(nodes.filter((node) => node.flow?.stopped).map((node) => node.id))
  return {
    nowMs: moment.nowMs,
    nodes: nodes.filter((node) => kept.has(node.id)),
    edges: edges
      .filter((edge) => kept.has(edge.from) && kept.has(edge.to))
      .map((edge) => ({ ...edge, stopped: (late.has(edge.to) && late.has(edge.from)) || stopped.has(edge.from) || stopped.has(edge.to) })),
    columns: [],
  }
}

function near(start: string, edges: readonly Edge[], up: number, down: number): Set<string> {
  const kept = new Set([start])
  const walk = (steps: number, next: (id: string) => string[]): void => {
    let reached = new Set([start])
    for (let step = 0; step < steps && reached.size > 0; step++) {
      reached = new Set([...reached].flatMap(next).filter((id) => !kept.has(id)))
      for (const id of reached) kept.add(id)
    }
  }
  walk(up, (id) => edges.filter((edge) => edge.to === id).map((edge) => edge.from))
  walk(down, (id) => edges.filter((edge) => edge.from === id).map((edge) => edge.to))
  return kept
}

function allNodes(parts: AdminParts, caller: Caller, moment: Moment, latest: readonly CheckRecord[]): LineageNode[] {
  const manifest = parts.manifest()
  const visible = manifest.relations.filter((relation) => isVisible(parts, caller, relation))
  const names = new Set(visible.map((relation) => relation.name))
  const plain = (kind: LineageNode['kind'], name: string, note: string, at: string): LineageNode => ({
    id: `${kind}:${name}`,
    kind,
    name,
    note,
    at,
    columns: [],
  })
  const flows = shownFlows(parts, caller)
  const figuresOf = (direction: FlowSummary['direction'], name: string): FlowSummary | undefined =>
    flows.find((flow) => flow.direction === direction && flow.name === name)
  const sources = visible.flatMap((relation): LineageNode[] => {
    if (relation.kind === 'model' || (relation.kind === 'stream' && relation.source === 'processor')) return []
    const source = sourceKind(relation)
    if (source === 'none') return []
    const node = plain('source', `${source} ${relation.name}`, sourceNote(relation), relation.at)
    const topic = topicOf(relation)
    return [topic ? { ...node, flow: flowOf(topic, figuresOf('in', relation.name)) } : node]
  })
  const sinks = (manifest.sinks ?? [])
    .filter(({ from }) => names.has(from))
    .map(
      ({ name, at, to, key, shape, everyMs, doc }): LineageNode => ({
        ...plain('sink', name, topicNote(to), at),
        flow: { ...flowOf(to, figuresOf('out', name)), key, everyMs },
        ...(doc ? { doc } : {}),
        columns: columnsOf(shape),
      }),
    )
  const open = (inputs: readonly string[]): boolean => inputs.every((input) => names.has(input))
  return [
    ...sources,
    ...visible.map((relation) => relationNode(parts, caller, relation, moment, latest)),
    ...manifest.processors
      .filter((processor) => names.has(processor.from) && visible.some((relation) => makes(processor.name, relation)))
      .map((processor) => plain('processor', processor.name, 'TypeScript', processor.at)),
    ...sinks,
    ...manifest.endpoints
      .filter((endpoint) => open(endpoint.inputs) && isAllowed(caller, endpoint.allow))
      .map((endpoint) => plain('endpoint', endpoint.name, `GET ${endpoint.path}`, endpoint.at)),
    ...manifest.dashboards
      .filter((dashboard) => open(dashboard.tiles.flatMap((tile) => tile.inputs)) && isAllowed(caller, dashboard.allow))
      .map((dashboard) => plain('dashboard', dashboard.name, `${dashboard.tiles.length} tiles`, dashboard.at)),
    ...manifest.alerts
      .filter(() => caller.isAdmin)
      .map((alert) => plain('alert', alert.name, alert.to.map((channel) => channel.kind).join(', '), alert.at)),
  ]
}

const columnsOf = ({ fields }: Shape): LineageNode['columns'] =>
  fields.map(({ name, type, unit, pii }) => ({ name, type: printType(type), ...(unit ? { unit } : {}), ...(pii ? { pii } : {}) }))

function relationNode(parts: AdminParts, caller: Caller, relation: Relation, moment: Moment, latest: readonly CheckRecord[]): LineageNode {
  return {
    id: relationId(relation.name),
    kind: relation.kind,
    name: relation.name,
    note: relation.kind === 'model' ? relation.refresh : relation.kind === 'stream' ? relation.source : relation.source.kind,
    freshness: shownFreshness(parts, caller, freshnessOf(parts, relation, moment)),
    checks: checkCounts(parts, caller, relation.name, latest),
    at: relation.at,
    ...(relation.doc ? { doc: relation.doc } : {}),
    columns: columnsOf(storedShape(relation)),
  }
}
