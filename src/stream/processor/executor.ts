// Runs the code of a processor over records, row by row and timer by timer, with the state and the timers of each partition.
// Plain computation: the same records give the same calls and the same rows, however they are cut into rounds. A call that
// throws leaves no trace but its refusal. PROTOCOL rules 10 and 12.
import { MillraceError } from '../../core/errors.ts'
import { type Random, seededRandom } from '../../core/random.ts'
import type { ProcessorManifest, StreamManifest } from '../../define/manifest.ts'
import type { Refusal } from '../../log/refusal.ts'
import { microsOf } from '../../schema/batch.ts'
import { Instant } from '../../schema/instant.ts'
import { fieldOf, type Type } from '../../schema/type.ts'
import type { Entry, Timer } from '../state/entry.ts'
import type { Room } from '../state/spill.ts'
import { rowEncoder, rowReader } from '../value.ts'
import type { CallContext, CallId, Emission, ProcessorCode, Ran, Round, Told } from './host.ts'
import { keyOfText, keyTextOf, partitionOfText } from './key-text.ts'
import { nextArrival, type Partition, Partitions } from './partitions.ts'
import { rawOf, stackOf } from './thrown.ts'

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
  /** Memory for the state of all partitions, and where what has no room in it goes; absent: all the memory there is. */
  readonly room?: Room
}

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
  readonly #keyTextOf: (value: unknown) => string
  readonly #timeIndex: number
  /** Whether the watermark bounds the times of rows from below. */
  readonly #isWatermarked: boolean
  readonly #readRow: ReturnType<typeof rowReader>
  readonly #encoders: readonly ((row: Readonly<Record<string, unknown>>) => string)[]
  readonly #context: CallContext
  readonly #readTold = new Map<string, ReturnType<typeof rowReader>>()
  readonly #partitions: Partitions
  // The round at hand.
  #round: Round | null = null
  #at: Partition | null = null
  #nextRow = 0
  #nextControl = 0
  #nextTold = 0
  /** Timers that have fired before the next record; null until it has been looked at. */
  #fired: number | null = null
  // The call at hand.
  #entry: Entry | null = null
  /** Since the state was looked through last. */
  #calls = 0
  #offset = 0
  #nth = -1
  #random: Random | null = null
  #arrivalUs = 0
  #isOpen = false
  readonly #emitted: Emitted[] = []
  #lines = new Map<string, { output: number; partition: number; lines: string[] }>()
  #refusals: Refusal[] = []

  constructor(parts: ExecutorParts) {
    const { input, processor, outputs } = parts
    this.#parts = parts
    this.#keyType = fieldOf(input.shape, processor.key ?? '')?.type ?? { kind: 'string' }
    this.#keyTextOf = keyTextOf(this.#keyType)
    this.#timeIndex = processor.time === undefined ? -1 : input.shape.fields.findIndex((field) => field.name === processor.time)
    this.#isWatermarked = processor.time !== undefined && processor.time === input.time
    this.#readRow = rowReader(input.shape)
    this.#encoders = outputs.map((output) => rowEncoder(output.shape, processor.name))
    this.#partitions = new Partitions({ ...parts, keyType: this.#keyType })
    this.#context = this.#makeContext()
  }

  /** About how much memory the state takes that is not spilled. */
  get bytes(): number {
    return this.#partitions.bytes
  }

  get keys(): number {
    return this.#partitions.keys
  }

  /**
   * The next arrival time at which a timer is due, by partition.
   * @throws MR_STREAM_STATE for state that the definition does not fit and does not allow to be forgotten.
   */
  restore(saved: unknown): (readonly [number, number])[] {
    this.#round = null
    return this.#partitions.restore(saved)
  }

  save(): unknown {
    return this.#partitions.save()
  }

  run(round: Round): Ran {
    this.#round = round
    this.#at = this.#partitions.of(round.partition)
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
    const { state } = this.#at!
    state.settle()
    state.sweep(this.#calls)
    this.#calls = 0
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
    return { kind: 'ran', isDone, emissions, refusals, nextArrivalUs: nextArrival(this.#at!) }
  }

  #callRow(row: number, offset: number): void {
    const { batch } = this.#round!
    const { code, processor } = this.#parts
    const input = this.#readRow(batch, row)
    const timeUs = this.#timeIndex < 0 ? this.#arrivalUs : microsOf(batch.columns[this.#timeIndex]!)[row]!
    const floorUs = this.#floorUs
    const key = processor.key === undefined ? '' : this.#keyTextOf(input[processor.key])
    if (this.#isLeftOut(offset, -1, input)) return
    const { state } = this.#at!
    this.#begin(state.entryOf(key), Math.max(timeUs, floorUs), floorUs, offset, -1)
    try {
      this.#end(code.on(input, state.handles, this.#context))
    } catch (error) {
      this.#takeBack(error, input)
    } finally {
      this.#leave()
    }
  }

  #callTimer({ entry, name, by, atUs }: Timer, offset: number, nth: number, watermarkUs: number): void {
    this.#at!.state.touch(entry)
    const handler = this.#parts.code.onTimer[name]
    // Its handler is gone with a newer version of the code.
    if (!handler) return
    const floorUs = this.#floorUs
    const ownUs = by === 'event' || this.#timeIndex < 0 ? atUs : Number.isFinite(watermarkUs) ? watermarkUs : atUs
    const key = this.#parts.processor.key === undefined ? null : keyOfText(this.#keyType, entry.key)
    const told = { key, at: Instant.fromMicros(atUs) }
    if (this.#isLeftOut(offset, nth, { timer: name, ...told })) return
    const { state } = this.#at!
    this.#begin(entry, Math.max(ownUs, floorUs), floorUs, offset, nth)
    try {
      this.#end(handler(told, state.handles, this.#context))
    } catch (error) {
      this.#takeBack(error, { timer: name, ...told })
    } finally {
      this.#leave()
    }
  }

  #callTold({ name, appendMs, batch, row }: Told, offset: number, nth: number): void {
    const handler = this.#parts.code.onBroadcast?.[name]
    if (!handler) return
    const read = this.#readTold.get(name) ?? rowReader(batch.shape)
    this.#readTold.set(name, read)
    const input = read(batch, row)
    const floorUs = this.#timeIndex < 0 ? appendMs * 1_000 : this.#floorUs
    const nowUs = Number.isFinite(floorUs) ? floorUs : 0
    if (this.#isLeftOut(offset, nth, { broadcast: name, row: input })) return
    const { state } = this.#at!
    this.#begin(null, Math.max(nowUs, floorUs), floorUs, offset, nth)
    try {
      this.#end(handler(input, state.handles))
    } catch (error) {
      this.#takeBack(error, { broadcast: name, row: input })
    } finally {
      this.#leave()
    }
  }

  get #floorUs(): number {
    if (this.#timeIndex < 0) return this.#arrivalUs
    return this.#isWatermarked ? this.#at!.watermarkUs : Number.NEGATIVE_INFINITY
  }

  #isLeftOut(offset: number, nth: number, raw: unknown): boolean {
    const { skipped } = this.#round!
    if (skipped.length === 0) return false
    const skip = skipped.find((one) => one.offset === offset && one.nth === nth)
    if (!skip) return false
    this.#refusals.push({ raw: rawOf(raw), code: skip.code, message: skip.message, field: null })
    return true
  }

  /** Null: a row that is broadcast. It is told in every partition, so it emits nothing and sets no timer. */
  #begin(entry: Entry | null, nowUs: number, floorUs: number, offset: number, nth: number): void {
    this.#parts.onCall?.(offset, nth)
    this.#entry = entry
    this.#offset = offset
    this.#nth = nth
    this.#random = null
    this.#calls++
    this.#at!.state.at(entry, nowUs, floorUs)
    this.#isOpen = entry !== null
  }

  /** What it emitted counts only once it has come back. */
  #end(answer: unknown): void {
    mustBeSync(answer)
    if (this.#emitted.length === 0) return
    for (const { output, partition, line } of this.#emitted) this.#collect(output, partition, line)
  }

  #takeBack(error: unknown, raw: unknown): void {
    this.#at!.state.undo()
    const where = `partition ${this.#round!.partition}, offset ${this.#offset}`
    this.#refusals.push({
      raw: rawOf(raw),
      code: 'MR_ROW_PROCESSOR',
      message: `${this.#parts.processor.name} threw on ${where}: ${stackOf(error)}`,
      field: null,
    })
  }

  #leave(): void {
    this.#isOpen = false
    if (this.#emitted.length > 0) this.#emitted.length = 0
    this.#parts.onReturn?.()
    this.#at!.state.leave()
  }

  #collect(output: number, partition: number, line: string): void {
    const slot = `${output}>${partition}`
    const found = this.#lines.get(slot)
    if (found) found.lines.push(line)
    else this.#lines.set(slot, { output, partition, lines: [line] })
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
        this.#at!.timers.set(this.#entry!, name, at.epochMicros, by)
      },
      cancelTimer: (name) => {
        this.#mustBeOpen('cancelTimer')
        this.#at!.timers.cancel(this.#entry!, name)
      },
      random: () => {
        this.#mustBeOpen('random')
        this.#random ??= seededRandom(seedOf({ partition: this.#round!.partition, offset: this.#offset, nth: this.#nth }))
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

/** FNV-1a over what names the call. */
const seedOf = ({ partition, offset, nth }: CallId): number => {
  let hash = 0x811c9dc5
  for (const char of `${partition}/${offset}/${nth}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  return hash >>> 0
}

function mustBeSync(answer: unknown): void {
  if (answer === undefined || typeof (answer as PromiseLike<unknown> | null)?.then !== 'function') return
  ;(answer as PromiseLike<unknown>).then(undefined, () => {})
  throw new MillraceError('MR_PROCESSOR', 'the code of a processor must not be async', { fix: 'remove async and await from it' })
}
