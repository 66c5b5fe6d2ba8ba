// JSON that keeps every integer: Iceberg ids have 63 bits and DuckDB's syntax trees hold literals of any size, both of
// which JSON.parse would change. Relies on `context.source` and JSON.rawJSON (Node >= 22).

declare global {
  interface JSON {
    rawJSON(text: string): unknown
  }
}

type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown

/** Parses; integers beyond 2^53 - 1 become bigint. */
export function parseJson(text: string): unknown {
  const reviver: Reviver = (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && context.source && /^-?\d+$/.test(context.source)
      ? BigInt(context.source)
      : value
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
}

/** Parses and keeps every number exactly as written (`10.0` stays `10.0`): what goes out of `printJson` is what came in. */
export function parseJsonVerbatim(text: string): unknown {
  const reviver: Reviver = (_key, value, context) =>
    typeof value === 'number' && context.source !== undefined && String(value) !== context.source ? JSON.rawJSON(context.source) : value
  return JSON.parse(text, reviver as (key: string, value: unknown) => unknown)
}

/** The digits of a number, or the text of another value, of what `parseJsonVerbatim` gives. */
export const textOf = (value: unknown): string => (JSON.isRawJSON(value) ? (value as { rawJSON: string }).rawJSON : String(value))

/** Prints; bigint as a JSON number. */
export function printJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? JSON.rawJSON(String(inner)) : inner), indent)
}
