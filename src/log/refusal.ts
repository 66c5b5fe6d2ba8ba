// The format of a `rejects` batch: one JSON line for each refused row. Written by the door and by processors, read by the
// pipelines that make `<stream>__rejected`.
import type { ErrorCode } from '../core/errors.ts'

export interface Refusal {
  readonly raw: Uint8Array
  readonly code: ErrorCode
  readonly message: string
  readonly field: string | null
}

const strict = new TextDecoder('utf-8', { fatal: true })

/** Text of raw bytes; `base64:...` when they are not UTF-8. */
export function rawText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch {
    return `base64:${Buffer.from(bytes).toString('base64')}`
  }
}

/** The payload of a `rejects` append: one JSON line a refusal. */
export function encodeRefusals(refusals: readonly Refusal[]): Buffer {
  const lines = refusals.map(({ raw, code, message, field }) => `${JSON.stringify({ raw: rawText(raw), code, message, field })}\n`)
  return Buffer.from(lines.join(''))
}
