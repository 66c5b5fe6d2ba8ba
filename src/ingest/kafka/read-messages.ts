// Messages of one partition of a topic, looked at: which are rows, of what time and for which partition of the log, which take a row
// of a table away, and which are refused and why. Pure.
import { type Decoder, Undecodable } from '../../connectors/kafka/decoder.ts'
import type { TopicMessage } from '../../log/kafka/topic-reader.ts'
import type { Refusal } from '../../log/refusal.ts'
import { fillPartitions } from '../../schema/partition-hash.ts'
import type { Scan, Scanner } from '../../schema/scan/scanner.ts'
import type { Door } from '../collect.ts'

/** A door with the column of event time; -1 = none. */
export interface TimedDoor extends Door {
  readonly timeIndex: number
}

/** What messages are read with. */
export interface MessageReader {
  readonly door: TimedDoor
  /** Of values. */
  readonly decoder: Decoder
  /** Of a table, which has one partition in the log: reads keys of messages without a value. Without it these are refused. */
  readonly keys?: { readonly decoder: Decoder; readonly scanner: Scanner }
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
  /** 1: the line is the key of a row that goes. */
  readonly isGone: Uint8Array
  /** The line of a row or key, without its end. */
  readonly lines: Buffer
  readonly starts: Int32Array
  readonly ends: Int32Array
  /** By place. */
  readonly refusals: ReadonlyMap<number, Refusal>
}

export const REFUSED = -1

export function readMessages(reader: MessageReader, origin: Origin, messages: readonly TopicMessage[]): ReadMessages {
  const { door, decoder, keys } = reader
  const [rows, gone] = [new Lines(), new Lines()]
  const refusals = new Map<number, Refusal>()
  const refuse = (place: number, { code, message, field }: Omit<Refusal, 'raw'>): void => {
    const { offset, key, value } = messages[place]!
    const raw = value ?? key ?? new Uint8Array(0)
    refusals.set(place, { raw, code, message: `${message} (${placeOf(origin, offset)})`, field })
  }
  for (const [place, { key, value }] of messages.entries())
    try {
      if (value === null) gone.add(place, keyLine(keys, key))
      else rows.add(place, decoder.line(value))
    } catch (error) {
      if (!(error instanceof Undecodable)) throw error
      refuse(place, { code: error.code, message: error.message, field: null })
    }
  const read = {
    offsets: Float64Array.from(messages, ({ offset }) => offset),
    times: new Float64Array(messages.length).fill(Number.NaN),
    targets: new Int32Array(messages.length).fill(REFUSED),
    isGone: new Uint8Array(messages.length),
    starts: new Int32Array(messages.length),
    ends: new Int32Array(messages.length),
  }
  const lines = Buffer.concat([...rows.pieces, ...gone.pieces])
  const scan = door.scanner.scan(lines.subarray(0, rows.bytes), { reuse: true })
  const targets = targetsOf(door, scan, origin)
  const times = door.timeIndex < 0 ? null : scan.batch.columns[door.timeIndex]!
  for (const reject of scan.rejects) refuse(rows.places[reject.line]!, reject)
  for (let row = 0; row < scan.batch.rows; row++) {
    const place = rows.places[scan.lines[row]!]!
    read.targets[place] = targets[row]!
    read.starts[place] = scan.lineStart[row]!
    read.ends[place] = scan.lineEnd[row]!
    if (times?.kind === 'integer') read.times[place] = times.values[row]!
  }
  if (keys && gone.bytes > 0) {
    const found = keys.scanner.scan(lines.subarray(rows.bytes))
    for (const reject of found.rejects) refuse(gone.places[reject.line]!, { ...reject, message: unreadable(reject.message) })
    for (let row = 0; row < found.batch.rows; row++) {
      const place = gone.places[found.lines[row]!]!
      read.targets[place] = 0
      read.isGone[place] = 1
      read.starts[place] = rows.bytes + found.lineStart[row]!
      read.ends[place] = rows.bytes + found.lineEnd[row]!
    }
  }
  return { origin, count: messages.length, ...read, lines, refusals }
}

const LINE_END = Buffer.from('\n')

/** Lines to be scanned at once, and the places that they are of. */
class Lines {
  readonly pieces: Uint8Array[] = []
  readonly places: number[] = []
  bytes = 0

  add(place: number, line: Uint8Array | string): void {
    const piece = typeof line === 'string' ? Buffer.from(line) : line
    this.pieces.push(piece, LINE_END)
    this.places.push(place)
    this.bytes += piece.length + 1
  }
}

const placeOf = ({ topic, partition }: Origin, offset: number): string => `topic ${topic}, partition ${partition}, offset ${offset}`

const unreadable = (why: string): string =>
  `the message has no value and deletes the row of its key, which cannot be read: ${why}; keys must hold the table's key in the way that keyFormat of the topic says`

/** @throws Undecodable */
function keyLine(keys: MessageReader['keys'], key: Uint8Array | null): Uint8Array | string {
  if (!keys)
    throw new Undecodable('the message has no value: such a tombstone deletes a row of a table with a key; make this a table with a key')
  if (key === null)
    throw new Undecodable('the message has neither a value nor a key: write tombstones with the key of the row that they delete')
  try {
    return keys.decoder.line(key)
  } catch (error) {
    throw error instanceof Undecodable ? new Undecodable(unreadable(error.message), error.code) : error
  }
}

/** Without a key, a partition of the topic belongs to one of the log: its order is kept. */
function targetsOf(door: Door, { batch }: Scan, { partition }: Origin): Int32Array {
  const targets = new Int32Array(batch.rows)
  if (door.partitions > 1 && door.keyIndex >= 0) return fillPartitions(batch, door.keyIndex, door.partitions, targets)
  return targets.fill(partition % door.partitions)
}
