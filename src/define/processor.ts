// `processor`: TypeScript that is called for each event of a stream, in order for each key, with exactly-once state. What
// it emits is a stream of the same name.
import type { NoFields } from './any.ts'
import type { Fields, KeyOf, RowOf } from './field.ts'
import type { PartitionOf, RelationHow } from './how.ts'
import { placeOf } from './place.ts'
import { type Declared, declaredRelation, type Relation } from './relation.ts'
import type { StateSpec } from './state.ts'
import type { Instant } from './values.ts'

export interface ProcessorContext<Out> {
  /** Appends a row to the processor's stream. */
  emit(row: Out): void
  /** The time when the event arrived. The only clock that a processor may read: it is the same when the log is replayed. */
  readonly now: Instant
}

export type StateOf<St extends Readonly<Record<string, StateSpec>>> = { readonly [K in keyof St]: St[K]['$handle'] }

type RowKey<R> = R extends unknown ? keyof R & string : never

type TimeKey<R> = R extends unknown ? { [K in keyof R & string]-?: R[K] extends Instant ? K : never }[keyof R & string] : never

export interface ProcessorHow<S extends Fields, R, St extends Readonly<Record<string, StateSpec>>> extends RelationHow {
  readonly from: Relation<string, R, 'stream'>
  /** Column of `from`; state is kept for each of its values. */
  readonly key?: RowKey<R>
  /** Event-time column of `from`; the output has it as its time when a column of that name is a timestamp. */
  readonly time?: TimeKey<R>
  readonly state?: St
  /** Called once for each event. It must not read clocks, chance or the network: the log is replayed after a crash. */
  on(row: R, state: StateOf<St>, context: ProcessorContext<RowOf<S>>): void
  readonly partitions?: number
  readonly partition?: readonly PartitionOf<S>[]
  /** Columns by which files are sorted. */
  readonly cluster?: readonly KeyOf<S>[]
}

/** A processor and the stream that it emits, whose columns are `fields`. */
export function processor<const N extends string, S extends Fields, R, const St extends Readonly<Record<string, StateSpec>> = NoFields>(
  name: N,
  fields: S,
  how: ProcessorHow<S, R, St>,
): Declared<N, S, 'stream'> {
  return declaredRelation({ $kind: 'stream', $name: name, $at: placeOf(processor), $how: how }, fields) as Declared<N, S, 'stream'>
}
