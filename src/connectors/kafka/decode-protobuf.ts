// Messages of Protobuf as rows: by a .proto file of the project, or by the one that a registry has of whoever wrote them. The package
// protobufjs reads file and bytes. Columns are called as in the file; a field that is not set is null where its presence is told, and the
// default of its type otherwise. Source: Protocol Buffers language guide, "Field Presence"; JSON mapping for well-known types.
import type { Field as ProtoField, Type as ProtoType } from 'protobufjs'
import { isoInstant } from '../../schema/calendar.ts'
import type { Field, Type } from '../../schema/type.ts'
import { type ReadBody, registeredDecoder } from './decode-registered.ts'
import { beginsWithId, type Decoder, Undecodable } from './decoder.ts'
import { loadMessage, loadProtobuf, type MessageOfFile, nameOf, wellKnown } from './proto-message.ts'
import { registeredTypes } from './proto-registry.ts'
import { readSource } from './proto-source.ts'
import type { SchemaRegistry } from './schema-registry.ts'
import { readPath } from './wire-format.ts'

export interface ProtobufSource {
  /** What messages are read as. Without it, a registry says what they are. */
  readonly file?: MessageOfFile
  /** Full name of the messages that are read, by a registry alone. Default: all. */
  readonly message?: string
  readonly registry?: Pick<SchemaRegistry, 'schema' | 'referenced'>
}

/** @throws MR_PACKAGE_MISSING; MR_KAFKA_SCHEMA when file or message is not there, or a schema of the registry cannot be used */
export async function protobufDecoder({ file, message, registry }: ProtobufSource, fields: readonly Field[]): Promise<Decoder> {
  const protobuf = await loadProtobuf()
  const reader = file && (await loadMessage(file))
  if (!registry) return { line: plain(rowsOf(reader!, fields)) }
  const expected = reader ? nameOf(reader) : message
  return registeredDecoder(async (id) => {
    const schema = await registry.schema(id, 'PROTOBUF')
    if (!schema) return null
    const what = `the Protobuf schema ${id} of the registry`
    const { messages } = readSource(protobuf, schema.text, what)
    const types = reader ? undefined : await registeredTypes(protobuf, registry, schema, what)
    const known = new Map<string, readonly [name: string, read: ReadBody]>()
    for (const [name, at] of messages) known.set(at.join(), [name, rowsOf(reader ?? types!.lookupType(name), fields)])
    return (body) => {
      const { path: at, end } = readPath(body)
      const [name, read] = known.get(at.join()) ?? []
      if (!read) throw new Undecodable(`the schema ${id} has no message at ${at.join('.')}`)
      if (expected !== undefined && name !== expected) throw new Undecodable(`the message is a ${name}, and no ${expected}`)
      return read(body.subarray(end))
    }
  })
}

/** A message does not begin with a zero byte: that would be a field of the number 0. */
const plain =
  (read: (bytes: Uint8Array) => string) =>
  (value: Uint8Array): string => {
    if (value[0] === 0) throw new Undecodable(beginsWithId('protobuf({ proto, message, registry })'))
    return read(value)
  }

/** The rows of messages of a type. */
function rowsOf(type: ProtoType, fields: readonly Field[]): (bytes: Uint8Array) => string {
  const row: Type = { kind: 'struct', fields }
  return (bytes) => {
    let decoded: object
    try {
      decoded = type.decode(bytes)
    } catch (cause) {
      throw new Undecodable(`the message is not a ${nameOf(type)}: ${(cause as Error).message}`)
    }
    return writeMessage(type, decoded as Members, row)
  }
}

type Members = Readonly<Record<string, unknown>>

function writeMessage(type: ProtoType, message: Members, column: Type | undefined): string {
  const known = WELL_KNOWN[type.fullName]
  if (known) return known(message, type)
  const parts: string[] = []
  for (const field of type.fieldsArray) {
    const own = column?.kind === 'struct' ? column.fields.find(({ name }) => name === field.name) : undefined
    if (column?.kind === 'struct' && !own) continue
    const value = writeField(field, message, own?.type)
    if (value !== null) parts.push(`${JSON.stringify(field.name)}:${value}`)
  }
  return `{${parts.join(',')}}`
}

/** Null for a field that is not set. */
function writeField(field: ProtoField, message: Members, column: Type | undefined): string | null {
  const isSet = Object.hasOwn(message, field.name)
  const value = message[field.name]
  if (field.map) {
    const inner = column?.kind === 'map' ? column.value.type : undefined
    const entries = Object.entries((value ?? {}) as object)
    return `{${entries.map(([key, item]) => `${JSON.stringify(mapKey(field, key))}:${writeValue(field, item, inner)}`).join(',')}}`
  }
  if (field.repeated && isEntry(field.resolvedType)) return writeEntries(field.resolvedType, (value ?? []) as Members[], column)
  if (field.repeated) {
    const inner = column?.kind === 'list' ? column.element.type : undefined
    return `[${((value ?? []) as unknown[]).map((item) => writeValue(field, item, inner)).join(',')}]`
  }
  // A message is there or not, whatever its file says of presence.
  if (!isSet && (field.hasPresence || field.typeDefault === null)) return null
  return writeValue(field, isSet ? value : field.typeDefault, column)
}

