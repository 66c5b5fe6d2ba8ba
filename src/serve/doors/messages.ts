// What a door's thread and the process say to each other. Appends go to the log by an entrance of their own.
import type { MessagePort } from 'node:worker_threads'
import type { SentError } from '../../core/sent-error.ts'
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
  /** The other side of an `Entrance` of the log, whose topics are those of the doors, in their order, and its memory. */
  readonly log: MessagePort
  readonly memory: SharedArrayBuffer
}

/** Where connections go that the lane leaves: node:http on the loopback interface, for those who know the secret. */
export interface InnerAddress {
  readonly port: number
  readonly secret: string
}

export type FromThread =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }
  | { readonly kind: 'may'; readonly ask: number; readonly authorization: string | undefined; readonly stream: string }
  /** Of one turn of the event loop: `collectedOf`. */
  | { readonly kind: 'collected'; readonly numbers: Float64Array }

export type ToThread =
  | { readonly kind: 'may'; readonly ask: number; readonly id: string }
  | { readonly kind: 'may'; readonly ask: number; readonly error: SentError }
  /** Who may write may have changed. */
  | { readonly kind: 'forget' }
  | { readonly kind: 'close'; readonly connections: 'idle' | 'all' }

/** Rows of one request, as the door counts them. */
export interface Collected {
  readonly door: number
  readonly accepted: number
  readonly rejected: number
  readonly bytes: number
  readonly tookMs: number
}

/** Five numbers each, in the order of `Collected`. */
export function packCollected(numbers: number[], { door, accepted, rejected, bytes, tookMs }: Collected): void {
  numbers.push(door, accepted, rejected, bytes, tookMs)
}

export function* collectedOf(numbers: Float64Array): Generator<Collected> {
  for (let at = 0; at < numbers.length; at += 5) {
    yield {
      door: numbers[at]!,
      accepted: numbers[at + 1]!,
      rejected: numbers[at + 2]!,
      bytes: numbers[at + 3]!,
      tookMs: numbers[at + 4]!,
    }
  }
}
