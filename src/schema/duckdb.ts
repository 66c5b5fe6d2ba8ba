// The type table of DuckDB: what a column is created as, and what a bound result column means to us. Sessions run with
// TimeZone = 'UTC'. It knows names of types only; values are converted in engine/.
import type { Field, Kind, Type } from './type.ts'

const NAMES: Record<Exclude<Kind, 'decimal' | 'struct' | 'list' | 'map'>, string> = {
  boolean: 'BOOLEAN',
  int: 'INTEGER',
  long: 'BIGINT',
  float: 'FLOAT',
  double: 'DOUBLE',
  date: 'DATE',
  time: 'TIME',
  timestamp: 'TIMESTAMPTZ',
  datetime: 'TIMESTAMP',
  string: 'VARCHAR',
  uuid: 'UUID',
  binary: 'BLOB',
  json: 'VARCHAR',
  enum: 'VARCHAR',
}

/** The SQL type of a column of this type. */
export function toDuckType(type: Type): string {
  switch (type.kind) {
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`
    case 'struct':
      return `STRUCT(${type.fields.map(({ name, type }) => `"${name.replaceAll('"', '""')}" ${toDuckType(type)}`).join(', ')})`
    case 'list':
      return `${toDuckType(type.element.type)}[]`
    case 'map':
      return `MAP(${toDuckType(type.key)}, ${toDuckType(type.value.type)})`
    default:
      return NAMES[type.kind]
  }
}

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
  TIMESTAMPTZ: { kind: 'timestamp' },
  'TIMESTAMP WITH TIME ZONE': { kind: 'timestamp' },
  VARCHAR: { kind: 'string' },
  UUID: { kind: 'uuid' },
  BLOB: { kind: 'binary' },
  JSON: { kind: 'json' },
}

/** Times without a zone: what they mean follows from what they are computed from (decision 27). */
const ZONELESS = new Set(['TIMESTAMP', 'TIMESTAMP_S', 'TIMESTAMP_MS', 'TIMESTAMP_NS'])
export type Zoneless = 'timestamp' | 'datetime'

/**
 * The type that a DuckDB type name, as in `typeof` or a result's column, means; undefined for those without a counterpart
 * (INTERVAL, BIT, TIMETZ, VARINT, NULL, UNION, structs without names, ...), also inside others. Whatever is inside may be null.
 * `zoneless`: what TIMESTAMP is, an instant whose text is UTC, or a datetime.
 */
export function fromDuckType(text: string, zoneless: Zoneless): Type | undefined {
  if (ZONELESS.has(text)) return { kind: zoneless }
  const known = Object.hasOwn(MEANINGS, text) ? MEANINGS[text] : undefined
  if (known) return known
  const list = /\[\d*\]$/.exec(text)
  if (list) return listOf(text.slice(0, list.index), zoneless)
  if (text.startsWith('STRUCT(')) return structOf(partsOf(text), zoneless)
  if (text.startsWith('MAP(')) return mapOf(partsOf(text), zoneless)
  const decimal = /^DECIMAL\((\d+), ?(\d+)\)$/.exec(text)
  if (decimal) return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
  if (/^ENUM\('(?:[^']|'')*'(?:, ?'(?:[^']|'')*')*\)$/.test(text)) return { kind: 'enum', values: enumValues(text) }
  return undefined
}

const enumValues = (text: string): string[] => [...text.matchAll(/'((?:[^']|'')*)'/g)].map((match) => match[1]!.replaceAll("''", "'"))

function listOf(text: string, zoneless: Zoneless): Type | undefined {
  const type = fromDuckType(text, zoneless)
  return type && { kind: 'list', element: { type, optional: true } }
}

function structOf(parts: readonly string[], zoneless: Zoneless): Type | undefined {
  const fields = parts.map((part): Field | undefined => {
    const match = /^(?:"((?:[^"]|"")*)"|(\w+)) (.+)$/s.exec(part)
    const type = match ? fromDuckType(match[3]!, zoneless) : undefined
    return type && { name: match![1]?.replaceAll('""', '"') ?? match![2]!, type, optional: true }
  })
  return fields.every((field) => field !== undefined) ? { kind: 'struct', fields } : undefined
}

function mapOf([keyText = '', valueText = '']: readonly string[], zoneless: Zoneless): Type | undefined {
  const [key, value] = [fromDuckType(keyText, zoneless), fromDuckType(valueText, zoneless)]
  return key && value && { kind: 'map', key, value: { type: value, optional: true } }
}

/** What stands between commas of the outer parentheses; quotes and parentheses inside are respected. */
function partsOf(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let from = text.indexOf('(') + 1
  for (const { 0: token, index } of text.matchAll(/"(?:[^"]|"")*"|'(?:[^']|'')*'|[(),]/g)) {
    if (token === '(') depth++
    if (token === ')') depth--
    if ((token === ',' && depth === 1) || (token === ')' && depth === 0)) {
      parts.push(text.slice(from, index).trim())
      from = index + 1
    }
  }
  return parts
}
