// Prometheus metrics: the golden signals of streams, pipelines, commits, queries, runs, checks. Names are registered once;
// labels are names of definitions, never of users or subjects.
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { CacheFigures } from '../objects/file-cache.ts'
import type { StreamEvent } from '../stream/stream-event.ts'
import type { FlowFigures } from './flows.ts'

/** The name of a pipeline without the fingerprint of its code, which would make a new series of each version. */
export const shortName = (pipeline: string): string => pipeline.split('@')[0]!

const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** Of what somebody waits for at a screen: finer below a tenth of a second. */
const DELAY_BUCKETS = [0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10]

export interface Metrics {
  readonly contentType: string
  /** Text of `GET /metrics`. `refresh` callbacks run first. */
  print(): Promise<string>
  collected(stream: string, accepted: number, rejected: number, bytes: number, tookMs: number): void
  /** Messages of a topic that delete a row each. */
  deleted(table: string, count: number): void
  /** Messages that a sink wrote. */
  written(sink: string, messages: number): void
  streamEvent(event: StreamEvent): void
  queried(surface: string, outcome: string, tookMs: number): void
  ran(asset: string, outcome: string, tookMs: number): void
  /** Files and bytes less than before; `table` is empty for what no table reaches. */
  maintained(table: string, chore: string, files: number, bytes: number): void
  checked(relation: string, check: string, isFailed: boolean): void
  committed(table: string): void
  /** Called before each scrape with the gauges to set. */
  onScrape(refresh: (gauges: Gauges) => void): void
}

export interface Gauges {
  lag(pipeline: string, topic: string, partition: number, records: number): void
  freshness(relation: string, seconds: number): void
  rows(relation: string, outcome: string, count: number): void
  watermark(pipeline: string, secondsBehind: number): void
  state(pipeline: string, bytes: number): void
  spilled(pipeline: string, bytes: number): void
  hotKey(stream: string, share: number): void
  flow(figures: FlowFigures): void
  cache(figures: CacheFigures): void
}

