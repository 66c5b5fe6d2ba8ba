// Feeds a topic with what a relation commits: each change of a row once, after any number of crashes. A transaction of Kafka commits the
// messages and a number; where the sink is after that number was written to the control store before. So Kafka decides alone, and a
// crash between the two stores leaves nothing open. PROTOCOL rule 20.
import type { Clock } from '../../core/clock.ts'
import { asMillraceError, MillraceError } from '../../core/errors.ts'
import type { SinkManifest } from '../../define/manifest.ts'
import type { Engine } from '../../engine/duckdb.ts'
import type { Lake } from '../../lake/open-lake.ts'
import type { LakeTable } from '../../lake/types.ts'
import type { ClusterSettings } from '../../log/kafka/cluster.ts'
import type { OpenWriter, OutMessage, TopicWriter } from '../../log/kafka/topic-writer.ts'
import type { Shape } from '../../schema/type.ts'
import type { Catalog } from '../../store/catalog.ts'
import { type EncodeValue, messagesOfPage } from './messages-of-page.ts'
import { formOf, nextStep, type SinkPosition, type Step } from './step.ts'
import { stepSql } from './step-sql.ts'

export interface FeedParts {
  readonly clock: Clock
  readonly engine: Engine
  readonly lake: Lake
  readonly catalog: Pick<Catalog, 'cursor' | 'commit'>
  readonly cluster: () => ClusterSettings
  readonly open: OpenWriter
  readonly encode: () => Promise<EncodeValue>
  /** Has what a live relation holds committed. */
  readonly flush: () => Promise<void>
  readonly onEvent: (event: FeedEvent) => void
}

export interface FeedSettings {
  readonly sink: SinkManifest
  /** Of the relation, with the system's columns. */
  readonly stored: Shape
  /** What makes the relation's rows unique. */
  readonly unique: readonly string[]
  /** Transactional id and group. */
  readonly name: string
  /** Of one transaction; default 20,000. */
  readonly messagesMax?: number
}

export type FeedEvent =
  | { readonly kind: 'written'; readonly messages: number }
  | { readonly kind: 'failed'; readonly error: MillraceError; readonly againMs: number }
  | { readonly kind: 'recovered' }

/** A transaction that was begun: Kafka says whether it is committed. */
interface Intent {
  readonly number: number
  readonly before: SinkPosition
  readonly after: SinkPosition
  /** It is known that it was. */
  readonly isCommitted?: boolean
}

const START: SinkPosition = { snapshot: null, under: null }
const MESSAGES_MAX = 20_000
const BYTES_MAX = 8 << 20
const BACKOFF_MAX_MS = 10_000
/** Kafka forgets what an unused group has committed after seven days. */
const REMIND_MS = 24 * 3_600_000

export class SinkFeed {
  readonly #parts: FeedParts
  readonly #settings: FeedSettings
  readonly #stop = new AbortController()
  #done: Promise<void> = Promise.resolve()
  #number = 0
  #position: SinkPosition | null = null
  #unpin: () => void = () => {}
  #lag: number | null = null
  #writtenMs = 0
  #hasFailed = false
  #wake: (() => void) | null = null

  constructor(parts: FeedParts, settings: FeedSettings) {
    this.#parts = parts
    this.#settings = settings
  }

  /** Rows that were added to the relation since, about; null before it is known. */
  get lag(): number | null {
    return this.#lag
  }

