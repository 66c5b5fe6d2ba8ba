// `stream`: an append-only relation with event time, fed over HTTP, by a topic of Kafka or by a processor.
import type { Duration } from '../core/duration.ts'
import type { Fields, KeyOf, TimeKeys } from './field.ts'
import type { PartitionOf, RelationHow } from './how.ts'
import type { KafkaTopic } from './kafka.ts'
import { placeOf } from './place.ts'
import { type Declared, declaredRelation } from './relation.ts'
import type { EmittedSource, HttpSource } from './source.ts'

export interface StreamHow<S extends Fields> extends RelationHow {
  readonly from: HttpSource | KafkaTopic | EmittedSource
  /** Rows of one key keep their order: its hash chooses the partition. */
  readonly key?: KeyOf<S>
  /** Event time; default: the time of arrival. */
  readonly time?: TimeKeys<S>
  /** A row is late when its time is further behind than this; late rows go to `<name>__late`. Default: nothing waits, nothing is late by less than 0. */
  readonly lateness?: Duration
  /** A row that claims to come from further in the future never moves the watermark. */
  readonly maxSkew?: Duration
  /** Rows equal in these columns (and in `key`) within this time of arrival are one. */
  readonly dedupe?: { readonly by: KeyOf<S> | readonly KeyOf<S>[]; readonly within: Duration }
  /** Parallelism: partitions of the log. Default 1. */
  readonly partitions?: number
  readonly partition?: readonly PartitionOf<S>[]
  /** Columns by which files are sorted. */
  readonly cluster?: readonly KeyOf<S>[]
}

/** A stream of rows. `name` is the identity of its stored data. */
export function stream<const N extends string, const S extends Fields>(name: N, fields: S, how: StreamHow<S>): Declared<N, S, 'stream'> {
  return declaredRelation({ $kind: 'stream', $name: name, $at: placeOf(stream), $how: how }, fields) as Declared<N, S, 'stream'>
}
