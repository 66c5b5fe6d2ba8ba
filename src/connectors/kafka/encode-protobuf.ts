// Rows as messages of Protobuf, by a .proto file of the project: what `decode-protobuf.ts` reads, the other way round; with a registry the
// file is registered. Fields are called as columns. What a field cannot hold is an error and never another value. Source: Protocol Buffers
// language guide, "Field Presence", "Oneof"; the well-known types by the numbers of their fields.
import type { Field as ProtoField, Type as ProtoType } from 'protobufjs'
import { MillraceError } from '../../core/errors.ts'
import { parseJsonVerbatim, textOf } from '../../core/json.ts'
import { Instant } from '../../schema/instant.ts'
import type { Shape, Type } from '../../schema/type.ts'
import { loadMessage, type MessageOfFile, nameOf, wellKnown } from './proto-message.ts'
import { registerMessage } from './proto-registry.ts'
import { readRow } from './read-row.ts'
import type { RegistryTarget } from './schema-registry.ts'

export interface ProtobufTarget {
  readonly file: MessageOfFile
  readonly shape: Shape
  readonly registry?: RegistryTarget
}

/** @throws MR_PACKAGE_MISSING, MR_KAFKA_SCHEMA; what it answers: MR_KAFKA_VALUE for a value that its field cannot hold */
export async function protobufEncoder({ file, shape, registry }: ProtobufTarget): Promise<(json: Uint8Array) => Uint8Array> {
  const type = await loadMessage(file)
  const head = registry ? await registerMessage(registry, file.path, nameOf(type)) : Buffer.alloc(0)
  const row: Type = { kind: 'struct', fields: shape.fields }
  return (json) => Buffer.concat([head, type.encode(messageOf({ type, at: file.message }, readRow(json, shape), row)).finish()])
}

/** Of a message, and where it stands: for errors. */
interface Target {
  readonly type: ProtoType
  readonly at: string
}

type Members = Record<string, unknown>

const unfit = (at: string, why: string): MillraceError =>
  new MillraceError('MR_KAFKA_VALUE', `${at}: ${why}`, {
    fix: 'have the file hold such values, or leave the column out by columns of the sink; it goes on from this row',
  })

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value)

/** Values are those of `readRow`; `column`: of the value, where it is no part of a column of JSON. */
function messageOf({ type, at }: Target, value: unknown, column: Type | undefined): Members {
  const known = WELL_KNOWN[type.fullName]
  if (known) return known({ type, at }, value, column)
  if (!isObject(value)) throw unfit(at, `${JSON.stringify(value)} is no ${type.name}`)
  const message: Members = {}
  for (const [name, member] of Object.entries(value)) {
    const field = type.fields[name]
    if (!field) throw unfit(at, `${type.name} has no field ${name}`)
    const own = column?.kind === 'struct' ? column.fields.find((one) => one.name === name)?.type : undefined
    const made = fieldOf(field, `${at}.${name}`, member, own)
    if (made !== undefined) message[name] = made
  }
  for (const { name } of type.fieldsArray.filter(({ required }) => required))
    if (!Object.hasOwn(message, name)) throw unfit(at, `the field ${name}, which the file requires, is not there`)
  for (const { name, fieldsArray } of type.oneofsArray) {
    const set = fieldsArray.filter((field) => Object.hasOwn(message, field.name))
    if (set.length > 1) throw unfit(at, `${set.map((field) => field.name).join(' and ')} are both there, and ${name} is one of them`)
  }
  return message
}

/** Undefined for a field that is not set. */
function fieldOf(field: ProtoField, at: string, given: unknown, column: Type | undefined): unknown {
  if (given === null && (column || !isValue(field))) {
    if (mayBeAbsent(field)) return undefined
    throw unfit(at, 'it is null, and the file has no way to say that')
  }
  // Of a column of JSON, its value is meant, unless the field is text.
  const isJson = column?.kind === 'json' && !(field.type === 'string' && !field.repeated && !field.map)
  const value = isJson ? parseJsonVerbatim(given as string) : given
  if (field.map) {
    if (!isObject(value)) throw unfit(at, `${JSON.stringify(value)} is no map`)
    const inner = column?.kind === 'map' ? column.value.type : undefined
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [mapKey(field, at, key), singleOf(field, `${at}.${key}`, item, inner)]),
    )
  }
  if (field.repeated) {
    if (!Array.isArray(value)) throw unfit(at, `${JSON.stringify(value)} is no list`)
    const inner = column?.kind === 'list' ? column.element.type : undefined
    return value.map((item, index) => singleOf(field, `${at}[${index}]`, item, inner))
  }
  if (value === null && !isValue(field)) return fieldOf(field, at, null, undefined)
  return singleOf(field, at, value, isJson ? undefined : column)
}

/** Whether a message without the field is told from one with any value of it. */
export const mayBeAbsent = (field: ProtoField): boolean =>
  !field.repeated && !field.map && !field.required && (field.hasPresence || field.typeDefault === null)

/** Null is a value there. */
export const isValue = ({ resolvedType }: ProtoField): boolean => resolvedType?.fullName === '.google.protobuf.Value'

function singleOf(field: ProtoField, at: string, value: unknown, column: Type | undefined): unknown {
  const { resolvedType } = field
  if (value === null && !isValue(field)) throw unfit(at, 'it is null, and elements of lists and maps are not')
  if (!resolvedType) return scalarOf(field.type, at, value, column)
  if ('fields' in resolvedType) {
    const isText = column?.kind === 'json' && value !== null
    return messageOf({ type: resolvedType, at }, isText ? parseJsonVerbatim(value as string) : value, isText ? undefined : column)
  }
  const number = resolvedType.values[value as string]
  if (number === undefined) throw unfit(at, `${JSON.stringify(value)} is not a value of the enum ${resolvedType.name}`)
  return number
}

