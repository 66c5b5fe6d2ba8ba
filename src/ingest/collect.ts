// The door: takes a request body of JSON rows for a stream, validates each row against the shape, and answers once the
// good rows and the refused ones are durable, both in one group commit. CONTRACT `POST /streams/{name}`; PROTOCOL rules
// 3 and 5. It knows nothing of HTTP beyond the two headers it is given.
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, zstdDecompress } from 'node:zlib'
import { MillraceError } from '../core/errors.ts'
import type { Append, Log } from '../log/log.ts'
import { encodeRefusals, type Refusal } from '../log/refusal.ts'
import { fillPartitions } from '../schema/partition-hash.ts'
import { linesOfJson } from '../schema/scan/document.ts'
import type { Reject, Scan, Scanner } from '../schema/scan/scanner.ts'

export interface Door {
  readonly topic: string
  readonly partitions: number
  /** Index of the key column in the shape; -1 = no key. */
  readonly keyIndex: number
  readonly scanner: Scanner
}

export interface CollectRequest {
  readonly contentType: string | undefined
  readonly contentEncoding: string | undefined
  /** Already scoped to the caller's token. */
  readonly idempotencyKey: string | undefined
  readonly body: Buffer
}

export interface CollectAnswer {
  /** 202, or 422 when there were rows and every one was refused. */
  readonly status: 202 | 422
  readonly accepted: number
  readonly rejected: number
  readonly offsets: readonly { readonly partition: number; readonly first: number; readonly last: number }[]
  /** The first hundred refusals. */
  readonly errors: readonly { readonly index: number; readonly code: string; readonly message: string }[]
  /** True when the idempotency key was seen before: nothing was appended again. */
  readonly duplicate: boolean
}

export interface CollectLimits {
  /** Of the body as received, and again after decompression. */
  readonly bodyBytesMax: number
}

const ERRORS_MAX = 100
const inflate = { gzip: promisify(gunzip), zstd: promisify(zstdDecompress) }

/**
 * Appends the rows of one request.
 * @throws MR_INGEST_MEDIA, MR_INGEST_TOO_LARGE, MR_INGEST_BODY before anything is written; MR_LOG_BUSY, MR_LOG_FULL and
 *   MR_INGEST_IDEMPOTENCY from the log.
 */
export async function collect(
  log: Pick<Log, 'append'>,
  door: Door,
  request: CollectRequest,
  limits: CollectLimits,
): Promise<CollectAnswer> {
  const lines = await readLines(request, limits)
  const scan = door.scanner.scan(lines, { reuse: true }) // nothing of it is looked at after the first wait, but its rejects
  const parts = [...rowParts(door, scan, lines, request), ...rejectParts(scan, lines, request)]
  if (parts.length === 0) return { status: 202, accepted: 0, rejected: 0, offsets: [], errors: [], duplicate: false }
  const appended = await log.append(door.topic, parts)
  const rows = appended.filter((_, index) => parts[index]!.kind === 'rows')
  return {
    status: scan.batch.rows > 0 ? 202 : 422,
    accepted: scan.batch.rows,
    rejected: scan.rejects.length,
    offsets: rows.map(({ partition, first, last }) => ({ partition, first, last })),
    errors: scan.rejects.slice(0, ERRORS_MAX).map(({ line, code, message }) => ({ index: line, code, message })),
    duplicate: appended.every((part) => part.duplicate),
  }
}

/** The rows of a body, one a line. @throws MR_INGEST_MEDIA, MR_INGEST_TOO_LARGE, MR_INGEST_BODY. */
export async function readLines(request: Omit<CollectRequest, 'idempotencyKey'>, limits: CollectLimits): Promise<Uint8Array> {
  const isOne = isDocument(request.contentType)
  if (request.body.length > limits.bodyBytesMax) throw tooLarge(limits)
  const body = isPlain(request) ? request.body : await decode(request, limits)
  return isOne ? linesOfJson(body) : body
}

const mediaType = (contentType: string | undefined): string =>
  contentType === 'application/x-ndjson' ? contentType : (contentType ?? '').split(';')[0]!.trim().toLowerCase()

function isDocument(contentType: string | undefined): boolean {
  const type = mediaType(contentType)
  if (type === 'application/json') return true
  if (type === 'application/x-ndjson' || type === 'application/ndjson' || type === 'application/jsonl') return false
  throw new MillraceError('MR_INGEST_MEDIA', `content type "${contentType ?? ''}" is not supported`, {
    fix: 'send application/json or application/x-ndjson',
  })
}

const encodingOf = (request: Pick<CollectRequest, 'contentEncoding'>): string =>
  (request.contentEncoding ?? 'identity').trim().toLowerCase()

const isPlain = (request: Pick<CollectRequest, 'contentEncoding'>): boolean => {
  const encoding = encodingOf(request)
  return encoding === 'identity' || encoding === ''
}

