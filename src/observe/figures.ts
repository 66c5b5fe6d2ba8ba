// Figures of pipelines for the console and metrics: rates, lags, watermarks, what became of records. Fed by events; nothing
// else depends on them.
import type { Clock } from '../core/clock.ts'
import type { Log } from '../log/log.ts'
import { Materialize, type StreamCounts } from '../stream/materialize.ts'
import type { Pipeline, Sink, StreamEvent } from '../stream/pipeline.ts'
import type { StreamSource } from '../stream/source.ts'
import { type Metrics, shortName } from './metrics.ts'
import type { SeriesStore } from './series.ts'

export interface Watched {
  readonly pipeline: Pipeline
  readonly source: StreamSource
  readonly sink: Sink
  readonly makes: string
}

export interface PipelineFigures {
  /** Without the fingerprint of live models: `live:views_per_minute`. */
  readonly name: string
  readonly topic: string
  readonly positions: readonly number[]
  readonly committed: readonly number[]
  readonly watermarksUs: readonly (number | null)[]
  readonly counts: StreamCounts | null
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
    this.#stopped.delete(event.pipeline)
    if (event.kind !== 'applied') return
    const { delivery } = event
    const oldest = delivery.appendMs[0]
    if (oldest !== undefined) series.record(`lag:${name}`, nowMs, Math.max(0, nowMs - oldest), 'max')
    if (!name.startsWith('stream:')) return
    const stream = name.slice('stream:'.length)
    series.record(`in:${stream}`, nowMs, delivery.batch.rows + delivery.rejected.length, 'add')
    series.record(`out:${stream}`, nowMs, delivery.classified.out.length, 'add')
    const watermarkUs = this.#watched
      .find((watched) => watched.pipeline.settings.name === event.pipeline)
      ?.source.watermarkOf(event.partition)
    if (watermarkUs !== null && watermarkUs !== undefined)
      series.record(`watermark:${stream}:${event.partition}`, nowMs, nowMs - watermarkUs / 1_000, 'set')
  }

  pipelines(): PipelineFigures[] {
    return this.#watched.map(({ pipeline, source, sink }) => ({
      name: shortName(pipeline.settings.name),
      topic: pipeline.settings.topic,
      positions: [...pipeline.positions],
      committed: [...pipeline.committed],
      watermarksUs: pipeline.positions.map((_, partition) => source.watermarkOf(partition)),
      counts: sink instanceof Materialize ? sink.counts : null,
      stopped: this.#stopped.get(pipeline.settings.name) ?? null,
    }))
  }

  /** Sets the gauges that change without an event. */
  refresh(metrics: Metrics): void {
    metrics.onScrape((gauges) => {
      const nowMs = this.#parts.clock.nowMs()
      for (const figures of this.pipelines()) {
        figures.positions.forEach((position, partition) => {
          gauges.lag(figures.name, partition, Math.max(0, this.#parts.log.range(figures.topic, partition).end - position))
        })
        const known = figures.watermarksUs.filter((us) => us !== null)
        if (known.length > 0) gauges.watermark(figures.name, nowMs / 1_000 - Math.min(...known) / 1e6)
        const { counts } = figures
        if (counts) for (const [outcome, count] of Object.entries(counts)) gauges.rows(figures.topic, outcome, count)
      }
    })
  }
}
