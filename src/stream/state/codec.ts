// Values of a declared type as text: keys of maps and sets, members, what a checkpoint holds. Equal values have equal text.
import { MillraceError } from '../../core/errors.ts'
import type { Type } from '../../schema/type.ts'
import { decodeValue, encodeValue, type Value } from '../value.ts'

export interface Codec {
  textOf(value: Value): string
  valueOf(text: string): Value
}

const PLAIN = new Set<Type['kind']>(['string', 'uuid', 'date', 'time', 'enum'])

export function codecOf(type: Type): Codec {
  if (!PLAIN.has(type.kind))
    return {
      textOf: (value) => JSON.stringify(encodeValue(type, value ?? null)),
      valueOf: (text) => {
        const raw: unknown = JSON.parse(text)
        return raw === null && type.kind !== 'json' ? null : decodeValue(type, raw)
      },
    }
  return {
    textOf: (value) => {
      if (typeof value === 'string') return value
      throw new MillraceError('MR_PROCESSOR', `state of type ${type.kind} was given ${value === null ? 'null' : `a ${typeof value}`}`, {
        fix: 'give it a value of its type; test for null first',
      })
    },
    valueOf: (text) => text,
  }
}

/** Below, equal or above zero: by UTF-16 units, the same everywhere. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