async function decode(request: Omit<CollectRequest, 'idempotencyKey'>, limits: CollectLimits): Promise<Buffer> {
  const encoding = encodingOf(request)
  if (encoding !== 'gzip' && encoding !== 'zstd') {
    throw new MillraceError('MR_INGEST_MEDIA', `content encoding "${encoding}" is not supported`, { fix: 'send gzip, zstd or no encoding' })
  }
  try {
    return await inflate[encoding](request.body, { maxOutputLength: limits.bodyBytesMax })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limits)
    throw new MillraceError('MR_INGEST_BODY', `the body is not valid ${encoding}`, { cause, fix: 'check Content-Encoding' })
  }
}

/** The error for a body above the limit. */
export const tooLarge = (limits: CollectLimits): MillraceError =>
  new MillraceError('MR_INGEST_TOO_LARGE', `the body is larger than ${limits.bodyBytesMax} bytes`, { fix: 'send fewer rows per request' })

type Idempotent = Pick<CollectRequest, 'contentType' | 'idempotencyKey' | 'body'>

/** One part per partition. A body without refusals for a single partition goes in as it came. */
export function rowParts(door: Door, scan: Scan, lines: Uint8Array, request: Idempotent): Append[] {
  const count = scan.batch.rows
  if (count === 0) return []
  const fingerprint = door.scanner.fingerprint
  if (door.partitions === 1 || door.keyIndex < 0) {
    const partition = door.partitions === 1 ? 0 : spread(door, request)
    const payload = isClean(scan, lines) ? lines : gather(scan, lines, null, 0)
    return [{ partition, kind: 'rows', payload, count, fingerprint, ...idempotency(request, 'rows') }]
  }
  const target = new Int32Array(count)
  fillPartitions(scan.batch, door.keyIndex, door.partitions, target)
  const counts = new Int32Array(door.partitions)
  for (let row = 0; row < count; row++) counts[target[row]!]!++
  const parts: Append[] = []
  for (let partition = 0; partition < door.partitions; partition++) {
    if (counts[partition] === 0) continue
    const payload = counts[partition] === count && isClean(scan, lines) ? lines : gather(scan, lines, target, partition)
    parts.push({ partition, kind: 'rows', payload, count: counts[partition]!, fingerprint, ...idempotency(request, 'rows') })
  }
  return parts
}

let turn = 0

/** Without a key, whole requests take turns; a retry with an idempotency key must find the same partition again. */
function spread(door: Door, request: Idempotent): number {
  if (request.idempotencyKey === undefined) return turn++ % door.partitions
  return createHash('sha256').update(request.idempotencyKey).digest().readUInt32BE(0) % door.partitions
}

/** True when the input is exactly the accepted rows, a newline after each. */
const isClean = (scan: Scan, lines: Uint8Array): boolean =>
  scan.rejects.length === 0 && scan.batch.rows === scan.lineCount && isTight(scan, lines)

function isTight(scan: Scan, lines: Uint8Array): boolean {
  const { rows } = scan.batch
  if (scan.lineStart[0] !== 0 || lines[lines.length - 1] !== 10 || scan.lineEnd[rows - 1] !== lines.length - 1) return false
  for (let row = 1; row < rows; row++) if (scan.lineStart[row] !== scan.lineEnd[row - 1]! + 1) return false
  return true
}

function gather(scan: Scan, lines: Uint8Array, target: Int32Array | null, partition: number): Buffer {
  let size = 0
  const { rows } = scan.batch
  for (let row = 0; row < rows; row++) if (!target || target[row] === partition) size += scan.lineEnd[row]! - scan.lineStart[row]! + 1
  const payload = Buffer.allocUnsafe(size)
  let at = 0
  for (let row = 0; row < rows; row++) {
    if (target && target[row] !== partition) continue
    payload.set(lines.subarray(scan.lineStart[row]!, scan.lineEnd[row]!), at)
    at += scan.lineEnd[row]! - scan.lineStart[row]!
    payload[at++] = 10
  }
  return payload
}

/** Refused rows of one request stay together in the first partition. */
function rejectParts(scan: Scan, lines: Uint8Array, request: CollectRequest): Append[] {
  if (scan.rejects.length === 0) return []
  const refusals = scan.rejects.map((reject: Reject): Refusal => ({ ...reject, raw: lines.subarray(reject.start, reject.end) }))
  const payload = encodeRefusals(refusals)
  return [{ partition: 0, kind: 'rejects', payload, count: scan.rejects.length, fingerprint: '', ...idempotency(request, 'rejects') }]
}

function idempotency(request: Idempotent, kind: string): Pick<Append, 'idempotency'> {
  if (request.idempotencyKey === undefined) return {}
  const hash = createHash('sha256').update(mediaType(request.contentType)).update('\n').update(request.body).digest('base64url')
  return { idempotency: { key: `${request.idempotencyKey}/${kind}`, hash } }
}
