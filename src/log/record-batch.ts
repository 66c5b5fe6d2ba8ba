// The bytes of one batch: the 61-byte header of Kafka's RecordBatch v2, then our own body. Private magics say what the
// body holds. `baseOffset` and the leader epoch lie outside the checksum, as in Kafka, so that a batch that came over
// Kafka's wire can be stored after patching 12 bytes. Pure: no I/O. Source: Kafka protocol guide, "Record Batch".
//
// Body:  u32 bytes of label | u32 bytes of keys | label (JSON) | keys (JSON, often empty) | lines, zstd when bit 2 is set; of an
// encrypted topic they are sealed after that, and the label says with what (`batch-seal.ts`)
import { constants, zstdDecompressSync } from 'node:zlib'
import { MillraceError } from '../core/errors.ts'
import type { BatchSeal, SealLabel } from './batch-seal.ts'
import type { Crc32c } from './crc32c.ts'
import type { LogBatch, RecordKind } from './log.ts'

export const HEADER_BYTES = 61
const CHECKED_FROM = 21
const LOG_APPEND_TIME = 0x08
const ZSTD = 0x04
const CODEC_MASK = 0x07

const MAGICS: Readonly<Record<RecordKind, number>> = { rows: 64, rejects: 65, control: 66, deletes: 67, changes: 68 }
const KINDS: ReadonlyMap<number, RecordKind> = new Map((Object.keys(MAGICS) as RecordKind[]).map((kind) => [MAGICS[kind], kind]))

export interface BatchHeader {
  readonly baseOffset: number
  readonly count: number
  /** All of the batch, header included. */
  readonly sizeBytes: number
  readonly kind: RecordKind
  readonly compressed: boolean
  readonly appendTimeMs: number
  /** Where in the file the group of this batch begins. All before it was durable when the batch was written. */
  readonly groupPosition: number
}

/** An idempotency key of one append within a batch; `delta` counts from the base offset. */
export interface BatchKey {
  readonly key: string
  readonly hash: string
  readonly delta: number
  readonly count: number
}

export interface BatchLabel {
  readonly fingerprint: string
  readonly redriveOf?: string
  /** Pipelines with their last emission number. */
  readonly emissions?: readonly (readonly [pipeline: string, last: number])[]
  readonly seal?: SealLabel
}

export interface BatchContent extends Omit<BatchHeader, 'sizeBytes' | 'compressed'> {
  readonly label: BatchLabel
  readonly keys: readonly BatchKey[]
  /** The lines as they go to the file, compressed when `rawBytes` is given: their size before. */
  readonly lines: readonly Uint8Array[]
  readonly rawBytes?: number
}

const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.byteLength, 0)

function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 2 ** 32), at)
  bytes.writeUInt32BE(value % 2 ** 32, at + 4)
}

const readInt64 = (bytes: Buffer, at: number): number => bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

/** The batch as parts to write one after the other; the lines are not copied. */
export function encodeBatch(content: BatchContent, crc32c: Crc32c): Uint8Array[] {
  const label = JSON.stringify(content.rawBytes === undefined ? content.label : { ...content.label, rawBytes: content.rawBytes })
  const keys = content.keys.length === 0 ? '' : JSON.stringify(content.keys.map((k) => [k.key, k.hash, k.delta, k.count]))
  const labelBytes = Buffer.byteLength(label)
  const keysBytes = Buffer.byteLength(keys)
  const head = Buffer.alloc(HEADER_BYTES + 8 + labelBytes + keysBytes)
  head.writeUInt32BE(labelBytes, HEADER_BYTES)
  head.writeUInt32BE(keysBytes, HEADER_BYTES + 4)
  head.write(label, HEADER_BYTES + 8)
  if (keysBytes > 0) head.write(keys, HEADER_BYTES + 8 + labelBytes)
  writeHeader(head, content, head.length + sizeOf(content.lines))
  head.writeUInt32BE(
    content.lines.reduce((crc, part) => crc32c(part, crc), crc32c(head.subarray(CHECKED_FROM))),
    17,
  )
  return [head, ...content.lines]
}

function writeHeader(head: Buffer, content: BatchContent, sizeBytes: number): void {
  writeInt64(head, content.baseOffset, 0)
  head.writeInt32BE(sizeBytes - 12, 8)
  head.writeInt32BE(0, 12) // leader epoch
  head[16] = MAGICS[content.kind]
  head[21] = MAGICS[content.kind]
  head[22] = LOG_APPEND_TIME | (content.rawBytes === undefined ? 0 : ZSTD)
  head.writeInt32BE(content.count - 1, 23) // lastOffsetDelta
  writeInt64(head, content.appendTimeMs, 27)
  writeInt64(head, content.appendTimeMs, 35)
  writeInt64(head, content.groupPosition, 43) // Kafka's producer id
  head.writeInt16BE(-1, 51)
  head.writeInt32BE(-1, 53)
  head.writeInt32BE(content.count, 57)
}

