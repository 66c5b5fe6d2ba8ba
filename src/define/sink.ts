// `sink`: what a relation holds flows out of the project, as it changes. What is written is what was committed.
import type { Duration } from '../core/duration.ts'
import type { Definition } from './definition.ts'
import type { KafkaTopic } from './kafka.ts'
import { placeOf } from './place.ts'
import type { Relation } from './relation.ts'

export interface SinkHow<R> {
  /** A topic of `millrace/kafka`. It must exist. */
  readonly to: KafkaTopic
  /** Columns that identify a row: the key of its message, as JSON. Default: the key of the relation, if it has one. */
  readonly key?: (keyof R & string) | readonly (keyof R & string)[]
  /** Default: all. */
  readonly columns?: readonly (keyof R & string)[]
  /** How long a row of a live relation may wait before it is committed and written. Default '5 seconds'. */
  readonly every?: Duration
  readonly doc?: string
  readonly owner?: string
}

export interface Sink<N extends string = string> extends Definition<'sink', N> {
  readonly $from: Relation
  readonly $how: SinkHow<Record<string, unknown>>
}

/** Rows of a stream, table or model, written to a topic: each exactly once. `name` is the identity of how far it is. */
export const sink = <const N extends string, R>(name: N, from: Relation<string, R>, how: SinkHow<R>): Sink<N> =>
  Object.freeze({ $kind: 'sink', $name: name, $at: placeOf(sink), $from: from, $how: how as unknown as SinkHow<Record<string, unknown>> })

/** What alerts call a sink among assets: a relation may have its name. */
export const sinkAsset = (name: string): string => `sink:${name}`
