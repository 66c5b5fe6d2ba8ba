// Avro object container files (Avro 1.11 spec, "Object Container Files"): a header with the schema, then blocks. Written
// with deflate; read with null, deflate and zstandard.
import { deflateRawSync, inflateRawSync, zstdDecompressSync } from 'node:zlib'
import { MillraceError } from '../../core/errors.ts'
import type { Random } from '../../core/random.ts'
import { AvroDecoder, type AvroReader, compileReader } from './decode.ts'
import { AvroEncoder, type AvroWriter } from './encode.ts'
import type { AvroSchema, AvroValue } from './schema.ts'

const MAGIC = Buffer.from('Obj\x01', 'latin1')
const SYNC = 16
/** Rows in one block: bounds the memory of a reader. */
const BLOCK_ROWS = 10_000

export interface AvroFile {
  readonly schema: AvroSchema
  readonly meta: ReadonlyMap<string, string>
  readonly rows: readonly AvroValue[]
}

/** The bytes of a file with `rows` of `schema`, written by `writer` (compiled from it), and `meta` in its header. */
export function writeContainer(
  schema: AvroSchema,
  writer: AvroWriter,
  rows: readonly AvroValue[],
  meta: Readonly<Record<string, string>>,
  random: Random,
): Buffer {
  const sync = random.bytes(SYNC)
  const file = new AvroEncoder()
  file.raw(MAGIC)
  const entries = Object.entries({ 'avro.schema': JSON.stringify(schema), 'avro.codec': 'deflate', ...meta })
  file.long(entries.length)
  for (const [key, value] of entries) {
    file.string(key)
    file.string(value)
  }
  file.long(0)
  file.raw(sync)
  for (let at = 0; at < rows.length; at += BLOCK_ROWS) {
    const part = rows.slice(at, at + BLOCK_ROWS)
    const block = new AvroEncoder()
    for (const row of part) writer(block, row)
    file.long(part.length)
    file.bytes(deflateRawSync(block.take(), { level: 1 }))
    file.raw(sync)
  }
  return Buffer.from(file.take())
}

/** @throws MR_LAKE_CORRUPT when the bytes are not a whole container file; `name` is for its message. */
export function readContainer(bytes: Buffer, name: string): AvroFile {
  try {
    return read(bytes)
  } catch (cause) {
    throw damaged(name, cause)
  }
}

/** What `read` makes of rows. @throws MR_LAKE_CORRUPT when a row is not as Iceberg has it; refusals of `read` as they are. */
export function readRows<T>(name: string, rows: readonly AvroValue[], read: (row: AvroValue) => T): T[] {
  try {
    return rows.map(read)
  } catch (cause) {
    throw cause instanceof MillraceError ? cause : damaged(name, cause)
  }
}

function damaged(name: string, cause: unknown): MillraceError {
  const why = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError('MR_LAKE_CORRUPT', `${name} cannot be read as Avro: ${why}`, {
    fix: 'restore the file from a backup, or read an earlier snapshot',
    cause,
  })
}

function read(bytes: Buffer): AvroFile {
  const from = new AvroDecoder(bytes)
  if (!from.raw(4).equals(MAGIC)) throw new Error('it does not begin as an Avro container')
  const meta = new Map<string, string>()
  for (let count = from.count(); count !== 0; count = from.count()) {
    if (count < 0) from.long()
    for (let i = Math.abs(count); i > 0; i--) {
      const key = from.bytes().toString()
      meta.set(key, from.bytes().toString())
    }
  }
  const sync = from.raw(SYNC)
  const text = meta.get('avro.schema') ?? ''
  const reader = readerOf(text)
  const rows: AvroValue[] = []
  while (!from.ended) {
    const count = from.count()
    const block = new AvroDecoder(inflate(meta.get('avro.codec') ?? 'null', from.bytes()))
    for (let i = 0; i < count; i++) rows.push(reader(block))
    if (!from.raw(SYNC).equals(sync)) throw new Error('a block does not end with the sync marker')
  }
  return { schema: JSON.parse(text) as AvroSchema, meta, rows }
}

const readers = new Map<string, AvroReader>()

function readerOf(schemaText: string): AvroReader {
  const known = readers.get(schemaText)
  if (known) return known
  const reader = compileReader(JSON.parse(schemaText) as AvroSchema)
  if (readers.size > 500) readers.clear()
  readers.set(schemaText, reader)
  return reader
}

function inflate(codec: string, bytes: Buffer): Buffer {
  if (codec === 'null') return bytes
  if (codec === 'deflate') return inflateRawSync(bytes)
  if (codec === 'zstandard') return zstdDecompressSync(bytes)
  throw new Error(`the codec ${codec} is not supported`)
}
