// What a project has to do with Kafka, put together: copies of topics into the log, and sinks. Nothing of it is loaded, and no
// package asked for, by a project that names no topic.
import type { MillraceError } from '../core/errors.ts'
import type { FormatManifest, KafkaConnection, KafkaSourceManifest, Relation } from '../define/manifest.ts'
import { partitionKeyIndex } from '../define/partition-key.ts'
import { topicOf } from '../define/system-columns.ts'
import type { Door } from '../ingest/collect.ts'
import { TopicCopy } from '../ingest/kafka/copy-topic.ts'
import { type Decoder, jsonDecoder } from '../ingest/kafka/decode.ts'
import type { ClusterSettings } from '../log/kafka/cluster.ts'
import { openTopic } from '../log/kafka/topic-reader.ts'
import { Flow } from '../observe/flows.ts'
import type { Metrics } from '../observe/metrics.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import { partitionsOf } from './deploy.ts'
import type { NodeOptions } from './node-options.ts'
import type { NodeStorage } from './open-storage.ts'
import { resolveText } from './settings.ts'

export interface TopicsParts {
  readonly options: Pick<NodeOptions, 'clock' | 'manifest' | 'variables' | 'directory'>
  readonly storage: Pick<NodeStorage, 'log' | 'catalog'>
  readonly metrics: Pick<Metrics, 'collected'>
  /** A flow failed; it is tried again after so many milliseconds. */
  readonly onFailed: (flow: Flow, error: MillraceError, againMs: number) => void
  readonly onRecovered: (flow: Flow) => void
}

export interface Topics {
  readonly flows: readonly Flow[]
  start(): void
  stop(): Promise<void>
}

export function openTopics(parts: TopicsParts): Topics {
  const copies = parts.options.manifest.relations.flatMap((relation) => {
    const source = topicOf(relation)
    return source ? [copyOf(parts, relation, source)] : []
  })
  return {
    flows: copies.map(({ flow }) => flow),
    start: () => {
      for (const { copy } of copies) copy.start()
    },
    stop: async () => void (await Promise.all(copies.map(({ copy }) => copy.stop()))),
  }
}

function copyOf(parts: TopicsParts, relation: Relation, source: KafkaSourceManifest): { readonly copy: TopicCopy; readonly flow: Flow } {
  const { clock, manifest, variables } = parts.options
  const { name } = relation
  const flow = new Flow(clock, { direction: 'in', name, relation: name, bus: source.connection.bus, topic: source.topic })
  const copy = new TopicCopy(
    {
      clock,
      ...parts.storage,
      // What a definition refers to may be missing in this environment: that stops the source and nothing else.
      cluster: () => clusterOf(variables, source.connection),
      open: openTopic,
      onEvent: (event) => {
        if (event.kind === 'copied') parts.metrics.collected(name, event.rows, event.rejected, event.bytes, event.tookMs)
        else if (event.kind === 'recovered') {
          flow.recovered()
          parts.onRecovered(flow)
        } else {
          flow.failed(event.error)
          parts.onFailed(flow, event.error, event.againMs)
        }
      },
    },
    { door: doorOf(relation), source, group: `millrace.${manifest.project}.${name}`, decoder: () => decoderOf(source.format) },
  )
  flow.measure(() => copy.lag)
  return { copy, flow }
}

function doorOf(relation: Relation): Door {
  const scanner = compileScanner(relation.shape)
  return { topic: relation.name, partitions: partitionsOf(relation), keyIndex: partitionKeyIndex(relation), scanner }
}

export function clusterOf(variables: NodeOptions['variables'], { bus, brokers, sasl, tls }: KafkaConnection): ClusterSettings {
  const text = (value: Parameters<typeof resolveText>[1]): string => resolveText(variables, value)
  return {
    bus,
    brokers: text(brokers)
      .split(',')
      .map((address) => address.trim()),
    ...(sasl ? { sasl: { mechanism: sasl.mechanism, username: text(sasl.username), password: text(sasl.password) } } : {}),
    ...(tls ? { tls: Object.fromEntries(Object.entries(tls).map(([name, value]) => [name, text(value)])) } : {}),
  }
}

async function decoderOf(_format: FormatManifest): Promise<Decoder> {
  return jsonDecoder
}
