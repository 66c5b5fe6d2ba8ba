// JSON documents on bytes: the body of a request as lines for the scanner, and the decision whether bytes are JSON at
// all, which is the scanner's own. Nothing is parsed into objects, so nothing is rounded, reordered or dropped.
import { isUtf8 } from 'node:buffer'
import { MillraceError } from '../../core/errors.ts'
import { type Fault, newFault, skipSpace, skipValue, stop } from './syntax.ts'

/** Whether the bytes are one JSON text by RFC 8259: UTF-8, no byte order mark, nested at most MAX_DEPTH levels. */
export function isValidJson(bytes: Uint8Array): boolean {
  if (!isUtf8(bytes)) return false
  const next = skipValue(bytes, 0, bytes.length, newFault(), 0)
  return next >= 0 && skipSpace(bytes, next, bytes.length) === bytes.length
}

/**
 * The rows of an `application/json` body as NDJSON: the object itself, or one line for each element of an array, as
 * written except for line breaks between tokens. Elements that are no objects become lines too, and rejects later.
 * MR_INGEST_BODY with the position when the body is no JSON text, or neither object nor array.
 */
export function linesOfJson(bytes: Uint8Array): Uint8Array {
  if (!isUtf8(bytes)) throw bodyError('it is not valid UTF-8')
  const out = { bytes: Buffer.allocUnsafe(bytes.length + 1), length: 0 }
  const fault = newFault()
  const first = skipSpace(bytes, 0, bytes.length)
  let at: number
  if (bytes[first] === 0x5b) at = copyElements(bytes, first + 1, out, fault)
  else if (bytes[first] === 0x7b) at = copyLine(bytes, first, 0, out, fault)
  else at = stop(fault, first, first < bytes.length ? 'an object or an array must stand here' : 'the body is empty')
  if (at >= 0) {
    at = skipSpace(bytes, at, bytes.length)
    if (at < bytes.length) at = stop(fault, at, 'the body goes on after the value')
  }
  if (at < 0) throw bodyError(`byte ${fault.at}: ${fault.why}`)
  return out.bytes.subarray(0, out.length)
}

interface Out {
  readonly bytes: Buffer
  length: number
}

/** From behind the opening bracket to behind the closing one. */
function copyElements(bytes: Uint8Array, from: number, out: Out, fault: Fault): number {
  let at = skipSpace(bytes, from, bytes.length)
  if (bytes[at] === 0x5d) return at + 1
  for (;;) {
    at = copyLine(bytes, at, 1, out, fault)
    if (at < 0) return -1
    at = skipSpace(bytes, at, bytes.length)
    if (bytes[at] === 0x5d) return at + 1
    if (bytes[at] !== 0x2c) return stop(fault, at, 'a comma or ] must stand here')
    at = skipSpace(bytes, at + 1, bytes.length)
  }
}

/** Copies the value at `at` without its line breaks, which can only stand between tokens. */
function copyLine(bytes: Uint8Array, at: number, depth: number, out: Out, fault: Fault): number {
  const next = skipValue(bytes, at, bytes.length, fault, depth)
  if (next < 0) return -1
  for (let from = at; from < next; from++) {
    const c = bytes[from]!
    if (c !== 0x0a && c !== 0x0d) out.bytes[out.length++] = c
  }
  out.bytes[out.length++] = 0x0a
  return next
}

const bodyError = (what: string): MillraceError =>
  new MillraceError('MR_INGEST_BODY', `the body is not valid JSON: ${what}`, {
    fix: 'send one JSON object, an array of objects, or NDJSON as application/x-ndjson',
  })
