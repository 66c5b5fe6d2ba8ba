// Iceberg's bucket transform in SQL: murmur3 is not among DuckDB's functions. Of whole numbers it is arithmetic, in stages of
// sub-selects, because one expression (or a macro) would compute every step twice over, 14 times slower in all; of other
// types it runs in JavaScript. Source: Iceberg spec, appendix B.
import { DuckDBScalarFunction, INTEGER, VARCHAR } from '@duckdb/node-api'
import type { LakeField } from '../lake/types.ts'
import { flatType } from '../lake/value/iceberg-type.ts'
import { valueFromText } from '../lake/value/text-value.ts'
import { applyTransform, parseTransform } from '../lake/value/transform.ts'
import type { Session } from './duckdb.ts'
import { quoteName } from './sql-text.ts'

export interface Bucketed {
  /** The rows with the columns that `value` reads. */
  readonly sql: string
  /** The bucket of a row of `sql`. */
  readonly value: string
}

/** Adds to the rows of `select` what the bucket of `source` takes; `index` keeps several apart. */
export function bucketSql(session: Session, select: string, source: LakeField, transform: string, index: number): Bucketed {
  const { parameter: buckets } = parseTransform(transform)
  const whole = wholeNumber(source)
  if (whole !== null) return stagedBucket(select, whole, buckets, index)
  const name = addFunction(session, flatType(source.type))
  const text = source.type === 'binary' ? `hex(${quoteName(source.name)})` : `CAST(${quoteName(source.name)} AS VARCHAR)`
  return { sql: select, value: `(${name}(${text}) % ${buckets})` }
}

/** The 64-bit integer that is hashed, or null for types that are hashed as bytes. */
function wholeNumber({ name, type }: LakeField): string | null {
  const column = quoteName(name)
  switch (type) {
    case 'int':
    case 'long':
      return `CAST(${column} AS BIGINT)`
    case 'date':
      return `(${column} - DATE '1970-01-01')`
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return `epoch_us(${column})`
    default:
      return null
  }
}

const MASK = '4294967295::UBIGINT'
const times = (value: string, factor: number): string => `((${value} * ${factor}::UBIGINT) & ${MASK})`
const rotate = (name: string, bits: number): string => `(((${name} << ${bits}) | (${name} >> ${32 - bits})) & ${MASK})`
const mix = (name: string): string => `((${rotate(name, 13)} * 5::UBIGINT + 3864292196::UBIGINT) & ${MASK})`
const fold = (name: string, bits: number): string => `xor(${name}, ${name} >> ${bits})`

function stagedBucket(select: string, value: string, buckets: number, index: number): Bucketed {
  const [h, k] = [`__h_${index}`, `__k_${index}`]
  const stages = [
    `${times(rotate(h, 15), 461845907)} AS ${h}, ${times(rotate(k, 15), 461845907)} AS ${k}`,
    `${mix(h)} AS ${h}`,
    `xor(${h}, ${k}) AS ${h}`,
    `xor(${mix(h)}, 8::UBIGINT) AS ${h}`,
    `${times(fold(h, 16), 2246822507)} AS ${h}`,
    `${times(fold(h, 13), 3266489909)} AS ${h}`,
    `${fold(h, 16)} AS ${h}`,
  ]
  const low = times(`CAST(${value} & 4294967295 AS UBIGINT)`, 3432918353)
  const high = times(`CAST((${value} >> 32) & 4294967295 AS UBIGINT)`, 3432918353)
  const first = `SELECT *, ${low} AS ${h}, ${high} AS ${k} FROM (${select})`
  return {
    sql: stages.reduce((rows, stage) => `SELECT * REPLACE (${stage}) FROM (${rows})`, first),
    value: `CAST((${h} & 2147483647::UBIGINT) % ${buckets} AS INTEGER)`,
  }
}

/** Every non-negative hash: the bucket of so many is the hash itself. */
const HASH = `bucket[${2 ** 31}]`

/** A function of the whole engine; adding it again changes nothing. */
function addFunction(session: Session, type: string): string {
  const name = `iceberg_hash_${type.replaceAll(/\W+/g, '_')}`
  session.connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name,
      parameterTypes: [VARCHAR],
      returnType: INTEGER,
      mainFunction: (_info, input, output) => {
        const texts = input.getColumnVector(0).toArray() as (string | null)[]
        for (let row = 0; row < input.rowCount; row++) output.setItem(row, hashOf(type, texts[row]!))
        output.flush()
      },
    }),
  )
  return name
}

function hashOf(type: string, text: string | null): number | null {
  const value = text === null ? undefined : valueFromText(type, text)
  return value === undefined ? null : Number(applyTransform(HASH, type, value))
}
