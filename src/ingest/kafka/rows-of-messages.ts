// Messages of one partition of a topic as appends to the log: rows that the scanner accepts, spread by their key, and those that are
// refused, each with the offset of its message as emission number. So a message that is read twice is written once, however
// the messages were cut into rounds. Pure.

import { type Decoder, Undecodable } from '../../connectors/kafka/decoder.ts'
import type { TopicMessage } from '../../log/kafka/topic-reader.ts'
import type { Append } from '../../log/log.ts'
import { encodeRefusals, type Refusal } from '../../log/refusal.ts'
import { fillPartitions } from '../../schema/partition-hash.ts'
import type { Scan } from '../../schema/scan/scanner.ts'
import type { Door } from '../collect.ts'

export interface Origin {
  /** Name of the topic, for messages. */
  readonly topic: string
  readonly partition: number
  /** Under which its messages are numbered. */
  readonly pipeline: string
}

export interface RowsOfMessages {
  readonly parts: readonly Append[]
  readonly rows: number
  readonly rejected: number
}

interface Refused extends Refusal {
  readonly offset: number
}

const NEWLINE = 0x0a

export function rowsOfMessages(door: Door, decoder: Decoder, origin: Origin, messages: readonly TopicMessage[]): RowsOfMessages {
  const refused: Refused[] = []
  const decoded: TopicMessage[] = []
  const pieces: Uint8Array[] = []
  for (const message of messages) {
    const line = lineOf(decoder, origin, message, refused)
    if (line === null) continue
    pieces.push(typeof line === 'string' ? Buffer.from(line) : line, LINE_END)
    decoded.push(message)
  }
  const lines = Buffer.concat(pieces)
  const scan = door.scanner.scan(lines, { reuse: true })
  for (const { line, code, message, field } of scan.rejects) {
    const { offset, value } = decoded[line]!
    refused.push({ offset, raw: value!, code, message: `${message} (${placeOf(origin, offset)})`, field })
  }
  refused.sort((a, b) => a.offset - b.offset)
  const rows = rowParts(door, scan, lines, origin, decoded)
  return { parts: [...rows, ...refusedPart(origin, refused)], rows: scan.batch.rows, rejected: refused.length }
}

const LINE_END = Buffer.from([NEWLINE])

const placeOf = ({ topic, partition }: Origin, offset: number): string => `topic ${topic}, partition ${partition}, offset ${offset}`

function lineOf(decoder: Decoder, origin: Origin, { offset, value }: TopicMessage, refused: Refused[]): Uint8Array | string | null {
  try {
    if (value === null) throw new Undecodable('the message has no value: a tombstone, and the relation has no rows to delete')
    return decoder.line(value)
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error
    const message = `${error.message} (${placeOf(origin, offset)})`
    refused.push({ offset, raw: value ?? new Uint8Array(0), code: error.code, message, field: null })
    return null
  }
}

/** Without a key, a partition of the topic belongs to one of the log: its order is kept. */
function rowParts(door: Door, scan: Scan, lines: Uint8Array, origin: Origin, messages: readonly TopicMessage[]): Append[] {
  const { rows } = scan.batch
  if (rows === 0) return []
  const target = new Int32Array(rows)
  if (door.partitions > 1 && door.keyIndex >= 0) fillPartitions(scan.batch, door.keyIndex, door.partitions, target)
  else target.fill(origin.partition % door.partitions)
  const sizes = new Float64Array(door.partitions)
  const counts = new Int32Array(door.partitions)
  for (let row = 0; row < rows; row++) {
    sizes[target[row]!]! += scan.lineEnd[row]! - scan.lineStart[row]! + 1
    counts[target[row]!]!++
  }
  const parts: Append[] = []
  for (let partition = 0; partition < door.partitions; partition++) {
    const count = counts[partition]!
    if (count === 0) continue
    const payload = Buffer.allocUnsafe(sizes[partition]!)
    const numbers = new Float64Array(count)
    let at = 0
    let next = 0
    for (let row = 0; row < rows; row++) {
      if (target[row] !== partition) continue
      payload.set(lines.subarray(scan.lineStart[row]!, scan.lineEnd[row]!), at)
      at += scan.lineEnd[row]! - scan.lineStart[row]!
      payload[at++] = NEWLINE
      numbers[next++] = messages[scan.lines[row]!]!.offset
    }
    const emission = { pipeline: origin.pipeline, first: numbers[0]!, numbers }
    parts.push({ partition, kind: 'rows', payload, count, fingerprint: door.scanner.fingerprint, emission })
  }
  return parts
}

/** What was refused stays together in the first partition, as the door has it. */
function refusedPart({ pipeline }: Origin, refused: readonly Refused[]): Append[] {
  if (refused.length === 0) return []
  const numbers = refused.map(({ offset }) => offset)
  const emission = { pipeline: `${pipeline}/refused`, first: numbers[0]!, numbers }
  return [{ partition: 0, kind: 'rejects', payload: encodeRefusals(refused), count: refused.length, fingerprint: '', emission }]
}
