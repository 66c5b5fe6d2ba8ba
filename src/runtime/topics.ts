// What a project has to do with Kafka, put together: copies of topics into the log, and sinks. Nothing of it is loaded, and no
// package asked for, by a project that names no topic.
import type { MillraceError } from '../core/errors.ts'
import type { KafkaConnection, KafkaSourceManifest, Relation, SinkManifest } from '../define/manifest.ts'
import { partitionKeyIndex } from '../define/partition-key.ts'
import { storedShape, topicOf } from '../define/system-columns.ts'
import { type Reading, TopicCopy } from '../ingest/kafka/copy-topic.ts'
import type { MessageReader } from '../ingest/kafka/read-messages.ts'
import type { ClusterSettings } from '../log/kafka/cluster.ts'
import { openTopic } from '../log/kafka/topic-reader.ts'
import { openWriter } from '../log/kafka/topic-writer.ts'
import { Flow } from '../observe/flows.ts'
import type { Metrics } from '../observe/metrics.ts'
import { keyFields, keyScanner } from '../schema/scan/key-scanner.ts'
import { compileScanner } from '../schema/scan/scanner.ts'
import { type FeedEvent, SinkFeed } from '../transform/sink/feed.ts'
import { within } from './closers.ts'
import { partitionsOf } from './deploy.ts'
import { decoderOf, encoderOf, keyDecoderOf } from './message-formats.ts'
import type { NodeOptions } from './node-options.ts'
import type { NodeStorage } from './open-storage.ts'
import { resolveText } from './settings.ts'

const STOP_MS = 5_000

export interface TopicsParts {
  readonly options: Pick<NodeOptions, 'clock' | 'manifest' | 'variables' | 'directory'>
  readonly storage: Pick<NodeStorage, 'log' | 'catalog' | 'engine' | 'lake'>
  readonly metrics: Pick<Metrics, 'collected' | 'deleted' | 'written'>
  /** Commits what a live relation holds. */
  readonly flush: (relation: string) => Promise<void>
  /** A flow failed; it is tried again after so many milliseconds. */
  readonly onFailed: (flow: Flow, error: MillraceError, againMs: number) => void
  readonly onRecovered: (flow: Flow) => void
  /** A flow has passed something on. */
  readonly onPassed: () => void
}

export interface Topics {
  readonly flows: readonly Flow[]
  /** Sinks hold what they read from expiry when it resolves. */
  start(): Promise<void>
  /** A relation has a new snapshot. */
  committed(relation: string): void
  stop(): Promise<void>
}

export function openTopics(parts: TopicsParts): Topics {
  const copies = parts.options.manifest.relations.flatMap((relation) => {
    const source = topicOf(relation)
    return source ? [copyOf(parts, relation, source)] : []
  })
  const feeds = (parts.options.manifest.sinks ?? []).map((sink) => feedOf(parts, sink))
  return {
    flows: [...copies, ...feeds].map(({ flow }) => flow),
    async start() {
      for (const { copy } of copies) copy.start()
      await Promise.all(feeds.map(({ feed }) => feed.start()))
    },
    committed(relation) {
      for (const { feed, flow } of feeds) if (flow.figures.relation === relation) feed.committed()
    },
    // A cluster that does not answer holds nobody up: what was not written down is done again after the next start.
    async stop() {
      const all = [...copies.map(({ copy }) => copy.stop()), ...feeds.map(({ feed }) => feed.stop())]
      await within(
        parts.options.clock,
        STOP_MS,
        Promise.all(all).then(() => {}),
      )
    },
  }
}

function copyOf(parts: TopicsParts, relation: Relation, source: KafkaSourceManifest): { readonly copy: TopicCopy; readonly flow: Flow } {
  const { clock, manifest, variables } = parts.options
  const { name } = relation
  const flow = new Flow(clock, { direction: 'in', name, relation: name, bus: source.connection.bus, topic: source.topic })
  const copy = new TopicCopy(
    {
      clock,
      log: parts.storage.log,
      catalog: parts.storage.catalog,
      // What a definition refers to may be missing in this environment: that stops the source and nothing else.
      cluster: () => clusterOf(variables, source.connection),
      open: openTopic,
      openReading: (reading) => readerOf(parts.options, name, reading),
      onEvent: (event) => {
        if (event.kind !== 'copied') return tell(parts, flow, event)
        parts.metrics.collected(name, event.rows, event.rejected, event.bytes, event.tookMs)
        parts.metrics.deleted(name, event.deleted)
        parts.onPassed()
      },
    },
    {
      relation: name,
      reading: readingOf(relation, source),
      slackMs: relation.kind === 'stream' ? relation.latenessMs / 2 : 0,
      source,
      group: `millrace.${manifest.project}.${name}`,
    },
  )
  flow.measure(() => copy.lag)
  return { copy, flow }
}

function feedOf(parts: TopicsParts, sink: SinkManifest): { readonly feed: SinkFeed; readonly flow: Flow } {
  const { clock, manifest, variables } = parts.options
  const { engine, lake, catalog } = parts.storage
  const { name, from, to } = sink
  const relation = manifest.relations.find((candidate) => candidate.name === from)!
  const flow = new Flow(clock, { direction: 'out', name, relation: from, bus: to.connection.bus, topic: to.topic })
  const feed = new SinkFeed(
    {
      clock,
      engine,
      lake,
      catalog,
      cluster: () => clusterOf(variables, to.connection),
      open: openWriter,
      encode: () => encoderOf(parts.options, sink),
      flush: () => parts.flush(from),
      onEvent: (event) => {
        if (event.kind !== 'written') return tell(parts, flow, event)
        parts.metrics.written(name, event.messages)
        parts.onPassed()
      },
    },
    { sink, stored: storedShape(relation), unique: uniqueOf(relation), name: `millrace.${manifest.project}.${name}` },
  )
  flow.measure(() => feed.lag)
  return { feed, flow }
}

/** Columns of which one row has each value. */
const uniqueOf = (relation: Relation): readonly string[] =>
  relation.kind === 'stream' || (relation.kind === 'table' && relation.load === 'append') ? [] : relation.key

function tell(parts: TopicsParts, flow: Flow, event: Extract<FeedEvent, { kind: 'failed' | 'recovered' }>): void {
  if (event.kind === 'recovered') {
    flow.recovered()
    parts.onRecovered(flow)
    return
  }
  flow.failed(event.error)
  parts.onFailed(flow, event.error, event.againMs)
}

const readingOf = (relation: Relation, { format, keyFormat }: KafkaSourceManifest): Reading => ({
  shape: relation.shape,
  keyIndex: partitionKeyIndex(relation),
  timeIndex: relation.kind === 'stream' ? relation.shape.fields.findIndex(({ name }) => name === relation.time) : -1,
  partitions: partitionsOf(relation),
  format,
  ...(relation.kind === 'table' ? { keys: { columns: relation.key, ...(keyFormat ? { format: keyFormat } : {}) } } : {}),
})

async function readerOf(
  options: TopicsParts['options'],
  relation: string,
  { shape, format, keys, ...door }: Reading,
): Promise<MessageReader> {
  const decoder = await decoderOf(options, format, shape.fields)
  const reader = { door: { topic: relation, ...door, scanner: compileScanner(shape) }, decoder }
  if (!keys) return reader
  const table = { shape, key: keys.columns }
  return {
    ...reader,
    keys: { scanner: keyScanner(table), decoder: await keyDecoderOf(options, { format: keys.format, values: format }, keyFields(table)) },
  }
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
