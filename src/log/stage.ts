// What one group commit writes to one partition: appends joined into batches, so that a thousand single events share one
// header and one checksum. Decides what is a repetition, against the partition's memory and against the group itself.
// No I/O; nothing here takes effect before the group is durable.
import { MillraceError } from '../core/errors.ts'
import type { Append, Emission, RecordKind } from './log.ts'
import { type Memory, scopedKey } from './memory.ts'
import type { BatchKey } from './record-batch.ts'

/** A batch closes before it grows beyond this, so that a reader of one record never decompresses much. */
const BATCH_BYTES_MAX = 1 << 20

export interface StagedBatch {
  readonly kind: RecordKind
  readonly fingerprint: string
  readonly redriveOf: string | undefined
  readonly lines: Uint8Array[]
  readonly keys: BatchKey[]
  readonly emissions: Map<string, number>
  count: number
  payloadBytes: number
  /** Set by `seal`. */
  baseOffset: number
}

/** Where a part goes: into a batch of this group, or (without batch) where it was before. */
export interface Placement {
  readonly batch: StagedBatch | undefined
  /** Counts from the base of the batch; absolute without one. */
  readonly first: number
  readonly count: number
  readonly duplicate: boolean
}

export class Stage {
  readonly batches: StagedBatch[] = []
  readonly #memory: Memory
  /** The batch that each lane ends with. */
  readonly #open = new Map<string, StagedBatch>()
  readonly #placed = new Map<string, { readonly hash: string; readonly placement: Placement }>()
  readonly #emitted = new Map<string, number>()

  constructor(memory: Memory) {
    this.#memory = memory
  }

  /** Records that it adds so far. */
  get count(): number {
    return this.batches.reduce((sum, batch) => sum + batch.count, 0)
  }

  /** @throws MR_INGEST_IDEMPOTENCY for a key that was used with another hash. */
  verify(part: Append): void {
    if (!part.idempotency) return
    const { key, hash, given = key } = part.idempotency
    const id = scopedKey(part.kind, key)
    const [known, placed] = [this.#memory.find(id, hash), this.#placed.get(id)]
    if (known ? !known.isSameBody : placed && placed.hash !== hash)
      throw new MillraceError('MR_INGEST_IDEMPOTENCY', `the idempotency key "${given}" was used with another body`, {
        fix: 'use a new key for new content, and the same body when you try again',
      })
  }

  /** Takes a part that `verify` let pass. */
  place(part: Append): Placement {
    const repeated = this.#repetition(part)
    if (repeated) return { ...repeated, duplicate: true }
    const emitted = part.emission ? this.#emittedBefore(part.emission, part.count) : 0
    if (emitted >= part.count) return { batch: undefined, first: -1, count: 1, duplicate: true }
    const placement = this.#write(part, emitted)
    if (part.idempotency) this.#placed.set(scopedKey(part.kind, part.idempotency.key), { hash: part.idempotency.hash, placement })
    if (part.redriveOf !== undefined) this.#placed.set(`o${part.redriveOf}`, { hash: '', placement })
    return placement
  }

  /** Gives the batches their offsets, from `next` on, in the order in which they stand in the file. */
  seal(next: number): void {
    for (const batch of this.batches) {
      batch.baseOffset = next
      next += batch.count
    }
  }

  /** The place of what has the same key or the same origin, in the partition or in this group. */
  #repetition({ kind, idempotency, redriveOf }: Append): Placement | undefined {
    const id = idempotency && scopedKey(kind, idempotency.key)
    const known = (id && this.#memory.find(id, idempotency.hash)) ?? (redriveOf && this.#memory.redrives.get(redriveOf)) ?? undefined
    if (known) return { batch: undefined, first: known.first, count: known.count, duplicate: true }
    const placed = (id && this.#placed.get(id)) ?? (redriveOf && this.#placed.get(`o${redriveOf}`)) ?? undefined
    return placed ? placed.placement : undefined
  }

  /** How many of the part's rows, from its start, the partition or this group has already. */
  #emittedBefore({ pipeline, first, numbers }: Emission, count: number): number {
    const last = this.#emitted.get(pipeline) ?? this.#memory.emissions.get(pipeline) ?? -1
    if (!numbers) return Math.max(0, last + 1 - first)
    let known = 0
    while (known < count && numbers[known]! <= last) known++
    return known
  }

  #write(part: Append, skip: number): Placement {
    const payload = skip === 0 ? part.payload : part.payload.subarray(startOfLine(part.payload, skip))
    const count = part.count - skip
    const batch = this.#batchFor(part, payload.byteLength)
    const first = batch.count
    batch.lines.push(payload)
    batch.count += count
    batch.payloadBytes += payload.byteLength
    if (part.idempotency) batch.keys.push({ key: part.idempotency.key, hash: part.idempotency.hash, delta: first, count })
    if (part.emission) {
      const { first: number, numbers } = part.emission
      const last = numbers ? numbers[part.count - 1]! : number + part.count - 1
      batch.emissions.set(part.emission.pipeline, last)
      this.#emitted.set(part.emission.pipeline, last)
    }
    return { batch, first, count, duplicate: false }
  }

  #batchFor(part: Append, bytes: number): StagedBatch {
    const lane = laneOf(part.kind)
    const open = this.#open.get(lane)
    if (
      open?.kind === part.kind &&
      open.fingerprint === part.fingerprint &&
      open.redriveOf === undefined &&
      part.redriveOf === undefined &&
      open.payloadBytes + bytes <= BATCH_BYTES_MAX
    )
      return open
    const batch: StagedBatch = {
      kind: part.kind,
      fingerprint: part.fingerprint,
      redriveOf: part.redriveOf,
      lines: [],
      keys: [],
      emissions: new Map(),
      count: 0,
      payloadBytes: 0,
      baseOffset: -1,
    }
    this.#open.set(lane, batch)
    this.batches.push(batch)
    return batch
  }
}

/**
 * Parts of one lane keep the order in which they came: rows, and keys whose rows go. Rejects and decisions have lanes of their own and
 * do not cut batches of rows.
 */
const laneOf = (kind: RecordKind): string => (kind === 'deletes' || kind === 'changes' ? 'rows' : kind)

const NEWLINE = 0x0a

/** Where line number `line`, counted from 0, begins. */
function startOfLine(payload: Uint8Array, line: number): number {
  let at = 0
  for (let seen = 0; seen < line; seen++) at = payload.indexOf(NEWLINE, at) + 1
  return at
}
