// Messages of one partition of a topic, looked at: which are rows, of what time and for which partition of the log, and which are
// refused and why. Pure.
import { type Decoder, Undecodable } from '../../connectors/kafka/decoder.ts'
import type { TopicMessage } from '../../log/kafka/topic-reader.ts'
import type { Refusal } from '../../log/refusal.ts'
import { fillPartitions } from '../../schema/partition-hash.ts'
import type { Scan } from '../../schema/scan/scanner.ts'
import type { Door } from '../collect.ts'

/** A door with the column of event time; -1 = none. */
export interface TimedDoor extends Door {
  readonly timeIndex: number
}

export interface Origin {
  /** Name of the topic, for messages. */
  readonly topic: string
  readonly partition: number
  /** Under which its messages are numbered. */
  readonly pipeline: string
}

/** One message a place, in the order of their offsets. */
export interface ReadMessages {
  readonly origin: Origin
  readonly count: number
  readonly offsets: Float64Array
  /** Event time, microseconds, NaN where there is none. */
  readonly times: Float64Array
  /** Partition of the log; REFUSED. */
  readonly targets: Int32Array
  /** The line of a row, without its end. */
  readonly lines: Buffer
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** By place. */
  readonly refusals: ReadonlyMap<number, Refusal>
  readonly rows: number
  /** Where the partition goes on. */
  readonly next: number
}

export const REFUSED = -1

const LINE_END = Buffer.from('\n')

export function readMessages(
  door: TimedDoor,
  decoder: Decoder,
  origin: Origin,
  messages: readonly TopicMessage[],
  next: number,
): ReadMessages {
  const refusals = new Map<number, Refusal>()
  const placeOfLine: number[] = []
  const pieces: Uint8Array[] = []
  for (const [place, message] of messages.entries()) {
    const line = lineOf(decoder, origin, message)
    if ('code' in line) refusals.set(place, line)
    else {
      pieces.push(line.bytes, LINE_END)
      placeOfLine.push(place)
    }
  }
  const lines = Buffer.concat(pieces)
  const scan = door.scanner.scan(lines, { reuse: true })
  const read = {
    offsets: Float64Array.from(messages, ({ offset }) => offset),
    times: new Float64Array(messages.length).fill(Number.NaN),
    targets: new Int32Array(messages.length).fill(REFUSED),
    starts: new Int32Array(messages.length),
    ends: new Int32Array(messages.length),
  }
  for (const { line, code, message, field } of scan.rejects) {
    const place = placeOfLine[line]!
    const { offset, value } = messages[place]!
    refusals.set(place, { raw: value!, code, message: `${message} (${placeOf(origin, offset)})`, field })
  }
  const targets = targetsOf(door, scan, origin)
  const times = door.timeIndex < 0 ? null : scan.batch.columns[door.timeIndex]!
  for (let row = 0; row < scan.batch.rows; row++) {
    const place = placeOfLine[scan.lines[row]!]!
    read.targets[place] = targets[row]!
    read.starts[place] = scan.lineStart[row]!
    read.ends[place] = scan.lineEnd[row]!
    if (times?.kind === 'integer') read.times[place] = times.values[row]!
  }
  return { origin, count: messages.length, ...read, lines, refusals, rows: scan.batch.rows, next }
}

const placeOf = ({ topic, partition }: Origin, offset: number): string => `topic ${topic}, partition ${partition}, offset ${offset}`

function lineOf(decoder: Decoder, origin: Origin, { offset, value }: TopicMessage): { readonly bytes: Uint8Array } | Refusal {
  try {
    if (value === null) throw new Undecodable('the message has no value: a tombstone, which deletes nothing here')
    const line = decoder.line(value)
    return { bytes: typeof line === 'string' ? Buffer.from(line) : line }
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error
    const message = `${error.message} (${placeOf(origin, offset)})`
    return { raw: value ?? new Uint8Array(0), code: error.code, message, field: null }
  }
}

/** Without a key, a partition of the topic belongs to one of the log: its order is kept. */
function targetsOf(door: Door, { batch }: Scan, { partition }: Origin): Int32Array {
  const targets = new Int32Array(batch.rows)
  if (door.partitions > 1 && door.keyIndex >= 0) return fillPartitions(batch, door.keyIndex, door.partitions, targets)
  return targets.fill(partition % door.partitions)
}
