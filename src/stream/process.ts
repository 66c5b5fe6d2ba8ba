// The sink that runs a processor: user code, row by row, with keyed state, emitting into a derived stream. What a partition
// emits is numbered, so that after a crash the log drops the rows that it already has (PROTOCOL rules 12 and 20). A row on
// which user code throws leaves no trace in the state, is set aside in `<derived>__rejected`, and the processor goes on. The
// derived stream has the watermark of the input: what it emits is as late as its input was, whatever the order of reading.
import type { ProcessorManifest, StreamManifest } from '../define/manifest.ts'
import type { Append, Log } from '../log/log.ts'
import { encodeRefusals, type Refusal } from '../log/refusal.ts'
import type { Instant } from '../schema/instant.ts'
import { partitionOf } from '../schema/partition-hash.ts'
import { fieldOf, type Type } from '../schema/type.ts'
import { microsOf } from './classify.ts'
import { controlRecord } from './control.ts'
import type { Cut, Sink } from './pipeline.ts'
import type { Delivery } from './source.ts'
import { type KeyedState, keyedState } from './state.ts'
import { encodeRow, encodeValue, rowAt } from './value.ts'

export type OnRow = (
  row: Record<string, unknown>,
  state: Record<string, unknown>,
  context: { emit: (row: Record<string, unknown>) => void; now: Instant },
) => void

export interface ProcessorParts {
  readonly log: Log
  readonly processor: ProcessorManifest
  readonly input: StreamManifest
  readonly output: StreamManifest
  readonly on: OnRow
  readonly instant: (micros: number) => Instant
}

interface Emitted {
  readonly line: string
  readonly partition: number
}

interface PartitionState {
  readonly state: KeyedState
  /** Next number for each output partition; refusals are numbered apart. */
  readonly next: Map<string, number>
}

/** The derived stream is told of the watermark in steps of a second, and before each flush. */
const WATERMARK_STEP_US = 1_000_000

export class Process implements Sink {
  readonly #parts: ProcessorParts
  readonly #keyType: Type
  readonly #timeIndex: number
  readonly #outputKey: string | undefined
  readonly #hasWatermark: boolean
  #partitions = new Map<number, PartitionState>()
  #pendingRows = 0
  #watermarkUs: number | null = null
  /** What the derived stream was told last. */
  #toldUs = Number.NEGATIVE_INFINITY

  constructor(parts: ProcessorParts) {
    const { input, processor, output } = parts
    this.#parts = parts
    this.#keyType = fieldOf(input.shape, processor.key ?? '')?.type ?? { kind: 'string' }
    this.#timeIndex = processor.time === undefined ? -1 : input.shape.fields.findIndex((field) => field.name === processor.time)
    this.#outputKey = output.key
    this.#hasWatermark = output.time !== undefined && processor.time === input.time
  }

  get pendingRows(): number {
    return this.#pendingRows
  }

  /** State is written whole at each flush; rows stand for its growth. */
  get pendingBytes(): number {
    return this.#pendingRows * 64
  }

