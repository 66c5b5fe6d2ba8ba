// Keys of processors as text: what state is kept by, and what a timer hands back.
import { partitionOf } from '../../schema/partition-hash.ts'
import type { Type } from '../../schema/type.ts'
import { decodeValue, encodeValue } from '../value.ts'

/** Stands for no key: text of rows has no half of a pair. */
const NO_KEY = '\ud800'

/** Equal for equal keys only. */
export function keyTextOf(type: Type): (value: unknown) => string {
  if (type.kind === 'string' || type.kind === 'uuid' || type.kind === 'enum') return (value) => (typeof value === 'string' ? value : NO_KEY)
  return (value) => (value === null || value === undefined ? NO_KEY : JSON.stringify(encodeValue(type, value)))
}

export function keyOfText(type: Type, text: string): unknown {
  if (text === NO_KEY) return null
  return type.kind === 'string' || type.kind === 'uuid' || type.kind === 'enum' ? text : decodeValue(type, JSON.parse(text))
}

/** As the door chooses it for the same key. */
export function partitionOfText(key: string, partitions: number): number {
  const bytes = Buffer.from(key)
  return partitionOf(bytes, 0, bytes.length, partitions)
}
