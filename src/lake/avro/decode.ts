// Avro's binary encoding, reading: a schema is compiled once to a closure that reads its values. The schema is the one
// the file was written with; what is missing or new is the caller's matter.
import { MillraceError } from '../../core/errors.ts'
import type { AvroSchema, AvroValue } from './schema.ts'

/** A position in bytes. Reading beyond the end throws MR_LAKE_CORRUPT. */
export class AvroDecoder {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  get at(): number {
    return this.#at
  }

  get ended(): boolean {
    return this.#at >= this.#bytes.length
  }

  raw(count: number): Buffer {
    if (count < 0 || this.#at + count > this.#bytes.length) throw endOfFile()
    this.#at += count
    return this.#bytes.subarray(this.#at - count, this.#at)
  }

  byte(): number {
    const value = this.#bytes[this.#at]
    if (value === undefined) throw endOfFile()
    this.#at++
    return value
  }

  /** A number while it is a safe integer, otherwise a bigint. */
  long(): number | bigint {
    const start = this.#at
    let value = 0
    let scale = 1
    for (let i = 0; i < 7; i++, scale *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
    this.#at = start
    return this.#wideLong()
  }

  #wideLong(): number | bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte >= 0x80) continue
      const long = BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n))
      return Number.isSafeInteger(Number(long)) ? Number(long) : long
    }
    throw endOfFile()
  }

  count(): number {
    return Number(this.long())
  }

  bytes(): Buffer {
    return this.raw(this.count())
  }
}

const endOfFile = (): MillraceError => new MillraceError('MR_LAKE_CORRUPT', 'an Avro file ends in the middle of a value')

export type AvroReader = (from: AvroDecoder) => AvroValue

/** A closure that reads values of `schema`. */
export function compileReader(schema: AvroSchema): AvroReader {
  if (typeof schema === 'string') return PRIMITIVES[schema]
  if (isUnion(schema)) return unionReader(schema.map(compileReader))
  switch (schema.type) {
    case 'record':
      return recordReader(schema.fields.map((field) => [field.name, compileReader(field.type)] as const))
    case 'array':
      return arrayReader(compileReader(schema.items))
    case 'map':
      return mapReader(compileReader(schema.values))
    case 'fixed':
      return (from) => from.raw(schema.size)
    case 'enum':
      return (from) => schema.symbols[from.count()]
    default:
      return PRIMITIVES[schema.type]
  }
}

const PRIMITIVES: Record<Extract<AvroSchema, string>, AvroReader> = {
  null: () => null,
  boolean: (from) => from.byte() !== 0,
  int: (from) => from.long(),
  long: (from) => from.long(),
  float: (from) => from.raw(4).readFloatLE(0),
  double: (from) => from.raw(8).readDoubleLE(0),
  bytes: (from) => from.bytes(),
  string: (from) => from.bytes().toString(),
}

const isUnion = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema)

function unionReader(branches: readonly AvroReader[]): AvroReader {
  return (from) => {
    const branch = branches[from.count()]
    if (!branch) throw new MillraceError('MR_LAKE_CORRUPT', 'an Avro union has a branch that its schema lacks')
    return branch(from)
  }
}

function recordReader(fields: readonly (readonly [string, AvroReader])[]): AvroReader {
  return (from) => {
    const record: Record<string, AvroValue> = {}
    for (const [name, read] of fields) record[name] = read(from)
    return record
  }
}

function arrayReader(read: AvroReader): AvroReader {
  return (from) => {
    const items: AvroValue[] = []
    eachOfBlocks(from, () => items.push(read(from)))
    return items
  }
}

function mapReader(read: AvroReader): AvroReader {
  return (from) => {
    const map: Record<string, AvroValue> = {}
    eachOfBlocks(from, () => {
      const key = from.bytes().toString()
      map[key] = read(from)
    })
    return map
  }
}

// Blocks of items: a negative count is followed by the block's size in bytes, zero ends them.
function eachOfBlocks(from: AvroDecoder, item: () => void): void {
  for (let count = from.count(); count !== 0; count = from.count()) {
    if (count < 0) from.long()
    for (let i = Math.abs(count); i > 0; i--) item()
  }
}
