// `processor`: TypeScript that is called for each event of a stream, in order for each key, with exactly-once state and
// timers. What it emits is a stream of the same name, and further streams that it names as outputs.
import type { Duration } from '../core/duration.ts'
import type { Size } from '../core/size.ts'
import type { Any, NoFields } from './any.ts'
import type { Fields, InputOf, KeyOf } from './field.ts'
import type { PartitionOf, RelationHow } from './how.ts'
import { placeOf } from './place.ts'
import { type Declared, declaredRelation, type Relation } from './relation.ts'
import type { StateSpec } from './state.ts'
import type { Instant } from './values.ts'

type States = Readonly<Record<string, StateSpec>>
type Outputs = Readonly<Record<string, Relation<string, Any, 'stream'>>>
type Broadcast = Readonly<Record<string, Relation<string, Any, 'table'>>>

/** A row that a stream takes. */
type InputRow<R extends Relation> = R extends { readonly $shape: infer S extends Fields } ? InputOf<S> : R['$row']

export interface ProcessorContext<Out, Timers extends string = never, Os extends Outputs = NoFields> {
  /** Appends a row to the processor's stream. */
  emit(row: Out): void
  /** Appends a row to one of its `outputs`. */
  readonly emitTo: { readonly [O in keyof Os]: (row: InputRow<Os[O]>) => void }
  /**
   * Calls `onTimer[name]` for this key once time has reached `at`; one that was set before under this name is moved. By event
   * time it fires before the first record with which the partition's watermark reaches `at`; by arrival, before the first
   * record that came at `at` or later, and when none comes, soon after. Default: by event time when the processor has `time`.
   */
  timer(name: Timers, at: Instant, by?: 'event' | 'arrival'): void
  cancelTimer(name: Timers): void
  /** Uniform in [0, 1): chance that is drawn from the place of the record, so it is the same when the log is replayed. */
  random(): number
  /** The time when the event arrived. The only clock that a processor may read: it is the same when the log is replayed. */
  readonly now: Instant
}

export interface Timer<K> {
  /** The key whose timer it is. */
  readonly key: K
  /** The time that it was set to. */
  readonly at: Instant
}

export type StateOf<St extends States> = { readonly [K in keyof St]: St[K]['$handle'] }

type RowKey<R> = R extends unknown ? keyof R & string : never

type TimeKey<R> = R extends unknown ? { [K in keyof R & string]-?: R[K] extends Instant ? K : never }[keyof R & string] : never

export interface ProcessorHow<
  S extends Fields,
  R,
  St extends States,
  K extends string = RowKey<R>,
  T extends string = never,
  Os extends Outputs = NoFields,
  Bs extends Broadcast = NoFields,
> extends RelationHow {
  readonly from: Relation<string, R, 'stream'>
  /** Column of `from`; state and timers are kept for each of its values. */
  readonly key?: K & RowKey<R>
  /** Event-time column of `from`; the output has it as its time when a column of that name is a timestamp. */
  readonly time?: TimeKey<R>
  readonly state?: St
  /** Further streams that it emits into, each made by `stream(..., { from: emitted() })`. */
  readonly outputs?: Os
  /** Called once for each event. It must not read clocks, chance or the network: the log is replayed after a crash. */
  on(row: R, state: StateOf<St>, context: ProcessorContext<InputOf<S>, T, Os>): void
  /** Called when a timer fires, by the names that `context.timer` takes. The same rules as for `on`. */
  readonly onTimer?: {
    readonly [N in T]: (
      timer: Timer<K extends keyof R ? R[K] : null>,
      state: StateOf<St>,
      context: ProcessorContext<InputOf<S>, T, Os>,
    ) => void
  }
  /** Keyed tables fed over HTTP whose rows every partition is told of: rules, limits, lists. */
  readonly broadcast?: Bs
  /**
   * Called in each partition for each row of a broadcast table, before the first record that came after it: keep what matters in
   * shared state. There is no key, and nothing can be emitted.
   */
  readonly onBroadcast?: { readonly [B in keyof Bs]: (row: Bs[B]['$row'], state: StateOf<St>) => void }
  /** How long one call may take before it is ended and its row set aside; default 5 seconds. */
  readonly limit?: Duration
  /** How much memory its state may take; what is used least goes to disk beyond it. Default: `MILLRACE_STATE_BYTES`. */
  readonly memory?: Size
  /**
   * State that may start empty where what is stored does not fit what is declared: names of states, or true for all of it, also
   * when `from`, `key` or `time` are others. Without it such a change is refused. State that fits is kept.
   */
  readonly reset?: true | readonly (keyof St & string)[]
  readonly partitions?: number
  readonly partition?: readonly PartitionOf<S>[]
  /** Columns by which files are sorted. */
  readonly cluster?: readonly KeyOf<S>[]
}

/** A processor and the stream that it emits, whose columns are `fields`. */
export function processor<
  const N extends string,
  S extends Fields,
  R,
  const St extends States = NoFields,
  const K extends string = never,
  T extends string = never,
  Os extends Outputs = NoFields,
  Bs extends Broadcast = NoFields,
>(name: N, fields: S, how: ProcessorHow<S, R, St, K, T, Os, Bs>): Declared<N, S, 'stream'> {
  return declaredRelation({ $kind: 'stream', $name: name, $at: placeOf(processor), $how: how }, fields) as Declared<N, S, 'stream'>
}
