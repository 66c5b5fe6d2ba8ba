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

/** The batch as batches of `deletes` and `rows`, in the order of its lines and with their offsets. */
export function splitChanges(batch: LogBatch): LogBatch[] {
  const split: LogBatch[] = []
  const { payload } = batch
  for (let at = 0, line = 0; at < payload.length; ) {
    const isDelete = payload[at] === KEY_MARK
    const [from, first] = [at, line]
    while (at < payload.length && (payload[at] === KEY_MARK) === isDelete) {
      at = payload.indexOf(NEWLINE, at) + 1
      line++
    }
    const part = payload.subarray(from, at)
    split.push({
      ...batch,
      kind: isDelete ? 'deletes' : 'rows',
      baseOffset: batch.baseOffset + first,
      count: line - first,
      payload: isDelete ? withoutMarks(part) : part,
    })
  }
  return split
}

function withoutMarks(lines: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  for (let at = 0; at < lines.length; ) {
    const next = lines.indexOf(NEWLINE, at) + 1
    parts.push(lines.subarray(at + 1, next))
    at = next
  }
  return Buffer.concat(parts)
}
