// Values for the parameters of a prepared statement. Whole numbers are bound as integers (the package would take every
// JavaScript number as DOUBLE); text takes the type of what it is compared with.
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBPreparedStatement,
  type DuckDBType,
  type DuckDBValue,
  HUGEINT,
  INTEGER,
  LIST,
  listValue,
  SQLNULL,
  VARCHAR,
} from '@duckdb/node-api'
import { MillraceError } from '../core/errors.ts'

export type SqlValue = string | number | bigint | boolean | null
export type SqlArgument = SqlValue | readonly SqlValue[]
/** Positional (`$1`, `?`) or named (`$name`). */
export type SqlValues = readonly SqlArgument[] | Readonly<Record<string, SqlArgument>>

export const hasValues = (values: SqlValues | undefined): values is SqlValues => values !== undefined && Object.keys(values).length > 0

/** Binds exactly the parameters that the statement has. @throws MR_SQL_PARAMETER for one too many, missing, or of no type. */
export function bindValues(statement: DuckDBPreparedStatement, values: SqlValues): void {
  const given = new Map(Object.entries(values).map(([name, value]) => [Array.isArray(values) ? String(Number(name) + 1) : name, value]))
  const names = Array.from({ length: statement.parameterCount }, (_, index) => statement.parameterName(index + 1))
  const byFold = new Map([...given].map(([name, value]) => [name.toLowerCase(), value]))
  for (const [index, name] of names.entries()) {
    const value = byFold.get(name.toLowerCase())
    if (value === undefined) throw refuse(`parameter $${name} has no value`, names)
    const type = typeOf(value, name)
    statement.bindValue(index + 1, boundValue(value, type), type)
  }
  const known = new Set(names.map((name) => name.toLowerCase()))
  for (const name of given.keys()) if (!known.has(name.toLowerCase())) throw refuse(`the query has no parameter $${name}`, names)
}

const refuse = (what: string, names: readonly string[]): MillraceError =>
  new MillraceError('MR_SQL_PARAMETER', what, {
    fix: names.length > 0 ? `give values for ${names.map((name) => `$${name}`).join(', ')}` : 'send no parameters',
  })

function typeOf(value: SqlArgument, name: string): DuckDBType {
  switch (typeof value) {
    case 'string':
      return VARCHAR
    case 'boolean':
      return BOOLEAN
    case 'bigint':
      return BigInt.asIntN(64, value) === value ? BIGINT : HUGEINT
    case 'number':
      if (!Number.isSafeInteger(value)) return DOUBLE
      return Math.abs(value) < 2 ** 31 ? INTEGER : BIGINT
    default:
      if (value === null) return SQLNULL
      if (Array.isArray(value)) return LIST(widest(value, name))
      throw refuse(`the value of parameter $${name} is neither a scalar nor a list`, [name])
  }
}

const NUMERIC: readonly DuckDBType[] = [INTEGER, BIGINT, HUGEINT, DOUBLE]

/** One type for all members of a list. */
function widest(values: readonly SqlValue[], name: string): DuckDBType {
  const types = new Set(values.filter((value) => value !== null).map((value) => typeOf(value, name)))
  if (types.size === 0) return VARCHAR
  if (types.size === 1) return [...types][0]!
  if ([...types].every((type) => NUMERIC.includes(type))) return NUMERIC.findLast((type) => types.has(type))!
  throw refuse(`the list for parameter $${name} mixes types`, [name])
}

function boundValue(value: SqlArgument, type: DuckDBType): DuckDBValue {
  if (Array.isArray(value)) return listValue(value.map((inner: SqlValue) => boundValue(inner, (type as ReturnType<typeof LIST>).valueType)))
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value as DuckDBValue
  if (type === BIGINT || type === HUGEINT) return BigInt(value as number | bigint)
  return Number(value)
}
