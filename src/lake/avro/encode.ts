// Avro's binary encoding, writing: a schema is compiled once to a closure that writes its values.
import { assert, MillraceError } from '../../core/errors.ts'
import type { AvroSchema, AvroValue } from './schema.ts'

/** A buffer that grows. */
export class AvroEncoder {
  #bytes = Buffer.allocUnsafe(1 << 12)
  #used = 0

  #reserve(count: number): void {
    if (this.#used + count <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#used + count))
    this.#bytes.copy(grown, 0, 0, this.#used)
    this.#bytes = grown
  }

  /** Zigzag and 7 bits a byte. */
  long(value: number | bigint): void {
    this.#reserve(10)
    if (typeof value === 'number' && value >= -0x40000000 && value < 0x40000000) {
      let rest = ((value << 1) ^ (value >> 31)) >>> 0
      for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#used++] = (rest & 0x7f) | 0x80
      this.#bytes[this.#used++] = rest
      return
    }
    const wide = BigInt(value)
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n))
    for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#used++] = Number(rest & 0x7fn) | 0x80
    this.#bytes[this.#used++] = Number(rest)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.#used)
    this.#used += bytes.length
  }

  bytes(bytes: Uint8Array): void {
    this.long(bytes.length)
    this.raw(bytes)
  }

  string(text: string): void {
    this.bytes(Buffer.from(text))
  }

  boolean(value: boolean): void {
    this.#reserve(1)
    this.#bytes[this.#used++] = value ? 1 : 0
  }

  float(value: number): void {
    this.#reserve(4)
    this.#used = this.#bytes.writeFloatLE(value, this.#used)
  }

  double(value: number): void {
    this.#reserve(8)
    this.#used = this.#bytes.writeDoubleLE(value, this.#used)
  }

  /** What was written, not copied. */
  take(): Buffer {
    return this.#bytes.subarray(0, this.#used)
  }
}

export type AvroWriter = (to: AvroEncoder, value: AvroValue) => void

/** A closure that writes values of `schema`. Unions are `[null, T]`, which is all that Iceberg has. */
export function compileWriter(schema: AvroSchema): AvroWriter {
  if (typeof schema === 'string') return PRIMITIVES[schema]
  if (isUnion(schema)) return optionWriter(schema)
  switch (schema.type) {
    case 'record':
      return recordWriter(schema.fields.map((field) => [field.name, compileWriter(field.type)] as const))
    case 'array':
      return arrayWriter(compileWriter(schema.items))
    case 'fixed':
      return (to, value) => to.raw(value as Uint8Array)
    case 'map':
    case 'enum':
      throw new MillraceError('MR_ASSERT', `no Iceberg file that we write has an Avro ${schema.type}`)
    default:
      return PRIMITIVES[schema.type]
  }
}

const PRIMITIVES: Record<Extract<AvroSchema, string>, AvroWriter> = {
  null: () => {},
  boolean: (to, value) => to.boolean(value as boolean),
  int: (to, value) => to.long(value as number),
  long: (to, value) => to.long(value as number | bigint),
  float: (to, value) => to.float(value as number),
  double: (to, value) => to.double(value as number),
  bytes: (to, value) => to.bytes(value as Uint8Array),
  string: (to, value) => to.string(value as string),
}

const isUnion = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema)

function optionWriter(union: readonly AvroSchema[]): AvroWriter {
  const [first, second] = union
  assert(first === 'null' && second !== undefined && union.length === 2, 'unions that we write are [null, T]')
  const write = compileWriter(second)
  return (to, value) => {
    if (value === null || value === undefined) return to.long(0)
    to.long(1)
    write(to, value)
  }
}

function recordWriter(fields: readonly (readonly [string, AvroWriter])[]): AvroWriter {
  return (to, value) => {
    const record = value as { readonly [field: string]: AvroValue }
    for (const [name, write] of fields) write(to, record[name])
  }
}

function arrayWriter(write: AvroWriter): AvroWriter {
  return (to, value) => {
    const items = value as readonly AvroValue[]
    if (items.length > 0) {
      to.long(items.length)
      for (const item of items) write(to, item)
    }
    to.long(0)
  }
}