export function openMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string, labelNames: string[]): Counter =>
    new Counter({ name: `millrace_${name}`, help, labelNames, registers })
  const gauge = (name: string, help: string, labelNames: string[]): Gauge =>
    new Gauge({ name: `millrace_${name}`, help, labelNames, registers })
  const histogram = (name: string, help: string, labelNames: string[], buckets = LATENCY_BUCKETS): Histogram =>
    new Histogram({ name: `millrace_${name}`, help, labelNames, registers, buckets })

  const records = counter('ingest_records_total', 'Rows answered by the door', ['stream', 'result'])
  const bytes = counter('ingest_bytes_total', 'Bytes of bodies taken by the door', ['stream'])
  const acknowledged = histogram('ingest_duration_seconds', 'From request to durable acknowledgement', ['stream'])
  const lag = gauge('pipeline_lag_records', 'Records in the log that a pipeline has not read', ['pipeline', 'topic', 'partition'])
  const delay = histogram('pipeline_delay_seconds', 'From a row in the log until its pipeline has taken it in', ['pipeline'], DELAY_BUCKETS)
  const own = histogram(
    'pipeline_own_delay_seconds',
    'From a row being durable and readable in the log until its pipeline has taken it in',
    ['pipeline'],
    DELAY_BUCKETS,
  )
  const watermark = gauge('pipeline_watermark_delay_seconds', 'Now minus the watermark', ['pipeline'])
  const state = gauge('pipeline_state_bytes', 'Memory of the state of a processor or live model', ['pipeline'])
  const spilled = gauge('pipeline_spilled_bytes', 'State of a live model that has no room in its memory and lies on the disk', ['pipeline'])
  const hotKey = gauge('stream_hot_key_share', 'Part of recent rows of a stream that its most frequent key has, at least', ['stream'])
  const written = counter('sink_messages_total', 'Messages that a sink has written', ['sink'])
  const topicLag = gauge(
    'topic_lag_messages',
    'Messages of a topic that are not in the log yet; of a sink, rows that are committed and not written',
    ['direction', 'name', 'topic'],
  )
  const topicStopped = gauge('topic_stopped', '1 while a topic cannot be read, or a sink cannot write', ['direction', 'name', 'topic'])
  const classified = gauge('stream_records', 'Records of a stream by what became of them: in = out + late + rejected + deduplicated', [
    'stream',
    'outcome',
  ])
  const flushed = counter('flush_rows_total', 'Rows committed by flushes', ['pipeline'])
  const flushTime = histogram('flush_duration_seconds', 'From cut to commit', ['pipeline'])
  const failures = counter('pipeline_failures_total', 'Times a pipeline started again from its last commit', ['pipeline', 'code'])
  const commits = counter('commits_total', 'Commits of a table', ['table'])
  const queries = histogram('query_duration_seconds', 'Questions answered', ['surface', 'outcome'])
  const runs = histogram('run_duration_seconds', 'Steps of runs', ['asset', 'outcome'])
  const filesSaved = counter('maintenance_files_saved_total', 'Files that maintenance has joined or removed', ['table', 'chore'])
  const bytesSaved = counter('maintenance_bytes_saved_total', 'Bytes that maintenance has freed', ['table', 'chore'])
  const checks = gauge('check_failed', '1 while a check fails', ['relation', 'check'])
  const freshness = gauge('asset_freshness_seconds', 'Age of a relation', ['relation'])

  // Counted by the cache itself: a counter here is what it says.
  const cacheReads = counter('cache_reads_total', 'Objects asked of the local cache', ['result'])
  const cacheDownloaded = counter('cache_read_bytes_total', 'Bytes read from the object store into the cache', [])
  const cacheEvicted = counter('cache_evicted_total', 'Copies that went to keep the cache in its limit', [])
  const cacheDamaged = counter('cache_damaged_total', 'Copies that were found damaged and read again', [])
  const cacheBytes = gauge('cache_bytes', 'Bytes of copies of objects on this machine', [])

  const refreshers: ((gauges: Gauges) => void)[] = []
  const gauges: Gauges = {
    lag: (pipeline, topic, partition, value) => lag.set({ pipeline, topic, partition: String(partition) }, value),
    freshness: (relation, seconds) => freshness.set({ relation }, seconds),
    rows: (stream, outcome, count) => classified.set({ stream, outcome }, count),
    state: (pipeline, bytes) => state.set({ pipeline }, bytes),
    spilled: (pipeline, bytes) => spilled.set({ pipeline }, bytes),
    hotKey: (stream, share) => hotKey.set({ stream }, share),
    flow({ direction, name, topic, lag, stopped }) {
      if (lag !== null) topicLag.set({ direction, name, topic }, lag)
      topicStopped.set({ direction, name, topic }, stopped === null ? 0 : 1)
    },
    watermark: (pipeline, seconds) => watermark.set({ pipeline }, seconds),
    cache(figures) {
      for (const one of [cacheReads, cacheDownloaded, cacheEvicted, cacheDamaged]) one.reset()
      cacheReads.inc({ result: 'hit' }, figures.hits)
      cacheReads.inc({ result: 'miss' }, figures.misses)
      cacheDownloaded.inc(figures.readBytes)
      cacheEvicted.inc(figures.evicted)
      cacheDamaged.inc(figures.damaged)
      cacheBytes.set(figures.sizeBytes)
    },
  }
  return {
    contentType: registry.contentType,
    async print() {
      for (const refresh of refreshers) refresh(gauges)
      return registry.metrics()
    },
    collected(stream, accepted, rejected, size, tookMs) {
      if (accepted > 0) records.inc({ stream, result: 'accepted' }, accepted)
      if (rejected > 0) records.inc({ stream, result: 'rejected' }, rejected)
      bytes.inc({ stream }, size)
      acknowledged.observe({ stream }, tookMs / 1_000)
    },
    deleted(table, count) {
      if (count > 0) records.inc({ stream: table, result: 'deleted' }, count)
    },
    written: (sink, messages) => written.inc({ sink }, messages),
    streamEvent(event) {
      const pipeline = shortName(event.pipeline)
      if (event.kind === 'applied') lag.set({ pipeline, topic: event.delivery.topic, partition: String(event.partition) }, event.lag)
      else if (event.kind === 'taken') {
        delay.observe({ pipeline }, event.waitedMs / 1_000)
        if (event.ownMs !== null) own.observe({ pipeline }, event.ownMs / 1_000)
      } else if (event.kind === 'failed') failures.inc({ pipeline, code: event.error.code })
      else if (event.kind === 'flushed') {
        flushed.inc({ pipeline }, event.rows)
        flushTime.observe({ pipeline }, event.tookMs / 1_000)
      }
    },
    queried: (surface, outcome, tookMs) => queries.observe({ surface, outcome }, tookMs / 1_000),
    ran: (asset, outcome, tookMs) => runs.observe({ asset, outcome }, tookMs / 1_000),
    maintained(table, chore, files, bytes) {
      if (files > 0) filesSaved.inc({ table, chore }, files)
      if (bytes > 0) bytesSaved.inc({ table, chore }, bytes)
    },
    checked: (relation, check, isFailed) => checks.set({ relation, check }, isFailed ? 1 : 0),
    committed: (table) => commits.inc({ table }),
    onScrape: (refresh) => refreshers.push(refresh),
  }
}
