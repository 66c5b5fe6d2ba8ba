// Appends between threads, packed into one array of numbers and one of bytes for each turn of the sender's event loop: a message
// costs as much as several requests do.
import type { SentError } from '../core/sent-error.ts'
import type { Append, Appended } from './log.ts'

/** `calls` has for each call its number, the number of its topic and the count of its parts, then the parts. */
export interface PackedAppends {
  readonly calls: Float64Array
  readonly bytes: Uint8Array
  /** Key and hash of each part that has them. */
  readonly texts: readonly string[]
}

/** What became of calls. */
export interface PackedAnswers {
  readonly numbers: Float64Array
  readonly errors: readonly (readonly [call: number, error: SentError])[]
  /** Slots that nobody reads any more. */
  readonly free: readonly number[]
}

const SLOTS = 32
const SLOT_BYTES = 512 << 10

/** Memory for the bytes of turns that are not yet durable; pages that were never used cost nothing. */
export const slotMemory = (): SharedArrayBuffer => new SharedArrayBuffer(SLOTS * SLOT_BYTES)

/**
 * Slots that one thread fills and the other reads where they are. Fresh buffers instead would each be garbage in both: on two
 * cores that took a tenth of the time (bench/ingest.ts).
 */
export const slotsOf = (memory: SharedArrayBuffer): Uint8Array[] =>
  Array.from({ length: SLOTS }, (_, slot) => new Uint8Array(memory, slot * SLOT_BYTES, SLOT_BYTES))

const KINDS = ['rows', 'rejects'] as const
const PART_NUMBERS = 5

/** Gathers the appends of one turn of a thread. */
export class AppendPacker {
  #numbers: number[] = []
  #payloads: Uint8Array[] = []
  #bytes = 0
  #texts: string[] = []

  add(call: number, topic: number, parts: readonly Append[]): void {
    this.#numbers.push(call, topic, parts.length)
    for (const { partition, kind, count, payload, idempotency } of parts) {
      this.#numbers.push(partition, KINDS.indexOf(kind as 'rows'), count, payload.length, idempotency ? 1 : 0)
      this.#payloads.push(payload)
      this.#bytes += payload.length
      if (idempotency) this.#texts.push(idempotency.key, idempotency.hash)
    }
  }

  get isEmpty(): boolean {
    return this.#numbers.length === 0
  }

  /** What `take` needs room for. */
  get bytes(): number {
    return this.#bytes
  }

  /** Everything so far, its bytes in `room` or in a buffer of their own; the packer is empty again. */
  take(room?: Uint8Array): PackedAppends {
    const bytes = room?.subarray(0, this.#bytes) ?? new Uint8Array(this.#bytes)
    let at = 0
    for (const payload of this.#payloads) {
      bytes.set(payload, at)
      at += payload.length
    }
    const packed = { calls: Float64Array.from(this.#numbers), bytes, texts: this.#texts }
    this.#numbers = []
    this.#payloads = []
    this.#bytes = 0
    this.#texts = []
    return packed
  }
}

/** In their order; payloads are views into the bytes. */
export function* callsOf(
  { calls, bytes, texts }: PackedAppends,
  fingerprints: readonly string[],
): Generator<{ call: number; topic: number; parts: Append[] }> {
  let at = 0
  let from = 0
  let text = 0
  while (at < calls.length) {
    const [call, topic, count] = [calls[at]!, calls[at + 1]!, calls[at + 2]!]
    at += 3
    const parts: Append[] = []
    for (let part = 0; part < count; part++, at += PART_NUMBERS) {
      const kind = KINDS[calls[at + 1]!]!
      const size = calls[at + 3]!
      const payload = bytes.subarray(from, from + size)
      from += size
      const fingerprint = kind === 'rows' ? fingerprints[topic]! : ''
      const idempotency = calls[at + 4] === 1 ? { idempotency: { key: texts[text++]!, hash: texts[text++]! } } : {}
      parts.push({ partition: calls[at]!, kind, payload, count: calls[at + 2]!, fingerprint, ...idempotency })
    }
    yield { call, topic, parts }
  }
}

/** Adds the answer to a call to the numbers of a message. */
export function packAppended(numbers: number[], call: number, appended: readonly Appended[]): void {
  numbers.push(call, appended.length)
  for (const { partition, first, last, duplicate } of appended) numbers.push(partition, first, last, duplicate ? 1 : 0)
}

export function* appendedOf(numbers: Float64Array): Generator<{ call: number; appended: Appended[] }> {
  let at = 0
  while (at < numbers.length) {
    const call = numbers[at]!
    const count = numbers[at + 1]!
    at += 2
    const appended: Appended[] = []
    for (let part = 0; part < count; part++, at += 4)
      appended.push({ partition: numbers[at]!, first: numbers[at + 1]!, last: numbers[at + 2]!, duplicate: numbers[at + 3] === 1 })
    yield { call, appended }
  }
}
