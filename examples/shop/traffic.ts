// The shop's traffic: replays the real transactions and clicks over HTTP, in time order, first the history in bulk and then
// a steady trickle. Run it beside `millrace dev`:  node traffic.ts --url http://127.0.0.1:4100 --token ...
// It counts exactly what the server acknowledged, by kind, so that in = out + late + rejected + deduplicated can be checked.
import { hash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DAMAGES, type Event, type EventKind, type Faults, printEvent, type StreamName } from './traffic/event.ts'
import { send, type Target, type TrafficClock } from './traffic/send.ts'
import { type Timeline, type TimelineOptions, timelineOf } from './traffic/timeline.ts'

export interface ReplayOptions {
  /** Of the server, such as `http://127.0.0.1:4100`. */
  readonly url: string
  readonly token?: string
  /** history: the past in bulk, then done. live: only what follows it. Default: both. */
  readonly mode?: 'history' | 'live' | 'both'
  /** The end of history, milliseconds since 1970; default now. */
  readonly until?: number
  /** How many of the 13 months are history; default all. */
  readonly months?: number
  /** All rows of the files are history, which then ends up to a week before `until`; default false. */
  readonly whole?: boolean
  /** Events per second of the live part; default 50. */
  readonly speed?: number
  /** Ends the live part after so many milliseconds; default never. */
  readonly liveMs?: number
  readonly seed?: number
  /** Shares of extra rows; defaults 0.002 duplicates, 0.002 late, 0.001 bad. */
  readonly faults?: Partial<Faults>
  /** Share of payments that start a case of fraud; default 0.012. */
  readonly fraud?: number
  readonly clock?: TrafficClock
  /** Ends the replay after the batches under way. */
  readonly signal?: AbortSignal
  /** After each acknowledged batch. */
  readonly onProgress?: (report: ReplayReport) => void
  readonly fetch?: typeof fetch
}

/** What one stream was sent; all rows are acknowledged ones. `row + duplicate + late + bad = accepted + rejected`. */
export interface StreamReport extends Record<EventKind, number> {
  /** As the server answered. */
  accepted: number
  rejected: number
  batches: number
  /** Batches that had to be sent more than once. */
  retried: number
  /** Faulty rows by the code with which they should be refused. */
  badBy: Record<string, number>
}

export interface ReplayReport {
  phase: 'history' | 'live' | 'done'
  /** Event time of the last row acknowledged. */
  atMs: number
  sent: number
  readonly streams: Record<StreamName, StreamReport>
}

const BATCH = 1000
const TICK_MS = 100

/** Replays until history is sent (`history`), `liveMs` has passed or `signal` is aborted; returns the counts.
 *  @throws Error when the server refuses a batch for good. */
export async function replay(options: ReplayOptions): Promise<ReplayReport> {
  const clock = options.clock ?? machineClock
  const timelineOptions: TimelineOptions = {
    seed: options.seed ?? 1,
    untilMs: options.until ?? clock.nowMs(),
    months: options.months ?? 13,
    whole: options.whole ?? false,
    faults: { duplicates: 0.002, late: 0.002, bad: 0.001, ...options.faults },
    fraud: options.fraud ?? 0.012,
  }
  const timeline = timelineOf(timelineOptions)
  const target: Target = { url: options.url, token: options.token, clock, fetch: options.fetch ?? fetch }
  const lanes = new Lanes(target, options)
  const mode = options.mode ?? 'both'
  if (mode !== 'live')
    await replayHistory(timeline, lanes, `history-${hash('sha1', JSON.stringify(timelineOptions)).slice(0, 16)}`, options)
  if (mode !== 'history') await replayLive(timeline, lanes, clock, options)
  lanes.report.phase = 'done'
  return lanes.report
}

async function replayHistory(timeline: Timeline, lanes: Lanes, run: string, options: ReplayOptions): Promise<void> {
  for (const event of timeline.history()) {
    if (options.signal?.aborted) break
    await lanes.add(event, event.atMs, run)
  }
  await lanes.flush(run)
}

/** Events take the moment of sending as their time: the order is the real one, the pace is `speed`. */
async function replayLive(timeline: Timeline, lanes: Lanes, clock: TrafficClock, options: ReplayOptions): Promise<void> {
  lanes.report.phase = 'live'
  const startMs = clock.nowMs()
  const run = Math.floor(startMs / 1000).toString(36)
  const events = timeline.live(run)
  let lastMs = startMs
  let due = 0
  while (!options.signal?.aborted && clock.nowMs() - startMs < (options.liveMs ?? Infinity)) {
    await clock.sleep(TICK_MS, options.signal).catch(() => undefined)
    const nowMs = clock.nowMs()
    // After a stall (a busy server, a sleeping laptop) at most two seconds are made up for.
    due += (Math.min(nowMs - lastMs, 2000) * (options.speed ?? 50)) / 1000
    lastMs = nowMs
    for (; due >= 1; due--) await lanes.add(events.next().value as Event, nowMs, `live-${run}`)
    await lanes.flush(`live-${run}`)
  }
}

