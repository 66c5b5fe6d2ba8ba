// What a door's thread and the process say to each other. Appends are packed into one array of numbers and one of bytes for each
// turn of the event loop: a message costs as much as several requests do.
import { type ErrorCode, MillraceError } from '../../core/errors.ts'
import type { Append, Appended } from '../../log/log.ts'
import type { Shape } from '../../schema/type.ts'

/** A stream's door as a thread gets it: it compiles its own scanner. */
export interface DoorDefinition {
  readonly topic: string
  readonly partitions: number
  readonly keyIndex: number
  readonly shape: Shape
}

/** The first thing that a thread hears. */
export interface ThreadData {
  readonly host: string
  readonly port: number
  /** Several threads listen on one port. */
  readonly isShared: boolean
  readonly bodyBytesMax: number
  readonly doors: readonly DoorDefinition[]
  readonly inner: InnerAddress
  /** Shared with the process: `slotsOf`. */
  readonly memory: SharedArrayBuffer
}

/** Where connections go that the lane leaves: node:http on the loopback interface, for those who know the secret. */
export interface InnerAddress {
  readonly port: number
  readonly secret: string
}

export interface SentError {
  readonly code: ErrorCode
  readonly message: string
  readonly fix: string | undefined
}

export type FromThread =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
  | { readonly kind: 'may'; readonly ask: number; readonly authorization: string | undefined; readonly stream: string }
  /** `slot`: where the bytes lie, when they are not sent with it. */
  | ({ readonly kind: 'turn'; readonly slot: number | null } & PackedTurn)

export type ToThread =
  | { readonly kind: 'may'; readonly ask: number; readonly id: string }
  | { readonly kind: 'may'; readonly ask: number; readonly error: SentError }
  /** Who may write may have changed. */
  | { readonly kind: 'forget' }
  | ({ readonly kind: 'appended' } & PackedAnswers)
  | { readonly kind: 'close'; readonly connections: 'idle' | 'all' }

export const sentError = ({ code, message, fix }: MillraceError): SentError => ({ code, message, fix })

export const receivedError = ({ code, message, fix }: SentError): MillraceError =>
  new MillraceError(code, message, fix === undefined ? {} : { fix })

/** Rows of one request, as the door counts them. */
export interface Collected {
  readonly door: number
  readonly accepted: number
  readonly rejected: number
  readonly bytes: number
  readonly tookMs: number
}

/** Appends of one turn: `calls` has for each call its number, door and count of parts, then the parts. */
export interface PackedTurn {
  readonly calls: Float64Array
  readonly bytes: Uint8Array
  /** Key and hash of each part that has them. */
  readonly texts: readonly string[]
  /** Five numbers each, as in `Collected`. */
  readonly collected: Float64Array
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
 * Slots that a thread fills and the process reads where they are. Fresh buffers instead would each be garbage in both: on two
 * cores that took a tenth of the time (bench/ingest.ts).
 */
export const slotsOf = (memory: SharedArrayBuffer): Uint8Array[] =>
  Array.from({ length: SLOTS }, (_, slot) => new Uint8Array(memory, slot * SLOT_BYTES, SLOT_BYTES))

const KINDS = ['rows', 'rejects'] as const
const PART_NUMBERS = 5

/** Gathers what one turn of a thread has to send. */
export class Turn {
  #numbers: number[] = []
  #payloads: Uint8Array[] = []
  #bytes = 0
  #texts: string[] = []
  #collected: number[] = []

  append(call: number, door: number, parts: readonly Append[]): void {
    this.#numbers.push(call, door, parts.length)
    for (const { partition, kind, count, payload, idempotency } of parts) {
      this.#numbers.push(partition, KINDS.indexOf(kind as 'rows'), count, payload.length, idempotency ? 1 : 0)
      this.#payloads.push(payload)
      this.#bytes += payload.length
      if (idempotency) this.#texts.push(idempotency.key, idempotency.hash)
    }
  }

  collected({ door, accepted, rejected, bytes, tookMs }: Collected): void {
    this.#collected.push(door, accepted, rejected, bytes, tookMs)
  }

  /** What `take` needs room for. */
  get bytes(): number {
    return this.#bytes
  }

  /** Everything so far, its bytes in `room` or in a buffer of their own; the turn is empty again. */
  take(room?: Uint8Array): PackedTurn {
    const bytes = room?.subarray(0, this.#bytes) ?? new Uint8Array(this.#bytes)
    let at = 0
    for (const payload of this.#payloads) {
      bytes.set(payload, at)
      at += payload.length
    }
    const packed = { calls: Float64Array.from(this.#numbers), bytes, texts: this.#texts, collected: Float64Array.from(this.#collected) }
    this.#numbers = []
    this.#payloads = []
    this.#bytes = 0
    this.#texts = []
    this.#collected = []
    return packed
  }
}

/** The appends of a turn, in their order; payloads are views into its bytes. */
export function* callsOf(
  { calls, bytes, texts }: PackedTurn,
  fingerprints: readonly string[],
): Generator<{ call: number; door: number; parts: Append[] }> {
  let at = 0
  let from = 0
  let text = 0
  while (at < calls.length) {
    const [call, door, count] = [calls[at]!, calls[at + 1]!, calls[at + 2]!]
    at += 3
    const parts: Append[] = []
    for (let part = 0; part < count; part++, at += PART_NUMBERS) {
      const kind = KINDS[calls[at + 1]!]!
      const size = calls[at + 3]!
      const payload = bytes.subarray(from, from + size)
      from += size
      const fingerprint = kind === 'rows' ? fingerprints[door]! : ''
      const idempotency = calls[at + 4] === 1 ? { idempotency: { key: texts[text++]!, hash: texts[text++]! } } : {}
      parts.push({ partition: calls[at]!, kind, payload, count: calls[at + 2]!, fingerprint, ...idempotency })
    }
    yield { call, door, parts }
  }
}

export function* collectedOf({ collected }: PackedTurn): Generator<Collected> {
  for (let at = 0; at < collected.length; at += 5) {
    yield {
      door: collected[at]!,
      accepted: collected[at + 1]!,
      rejected: collected[at + 2]!,
      bytes: collected[at + 3]!,
      tookMs: collected[at + 4]!,
    }
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
