// A value that Avro's library has decoded, as JSON for the scanner: exact, with logical types in the spelling that rows have. It walks
// the schema beside the value, because the library forgets logical types and gives unions by the name of their branch. Of a record
// only what the columns have is written. Source: Avro specification 1.12, "Logical Types", "Names".
import { isoDate, isoDatetime, isoInstant, isoTime } from '../../schema/calendar.ts'
import type { Field, Type } from '../../schema/type.ts'
import { Undecodable } from './decoder.ts'

/** An Avro schema as its JSON says it. */
export type AvroSchema = string | AvroComplex | readonly AvroSchema[]

export interface AvroComplex {
  readonly type: AvroSchema
  readonly name?: string
  readonly namespace?: string
  readonly logicalType?: string
  readonly precision?: number
  readonly scale?: number
  readonly size?: number
  readonly fields?: readonly { readonly name: string; readonly type: AvroSchema }[]
  readonly items?: AvroSchema
  readonly values?: AvroSchema
  readonly symbols?: readonly string[]
}

/** Writes a value of one schema. `type`: of the column, where there is one. */
type Write = (value: unknown, type: Type | undefined) => string

/** The writer of a record as a row of these columns. Values are as the library gives them with longs as bigint and unions wrapped. */
export function avroRowWriter(schema: AvroSchema, fields: readonly Field[]): (value: unknown) => string {
  const write = new Writers().of(schema, '')
  const row: Type = { kind: 'struct', fields }
  return (value) => write(value, row)
}

const NAMED = ['record', 'error', 'enum', 'fixed']

/** The full name of a named type: its own, within the namespace that it says or stands in. */
const fullName = ({ name = '', namespace }: AvroComplex, within: string): string =>
  name.includes('.') ? name : (namespace ?? within) === '' ? name : `${namespace ?? within}.${name}`

const namespaceOf = (name: string): string => name.slice(0, Math.max(0, name.lastIndexOf('.')))

class Writers {
  readonly #named = new Map<string, Write>()

  of(schema: AvroSchema, within: string): Write {
    if (Array.isArray(schema)) return this.#union(schema as readonly AvroSchema[], within)
    if (typeof schema === 'string') return this.#byName(schema, within)
    const complex = schema as AvroComplex
    const { type, logicalType } = complex
    if (typeof type !== 'string') return this.of(type, within)
    if (!NAMED.includes(type)) {
      if (type === 'array') return listOf(this.of(complex.items!, within))
      if (type === 'map') return mapOf(this.of(complex.values!, within))
      return logicalOf(complex) ?? (logicalType === undefined ? this.#byName(type, within) : primitive(type))
    }
    const name = fullName(complex, within)
    if (type !== 'record' && type !== 'error') {
      const write = type === 'enum' ? text : (logicalOf(complex) ?? base64)
      this.#named.set(name, write)
      return write
    }
    // A record may hold itself.
    const members: { readonly name: string; readonly write: Write }[] = []
    const write = recordOf(members)
    this.#named.set(name, write)
    for (const field of complex.fields ?? []) members.push({ name: field.name, write: this.of(field.type, namespaceOf(name)) })
    return write
  }

  #byName(name: string, within: string): Write {
    return this.#named.get(fullName({ type: name, name }, within)) ?? this.#named.get(name) ?? primitive(name)
  }

  /** The library wraps a value of a union in an object with the name of its branch. */
  #union(branches: readonly AvroSchema[], within: string): Write {
    const writers = new Map(branches.map((branch) => [branchName(branch, within), this.of(branch, within)]))
    return (value, type) => {
      if (value === null) return 'null'
      const [name, inner] = Object.entries(value as object)[0]!
      return writers.get(name)!(inner, type)
    }
  }
}

function branchName(branch: AvroSchema, within: string): string {
  if (typeof branch === 'string') return branch.includes('.') || PRIMITIVES.has(branch) || within === '' ? branch : `${within}.${branch}`
  const complex = branch as AvroComplex
  if (typeof complex.type !== 'string') return branchName(complex.type, within)
  return NAMED.includes(complex.type) ? fullName(complex, within) : complex.type
}

