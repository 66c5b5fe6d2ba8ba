// How values look in TypeScript where JavaScript has no exact type of its own. Types only: definitions hold no data.

/** An exact decimal. `valueOf` is never, so that `a + b` and `a > 1` do not compile. */
export interface Decimal {
  plus(other: Decimal | string | number): Decimal
  minus(other: Decimal | string | number): Decimal
  times(other: Decimal | string | number): Decimal
  compare(other: Decimal | string | number): number
  eq(other: Decimal | string | number): boolean
  gt(other: Decimal | string | number): boolean
  gte(other: Decimal | string | number): boolean
  lt(other: Decimal | string | number): boolean
  lte(other: Decimal | string | number): boolean
  toString(): string
  valueOf(): never
}

/** An instant with microseconds. */
export interface Instant {
  readonly epochMicros: bigint
  toString(): string
}
