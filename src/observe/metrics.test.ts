// The metrics that dashboards rely on: their names, and that each event counts once.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import type { Log } from '../log/log.ts'
import type { Delivery } from '../stream/delivery.ts'
import { Figures, type Watched } from './figures.ts'
import { openMetrics } from './metrics.ts'
import { SeriesStore } from './series.ts'

test('names and labels', async () => {
  const metrics = openMetrics()
  metrics.collected('events', 3, 1, 100, 5)
  metrics.deleted('stock', 2)
  metrics.streamEvent({ kind: 'flushed', pipeline: 'live:m@abc', tables: ['m'], rows: 7, tookMs: 20 })
  metrics.streamEvent({ kind: 'failed', pipeline: 'live:m@abc', error: new MillraceError('MR_LOG_IO', 'x'), againMs: 1 })
  metrics.streamEvent({ kind: 'taken', pipeline: 'live:m@abc', waitedMs: 12, ownMs: 7 })
  metrics.committed('m')
  metrics.queried('sql', 'ok', 5)
  metrics.ran('m', 'succeeded', 5)
  metrics.checked('m', 'sane.x', true)
  metrics.onScrape((gauges) => gauges.freshness('m', 12))
  const text = await metrics.print()
  for (const line of [
    'millrace_ingest_records_total{stream="events",result="accepted"} 3',
    'millrace_ingest_records_total{stream="events",result="rejected"} 1',
    'millrace_ingest_records_total{stream="stock",result="deleted"} 2',
    'millrace_ingest_bytes_total{stream="events"} 100',
    'millrace_ingest_duration_seconds_count{stream="events"} 1',
    'millrace_flush_rows_total{pipeline="live:m"} 7',
    'millrace_flush_duration_seconds_count{pipeline="live:m"} 1',
    'millrace_pipeline_failures_total{pipeline="live:m",code="MR_LOG_IO"} 1',
    'millrace_pipeline_delay_seconds_sum{pipeline="live:m"} 0.012',
    'millrace_pipeline_own_delay_seconds_sum{pipeline="live:m"} 0.007',
    'millrace_commits_total{table="m"} 1',
    'millrace_query_duration_seconds_count{surface="sql",outcome="ok"} 1',
    'millrace_run_duration_seconds_count{asset="m",outcome="succeeded"} 1',
    'millrace_check_failed{relation="m",check="sane.x"} 1',
    'millrace_asset_freshness_seconds{relation="m"} 12',
  ])
    assert.ok(text.includes(`${line}\n`), line)
})

test('figures of pipelines: lag, watermark, what became of records, and since when one stands still', async () => {
  const clock = new VirtualClock(100_000)
  const series = new SeriesStore()
  const log = { range: () => ({ start: 0, end: 12 }) } as unknown as Log
  const figures = new Figures({ clock, series, log })
  const inputs = [
    { topic: 'events', partition: 0, position: 10, committed: 5, watermarkUs: 90_000_000 },
    { topic: 'events', partition: 1, position: 12, committed: 12, watermarkUs: null },
  ]
  const pipeline = { settings: { name: 'stream:events' }, topics: ['events'], inputs }
  figures.watch([{ pipeline, sink: {}, makes: 'events' } as unknown as Watched])
  const delivery = {
    appendMs: Float64Array.of(98_000),
    batch: { rows: 3 },
    rejected: [{}],
    classified: { out: Int32Array.of(0, 1) },
  } as unknown as Delivery
  figures.event({ kind: 'failed', pipeline: 'stream:events', error: new MillraceError('MR_LOG_IO', 'gone'), againMs: 1 })
  await clock.advance(1_000)
  figures.event({ kind: 'failed', pipeline: 'stream:events', error: new MillraceError('MR_LOG_IO', 'gone'), againMs: 1 })
  assert.deepEqual(figures.pipelines()[0]!.stopped, { code: 'MR_LOG_IO', message: 'gone', sinceMs: 100_000 })
  figures.event({ kind: 'applied', pipeline: 'stream:events', partition: 0, delivery, lag: 2 })
  assert.equal(figures.pipelines()[0]!.stopped?.sinceMs, 100_000, 'what is read again before it fails again')
  figures.event({ kind: 'recovered', pipeline: 'stream:events' })
  assert.equal(figures.pipelines()[0]!.stopped, null)
  const last = (name: string): unknown => series.read(name, clock.nowMs(), 10_000, 1, 'last').values[0]
  assert.deepEqual(['in:events', 'out:events', 'lag:stream:events', 'watermark:events:0'].map(last), [4, 2, 3_000, 11_000])
  const metrics = openMetrics()
  figures.refresh(metrics)
  const text = await metrics.print()
  assert.ok(text.includes('millrace_pipeline_lag_records{pipeline="stream:events",topic="events",partition="0"} 2\n'))
  assert.ok(text.includes('millrace_pipeline_watermark_delay_seconds{pipeline="stream:events"} 11\n'))
  assert.equal(figures.makes('stream:events'), 'events')
})
