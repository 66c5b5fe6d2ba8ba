// One value. A copy where it could be changed from outside, so that user code never holds what is in the cell.
import { isNested, type Type } from '../../schema/type.ts'
import { decodeValue, encodeValue, type Value } from '../value.ts'
import { codecOf, ownText } from './codec.ts'
import type { Kind } from './slot.ts'

interface Cell {
  readonly v: Value
}

export function valueKind(type: Type): Kind<Cell> {
  const codec = type.kind === 'json' || type.kind === 'binary' || isNested(type) ? codecOf(type) : null
  // JSON has one zero.
  const plain = (value: Value): Value => (typeof value === 'string' ? ownText(value) : value === 0 ? 0 : value)
  const keep = (value: Value): Value => (codec ? codec.keep(value) : plain(value))
  return {
    handle: (slot) => ({
      get: (): Value => {
        const cell = slot.get()
        if (cell === null) return null
        return codec ? codec.give(cell.v) : cell.v
      },
      set: (value: Value): void => slot.set(value === null || value === undefined ? null : { v: keep(value) }),
      clear: (): void => slot.set(null),
    }),
    encode: ({ v }) => (codec ? codec.textOf(v) : encodeValue(type, v)),
    decode: (saved) => ({ v: codec ? codec.valueOf(saved as string) : decodeValue(type, saved) }),
    sizeOf: ({ v }) => 40 + sizeOfValue(v),
  }
}

/** About how many bytes a value takes beside the reference to it. */
export function sizeOfValue(value: Value): number {
  if (typeof value === 'string') return 24 + value.length
  if (typeof value !== 'object' || value === null) return 16
  if (value instanceof Uint8Array) return 128 + value.length
  let bytes = 56
  for (const own of Object.values(value)) bytes += 8 + sizeOfValue(own)
  return bytes
}
