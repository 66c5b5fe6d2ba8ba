// Values of a declared type in state: as text (keys of maps and sets, members, what a checkpoint holds; equal values have equal
// text), and as what a cell keeps, which user code can neither change nor be changed by.
import { MillraceError } from '../../core/errors.ts'
import { Decimal } from '../../schema/decimal.ts'
import { Instant } from '../../schema/instant.ts'
import { isNested, type Type } from '../../schema/type.ts'
import { decodeValue, encodeValue, type Value } from '../value.ts'

export interface Codec {
  textOf(value: Value): string
  valueOf(text: string): Value
  /** What a cell keeps of a value that user code gave. */
  keep(value: Value): Value
  /** The value of what a cell keeps, for user code. */
  give(kept: Value): Value
}

const PLAIN = new Set<Type['kind']>(['string', 'uuid', 'date', 'time', 'datetime', 'enum'])

export function codecOf(type: Type): Codec {
  if (PLAIN.has(type.kind)) {
    const textOf = (value: Value): string => {
      if (typeof value === 'string') return value
      throw new MillraceError('MR_PROCESSOR', `state of type ${type.kind} was given ${value === null ? 'null' : `a ${typeof value}`}`, {
        fix: 'give it a value of its type; test for null first',
      })
    }
    return { textOf, valueOf: (text) => text, keep: (value) => ownText(textOf(value)), give: (kept) => kept }
  }
  const textOf = (value: Value): string => JSON.stringify(encodeValue(type, value ?? null))
  const read = (text: string): Value => {
    const raw: unknown = JSON.parse(text)
    return raw === null && type.kind !== 'json' ? null : decodeValue(type, raw)
  }
  if (type.kind === 'json') return { textOf, valueOf: read, keep: copyOfJson, give: copyOfJson }
  const isOwn = guardOf(type)
  const keep = (value: Value): Value => (isOwn(value) ? (value === 0 ? 0 : value) : read(textOf(value)))
  return { textOf, valueOf: read, keep, give: type.kind === 'binary' || isNested(type) ? keep : (kept) => kept }
}

/** Whether a value is one of the type as it is, and cannot change. */
function guardOf(type: Type): (value: Value) => boolean {
  switch (type.kind) {
    case 'boolean':
      return (value) => typeof value === 'boolean'
    case 'int':
    case 'float':
    case 'double':
      return (value) => typeof value === 'number'
    case 'long':
      return (value) => typeof value === 'bigint'
    case 'decimal':
      return (value) => value instanceof Decimal
    case 'timestamp':
      return (value) => value instanceof Instant
    default:
      return () => false
  }
}

/** V8 makes a part of this length or more a view of the text that it was cut from. */
const VIEW_LENGTH = 13

/** The same text with memory of its own: a text of a row is a view of the whole batch, which would stay as long as it. */
export const ownText = (text: string): string => (text.length < VIEW_LENGTH ? text : `_${text}`.slice(1))

/** What JSON would make of it, without making the text where the value is as plain as it looks. */
function copyOfJson(value: Value): Value {
  const copy = plainCopy(value)
  return copy === NOT_PLAIN ? JSON.parse(JSON.stringify(value ?? null)) : copy
}

const NOT_PLAIN = Symbol('not plain')

function plainCopy(value: Value): Value {
  switch (typeof value) {
    case 'string':
      return ownText(value)
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) ? (value === 0 ? 0 : value) : NOT_PLAIN
    case 'object':
      return value === null ? null : Array.isArray(value) ? arrayCopy(value) : objectCopy(value as Record<string, Value>)
    default:
      return NOT_PLAIN
  }
}

function arrayCopy(list: readonly Value[]): Value {
  const copy: Value[] = []
  for (let i = 0; i < list.length; i++) {
    const own = plainCopy(list[i])
    if (own === NOT_PLAIN) return NOT_PLAIN
    copy.push(own)
  }
  return copy
}

function objectCopy(value: Record<string, Value>): Value {
  if (Object.getPrototypeOf(value) !== Object.prototype || typeof value['toJSON'] === 'function') return NOT_PLAIN
  const copy = { ...value }
  for (const name in copy) {
    const own = copy[name]
    if (typeof own === 'number' && own !== 0 && own - own === 0) continue
    const plain = plainCopy(own)
    if (plain === NOT_PLAIN || name === '__proto__') return NOT_PLAIN
    copy[name] = plain
  }
  return copy
}

/** Below, equal or above zero: by UTF-16 units, the same everywhere. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
