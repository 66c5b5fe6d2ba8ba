// The life of a pipeline: recover from the last commit, then read, apply and flush until stopped. What it does with rows is
// its `Sink`. Everything between two commits is a function of (checkpoint, log): after any failure the pipeline starts
// again from the commit. PROTOCOL rules 10 to 17.
import { asMillraceError } from '../core/errors.ts'
import { uuidV7 } from '../core/random.ts'
import { CatchUp } from './catch-up.ts'
import { commitCut, type PipelineState } from './commit-cut.ts'
import { IdleWatch } from './idle.ts'
import { type Input, Inputs } from './inputs.ts'
import { Intake } from './intake.ts'
import { Lookups } from './lookups.ts'
import { breathe, type Round, rest } from './pace.ts'
import type { InputProgress, Rebuild } from './pipeline-progress.ts'
import type { PipelineParts, PipelineSettings } from './pipeline-settings.ts'
import { type OpenHistory, readHistory } from './replay.ts'
import type { Sink } from './sink.ts'
import type { StreamSource } from './source.ts'

const BACKOFF_MAX_MS = 10_000
const IDLE_MS = 30_000
/** For so long one that has just read waits with its next read on its way. */
const FOLLOW_MS = 20

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

export class Pipeline {
  readonly settings: PipelineSettings
  readonly #parts: PipelineParts
  readonly #inputs: Inputs
  readonly #sink: Sink
  readonly #stop = new AbortController()
  readonly #idleWatch: IdleWatch | null
  readonly #lookups: Lookups<Input>
  readonly #intake: Intake
  #generation = ''
  /** Location of the checkpoint of the last commit. */
  #checkpoint: string | null = null
  /** It has read nothing yet, or is to forget what it has read. */
  #isAnew = false
  #lastCutMs = 0
  #flushed: number[] = []
  #flushing: Promise<void> | null = null
  #flushError: unknown = null
  /** And nothing has told since that it goes on. */
  #hasFailed = false
  #flushAsked: (() => void)[] = []
  readonly #catchUp = new CatchUp()
  #wake: (() => void) | null = null
  #done: Promise<void> = Promise.resolve()
  readonly #openHistory: OpenHistory | null
  /** Ends of the log that a rebuilt model has to reach before it is shown. */
  #caughtUpAt: readonly number[] = []
  #rebuildAsked: (() => void)[] = []
  /** Of those who asked before what runs began. */
  #rebuilding: (() => void)[] = []
  #replayedRows = 0
  #isReplaying = false
  readonly #ready = Promise.withResolvers<void>()