/** Bits, and whether there is a sign. */
const INTEGERS: Readonly<Record<string, readonly [bits: number, isSigned: boolean]>> = {
  int32: [32, true],
  sint32: [32, true],
  sfixed32: [32, true],
  uint32: [32, false],
  fixed32: [32, false],
  int64: [64, true],
  sint64: [64, true],
  sfixed64: [64, true],
  uint64: [64, false],
  fixed64: [64, false],
}

export const isInteger = (type: string): boolean => Object.hasOwn(INTEGERS, type)

function scalarOf(type: string, at: string, value: unknown, column: Type | undefined): unknown {
  const wrong = (): MillraceError => unfit(at, `${JSON.stringify(value)} is no ${type}`)
  switch (type) {
    case 'bool':
      if (typeof value !== 'boolean') throw wrong()
      return value
    case 'string':
      // A column of numbers is written as text; in JSON a number is none.
      if (typeof value !== 'string' && !column) throw wrong()
      return textOf(value)
    case 'bytes':
      if (typeof value !== 'string') throw wrong()
      return Buffer.from(value, 'base64')
    case 'float':
    case 'double':
      return doubleOf(at, value)
    default:
      return integerOf(type, at, value)
  }
}

/** Halves of 64 bits, as the library takes them. */
function integerOf(type: string, at: string, value: unknown): unknown {
  const text = textOf(value)
  const [bits, isSigned] = INTEGERS[type]!
  const whole = /^-?\d+$/.test(text) ? BigInt(text) : undefined
  if (whole === undefined || whole !== (isSigned ? BigInt.asIntN(bits, whole) : BigInt.asUintN(bits, whole)))
    throw unfit(at, `${text} does not fit into ${type}`)
  if (bits === 32) return Number(whole)
  return { low: Number(BigInt.asIntN(32, whole)), high: Number(BigInt.asIntN(32, whole >> 32n)), unsigned: !isSigned }
}

function doubleOf(at: string, value: unknown): number {
  const number = Number(textOf(value))
  const isNumber = typeof value === 'string' ? ['NaN', 'Infinity', '-Infinity'].includes(value) : Number.isFinite(number)
  if (!isNumber) throw unfit(at, `${JSON.stringify(value)} is no number of 64 bits`)
  return number
}

function mapKey(field: ProtoField, at: string, key: string): string {
  const { keyType } = field as ProtoField & { readonly keyType: string }
  if (isInteger(keyType)) integerOf(keyType, `${at}.${key}`, key)
  else if (keyType === 'bool' && key !== 'true' && key !== 'false') throw unfit(at, `the key ${key} is neither true nor false`)
  return key
}

type MakeKnown = (target: Target, value: unknown, column: Type | undefined) => Members

const wrapper: MakeKnown = ({ type, at }, value, column) => ({ value: scalarOf(type.fields['value']!.type, at, value, column) })

const timestamp: MakeKnown = ({ at }, value) => {
  if (typeof value !== 'string') throw unfit(at, `${JSON.stringify(value)} is no time`)
  let micros: number
  try {
    micros = Instant.fromIso(value).epochMicros
  } catch {
    throw unfit(at, `${JSON.stringify(value)} is no time`)
  }
  const seconds = Math.floor(micros / 1_000_000)
  return { seconds, nanos: (micros - seconds * 1_000_000) * 1_000 }
}

/** Fields of `google.protobuf.Value` by their numbers: the file that describes it may be the user's. */
const VALUE = { null: 1, number: 2, string: 3, boolean: 4, struct: 5, list: 6 } as const

const jsonValue: MakeKnown = ({ type, at }, value) => {
  const set = (kind: keyof typeof VALUE, own: unknown): Members => ({ [type.fieldsById[VALUE[kind]]!.name]: own })
  const inner = (kind: 'struct' | 'list'): Members => {
    const target = { type: type.fieldsById[VALUE[kind]]!.resolvedType as ProtoType, at }
    return set(kind, kind === 'list' ? jsonList(target, value, undefined) : jsonStruct(target, value, undefined))
  }
  if (value === null) return set('null', 0)
  if (typeof value === 'boolean' || typeof value === 'string') return set(typeof value as 'boolean' | 'string', value)
  if (Array.isArray(value)) return inner('list')
  return isObject(value) ? inner('struct') : set('number', jsonNumber(at, value))
}

/** Numbers are doubles there: fractions are rounded as those of doubles are, whole numbers are not. */
function jsonNumber(at: string, value: unknown): number {
  const number = doubleOf(at, value)
  const text = textOf(value)
  if (/^-?\d+$/.test(text) && BigInt(text) !== BigInt(number)) throw unfit(at, `${text} has more digits than a double`)
  return number
}

const jsonStruct: MakeKnown = ({ type, at }, value) => {
  if (!isObject(value)) throw unfit(at, `${JSON.stringify(value)} is no object`)
  const inner = type.fields['fields']!.resolvedType as ProtoType
  const fields = Object.entries(value).map(([name, item]) => [name, jsonValue({ type: inner, at: `${at}.${name}` }, item, undefined)])
  return { fields: Object.fromEntries(fields) }
}

const jsonList: MakeKnown = ({ type, at }, value) => {
  if (!Array.isArray(value)) throw unfit(at, `${JSON.stringify(value)} is no list`)
  const inner = type.fields['values']!.resolvedType as ProtoType
  return { values: value.map((item, index) => jsonValue({ type: inner, at: `${at}[${index}]` }, item, undefined)) }
}

const WELL_KNOWN = wellKnown<MakeKnown>({ timestamp, struct: jsonStruct, value: jsonValue, list: jsonList, wrapper })