  /** Whether all that the table has is written. */
  isCaughtUp({ current }: Pick<LakeTable, 'current'>): boolean {
    return (this.#position?.snapshot ?? null) === (current?.id.toString() ?? null) && !this.#position?.under
  }

  /** Holds the snapshot that it is at, before anything expires. */
  async start(): Promise<void> {
    const intent = await this.#intent()
    if (intent) this.#hold(await this.#parts.lake.table(this.#settings.sink.from), intent.before)
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#wake?.()
    await this.#done
    this.#unpin()
  }

  /** The relation has a new snapshot. */
  committed(): void {
    this.#wake?.()
  }

  async #run(): Promise<void> {
    let againMs = 100
    while (!this.#stop.signal.aborted) {
      let writer: TopicWriter | null = null
      try {
        const { sink, name } = this.#settings
        const encode = await this.#parts.encode()
        writer = await this.#parts.open({ cluster: this.#parts.cluster(), topic: sink.to.topic, name })
        await this.#begin(writer)
        let flushedMs = this.#parts.clock.monotonicMs()
        while (!this.#stop.signal.aborted) {
          await this.#catchUp(writer, encode)
          this.#tellRecovered()
          againMs = 100
          const leftMs = (): number => flushedMs + sink.everyMs - this.#parts.clock.monotonicMs()
          await this.#pause(leftMs())
          // A commit wakes it before its time: sinks of one relation do not drive each other.
          if (this.#stop.signal.aborted || leftMs() > 0) continue
          flushedMs = this.#parts.clock.monotonicMs()
          await this.#parts.flush()
        }
      } catch (cause) {
        if (this.#stop.signal.aborted) break
        this.#hasFailed = true
        this.#parts.onEvent({ kind: 'failed', error: asMillraceError(cause), againMs })
        await this.#parts.clock.sleep(againMs, this.#stop.signal).catch(() => {})
        againMs = Math.min(BACKOFF_MAX_MS, againMs * 2)
      } finally {
        await writer?.close()
      }
    }
  }

  #tellRecovered(): void {
    if (!this.#hasFailed) return
    this.#hasFailed = false
    this.#parts.onEvent({ kind: 'recovered' })
  }

  get #cursor(): string {
    return `sink:${this.#settings.sink.name}`
  }

  async #intent(): Promise<Intent | null> {
    const text = await this.#parts.catalog.cursor(this.#cursor)
    return text === null ? null : (JSON.parse(text) as Intent)
  }

  async #save(intent: Intent): Promise<void> {
    const cursors = [{ name: this.#cursor, value: JSON.stringify(intent) }]
    await this.#parts.catalog.commit({ tables: [], cursors, nowMs: this.#parts.clock.nowMs() })
  }

  /** @throws MR_KAFKA_RANGE when Kafka and the control store do not belong together. */
  async #begin({ committed }: TopicWriter): Promise<void> {
    const intent = await this.#intent()
    const [number, position] = decide(this.#settings, intent, committed)
    this.#number = number
    this.#move(await this.#parts.lake.table(this.#settings.sink.from), position)
    this.#writtenMs = this.#parts.clock.monotonicMs()
  }

  #move(table: LakeTable, position: SinkPosition): void {
    this.#position = position
    this.#hold(table, position)
  }