  constructor(
    settings: PipelineSettings,
    parts: PipelineParts,
    sources: readonly StreamSource[],
    sink: Sink,
    openHistory: OpenHistory | null = null,
  ) {
    this.settings = settings
    this.#openHistory = openHistory
    this.#parts = parts
    this.#inputs = new Inputs(sources, parts.log)
    this.#sink = sink
    this.#lookups = new Lookups(this.#inputs.all)
    const timed = sources.filter(({ hasWatermark }) => hasWatermark).length
    const decides = timed > 1 || (sink.ownsStream && sources[0]!.needsIdleDecisions)
    this.#idleWatch = decides ? new IdleWatch(parts.clock, this.#inputs.timed, settings.idleMs ?? IDLE_MS) : null
    this.#intake = new Intake(settings, parts, {
      inputs: this.#inputs,
      sink,
      lookups: this.#lookups,
      idleWatch: this.#idleWatch,
      catchUp: this.#catchUp,
    })
  }

  /** Every partition of every topic that it reads. */
  get inputs(): readonly InputProgress[] {
    return this.#inputs.all.map(({ source, topic, partition }, index) => ({
      topic,
      partition,
      position: source.positions[partition]!,
      committed: this.#keptFrom(source.positions[partition]!, this.#flushed[index]),
      watermarkUs: source.watermarkOf(partition),
    }))
  }

  /** One that computes everything again needs what it has not read yet, however far it had been. */
  #keptFrom(position: number, committed: number | undefined): number | null {
    return committed === undefined ? null : this.#isAnew ? Math.min(position, committed) : committed
  }

  get topics(): readonly string[] {
    return this.#inputs.sources.map(({ topic }) => topic)
  }

  /** See `Inputs`. */
  get watermarkUs(): number | null {
    return this.#inputs.watermarkUs
  }

  /** It was told to, or another owner has taken over. */
  get isStopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Resolves once the state of the last commit is restored, or the first try to do so has failed: nobody waits for one that cannot. */
  get ready(): Promise<void> {
    return this.#ready.promise
  }

  start(): void {
    this.#done = this.#run()
  }

  /** Stops as it stands: what was not flushed before is read again from the log. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake?.()
    await this.#done
  }

  /** Reads everything that is durable now and commits it; resolves early when the pipeline stops. A failure on the way delays it. */
  async flush(): Promise<void> {
    const target = this.#inputs.ends
    while (!this.#stop.signal.aborted && target.some((end, index) => (this.#flushed[index] ?? 0) < end)) {
      await new Promise<void>((resolve) => {
        this.#flushAsked.push(resolve)
        this.#wake?.()
      })
    }
  }

  /**
   * Takes in everything that is durable now: a sink that makes tables shows it. Answers in which of its lives: in the next one it begins
   * again at what is committed, and shows less for a while. Null when it was stopped before.
   */
  async catchUp(): Promise<string | null> {
    await this.#catchUp.until(
      this.#inputs.ends,
      () => this.#stop.signal.aborted,
      () => this.#wake?.(),
    )
    return this.#stop.signal.aborted ? null : this.#generation
  }

  /** See `catchUp`. */
  get life(): string {
    return this.#generation
  }

  /** How far a rebuild is; null while none is under way. */
  get rebuild(): Rebuild | null {
    if (this.#mustStartAnew) return { historyRows: 0, leftInLog: null }
    if (!this.#sink.isRebuilding && this.#rebuilding.length === 0) return null
    const left = this.#inputs.ends.reduce((sum, end, index) => sum + end - this.#inputs.positions[index]!, 0)
    return { historyRows: this.#replayedRows, leftInLog: this.#isReplaying ? null : left }
  }

  /**
   * Computes everything again, from the history of its streams on; what is committed is shown until that has caught up, and
   * replaced then in one commit. Resolves when it is, or the pipeline stops. After a crash before the old goes on.
   */
  async startRebuild(): Promise<void> {
    if (this.#stop.signal.aborted) return
    await new Promise<void>((resolve) => {
      this.#rebuildAsked.push(resolve)
      this.#wake?.()
    })
  }

  async #run(): Promise<void> {
    let againMs = 100
    while (!this.#stop.signal.aborted) {
      try {
        await this.#recover()
        this.#ready.resolve()
        await this.#readHistory()
        await this.#loop(() => {
          againMs = 100
        })
      } catch (error) {
        if (this.#stop.signal.aborted) break
        this.#ready.resolve()
        const failure = asMillraceError(error)
        const isReplaced = failure.code === 'MR_LAKE_FENCED'
        this.#hasFailed = true
        this.#parts.onEvent({
          kind: 'failed',
          pipeline: this.settings.name,
          error: failure,
          againMs: isReplaced ? Number.POSITIVE_INFINITY : againMs,
        })
        await this.#flushing
        if (isReplaced) this.#stop.abort()
        await this.#parts.clock.sleep(againMs, this.#stop.signal).catch(() => {})
        // A call that was ended is set aside by the next tries: nothing is won by waiting longer.
        if (failure.code !== 'MR_PROCESSOR_ENDED') againMs = Math.min(BACKOFF_MAX_MS, againMs * 2)
      }
    }
    await this.#flushing
    for (const asked of [this.#flushAsked, this.#rebuildAsked, this.#rebuilding]) for (const resolve of asked.splice(0)) resolve()
    this.#catchUp.endWaits()
  }

  async #recover(): Promise<void> {
    const { catalog, checkpoints, clock, random } = this.#parts
    this.#generation = uuidV7(clock.nowMs(), random)
    this.#flushError = null
    await catalog.acquire(this.settings.name, this.#generation)
    const progress = (await this.#ownsTable()) ? await catalog.progress(this.settings.name) : { offsets: [], checkpoint: null }
    this.#rebuilding.push(...this.#rebuildAsked.splice(0))
    this.#isAnew = this.#rebuilding.length > 0 || progress.offsets.length === 0
    const { offsets, checkpoint } = this.#isAnew ? { offsets: [], checkpoint: null } : progress
    const state = checkpoint && ((await checkpoints.read(checkpoint.location)) as PipelineState)
    this.#checkpoint = checkpoint?.location ?? null
    await this.#inputs.restore(offsets, state)
    await this.#sink.restore(state?.sink ?? null)
    this.#flushed = this.#inputs.nextOf(progress.offsets)
    this.#catchUp.restore(this.#inputs.positions)
    this.#lastCutMs = clock.monotonicMs()
    this.#caughtUpAt = this.#inputs.ends
    this.#idleWatch?.reset()
    this.#lookups.reset()
    await this.#sink.tick(this.watermarkUs)
  }

  async #ownsTable(): Promise<boolean> {
    const { name, owner } = this.settings
    const last = owner === undefined ? null : await this.#parts.catalog.cursor(owner)
    return last === null || last === name
  }

  /** What is committed of its streams comes from there, what follows from the log: one who has read nothing goes this way. */
  async #readHistory(): Promise<void> {
    this.#replayedRows = 0
    if (!this.#isAnew || !this.#openHistory) return
    this.#isReplaying = true
    await readHistory(this.#inputs.sources, this.#openHistory, {
      isStopped: () => this.#stop.signal.aborted,
      take: async (delivery) => {
        await this.#lookups.before(this.#inputs.of(delivery), delivery, (table) => this.#intake.read(table))
        await this.#sink.apply(delivery)
        this.#replayedRows += delivery.batch.rows
      },
      tick: (watermarkUs) => this.#sink.tick(watermarkUs),
    })
    if (this.#stop.signal.aborted) return
    this.#isReplaying = false
    await this.#sink.tick(this.watermarkUs)
  }

  async #loop(onProgress: () => void): Promise<void> {
    while (!this.#stop.signal.aborted && !this.#mustStartAnew) {
      const { clock, intakeMs } = this.#parts
      const startedMs = clock.monotonicMs()
      // A prompt one does not ask, which costs it a tenth of a millisecond a round.
      const load = this.#sink.isPrompt ? null : { busyMs: clock.busyMs(), intakeMs: intakeMs() }
      const ends = this.#inputs.ends
      const didRead = await this.#intake.readAll()
      await this.#sink.tick(this.watermarkUs)
      this.#intake.tellTaken()
      const { arrivedMs } = this.#lookups
      if (arrivedMs !== null) this.#sink.settle?.(arrivedMs)
      if (this.#flushError) throw this.#flushError
      if (this.#isFlushDue()) await this.#startFlush(onProgress)
      for (const { topic, decisions } of this.#idleWatch?.due() ?? []) await this.#parts.log.append(topic, decisions)
      // What waits for a flush that is slower than the log grows without end: let the flush catch up.
      if (this.#flushing && this.#sink.pendingBytes >= this.settings.flushBytes) await this.#flushing
      else if (!didRead) {
        this.#tellRecovered()
        await this.#idle()
      } else if (load === null) await this.#follow(startedMs)
      else if (this.#inputs.ends.some((end, index) => end > ends[index]!)) await this.#rest(startedMs, load)
    }
    await this.#flushing
  }

  /** What stopped it may be in rows that were not read yet, or in the commit: only when nothing is left of either is it over. */
  #tellRecovered(): void {
    if (!this.#hasFailed || this.#hasUncommitted) return
    this.#hasFailed = false
    this.#parts.onEvent({ kind: 'recovered', pipeline: this.settings.name })
  }

  /** A rebuild was asked for after what runs had begun. */
  get #mustStartAnew(): boolean {
    return this.#rebuildAsked.length > 0
  }

  /** Rows came in while the last ones were read: the door goes first. */
  async #rest(startedMs: number, load: Pick<Round, 'busyMs' | 'intakeMs'>): Promise<void> {
    const { clock, intakeMs } = this.#parts
    const { behindMs } = this.#intake
    await this.#unlessWanted((signal) => rest(clock, intakeMs, { startedMs, ...load, behindMs }, signal))
  }

  /** Who is prompt asks for what comes next before it is there, and leaves the thread to others meanwhile. */
  async #follow(startedMs: number): Promise<void> {
    await this.#unlessWanted(async (signal) => {
      await Promise.all([breathe(this.#parts.clock, startedMs, signal), Promise.race([this.#intake.more(FOLLOW_MS), aborted(signal)])])
    })
  }

  /** Rests until somebody asks for what is there. */
  async #unlessWanted(pause: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const isWanted = this.#stop.signal.aborted || this.#flushError || this.#mustStartAnew || this.#flushAsked.length > 0
    if (isWanted || this.#catchUp.isAsked) return
    const wanted = new AbortController()
    this.#wake = () => wanted.abort()
    await pause(wanted.signal)
    this.#wake = null
  }

  get #hasUncommitted(): boolean {
    return this.#inputs.positions.some((position, index) => position > (this.#flushed[index] ?? 0))
  }

  #isFlushDue(): boolean {
    if (this.#flushing) return false
    // What replaces other rows is committed as soon as it is as far as the log was, and not before.
    if (this.#sink.isRebuilding || this.#rebuilding.length > 0)
      return this.#isAnew && this.#inputs.positions.every((position, index) => position >= this.#caughtUpAt[index]!)
    if (!this.#hasUncommitted) {
      for (const resolve of this.#flushAsked.splice(0)) resolve()
      return false
    }
    const isOld = this.#parts.clock.monotonicMs() - this.#lastCutMs >= this.settings.flushMs
    return isOld || this.#flushAsked.length > 0 || this.#sink.pendingBytes >= this.settings.flushBytes
  }

  /** Freezes the state at this point of the log; files and commit follow while reading goes on. */
  async #startFlush(onProgress: () => void): Promise<void> {
    const startedMs = this.#parts.clock.monotonicMs()
    // From cut to cut: a row waits for one interval and one flush, however long the flush before took.
    this.#lastCutMs = startedMs
    const { positions } = this.#inputs
    const at = {
      generation: this.#generation,
      offsets: this.#inputs.offsets,
      sources: this.#inputs.save(),
      before: this.#checkpoint,
    }
    const rows = this.#sink.pendingRows
    const cut = await this.#sink.cut()
    const asked = this.#flushAsked.splice(0)
    this.#flushing = commitCut(this.#parts, this.settings, at, cut)
      .then(({ checkpoint, tables }) => {
        this.#checkpoint = checkpoint
        this.#flushed = positions
        for (const resolve of this.#rebuilding.splice(0)) resolve()
        this.#isAnew = false
        onProgress()
        const tookMs = this.#parts.clock.monotonicMs() - startedMs
        this.#parts.onEvent({ kind: 'flushed', pipeline: this.settings.name, tables, rows, tookMs })
      })
      .catch((error) => {
        this.#flushError = error
      })
      .finally(() => {
        this.#flushing = null
        for (const resolve of asked) resolve()
        this.#wake?.()
      })
  }

  /** Sleeps until a partition has more, a flush is due or asked for, or the pipeline stops. */
  async #idle(): Promise<void> {
    const waiting = new AbortController()
    const flushInMs =
      this.#hasUncommitted && !this.#flushing
        ? Math.max(1, this.settings.flushMs - (this.#parts.clock.monotonicMs() - this.#lastCutMs))
        : null
    const timers = [flushInMs, this.#idleWatch?.nextMs ?? null, this.#sink.wakeInMs ?? null]
      .filter((ms) => ms !== null)
      .map((ms) => this.#parts.clock.after(ms, () => this.#wake?.()))
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      const isFlushAsked = this.#flushAsked.length > 0 && !this.#flushing
      if (this.#stop.signal.aborted || this.#flushError || isFlushAsked || this.#mustStartAnew) resolve()
      for (const { source, topic, partition } of this.#inputs.all)
        this.#parts.log.whenMore(topic, partition, source.positions[partition]!, waiting.signal).then(resolve, resolve)
    })
    this.#wake = null
    for (const cancel of timers) cancel()
    waiting.abort()
  }
}
