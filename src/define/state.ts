// Keyed state of processors: declared, so that it is stored in columns, checkpointed and migrated. The stream engine
// implements the handles; here are their types and the declarations.
import type { Duration } from '../core/duration.ts'
import type { Field, FieldSpec } from './field.ts'

/** One value a key. */
export interface ValueState<T> {
  get(): T | null
  set(value: T): void
  clear(): void
}

/** Distinct values a key, each forgotten `within` after it was last added: by event time when the processor has `time`, else by
 *  the time of arrival. */
export interface ExpiringSetState<T> {
  add(value: T): void
  has(value: T): boolean
  readonly size: number
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

export interface StateSpec<H = unknown> {
  readonly $state: 'value' | 'expiringSet' | 'ewma' | 'moments'
  readonly field?: FieldSpec
  readonly within?: Duration
  /** Type only; undefined at run time. */
  readonly $handle: H
}

const spec = <H>(parts: Omit<StateSpec, '$handle'>): StateSpec<H> => Object.freeze(parts) as StateSpec<H>

/** Declarations of state, one for each key of the processor. */
export const keyed = Object.freeze({
  value: <T>(field: Field<T>) => spec<ValueState<T>>({ $state: 'value', field: field.$field }),
  expiringSet: <T>(field: Field<T>, within: Duration) => spec<ExpiringSetState<T>>({ $state: 'expiringSet', field: field.$field, within }),
  /** `window`: how fast it forgets; an event this old weighs 1/e. */
  ewma: (window: Duration) => spec<EwmaState>({ $state: 'ewma', within: window }),
  moments: () => spec<MomentsState>({ $state: 'moments' }),
})
