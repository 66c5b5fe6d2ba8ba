// The type table of DuckDB: what a column is created as, and what a bound result column means to us. Sessions run with
// TimeZone = 'UTC'. It knows names of types only; values are converted in engine/.
import type { Kind, Type } from './type.ts'

const NAMES: Record<Exclude<Kind, 'decimal'>, string> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMPTZ',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
  json: 'VARCHAR',
  enum: 'VARCHAR',
}

/** The SQL type of a column of this type. */
export const toDuckType = (type: Type): string => (type.kind === 'decimal' ? `DECIMAL(${type.precision},${type.scale})` : NAMES[type.kind])

// UBIGINT and HUGEINT have no lane of their own. HUGEINT and UHUGEINT reach 39 digits: what exceeds 38 fails when it is
// read, never silently.
const MEANINGS: Record<string, Type> = {
  BOOLEAN: { kind: 'boolean' },
  TINYINT: { kind: 'int' },
  SMALLINT: { kind: 'int' },
  INTEGER: { kind: 'int' },
  UTINYINT: { kind: 'int' },
  USMALLINT: { kind: 'int' },
  UINTEGER: { kind: 'long' },
  BIGINT: { kind: 'long' },
  UBIGINT: { kind: 'decimal', precision: 20, scale: 0 },
  HUGEINT: { kind: 'decimal', precision: 38, scale: 0 },
  UHUGEINT: { kind: 'decimal', precision: 38, scale: 0 },
  FLOAT: { kind: 'float' },
  REAL: { kind: 'float' },
  DOUBLE: { kind: 'double' },
  DECIMAL: { kind: 'decimal', precision: 18, scale: 3 },
  DATE: { kind: 'date' },
  TIME: { kind: 'time' },
  TIMESTAMP: { kind: 'timestamp' },
  TIMESTAMP_S: { kind: 'timestamp' },
  TIMESTAMP_MS: { kind: 'timestamp' },
  TIMESTAMP_NS: { kind: 'timestamp' },
  TIMESTAMPTZ: { kind: 'timestamp' },
  'TIMESTAMP WITH TIME ZONE': { kind: 'timestamp' },
  VARCHAR: { kind: 'string' },
  UUID: { kind: 'uuid' },
  BLOB: { kind: 'binary' },
  JSON: { kind: 'json' },
}

/**
 * The type that a DuckDB type name, as in `typeof` or a result's column, means; undefined for nested types and for those
 * without a counterpart (INTERVAL, BIT, TIMETZ, VARINT, NULL, ...).
 */
export function fromDuckType(text: string): Type | undefined {
  const known = Object.hasOwn(MEANINGS, text) ? MEANINGS[text] : undefined
  if (known) return known
  const decimal = /^DECIMAL\((\d+), ?(\d+)\)$/.exec(text)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  if (/^ENUM\('(?:[^']|'')*'(?:, ?'(?:[^']|'')*')*\)$/.test(text)) return { kind: 'enum', values: enumValues(text) }
  return undefined
}

const enumValues = (text: string): string[] => [...text.matchAll(/'((?:[^']|'')*)'/g)].map((match) => match[1]!.replaceAll("''", "'"))