  get keys(): number {
    let keys = 0
    for (const { state } of this.#partitions.values()) keys += state.keys
    return keys
  }

  async restore(saved: unknown): Promise<void> {
    this.#partitions = new Map()
    this.#pendingRows = 0
    this.#watermarkUs = null
    this.#toldUs = Number.NEGATIVE_INFINITY
    const { partitions } = (saved as { partitions: [number, { state: unknown; next: [string, number][] }][] } | null) ?? { partitions: [] }
    for (const [partition, { state, next }] of partitions) {
      const restored = this.#partition(partition)
      restored.state.restore(state)
      for (const [target, number] of next) restored.next.set(target, number)
    }
  }

  #partition(partition: number): PartitionState {
    let found = this.#partitions.get(partition)
    if (!found) {
      found = { state: keyedState(this.#parts.processor.state), next: new Map() }
      this.#partitions.set(partition, found)
    }
    return found
  }

  async apply({ partition, batch, classified, offsets, appendMs }: Delivery): Promise<void> {
    const { state, next } = this.#partition(partition)
    const rows: Emitted[] = []
    const refusals: Refusal[] = []
    const times = this.#timeIndex < 0 ? null : microsOf(batch.columns[this.#timeIndex]!)
    for (const row of classified.out) {
      const input = rowAt(batch, row, this.#parts.input.shape)
      const arrivedUs = appendMs[row]! * 1_000
      state.enter(this.#keyOf(input), times ? times[row]! : arrivedUs)
      const emitted: Emitted[] = []
      try {
        this.#parts.on(input, state.accessors as Record<string, unknown>, {
          emit: (out) => emitted.push(this.#encode(out)),
          now: this.#parts.instant(arrivedUs),
        })
        rows.push(...emitted)
      } catch (error) {
        state.undo()
        refusals.push(refusalOf(this.#parts.processor.name, input, error, partition, offsets[row]!))
      }
    }
    this.#pendingRows += classified.out.length
    await this.#append(partition, next, rows, refusals)
  }

  #keyOf(input: Record<string, unknown>): string {
    const { key } = this.#parts.processor
    return key === undefined ? '' : JSON.stringify(encodeValue(this.#keyType, input[key]))
  }

  #encode(out: Record<string, unknown>): Emitted {
    const { output, processor } = this.#parts
    const line = encodeRow(output.shape, out, processor.name)
    return { line, partition: this.#outputKey === undefined ? 0 : partitionOfText(String(out[this.#outputKey] ?? ''), output.partitions) }
  }

  async #append(partition: number, next: Map<string, number>, rows: readonly Emitted[], refusals: readonly Refusal[]): Promise<void> {
    const { log, output, processor } = this.#parts
    const appends: Append[] = []
    // No fingerprint: what user code emits is scanned strictly when it is read.
    for (let target = 0; target < output.partitions; target++) {
      const lines = rows.filter((row) => row.partition === target).map(({ line }) => line)
      if (lines.length === 0) continue
      const emission = numbered(`${processor.name}/${partition}`, target, lines.length, next)
      const payload = Buffer.from(`${lines.join('\n')}\n`)
      appends.push({ partition: target, kind: 'rows', payload, count: lines.length, fingerprint: '', emission })
    }
    if (refusals.length > 0) {
      const emission = numbered(`${processor.name}/${partition}/refused`, 0, refusals.length, next)
      appends.push({
        partition: 0,
        kind: 'rejects',
        payload: encodeRefusals(refusals),
        count: refusals.length,
        fingerprint: '',
        emission,
      })
    }
    if (appends.length > 0) await log.append(output.name, appends)
  }

  async tick(watermarkUs: number | null): Promise<void> {
    this.#watermarkUs = watermarkUs
    if (watermarkUs !== null && watermarkUs >= this.#toldUs + WATERMARK_STEP_US) await this.#tellWatermark()
  }

  async #tellWatermark(): Promise<void> {
    const watermarkUs = this.#watermarkUs
    if (!this.#hasWatermark || watermarkUs === null || watermarkUs <= this.#toldUs) return
    const { log, output } = this.#parts
    await log.append(
      output.name,
      Array.from({ length: output.partitions }, (_, partition) => controlRecord(partition, { watermarkUs })),
    )
    this.#toldUs = watermarkUs
  }

  async cut(): Promise<Cut> {
    await this.#tellWatermark()
    this.#pendingRows = 0
    const partitions = [...this.#partitions].map(([partition, { state, next }]) => [partition, { state: state.save(), next: [...next] }])
    return { state: { partitions }, changes: async () => [], publish: async () => {} }
  }
}

/** As the door chooses it for the same key. */
function partitionOfText(key: string, partitions: number): number {
  const bytes = Buffer.from(key)
  return partitionOf(bytes, 0, bytes.length, partitions)
}

/** The next `count` numbers of an output partition; the log keeps only rows whose numbers are new. */
function numbered(pipeline: string, target: number, count: number, next: Map<string, number>): NonNullable<Append['emission']> {
  const slot = `${pipeline}>${target}`
  const first = next.get(slot) ?? 0
  next.set(slot, first + count)
  return { pipeline, first }
}

function refusalOf(processor: string, input: Record<string, unknown>, error: unknown, partition: number, offset: number): Refusal {
  const reason = error instanceof Error ? error.message : String(error)
  const raw = JSON.stringify(input, (_key, value) => (typeof value === 'bigint' ? value.toString() : value))
  return {
    raw: Buffer.from(raw),
    code: 'MR_ROW_PROCESSOR',
    message: `${processor} threw on partition ${partition}, offset ${offset}: ${reason}`,
    field: null,
  }
}
