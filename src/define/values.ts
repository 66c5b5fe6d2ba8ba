// How values look in TypeScript where JavaScript has no exact type of its own. Types only: definitions hold no data.
export type { Decimal } from '../schema/decimal.ts'
export type { Instant } from '../schema/instant.ts'
