// Whether rows of some columns can be written as a message of Protobuf: what can never go well, and what goes well unless a value is
// null. Values themselves are looked at by `encode-protobuf.ts`. Pure.
import type { Enum, Field as ProtoField, Type as ProtoType } from 'protobufjs'
import { type Field, type Inner, printType, type Type } from '../../schema/type.ts'
import { isInteger, isValue, mayBeAbsent } from './encode-protobuf.ts'

export interface Misfit {
  /** Otherwise some rows may fit. */
  readonly isNever: boolean
  readonly message: string
  readonly fix: string
}

export const misfitsOf = (type: ProtoType, fields: readonly Field[]): Misfit[] => within(type, fields, '')

/** `prefix`: of columns inside of structs. */
function within(type: ProtoType, fields: readonly Field[], prefix: string): Misfit[] {
  const name = type.fullName.replace(/^\./, '')
  const found: Misfit[] = fields.flatMap((column) => {
    const field = type.fields[column.name]
    if (field) return ofField(field, column, `${prefix}${column.name}`)
    const message = `the message ${name} has no field for the column "${prefix}${column.name}"`
    return never(message, 'add the field to the file, or leave the column out by columns of the sink')
  })
  for (const { required, name: missing } of type.fieldsArray)
    if (required && !fields.some((column) => column.name === missing))
      found.push(
        ...never(
          `the message ${name} requires the field "${missing}", and no column of "${prefix}" has it`.replace(' of ""', ''),
          'add the column',
        ),
      )
  for (const { name: oneof, fieldsArray } of type.oneofsArray) {
    const always = fields.filter((column) => !column.optional && fieldsArray.some((field) => field.name === column.name))
    if (always.length > 1)
      found.push(
        ...never(
          `${always.map((column) => `"${prefix}${column.name}"`).join(' and ')} are never null, and ${oneof} of ${name} is one of them`,
          'have all but one of them null, or leave them out by columns of the sink',
        ),
      )
  }
  return found
}

const never = (message: string, fix: string): Misfit[] => [{ isNever: true, message, fix }]

function ofField(field: ProtoField, column: Field, at: string): Misfit[] {
  const found = ofType(field, column, at)
  if (!column.optional || mayBeAbsent(field)) return found
  const how = field.required
    ? 'requires it'
    : field.repeated || field.map
      ? 'cannot tell that from empty'
      : 'cannot tell that from its default'
  const fix =
    field.required || field.repeated || field.map
      ? 'have the relation give a value'
      : 'write optional before the field in the file, or have the relation give a value'
  return [
    ...found,
    { isNever: false, message: `the column "${at}" may be null, and the file ${how}: a row that has null there stops the sink`, fix },
  ]
}

/** Whether values of the column are values of the field, nulls aside. */
function ofType(field: ProtoField, inner: Inner, at: string): Misfit[] {
  const { type } = inner
  if (!field.map && !field.repeated) return ofOne(field, inner, at)
  if (type.kind === 'json') return []
  if (field.map) return type.kind === 'map' && isKey(field, type.key) ? ofElement(field, type.value, `${at}[]`) : wrong(field, inner, at)
  return type.kind === 'list' ? ofElement(field, type.element, `${at}[]`) : wrong(field, inner, at)
}

function ofOne(field: ProtoField, inner: Inner, at: string): Misfit[] {
  const { resolvedType } = field
  if (resolvedType && 'fields' in resolvedType) return ofMessage(resolvedType, inner.type, at) ?? wrong(field, inner, at)
  const isFit = resolvedType ? isName(resolvedType, inner.type) : isScalar(field.type, inner.type)
  return isFit ? [] : wrong(field, inner, at)
}

/** An element of a list or a value of a map. */
function ofElement(field: ProtoField, inner: Inner, at: string): Misfit[] {
  const found = ofOne(field, inner, at)
  if (!inner.optional || isValue(field)) return found
  const message = `"${at}" may be null, and elements in Protobuf are not: a row that has null there stops the sink`
  return [...found, { isNever: false, message, fix: 'have the relation leave nulls out' }]
}

const wrong = (field: ProtoField, { type }: Inner, at: string): Misfit[] =>
  never(
    `the column "${at}" is ${printType(type)}, which ${nameOf(field)} cannot hold`,
    'change the type of one of them: docs/guide/kafka.md says what goes where',
  )

const nameOf = ({ map, repeated, type }: ProtoField): string =>
  `a field of ${map ? `a map of ${type}` : repeated ? `repeated ${type}` : type}`

/** Undefined where it never fits. */
function ofMessage(message: ProtoType, type: Type, at: string): Misfit[] | undefined {
  const name = message.fullName
  if (name === '.google.protobuf.Timestamp') return type.kind === 'timestamp' ? [] : undefined
  if (type.kind === 'json') return []
  if (/^\.google\.protobuf\.(Struct|Value|ListValue)$/.test(name)) return undefined
  if (/^\.google\.protobuf\.\w+Value$/.test(name)) return isScalar(message.fields['value']!.type, type) ? [] : undefined
  return type.kind === 'struct' ? within(message, type.fields, `${at}.`) : undefined
}

const TEXT: readonly Type['kind'][] = ['string', 'enum', 'uuid', 'decimal', 'long', 'date', 'time', 'timestamp', 'datetime', 'json']
const KINDS: Readonly<Record<string, readonly Type['kind'][]>> = {
  bool: ['boolean'],
  string: TEXT,
  bytes: ['binary'],
  float: ['float'],
  double: ['double', 'float', 'int'],
}

function isScalar(proto: string, type: Type): boolean {
  if (isInteger(proto)) return type.kind === 'int' || type.kind === 'long' || (type.kind === 'decimal' && type.scale === 0)
  return KINDS[proto]!.includes(type.kind)
}

const isName = ({ values }: Enum, type: Type): boolean =>
  type.kind === 'string' || (type.kind === 'enum' && type.values.every((value) => Object.hasOwn(values, value)))

function isKey(field: ProtoField, type: Type): boolean {
  const { keyType } = field as ProtoField & { readonly keyType: string }
  if (keyType === 'string') return TEXT.includes(type.kind) || type.kind === 'int'
  return type.kind === 'string' || isScalar(keyType, type)
}
