// The one `any` of the definition types: where a type parameter must accept every row, or a model is not bound yet.

// biome-ignore lint/suspicious/noExplicitAny: `unknown` in these places refuses what users may write
export type Any = any

/** No columns at all. */
export type NoFields = Record<never, never>
