// State of processors: declared, so that it is checkpointed, migrated and bounded. `keyed` keeps one for each key, `shared`
// one for each partition. The stream engine implements the handles (`src/stream/state/`); here are their types and the
// declarations. "Now" is the event time of the row when the processor has `time`, else its time of arrival.
import type { Duration } from '../core/duration.ts'
import type { Field, FieldSpec } from './field.ts'

/** One value. */
export interface ValueState<T> {
  get(): T | null
  set(value: T): void
  clear(): void
}

/** Values by key; with `within`, an entry is forgotten so long after it was last set. */
export interface MapState<K, V> {
  get(key: K): V | null
  has(key: K): boolean
  set(key: K, value: V): void
  delete(key: K): void
  clear(): void
  readonly size: number
  /** In the order of the keys' JSON text, which is the same live and replayed. */
  entries(): readonly (readonly [K, V])[]
}

/** Distinct values, each forgotten `within` after it was last added. */
export interface ExpiringSetState<T> {
  add(value: T): void
  has(value: T): boolean
  readonly size: number
  /** The oldest first. */
  values(): readonly T[]
}

/** Figures of the last `within`, kept in panes: what is older than `within` less a pane counts no more. */
export interface WindowState {
  add(value?: number): void
  readonly count: number
  readonly sum: number
  /** Null while the window is empty. */
  readonly mean: number | null
  readonly min: number | null
  readonly max: number | null
}

/** Exponentially weighted rate of events per second. */
export interface EwmaState {
  /** Counts an event, or `weight` of them. */
  tick(weight?: number): void
  readonly value: number
}

/** Running count, mean and variance of numbers (Welford). */
export interface MomentsState {
  add(value: number): void
  readonly count: number
  readonly mean: number
  /** Of the sample; 0 below two values. */
  readonly variance: number
  readonly deviation: number
  /** (value - mean) / deviation; 0 while the deviation is 0. */
  score(value: number): number
}

/** The heaviest values (Space-Saving): exact while there are no more distinct values than counters. */
export interface TopState<T> {
  add(value: T, weight?: number): void
  /** The heaviest first; `count` is too high by at most `error`. */
  values(): readonly { readonly value: T; readonly count: number; readonly error: number }[]
}

/** About how many distinct values were added (HyperLogLog). */
export interface DistinctState<T> {
  add(value: T): void
  readonly count: number
}

/** Quantiles with a bounded relative error (DDSketch). Numbers that are not finite are passed over. */
export interface QuantilesState {
  add(value: number): void
  readonly count: number
  /** `q` from 0 to 1; null while it is empty. */
  quantile(q: number): number | null
}

export type Features<F extends string> = { readonly [K in F]: number }

interface LearnerState<F extends string> {
  /** How many examples it has learned from: names the weights that gave a score. */
  readonly version: number
  readonly weights: Features<F | 'intercept'>
}

/** Logistic regression that learns one example at a time. */
export interface LogisticState<F extends string> extends LearnerState<F> {
  /** Probability, 0 to 1; 0.5 before it has learned anything. */
  score(features: Features<F>): number
  learn(features: Features<F>, label: boolean, weight?: number): void
}

/** Linear regression by stochastic gradient descent, one example at a time. */
export interface RegressionState<F extends string> extends LearnerState<F> {
  predict(features: Features<F>): number
  learn(features: Features<F>, target: number, weight?: number): void
}

export interface LearnerHow<F extends string> {
  /** Names of the inputs. Give them about one size: (x - mean) / deviation, or a logarithm. */
  readonly features: readonly F[]
  /** How far a first step goes, above 0; later ones are shorter (AdaGrad). Default 0.5. */
  readonly rate?: number
  /** Pull of the weights towards 0, 0 or more. Default 0. */
  readonly decay?: number
}

export type StateKind =
  | 'value'
  | 'map'
  | 'expiringSet'
  | 'window'
  | 'ewma'
  | 'moments'
  | 'top'
  | 'distinct'
  | 'quantiles'
  | 'logistic'
  | 'regression'

export interface StateSpec<H = unknown> {
  readonly $state: StateKind
  readonly $scope: 'key' | 'partition'
  readonly field?: FieldSpec
  /** Of maps. */
  readonly keyField?: FieldSpec
  readonly within?: Duration
  readonly numbers?: Readonly<Record<string, number>>
  readonly features?: readonly string[]
  /** Type only; undefined at run time. */
  readonly $handle: H
}

function declarationsOf($scope: StateSpec['$scope']) {
  const spec = <H>($state: StateKind, parts: Omit<StateSpec, '$handle' | '$scope' | '$state'> = {}): StateSpec<H> =>
    Object.freeze({ $state, $scope, ...parts }) as StateSpec<H>
  const learner = <H>(kind: StateKind, { features, rate = 0.5, decay = 0 }: LearnerHow<string>): StateSpec<H> =>
    spec<H>(kind, { features, numbers: { rate, decay } })
  return Object.freeze({
    value: <T>(field: Field<T>) => spec<ValueState<T>>('value', { field: field.$field }),
    map: <K, V>(key: Field<K>, value: Field<V>, how: { readonly within?: Duration } = {}) =>
      spec<MapState<K, V>>('map', { keyField: key.$field, field: value.$field, ...how }),
    expiringSet: <T>(field: Field<T>, within: Duration) => spec<ExpiringSetState<T>>('expiringSet', { field: field.$field, within }),
    /** `panes`: how finely time is cut, 1 to 3600; default 60. */
    window: (within: Duration, { panes = 60 }: { readonly panes?: number } = {}) =>
      spec<WindowState>('window', { within, numbers: { panes } }),
    /** `window`: how fast it forgets; an event this old weighs 1/e. */
    ewma: (window: Duration) => spec<EwmaState>('ewma', { within: window }),
    moments: () => spec<MomentsState>('moments'),
    /** `size`: how many are answered; `counters`: how many are kept, default 10 times as many. */
    top: <T>(field: Field<T>, size: number, { counters = size * 10 }: { readonly counters?: number } = {}) =>
      spec<TopState<T>>('top', { field: field.$field, numbers: { size, counters } }),
    /** `precision` 4 to 16: the standard error is 1.04 / 2^(precision / 2); default 12, 1.6 %. */
    distinct: <T>(field: Field<T>, { precision = 12 }: { readonly precision?: number } = {}) =>
      spec<DistinctState<T>>('distinct', { field: field.$field, numbers: { precision } }),
    /** `accuracy`: relative error of an answer, default 0.01. */
    quantiles: ({ accuracy = 0.01 }: { readonly accuracy?: number } = {}) => spec<QuantilesState>('quantiles', { numbers: { accuracy } }),
    logistic: <const F extends string>(how: LearnerHow<F>) => learner<LogisticState<F>>('logistic', how),
    regression: <const F extends string>(how: LearnerHow<F>) => learner<RegressionState<F>>('regression', how),
  })
}

/** Declarations of state, one for each key of the processor. */
export const keyed = declarationsOf('key')

/** Declarations of state, one for each partition of the input: all of its keys change it, in the order of the partition. */
export const shared = declarationsOf('partition')
