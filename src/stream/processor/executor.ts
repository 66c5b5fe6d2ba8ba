// Runs the code of a processor over records, row by row and timer by timer, with the state and the timers of each partition.
// Plain computation: the same records give the same calls and the same rows, however they are cut into rounds. A call that
// throws leaves no trace but its refusal. PROTOCOL rules 10 and 12.
import { MillraceError } from '../../core/errors.ts'
import { type Random, seededRandom } from '../../core/random.ts'
import type { ProcessorManifest, StreamManifest } from '../../define/manifest.ts'
import type { Refusal } from '../../log/refusal.ts'
import { Instant } from '../../schema/instant.ts'
import { partitionOf } from '../../schema/partition-hash.ts'
import { fieldOf, type Type } from '../../schema/type.ts'
import { microsOf } from '../classify.ts'
import { type KeyedState, keyedState } from '../state/keyed-state.ts'
import { decodeValue, encodeValue, rowEncoder, rowReader } from '../value.ts'
import type { CallContext, CallId, Emission, ProcessorCode, Ran, Round, Told } from './host.ts'
import { type TimeOf, type TimerEntry, Timers } from './timers.ts'

export interface ExecutorParts {
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  /** The stream of its own name, then its outputs in the order of the manifest. */
  readonly outputs: readonly StreamManifest[]
  readonly code: ProcessorCode
  /** Told before each call: what a watcher needs to know of it. */
  readonly onCall?: (offset: number, nth: number) => void
  /** Told after each call. */
  readonly onReturn?: () => void
}

interface Partition {
  readonly state: KeyedState
  readonly timers: Timers
  /** Watermark before the record at hand: no later row of the partition is earlier, except one that was re-driven. */
  watermarkUs: number
}

type SavedTimer = readonly [string, string, number, TimeOf]
type Saved = readonly (readonly [
  number,
  { readonly state: unknown; readonly timers: readonly SavedTimer[]; readonly watermarkUs: number | null },
])[]

/** Calls after which a round is interrupted, so that what it gave is written before it goes on. */
const CALL_MAX = 20_000

interface Emitted {
  readonly output: number
  readonly partition: number
  readonly line: string
}

export class Executor {
  readonly #parts: ExecutorParts
  readonly #keyType: Type
  readonly #timeIndex: number
  /** Whether the watermark bounds the times of rows from below. */
  readonly #isWatermarked: boolean
  readonly #readRow: ReturnType<typeof rowReader>
  readonly #encoders: readonly ((row: Readonly<Record<string, unknown>>) => string)[]
  readonly #context: CallContext
  readonly #readTold = new Map<string, ReturnType<typeof rowReader>>()
  #partitions = new Map<number, Partition>()
  // The round at hand.
  #round: Round | null = null
  #at: Partition | null = null
  #nextRow = 0
  #nextControl = 0
  #nextTold = 0
  /** Timers that have fired before the next record; null until it has been looked at. */
  #fired: number | null = null
  // The call at hand.
  #key = ''
  #call: CallId = { partition: 0, offset: 0, nth: -1 }
  #random: Random | null = null
  #arrivalUs = 0
  #isOpen = false
  #emitted: Emitted[] = []
  #lines = new Map<string, { output: number; partition: number; lines: string[] }>()
  #refusals: Refusal[] = []
  #undoTimers: (() => void)[] = []

  constructor(parts: ExecutorParts) {
    const { input, processor, outputs } = parts
    this.#parts = parts
    this.#keyType = fieldOf(input.shape, processor.key ?? '')?.type ?? { kind: 'string' }
    this.#timeIndex = processor.time === undefined ? -1 : input.shape.fields.findIndex((field) => field.name === processor.time)
    this.#isWatermarked = processor.time !== undefined && processor.time === input.time
    this.#readRow = rowReader(input.shape)
    this.#encoders = outputs.map((output) => rowEncoder(output.shape, processor.name))
    this.#context = this.#makeContext()
  }

  get keys(): number {
    let keys = 0
    for (const { state } of this.#partitions.values()) keys += state.keys
    return keys
  }

  restore(saved: unknown): (readonly [number, number])[] {
    this.#partitions = new Map()
    this.#round = null
    for (const [number, { state, timers, watermarkUs }] of (saved as Saved | null) ?? []) {
      const partition = this.#partition(number)
      partition.state.restore(state)
      partition.timers.restore(timers)
      partition.watermarkUs = watermarkUs ?? Number.NEGATIVE_INFINITY
    }
    return [...this.#partitions].flatMap(([number, { timers }]) =>
      timers.nextArrivalUs === null ? [] : [[number, timers.nextArrivalUs] as const],
    )
  }

  save(): Saved {
    return [...this.#partitions].map(([number, { state, timers, watermarkUs }]) => [
      number,
      { state: state.save(), timers: timers.save(), watermarkUs: Number.isFinite(watermarkUs) ? watermarkUs : null },
    ])
  }

