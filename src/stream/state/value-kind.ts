// One value. Kept as text where it could be changed from outside, so that user code never holds what is in the cell.
import { isNested, type Type } from '../../schema/type.ts'
import { decodeValue, encodeValue, type Value } from '../value.ts'
import { codecOf } from './codec.ts'
import type { Kind } from './slot.ts'

interface Cell {
  readonly v: Value
}

export function valueKind(type: Type): Kind<Cell> {
  const codec = type.kind === 'json' || type.kind === 'binary' || isNested(type) ? codecOf(type) : null
  return {
    handle: (slot) => ({
      get: (): Value => {
        const cell = slot.get()
        if (cell === null) return null
        return codec ? codec.valueOf(cell.v as string) : cell.v
      },
      set: (value: Value): void => slot.set(value === null || value === undefined ? null : { v: codec ? codec.textOf(value) : value }),
      clear: (): void => slot.set(null),
    }),
    encode: ({ v }) => (codec ? v : encodeValue(type, v)),
    decode: (saved) => ({ v: codec ? saved : decodeValue(type, saved) }),
  }
}