const text: Write = (value) => JSON.stringify(value)
const base64: Write = (value) => `"${bytesOf(value).toString('base64')}"`
const whole: Write = (value) => String(value)
/** Texts for what JSON has no number for. */
const float: Write = (value) => (Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`)

const PRIMITIVES = new Map<string, Write>([
  ['null', () => 'null'],
  ['boolean', whole],
  ['int', whole],
  ['long', whole],
  ['float', float],
  ['double', float],
  ['bytes', base64],
  ['string', text],
])

export const isPrimitive = (type: AvroSchema): boolean => typeof type === 'string' && PRIMITIVES.has(type)

const primitive = (name: string): Write => PRIMITIVES.get(name) ?? text

const bytesOf = (value: unknown): Buffer => {
  const bytes = value as Uint8Array
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function logicalOf({ type, logicalType, scale = 0 }: AvroComplex): Write | undefined {
  switch (`${type} ${logicalType}`) {
    case 'int date':
      return (value) => `"${isoDate(value as number)}"`
    case 'int time-millis':
      return (value) => `"${isoTime((value as number) * 1_000)}"`
    case 'long time-micros':
      return (value) => `"${isoTime(Number(value as bigint))}"`
    case 'long timestamp-millis':
      return (value) => micros((value as bigint) * 1_000n, isoInstant)
    case 'long timestamp-micros':
      return (value) => micros(value as bigint, isoInstant)
    case 'long timestamp-nanos':
      return (value) => micros(microsOfNanos(value as bigint), isoInstant)
    // Readings of a clock: a column of instants takes their text as UTC.
    case 'long local-timestamp-millis':
      return (value) => micros((value as bigint) * 1_000n, isoDatetime)
    case 'long local-timestamp-micros':
      return (value) => micros(value as bigint, isoDatetime)
    case 'long local-timestamp-nanos':
      return (value) => micros(microsOfNanos(value as bigint), isoDatetime)
    case 'bytes decimal':
    case 'fixed decimal':
      return (value) => `"${decimalText(bytesOf(value), scale)}"`
    case 'fixed uuid':
      return (value) =>
        `"${bytesOf(value)
          .toString('hex')
          .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}"`
    default:
      return undefined
  }
}

function micros(value: bigint, print: (micros: number) => string): string {
  const exact = Number(value)
  if (!Number.isSafeInteger(exact)) throw new Undecodable(`the time ${value} us is out of range`)
  return `"${print(exact)}"`
}

function microsOfNanos(value: bigint): bigint {
  // Digits that the column has no place for are not cut off in silence.
  if (value % 1_000n !== 0n) throw new Undecodable(`the time ${value} ns has more than microseconds`)
  return value / 1_000n
}

/** Of a two's complement, big end first. */
export function decimalText(bytes: Buffer, scale: number): string {
  const raw = bytes.length === 0 ? 0n : BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))
  const digits = (raw < 0n ? -raw : raw).toString().padStart(scale + 1, '0')
  const point = digits.length - scale
  return `${raw < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ''}`
}

const listOf =
  (write: Write): Write =>
  (value, type) => {
    const inner = type?.kind === 'list' ? type.element.type : undefined
    return `[${(value as unknown[]).map((item) => write(item, inner)).join(',')}]`
  }

const mapOf =
  (write: Write): Write =>
  (value, type) => {
    const inner = type?.kind === 'map' ? type.value.type : undefined
    return `{${Object.entries(value as object)
      .map(([key, item]) => `${JSON.stringify(key)}:${write(item, inner)}`)
      .join(',')}}`
  }

/** What a column of JSON takes has all its members. */
const recordOf =
  (members: readonly { readonly name: string; readonly write: Write }[]): Write =>
  (value, type) => {
    const record = value as Record<string, unknown>
    const parts: string[] = []
    for (const { name, write } of members) {
      const field = type?.kind === 'struct' ? type.fields.find((one) => one.name === name) : undefined
      if (type?.kind === 'struct' && !field) continue
      parts.push(`${JSON.stringify(name)}:${write(record[name], field?.type)}`)
    }
    return `{${parts.join(',')}}`
  }
