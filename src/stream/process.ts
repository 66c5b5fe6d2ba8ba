// The sink that runs a processor: user code, row by row, with keyed state, emitting into a derived stream. What a partition
// emits is numbered, so that after a crash the rows that the log already has are dropped (PROTOCOL rules 12 and 20). A row
// on which user code throws is set aside in `<derived>__rejected`, and the processor goes on.
import type { ProcessorManifest, StreamManifest } from '../define/manifest.ts'
import type { Append, Log } from '../log/log.ts'
import { encodeRefusals, type Refusal } from '../log/refusal.ts'
import type { Instant } from '../schema/instant.ts'
import { partitionOf } from '../schema/partition-hash.ts'
import type { Cut, Sink } from './pipeline.ts'
import type { Delivery } from './source.ts'
import { type KeyedState, keyedState } from './state.ts'
import { encodeRow, rowAt, type Value } from './value.ts'

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

export class Process implements Sink {
  readonly #parts: ProcessorParts
  readonly #keyIndex: number
  readonly #timeIndex: number
  readonly #outputKey: string | undefined
  #partitions = new Map<number, PartitionState>()
  #pendingRows = 0

  constructor(parts: ProcessorParts) {
    const { input, processor, output } = parts
    this.#parts = parts
    this.#keyIndex = processor.key === undefined ? -1 : input.shape.fields.findIndex((field) => field.name === processor.key)
    this.#timeIndex = input.time === undefined ? -1 : input.shape.fields.findIndex((field) => field.name === input.time)
    this.#outputKey = output.key
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
    for (const row of classified.out) {
      const input = rowAt(batch, row, this.#parts.input.shape)
      const nowUs = this.#timeOf(batch, row, appendMs[row]!)
      state.enter(this.#keyIndex < 0 ? '' : String(input[this.#parts.processor.key!]), nowUs)
      const emitted: Emitted[] = []
      try {
        this.#parts.on(input, state.accessors as Record<string, unknown>, {
          emit: (out) => emitted.push(this.#encode(out)),
          now: this.#parts.instant(nowUs),
        })
        rows.push(...emitted)
      } catch (error) {
        refusals.push(refusalOf(this.#parts.processor.name, input, error, partition, offsets[row]!))
      }
    }
    this.#pendingRows += classified.out.length
    await this.#append(partition, next, rows, refusals)
  }

  #timeOf(batch: Delivery['batch'], row: number, appendMs: number): number {
    if (this.#timeIndex < 0) return appendMs * 1_000
    return (batch.columns[this.#timeIndex] as { values: Float64Array }).values[row]!
  }

  #encode(out: Record<string, unknown>): Emitted {
    const { output, processor } = this.#parts
    const line = encodeRow(output.shape, out, processor.name)
    const key = this.#outputKey === undefined ? undefined : (out[this.#outputKey] as Value | null)
    return { line, partition: key === undefined ? 0 : partitionOfText(String(key ?? ''), output.partitions) }
  }

  async #append(partition: number, next: Map<string, number>, rows: readonly Emitted[], refusals: readonly Refusal[]): Promise<void> {
    const { log, output, processor } = this.#parts
    const appends: Append[] = []
    // No fingerprint: what user code emits is scanned strictly when it is read.
    for (let target = 0; target < output.partitions; target++) {
      const lines = rows.filter((row) => row.partition === target).map(({ line }) => line)
      const part = this.#numbered(`${processor.name}/${partition}`, target, lines, next)
      if (part)
        appends.push({
          partition: target,
          kind: 'rows',
          payload: Buffer.from(`${part.items.join('\n')}\n`),
          count: part.items.length,
          fingerprint: '',
          emission: part.emission,
        })
    }
    const refused = this.#numbered(`${processor.name}/${partition}/refused`, 0, refusals, next)
    if (refused)
      appends.push({
        partition: 0,
        kind: 'rejects',
        payload: encodeRefusals(refused.items),
        count: refused.items.length,
        fingerprint: '',
        emission: refused.emission,
      })
    if (appends.length > 0) await log.append(output.name, appends)
  }

  /** Gives the items their numbers and leaves out those that the log already has. */
  #numbered<T>(
    pipeline: string,
    target: number,
    items: readonly T[],
    next: Map<string, number>,
  ): { items: readonly T[]; emission: { pipeline: string; first: number } } | null {
    if (items.length === 0) return null
    const slot = `${pipeline}>${target}`
    const first = next.get(slot) ?? 0
    next.set(slot, first + items.length)
    const known = this.#parts.log.lastEmission(this.#parts.output.name, target, pipeline)
    const skip = Math.min(items.length, Math.max(0, known + 1 - first))
    return skip === items.length ? null : { items: items.slice(skip), emission: { pipeline, first: first + skip } }
  }

  async tick(): Promise<void> {}

  async cut(): Promise<Cut> {
    this.#pendingRows = 0
    const partitions = [...this.#partitions].map(([partition, { state, next }]) => [partition, { state: state.save(), next: [...next] }])
    // Copied now: user code goes on changing the cells while the checkpoint is written.
    const state = JSON.parse(JSON.stringify({ partitions })) as unknown
    return { state, changes: async () => [], publish: async () => {} }
  }
}

/** As the door chooses it for the same key. */
function partitionOfText(key: string, partitions: number): number {
  const bytes = Buffer.from(key)
  return partitionOf(bytes, 0, bytes.length, partitions)
}

function refusalOf(processor: string, input: Record<string, Value | null>, error: unknown, partition: number, offset: number): Refusal {
  const reason = error instanceof Error ? error.message : String(error)
  const raw = JSON.stringify(input, (_key, value) => (typeof value === 'bigint' ? value.toString() : value))
  return {
    raw: Buffer.from(raw),
    code: 'MR_ROW_PROCESSOR',
    message: `${processor} threw on partition ${partition}, offset ${offset}: ${reason}`,
    field: null,
  }
}
