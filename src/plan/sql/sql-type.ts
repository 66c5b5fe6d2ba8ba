// Types as DuckDB prints them (DESCRIBE) to types of ours. Integers wider than ours become `long`: writing checks that
// they fit, so that sum(int) is a number as in other databases and not a decimal of 38 digits.
import type { Type } from '../../schema/type.ts'

const PLAIN: Readonly<Record<string, Type>> = {
  BOOLEAN: { kind: 'boolean' },
  TINYINT: { kind: 'int' },
  SMALLINT: { kind: 'int' },
  INTEGER: { kind: 'int' },
  UTINYINT: { kind: 'int' },
  USMALLINT: { kind: 'int' },
  UINTEGER: { kind: 'long' },
  BIGINT: { kind: 'long' },
  UBIGINT: { kind: 'long' },
  HUGEINT: { kind: 'long' },
  UHUGEINT: { kind: 'long' },
  FLOAT: { kind: 'float' },
  DOUBLE: { kind: 'double' },
  DATE: { kind: 'date' },
  TIME: { kind: 'time' },
  TIMESTAMP: { kind: 'timestamp' },
  TIMESTAMP_S: { kind: 'timestamp' },
  TIMESTAMP_MS: { kind: 'timestamp' },
  TIMESTAMP_NS: { kind: 'timestamp' },
  'TIMESTAMP WITH TIME ZONE': { kind: 'timestamp' },
  VARCHAR: { kind: 'string' },
  UUID: { kind: 'uuid' },
  BLOB: { kind: 'binary' },
  JSON: { kind: 'json' },
}

/** Null for what a table of ours cannot hold: lists, structs, maps, intervals, ... */
export function typeOfSql(text: string): Type | null {
  const decimal = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(text)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  if (/^ENUM\(.*\)$/.test(text)) return { kind: 'string' }
  return PLAIN[text] ?? null
}