  #hold(table: LakeTable, { snapshot, under }: SinkPosition): void {
    const held = table.snapshots.filter(({ id }) => id.toString() === snapshot || id.toString() === under?.to)
    const unpins = held.map((one) => this.#parts.lake.pin(table, one))
    this.#unpin()
    this.#unpin = () => {
      for (const unpin of unpins) unpin()
    }
  }

  async #catchUp(writer: TopicWriter, encode: EncodeValue): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const table = await this.#parts.lake.table(this.#settings.sink.from)
      const step = nextStep(table, this.#position!)
      if (step === 'unknown') throw strayed(this.#settings.sink, this.#position!)
      this.#lag = step === null ? 0 : lagOf(table, this.#position!)
      if (step === null) return this.#remind(writer)
      await this.#carryOut(writer, encode, table, step)
    }
  }

  async #carryOut(writer: TopicWriter, encode: EncodeValue, table: LakeTable, step: Step): Promise<void> {
    const { engine, lake } = this.#parts
    const { sink, stored, unique } = this.#settings
    const { snapshot, under } = this.#position!
    const to = step.to.id.toString()
    const form = formOf(sink)
    // Of another form, what is left of the step cannot be told from what is written: rather twice than not at all.
    let done = under?.form === form ? under.done : 0
    this.#move(table, { snapshot, under: { to, done, form } })
    using lease = lake.lease()
    const sql = step.isSame ? null : await stepSql({ lake, lease }, { table, stored, unique, sink }, snapshot, step)
    if (sql !== null) {
      const session = await engine.session()
      try {
        let waiting: OutMessage[] = []
        let bytes = 0
        for await (const page of session.pages(done === 0 ? sql : `${sql} OFFSET ${done}`)) {
          for (const message of messagesOfPage(page, sink, encode)) {
            waiting.push(message)
            bytes += (message.key?.length ?? 0) + (message.value?.length ?? 0)
          }
          if (waiting.length < (this.#settings.messagesMax ?? MESSAGES_MAX) && bytes < BYTES_MAX) continue
          done += waiting.length
          await this.#write(writer, waiting, { snapshot, under: { to, done, form } })
          if (this.#stop.signal.aborted) return
          waiting = []
          bytes = 0
        }
        if (waiting.length > 0) {
          await this.#write(writer, waiting, { snapshot: to, under: null })
          return this.#move(table, this.#position!)
        }
      } finally {
        session.close()
      }
    }
    // Nothing is left to write of it: the place is as good as the one before, which may expire now.
    const after: SinkPosition = { snapshot: to, under: null }
    await this.#save({ number: this.#number, before: after, after, isCommitted: true })
    this.#move(table, after)
  }

  async #write(writer: TopicWriter, messages: readonly OutMessage[], after: SinkPosition): Promise<void> {
    const intent: Intent = { number: this.#number + 1, before: this.#position!, after }
    await this.#save(intent)
    await writer.write(intent.number, messages)
    // The commit point was Kafka's.
    this.#number = intent.number
    this.#position = after
    this.#writtenMs = this.#parts.clock.monotonicMs()
    await this.#save({ ...intent, isCommitted: true })
    if (messages.length > 0) this.#parts.onEvent({ kind: 'written', messages: messages.length })
  }

  /** Where it is, even if nothing was to be written: so that Kafka does not forget it, and a snapshot need not be held for ever. */
  async #remind(writer: TopicWriter): Promise<void> {
    if (this.#parts.clock.monotonicMs() - this.#writtenMs >= REMIND_MS) await this.#write(writer, [], this.#position!)
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stop.signal.aborted || ms <= 0) return
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = null
  }
}

/** The number of the last transaction and where the sink is since. */
export function decide(
  { sink, name }: Pick<FeedSettings, 'sink' | 'name'>,
  intent: Intent | null,
  committed: number | null,
): readonly [number, SinkPosition] {
  const fix = `give the sink another name: it begins with all rows of ${sink.from}`
  if (intent === null) {
    if (committed === null) return [0, START]
    throw new MillraceError(
      'MR_KAFKA_RANGE',
      `sink "${sink.name}" has written to ${sink.to.topic} before (transaction ${committed} of ${name}), and the data directory does not know it`,
      { fix },
    )
  }
  if (committed === null) {
    if (intent.isCommitted) return [intent.number, intent.after]
    if (intent.number === 1) return [0, intent.before]
    throw new MillraceError(
      'MR_KAFKA_RANGE',
      `sink "${sink.name}" does not know whether its transaction ${intent.number} was committed: Kafka has forgotten the group ${name}`,
      { fix },
    )
  }
  if (committed === intent.number) return [intent.number, intent.after]
  if (committed === intent.number - 1 && !intent.isCommitted) return [committed, intent.before]
  throw new MillraceError(
    'MR_KAFKA_RANGE',
    `sink "${sink.name}" has begun transaction ${intent.number}, and Kafka has committed ${committed} of ${name}: another one writes by this name, or one of the two was restored`,
    { fix },
  )
}

const strayed = (sink: SinkManifest, { snapshot }: SinkPosition): MillraceError =>
  new MillraceError(
    'MR_KAFKA_RANGE',
    `sink "${sink.name}" is at snapshot ${snapshot} of ${sink.from}, which the table does not have any more`,
    {
      fix: `give the sink another name: it begins with all rows of ${sink.from}`,
    },
  )

function lagOf(table: LakeTable, { snapshot }: SinkPosition): number {
  const at = table.snapshots.find(({ id }) => id.toString() === snapshot)
  return table.snapshots
    .filter(({ sequence, operation }) => operation !== 'replace' && (!at || sequence > at.sequence))
    .reduce((sum, { summary }) => sum + Number(summary['added-records'] ?? 0), 0)
}