  #partition(number: number): Partition {
    let found = this.#partitions.get(number)
    if (!found) {
      found = { state: keyedState(this.#parts.processor.state), timers: new Timers(), watermarkUs: Number.NEGATIVE_INFINITY }
      this.#partitions.set(number, found)
    }
    return found
  }

  run(round: Round): Ran {
    this.#round = round
    this.#at = this.#partition(round.partition)
    this.#nextRow = 0
    this.#nextControl = 0
    this.#nextTold = 0
    this.#fired = null
    return this.resume()
  }

  resume(): Ran {
    const round = this.#round!
    const at = this.#at!
    let calls = 0
    for (;;) {
      const control = round.controls[this.#nextControl]
      const isControl = control !== undefined && control.before <= this.#nextRow
      if (!isControl && this.#nextRow >= round.rows.length) return this.#ran(true)
      const row = isControl ? -1 : round.rows[this.#nextRow]!
      const offset = isControl ? control.offset : round.offsets[row]!
      const watermarkUs = isControl ? control.watermarkUs : round.watermarkUs[this.#nextRow]!
      this.#arrivalUs = (isControl ? control.appendMs : round.appendMs[row]!) * 1_000
      if (this.#fired === null) {
        at.timers.arrive()
        this.#fired = 0
      }
      for (let told = round.told[this.#nextTold]; told && told.appendMs * 1_000 < this.#arrivalUs; told = round.told[++this.#nextTold])
        this.#callTold(told, offset, this.#fired++)
      for (let timer = at.timers.due(watermarkUs, this.#arrivalUs); timer; timer = at.timers.due(watermarkUs, this.#arrivalUs)) {
        this.#callTimer(timer, offset, this.#fired++, watermarkUs)
        if (++calls >= CALL_MAX) return this.#ran(false)
      }
      if (isControl) this.#nextControl++
      else {
        this.#callRow(row, offset)
        this.#nextRow++
      }
      this.#fired = null
      at.watermarkUs = watermarkUs
      if (++calls >= CALL_MAX) return this.#ran(false)
    }
  }

  #ran(isDone: boolean): Ran {
    const emissions = [...this.#lines.values()].map(
      ({ output, partition, lines }): Emission => ({
        output,
        partition,
        count: lines.length,
        payload: new TextEncoder().encode(`${lines.join('\n')}\n`),
      }),
    )
    const refusals = this.#refusals
    this.#lines = new Map()
    this.#refusals = []
    if (isDone) this.#round = null
    return { kind: 'ran', isDone, emissions, refusals, nextArrivalUs: this.#at!.timers.nextArrivalUs }
  }

  #callRow(row: number, offset: number): void {
    const { batch } = this.#round!
    const input = this.#readRow(batch, row)
    const { key } = this.#parts.processor
    const timeUs = this.#timeIndex < 0 ? this.#arrivalUs : microsOf(batch.columns[this.#timeIndex]!)[row]!
    const floorUs = this.#floorUs
    this.#run(key === undefined ? '' : this.#keyText(input[key]), Math.max(timeUs, floorUs), floorUs, offset, -1, input, (state) =>
      this.#parts.code.on(input, state, this.#context),
    )
  }

  #callTimer(timer: TimerEntry, offset: number, nth: number, watermarkUs: number): void {
    const handler = this.#parts.code.onTimer[timer.name]
    // Its handler is gone with a newer version of the code.
    if (!handler) return
    const floorUs = this.#floorUs
    const ownUs = timer.by === 'event' || this.#timeIndex < 0 ? timer.atUs : Number.isFinite(watermarkUs) ? watermarkUs : timer.atUs
    const key = this.#parts.processor.key === undefined ? null : decodeValue(this.#keyType, JSON.parse(timer.key))
    const told = { key, at: Instant.fromMicros(timer.atUs) }
    this.#run(timer.key, Math.max(ownUs, floorUs), floorUs, offset, nth, { timer: timer.name, ...told }, (state) =>
      handler(told, state, this.#context),
    )
  }

  #callTold({ name, appendMs, batch, row }: Told, offset: number, nth: number): void {
    const handler = this.#parts.code.onBroadcast?.[name]
    if (!handler) return
    const read = this.#readTold.get(name) ?? rowReader(batch.shape)
    this.#readTold.set(name, read)
    const input = read(batch, row)
    const floorUs = this.#timeIndex < 0 ? appendMs * 1_000 : this.#floorUs
    const nowUs = Number.isFinite(floorUs) ? floorUs : 0
    this.#run(null, nowUs, floorUs, offset, nth, { broadcast: name, row: input }, (state) => handler(input, state))
  }

  get #floorUs(): number {
    if (this.#timeIndex < 0) return this.#arrivalUs
    return this.#isWatermarked ? this.#at!.watermarkUs : Number.NEGATIVE_INFINITY
  }

  #keyText(value: unknown): string {
    return JSON.stringify(encodeValue(this.#keyType, value ?? null))
  }

  #run(
    key: string | null,
    nowUs: number,
    floorUs: number,
    offset: number,
    nth: number,
    raw: unknown,
    call: (state: Record<string, unknown>) => unknown,
  ): void {
    const { state } = this.#at!
    const skip = this.#round!.skipped.find((skipped) => skipped.offset === offset && skipped.nth === nth)
    if (skip) {
      this.#refusals.push({ raw: rawOf(raw), code: skip.code, message: skip.message, field: null })
      return
    }
    this.#parts.onCall?.(offset, nth)
    this.#key = key ?? ''
    this.#call = { partition: this.#round!.partition, offset, nth }
    this.#random = null
    this.#emitted = []
    this.#undoTimers = []
    state.enter(key, nowUs, floorUs)
    // A row that is broadcast is told in every partition: it emits nothing and sets no timer.
    this.#isOpen = key !== null
    try {
      mustBeSync(call(state.handles as Record<string, unknown>))
      for (const { output, partition, line } of this.#emitted) this.#collect(output, partition, line)
    } catch (error) {
      state.undo()
      for (const undo of this.#undoTimers.reverse()) undo()
      const where = `partition ${this.#round!.partition}, offset ${offset}`
      this.#refusals.push({
        raw: rawOf(raw),
        code: 'MR_ROW_PROCESSOR',
        message: `${this.#parts.processor.name} threw on ${where}: ${stackOf(error)}`,
        field: null,
      })
    } finally {
      this.#isOpen = false
      this.#parts.onReturn?.()
      state.leave()
    }
  }

  #collect(output: number, partition: number, line: string): void {
    const slot = `${output}>${partition}`
    let found = this.#lines.get(slot)
    if (!found) {
      found = { output, partition, lines: [] }
      this.#lines.set(slot, found)
    }
    found.lines.push(line)
  }

  #makeContext(): CallContext {
    const { outputs, processor } = this.#parts
    const emitter = (output: number) => {
      const { key, partitions } = outputs[output]!
      const encode = this.#encoders[output]!
      return (row: Record<string, unknown>): void => {
        this.#mustBeOpen('emit')
        const partition = key === undefined || partitions === 1 ? 0 : partitionOfText(String(row[key] ?? ''), partitions)
        this.#emitted.push({ output, partition, line: encode(row) })
      }
    }
    const names = Object.keys(processor.outputs ?? {})
    const nowOf = (): Instant => Instant.fromMicros(this.#arrivalUs)
    return {
      emit: emitter(0),
      emitTo: Object.fromEntries(names.map((name, index) => [name, emitter(index + 1)])),
      timer: (name, at, by = processor.time === undefined ? 'arrival' : 'event') => {
        this.#mustBeOpen('timer')
        if (!processor.timers?.includes(name))
          throw new MillraceError('MR_PROCESSOR', `${processor.name} has no timer "${name}"`, { fix: `add onTimer: { ${name}(...) {} }` })
        if (by === 'event' && !this.#isWatermarked)
          throw new MillraceError('MR_PROCESSOR', `${processor.name} has no event time for its timer "${name}"`, {
            fix: "give the processor the time of its input, or set the timer by 'arrival'",
          })
        this.#undoTimers.push(this.#at!.timers.set(this.#key, name, at.epochMicros, by))
      },
      cancelTimer: (name) => {
        this.#mustBeOpen('cancelTimer')
        this.#undoTimers.push(this.#at!.timers.cancel(this.#key, name))
      },
      random: () => {
        this.#mustBeOpen('random')
        this.#random ??= seededRandom(seedOf(this.#call))
        return this.#random.next()
      },
      get now() {
        return nowOf()
      },
    }
  }

  #mustBeOpen(what: string): void {
    if (this.#isOpen) return
    throw new MillraceError('MR_PROCESSOR', `${what} was called after the call that it belongs to`, {
      fix: 'call it before `on` returns: it must not be async',
    })
  }
}

/** As the door chooses it for the same key. */
function partitionOfText(key: string, partitions: number): number {
  const bytes = Buffer.from(key)
  return partitionOf(bytes, 0, bytes.length, partitions)
}

/** FNV-1a over what names the call. */
const seedOf = ({ partition, offset, nth }: CallId): number => {
  let hash = 0x811c9dc5
  for (const char of `${partition}/${offset}/${nth}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  return hash >>> 0
}

function mustBeSync(answer: unknown): void {
  if (typeof (answer as PromiseLike<unknown> | null | undefined)?.then !== 'function') return
  ;(answer as PromiseLike<unknown>).then(undefined, () => {})
  throw new MillraceError('MR_PROCESSOR', 'the code of a processor must not be async', { fix: 'remove async and await from it' })
}

const rawOf = (raw: unknown): Uint8Array =>
  Buffer.from(JSON.stringify(raw, (_key, value) => (typeof value === 'bigint' ? value.toString() : value)))

/** The message and the user's frames: those of Millrace say nothing to him. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const end = frames.findIndex((line) => /\/stream\/processor\/executor\.[jt]s/.test(line))
  const own = (end < 0 ? frames : frames.slice(0, end)).filter((line) => !/\bnode:|\/stream\/state\//.test(line)).slice(0, 10)
  return [
    error.message,
    ...own.map((line) =>
      line
        .trimEnd()
        .replace(/\?v=\d+/, '')
        .replace('file://', ''),
    ),
  ].join('\n')
}
