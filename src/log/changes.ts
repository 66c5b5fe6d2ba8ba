// The format of a `changes` batch: one change of a keyed table, of keys whose rows go and rows that come, as lines of one append. A batch
// has one checksum, so all of it is there after a crash or nothing. A line that begins with `-` is a key; others are rows. They may stand
// in any order, which is that of the changes.
import type { LogBatch } from './log.ts'

/** What a line that is a key begins with. */
export const KEY_MARK = 0x2d
const NEWLINE = 0x0a

export interface Changes {
  /** JSON of rows with at least the key, one a line. */
  readonly deletes: Uint8Array
  readonly rows: Uint8Array
}

/** Payload of a `changes` append; the keys go first, so a row with one of them is there afterwards. */
export function encodeChanges({ deletes, rows }: Changes): Buffer {
  const parts: Uint8Array[] = []
  for (let at = 0; at < deletes.length; ) {
    const next = deletes.indexOf(NEWLINE, at) + 1
    parts.push(MARK, deletes.subarray(at, next))
    at = next
  }
  return Buffer.concat([...parts, rows])
}

const MARK = Buffer.of(KEY_MARK)

/** Lines of one kind, and the offset of each. */
export interface Lines {
  readonly payload: Uint8Array
  readonly offsets: Float64Array
}

/** The keys and the rows of a batch; in which order they stand, their offsets say. */
export function openChanges({ payload, baseOffset }: LogBatch): { readonly keys: Lines; readonly rows: Lines } {
  const [keys, rows] = [new Picked(), new Picked()]
  for (let at = 0, offset = baseOffset; at < payload.length; offset++) {
    const next = payload.indexOf(NEWLINE, at) + 1
    if (payload[at] === KEY_MARK) keys.add(payload.subarray(at + 1, next), offset)
    else rows.add(payload.subarray(at, next), offset)
    at = next
  }
  return { keys: keys.lines(), rows: rows.lines() }
}

class Picked {
  readonly #parts: Uint8Array[] = []
  readonly #offsets: number[] = []

  add(line: Uint8Array, offset: number): void {
    this.#parts.push(line)
    this.#offsets.push(offset)
  }

  lines(): Lines {
    return { payload: Buffer.concat(this.#parts), offsets: Float64Array.from(this.#offsets) }
  }
}
