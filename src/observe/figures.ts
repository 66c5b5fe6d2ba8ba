// Figures of pipelines for the console and metrics: rates, lags, watermarks, what became of records. Fed by events; nothing
// else depends on them.
import type { Clock } from '../core/clock.ts'
import type { Log } from '../log/log.ts'
import { Live, type LiveCounts } from '../stream/live.ts'
import { Materialize, type StreamCounts } from '../stream/materialize.ts'
import type { Pipeline } from '../stream/pipeline.ts'
import type { InputProgress, Rebuild } from '../stream/pipeline-progress.ts'
import { Process } from '../stream/processor/process.ts'
import type { Sink } from '../stream/sink.ts'
import type { StreamEvent } from '../stream/stream-event.ts'
import { type Metrics, shortName } from './metrics.ts'
import type { SeriesStore } from './series.ts'

export interface Watched {
  readonly pipeline: Pipeline
  readonly sink: Sink
  readonly makes: string
}

export interface PipelineFigures {
  /** Without the fingerprint of live models: `live:views_per_minute`. */
  readonly name: string
  readonly topics: readonly string[]
  /** Every partition of every topic, those of one topic in order. */
  readonly inputs: readonly InputProgress[]
  /** The relation that it makes. */
  readonly makes: string
  readonly counts: StreamCounts | null
  /** Of live models. */
  readonly live: LiveCounts | null
  /** Of a stream with a key: the part of recent rows that one key has at least, where that is known. */
  readonly hotKeyShare: number | null
  /** About how much memory its state takes, of processors and live models. */
  readonly stateBytes: number | null
  /** Of a live model that is computed again; what it had is shown. */
  readonly rebuild: Rebuild | null
  readonly stopped: { readonly code: string; readonly message: string; readonly sinceMs: number } | null
}

export interface FiguresParts {
  readonly clock: Clock
  readonly series: SeriesStore
  readonly log: Log
}

export class Figures {
  readonly #parts: FiguresParts
  #watched: readonly Watched[] = []
  readonly #stopped = new Map<string, { code: string; message: string; sinceMs: number }>()

  constructor(parts: FiguresParts) {
    this.#parts = parts
  }

  watch(watched: readonly Watched[]): void {
    this.#watched = watched
  }

  /** The relation that a pipeline makes. */
  makes(pipeline: string): string {
    return this.#watched.find((watched) => watched.pipeline.settings.name === pipeline)?.makes ?? pipeline
  }

  event(event: StreamEvent): void {
    const { clock, series } = this.#parts
    const nowMs = clock.nowMs()
    const name = shortName(event.pipeline)
    if (event.kind === 'failed') {
      const sinceMs = this.#stopped.get(event.pipeline)?.sinceMs ?? nowMs
      this.#stopped.set(event.pipeline, { code: event.error.code, message: event.error.message, sinceMs })
      return
    }
    // Rows that it reads again, up to the one that stops it every time, are no sign of health.
    if (event.kind !== 'applied') {
      this.#stopped.delete(event.pipeline)
      return
    }
    const { delivery } = event
    const oldest = delivery.appendMs[0]
    if (oldest !== undefined) series.record(`lag:${name}`, nowMs, Math.max(0, nowMs - oldest), 'max')
    if (!name.startsWith('stream:')) return
    const stream = name.slice('stream:'.length)
    series.record(`in:${stream}`, nowMs, delivery.batch.rows + delivery.rejected.length, 'add')
    series.record(`out:${stream}`, nowMs, delivery.classified.out.length, 'add')
    const watermarkUs = this.#watched
      .find((watched) => watched.pipeline.settings.name === event.pipeline)
      ?.pipeline.inputs.find(({ partition }) => partition === event.partition)?.watermarkUs
    if (watermarkUs !== null && watermarkUs !== undefined)
      series.record(`watermark:${stream}:${event.partition}`, nowMs, nowMs - watermarkUs / 1_000, 'set')
  }

  pipelines(): PipelineFigures[] {
    return this.#watched.map(({ pipeline, sink, makes }) => ({
      name: shortName(pipeline.settings.name),
      topics: pipeline.topics,
      inputs: pipeline.inputs,
      makes,
      counts: sink instanceof Materialize ? sink.counts : null,
      live: sink instanceof Live ? sink.counts : null,
      hotKeyShare: sink instanceof Materialize ? sink.hotKeyShare : null,
      stateBytes: sink instanceof Live || sink instanceof Process ? sink.stateBytes : null,
      rebuild: pipeline.rebuild,
      stopped: this.#stopped.get(pipeline.settings.name) ?? null,
    }))
  }

  /** Sets the gauges that change without an event. */
  refresh(metrics: Metrics): void {
    metrics.onScrape((gauges) => {
      const nowMs = this.#parts.clock.nowMs()
      for (const figures of this.pipelines()) {
        for (const { topic, partition, position } of figures.inputs)
          gauges.lag(figures.name, topic, partition, Math.max(0, this.#parts.log.range(topic, partition).end - position))
        const known = figures.inputs.map(({ watermarkUs }) => watermarkUs).filter((us) => us !== null)
        if (known.length > 0) gauges.watermark(figures.name, nowMs / 1_000 - Math.min(...known) / 1e6)
        if (figures.live) for (const [outcome, count] of Object.entries(figures.live)) gauges.rows(figures.makes, outcome, count)
        if (figures.hotKeyShare !== null) gauges.hotKey(figures.topics[0]!, figures.hotKeyShare)
        if (figures.stateBytes !== null) gauges.state(figures.name, figures.stateBytes)
        const { counts } = figures
        if (counts) for (const [outcome, count] of Object.entries(counts)) gauges.rows(figures.topics[0]!, outcome, count)
      }
    })
  }
}