/** The header at `at`, undefined when no batch of ours begins there. The checksum is not looked at. */
export function parseHeader(bytes: Buffer, at: number): BatchHeader | undefined {
  if (at + HEADER_BYTES > bytes.length) return undefined
  const kind = KINDS.get(bytes[at + 16]!)
  const sizeBytes = bytes.readInt32BE(at + 8) + 12
  const count = bytes.readInt32BE(at + 57)
  // Kafka's checksum leaves out the magic, so the unused high byte of the attributes says it again.
  if (!kind || bytes[at + 21] !== bytes[at + 16]) return undefined
  if (sizeBytes < HEADER_BYTES + 8 || count < 1 || bytes.readInt32BE(at + 23) !== count - 1 || bytes[at] !== 0) return undefined
  return {
    baseOffset: readInt64(bytes, at),
    count,
    sizeBytes,
    kind,
    compressed: (bytes[at + 22]! & CODEC_MASK) === ZSTD,
    appendTimeMs: readInt64(bytes, at + 35),
    groupPosition: readInt64(bytes, at + 43),
  }
}

/** Whether the batch, which lies whole in `bytes`, is as it was written. */
export function isIntact(bytes: Buffer, at: number, header: BatchHeader, crc32c: Crc32c): boolean {
  return crc32c(bytes.subarray(at + CHECKED_FROM, at + header.sizeBytes)) === bytes.readUInt32BE(at + 17)
}

interface Sections {
  readonly label: BatchLabel & { readonly rawBytes?: number }
  readonly keysAt: number
  readonly linesAt: number
}

function parseSections(bytes: Buffer, at: number): Sections {
  const labelAt = at + HEADER_BYTES + 8
  const keysAt = labelAt + bytes.readUInt32BE(at + HEADER_BYTES)
  return {
    label: JSON.parse(bytes.toString('utf8', labelAt, keysAt)) as Sections['label'],
    keysAt,
    linesAt: keysAt + bytes.readUInt32BE(at + HEADER_BYTES + 4),
  }
}

/** What recovery needs of an intact batch: its label and its idempotency keys. */
export function decodeMemory(bytes: Buffer, at: number): { label: BatchLabel; keys: BatchKey[] } {
  const { label, keysAt, linesAt } = parseSections(bytes, at)
  if (linesAt === keysAt) return { label, keys: [] }
  const keys = JSON.parse(bytes.toString('utf8', keysAt, linesAt)) as [string, string, number, number][]
  return { label, keys: keys.map(([key, hash, delta, count]) => ({ key, hash, delta, count })) }
}

/** An intact batch for readers. The payload lies in `bytes` when it was not compressed. */
export function decodeBatch(bytes: Buffer, at: number, header: BatchHeader, partition: number, seal: BatchSeal | null = null): LogBatch {
  const { label, linesAt } = parseSections(bytes, at)
  const stored = bytes.subarray(linesAt, at + header.sizeBytes)
  if (label.seal && !seal) throw sealedBatch(header)
  const lines = seal ? seal.open(label.seal, header, stored) : stored
  const rawBytes = label.rawBytes ?? 0
  return {
    partition,
    baseOffset: header.baseOffset,
    count: header.count,
    appendTimeMs: header.appendTimeMs,
    kind: header.kind,
    fingerprint: label.fingerprint,
    payload: header.compressed ? decompress(lines, rawBytes) : lines,
    ...(label.redriveOf === undefined ? {} : { redriveOf: label.redriveOf }),
  }
}

const sealedBatch = ({ baseOffset }: BatchHeader): MillraceError =>
  new MillraceError('MR_KEY_MISSING', `the batch at offset ${baseOffset} is encrypted, and its topic is not`, {
    fix: 'say `encrypted: true` of the relation, as when the rows were taken',
  })

const MIN_CHUNK_BYTES = 64 // zlib's own lower bound

// One chunk of the known size: the default of 16 KB would decompress piece by piece and join the pieces.
const decompress = (lines: Uint8Array, rawBytes: number): Buffer =>
  zstdDecompressSync(lines, { chunkSize: Math.max(MIN_CHUNK_BYTES, rawBytes), maxOutputLength: Math.max(1, rawBytes) })

/** Options for zstd level 1: of level 1 and 3, lz4, snappy and gzip the best ratio for its CPU time on NDJSON. */
export const zstdOptions = (rawBytes: number) => ({
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
  chunkSize: Math.max(MIN_CHUNK_BYTES, rawBytes),
})