/** Files that were printed from descriptors spell a map as it is in the bytes: a repeated message of keys and values. */
const isEntry = (type: ProtoField['resolvedType']): type is ProtoType => type?.options?.['map_entry'] === true

function writeEntries(entry: ProtoType, entries: readonly Members[], column: Type | undefined): string {
  const inner = column?.kind === 'map' ? column.value.type : undefined
  const [key, value] = [entry.fields['key']!, entry.fields['value']!]
  // The last of a key counts.
  const written = new Map(entries.map((one) => [writeMember(key, one, undefined), writeMember(value, one, inner)]))
  return `{${[...written].map(([name, item]) => `${name.startsWith('"') ? name : `"${name}"`}:${item}`).join(',')}}`
}

/** What is not there is the default of its type. */
function writeMember(field: ProtoField, entry: Members, column: Type | undefined): string {
  if (Object.hasOwn(entry, field.name)) return writeValue(field, entry[field.name], column)
  return writeValue(field, field.typeDefault ?? {}, column)
}

/** 64-bit keys of maps are eight bytes of text to the library. */
function mapKey(field: ProtoField, key: string): string {
  const { keyType } = field as ProtoField & { readonly keyType?: string }
  if (!keyType || !/64$/.test(keyType) || key.length !== 8) return key
  const bytes = Buffer.from(key, 'latin1')
  const bits = bytes.readBigUInt64LE()
  return String(keyType.startsWith('u') || keyType === 'fixed64' ? bits : BigInt.asIntN(64, bits))
}

function writeValue(field: ProtoField, value: unknown, column: Type | undefined): string {
  const { resolvedType } = field
  if (resolvedType && 'valuesById' in resolvedType) {
    const name = resolvedType.valuesById[value as number]
    return name === undefined ? String(value) : JSON.stringify(name)
  }
  if (resolvedType) return writeMessage(resolvedType as ProtoType, value as Members, column)
  return writeScalar(field.type, value)
}

function writeScalar(type: string, value: unknown): string {
  switch (type) {
    case 'string':
      return JSON.stringify(value)
    case 'bytes':
      return `"${Buffer.from(value as Uint8Array).toString('base64')}"`
    case 'float':
    case 'double':
      return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`
    default:
      // Numbers, booleans, and 64-bit integers, which the library has as objects that print all digits.
      return String(value)
  }
}

type WriteKnown = (message: Members, type: ProtoType) => string

const wrapper: WriteKnown = (message, type) => {
  const field = type.fields['value']!
  return writeScalar(field.type, Object.hasOwn(message, 'value') ? message['value'] : field.typeDefault)
}

const integer = (value: unknown): bigint => BigInt(String(value ?? 0))

function timestamp(message: Members): string {
  const nanos = integer(message['nanos'])
  if (nanos % 1_000n !== 0n) throw new Undecodable(`the time has ${nanos} ns, more than microseconds`)
  const micros = Number(integer(message['seconds']) * 1_000_000n + nanos / 1_000n)
  if (!Number.isSafeInteger(micros)) throw new Undecodable(`the time ${message['seconds']} s is out of range`)
  return `"${isoInstant(micros)}"`
}

/** Members of `google.protobuf.Value`: what JSON has. */
function jsonValue(message: Members): string {
  const [kind] = Object.keys(message)
  const value = kind === undefined ? null : message[kind]
  switch (kind) {
    case 'struct_value':
    case 'structValue':
      return jsonStruct(value as Members)
    case 'list_value':
    case 'listValue':
      return jsonList(value as Members)
    case 'string_value':
    case 'stringValue':
    case 'number_value':
    case 'numberValue':
    case 'bool_value':
    case 'boolValue':
      return JSON.stringify(value)
    default:
      return 'null'
  }
}

const jsonStruct = (message: Members): string =>
  `{${Object.entries((message['fields'] ?? {}) as Record<string, Members>)
    .map(([key, value]) => `${JSON.stringify(key)}:${jsonValue(value)}`)
    .join(',')}}`

const jsonList = (message: Members): string => `[${((message['values'] ?? []) as Members[]).map(jsonValue).join(',')}]`

const WELL_KNOWN = wellKnown<WriteKnown>({ timestamp, struct: jsonStruct, value: jsonValue, list: jsonList, wrapper })
