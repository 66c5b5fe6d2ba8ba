// How the value of a message becomes one line of JSON for the scanner, which alone decides whether it is a row. A decoder says of a
// message that it cannot be read; everything else that it throws is no fault of the message.
import type { ErrorCode, MillraceError } from '../../core/errors.ts'
import { linesOfJson } from '../../schema/scan/document.ts'

/** Says why a message becomes no row. */
export class Undecodable extends Error {
  readonly code: ErrorCode

  constructor(message: string, code: ErrorCode = 'MR_ROW_MESSAGE') {
    super(message)
    this.code = code
  }
}

export interface Decoder {
  /** Fetches what decoding these needs, such as their schemas. @throws what may go better later. */
  prepare?(values: readonly Uint8Array[]): Promise<void>
  /** One JSON text without line breaks. @throws Undecodable */
  line(value: Uint8Array): Uint8Array | string
}

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d

/** Where the first byte is that is no white space; the length where there is none. */
function firstOf(value: Uint8Array): number {
  let first = 0
  while (first < value.length && isSpace(value[first]!)) first++
  return first
}

/** Whether it can be nothing but an object, if it is JSON at all. */
export const isObject = (value: Uint8Array): boolean => value[firstOf(value)] === 0x7b

/** Of messages whose first byte nothing in their format begins with. */
export const beginsWithId = (format: string): string =>
  `the message begins with a zero byte, as those with the id of a schema do: the format ${format} reads them`

/** One JSON document a message. */
export const jsonDecoder: Decoder = {
  line(value) {
    if (value[0] === 0) throw new Undecodable(beginsWithId('json({ registry })'))
    if (firstOf(value) === value.length) throw new Undecodable('the message is empty', 'MR_ROW_JSON')
    if (value.indexOf(0x0a) < 0) return value
    // A line break may stand between tokens and not inside of text: only who reads it as JSON may take it out.
    if (!isObject(value)) throw new Undecodable('the message is no JSON object', 'MR_ROW_NOT_OBJECT')
    try {
      return linesOfJson(value).subarray(0, -1)
    } catch (error) {
      throw new Undecodable((error as MillraceError).message, 'MR_ROW_JSON')
    }
  },
}