interface Batch {
  lines: string[]
  events: Event[]
}

/** One lane per stream: at most one batch under way in each, so rows arrive in their order. */
class Lanes {
  readonly report: ReplayReport
  readonly #target: Target
  readonly #onProgress: ((report: ReplayReport) => void) | undefined
  readonly #waiting = new Map<StreamName, Batch>()
  readonly #underWay = new Map<StreamName, Promise<void>>()
  #lastMs = 0

  constructor(target: Target, options: ReplayOptions) {
    this.#target = target
    this.#onProgress = options.onProgress
    const streams = { order_lines: emptyReport(), payments: emptyReport(), clicks: emptyReport(), fraud_labels: emptyReport() }
    this.report = { phase: 'history', atMs: 0, sent: 0, streams }
  }

  async add(event: Event, atMs: number, run: string): Promise<void> {
    const batch = this.#waiting.get(event.stream) ?? { lines: [], events: [] }
    this.#waiting.set(event.stream, batch)
    batch.lines.push(printEvent(event, atMs))
    batch.events.push(event)
    this.#lastMs = atMs
    if (batch.lines.length >= BATCH) await this.#start(event.stream, run)
  }

  /** Sends what waits, and waits for all that is under way. */
  async flush(run: string): Promise<void> {
    for (const stream of [...this.#waiting.keys()]) await this.#start(stream, run)
    await Promise.all(this.#underWay.values())
  }

  async #start(stream: StreamName, run: string): Promise<void> {
    const batch = this.#waiting.get(stream)
    if (!batch) return
    await this.#underWay.get(stream)
    this.#waiting.delete(stream)
    const sending = this.#send(stream, run, batch)
    // Whoever awaits the lane next sees the failure; without this line Node would end the process before.
    sending.catch(() => undefined)
    this.#underWay.set(stream, sending)
  }

  async #send(stream: StreamName, run: string, batch: Batch): Promise<void> {
    const report = this.report.streams[stream]
    const answer = await send(this.#target, stream, `shop-${run}-${stream}-${report.batches}`, batch.lines)
    report.batches++
    if (answer.tries > 1) report.retried++
    report.accepted += answer.accepted
    report.rejected += answer.rejected
    for (const { kind, damage } of batch.events) {
      report[kind]++
      if (damage) report.badBy[DAMAGES[damage]] = (report.badBy[DAMAGES[damage]] ?? 0) + 1
    }
    this.report.sent += batch.lines.length
    this.report.atMs = this.#lastMs
    this.#onProgress?.(this.report)
  }
}

const emptyReport = (): StreamReport => ({
  row: 0,
  duplicate: 0,
  late: 0,
  bad: 0,
  accepted: 0,
  rejected: 0,
  batches: 0,
  retried: 0,
  badBy: {},
})

const machineClock: TrafficClock = { nowMs: () => Date.now(), sleep: (ms, signal) => wait(ms, undefined, signal ? { signal } : {}) }

/** One line per stream, for people. */
export function printReport(report: ReplayReport): string {
  const streams = Object.entries(report.streams).map(
    ([name, s]) =>
      `${name} rows=${s.row} duplicates=${s.duplicate} late=${s.late} bad=${s.bad} accepted=${s.accepted} rejected=${s.rejected}`,
  )
  return [`${report.phase} sent=${report.sent} at=${new Date(report.atMs).toISOString()}`, ...streams].join('\n  ')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', default: 'http://127.0.0.1:4100' },
      token: { type: 'string' },
      mode: { type: 'string', default: 'both' },
      months: { type: 'string', default: '13' },
      speed: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      until: { type: 'string' },
      'live-seconds': { type: 'string' },
      whole: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  })
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort())
  let shownMs = 0
  const token = values.token ?? process.env['MILLRACE_TOKEN']
  const report = await replay({
    url: values.url,
    mode: values.mode as 'history' | 'live' | 'both',
    months: Number(values.months),
    speed: Number(values.speed),
    seed: Number(values.seed),
    whole: values.whole,
    signal: stop.signal,
    ...(token === undefined ? {} : { token }),
    ...(values.until === undefined ? {} : { until: Date.parse(values.until) }),
    ...(values['live-seconds'] === undefined ? {} : { liveMs: Number(values['live-seconds']) * 1000 }),
    onProgress(now) {
      if (Date.now() - shownMs < 5000) return
      shownMs = Date.now()
      console.log(values.json ? JSON.stringify(now) : printReport(now))
    },
  })
  console.log(values.json ? JSON.stringify(report) : printReport(report))
}

if (import.meta.main) await main()
