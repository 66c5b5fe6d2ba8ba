// Stretches of messages as appends to the log: rows, keys of rows that go, and what is refused, each with the offset of its message as
// emission number.
// So a message that is read twice is written once, however messages were cut into rounds. Pure.
import { KEY_MARK } from '../../log/changes.ts'
import type { Append } from '../../log/log.ts'
import { encodeRefusals } from '../../log/refusal.ts'
import type { Stretch } from './align.ts'
import { REFUSED, type ReadMessages } from './read-messages.ts'

const NEWLINE = 0x0a

/** In the order in which the rows are to stand. `fingerprint`: of the shape that accepted them. */
export const appendsOf = (stretches: readonly Stretch[], fingerprint: string): Append[] =>
  stretches.flatMap((stretch) => [...lineParts(stretch, fingerprint), ...refusedPart(stretch)])

/** Rows of each partition; where keys of rows that go stand between them, both together as changes. */
function lineParts({ messages, from, to }: Stretch, fingerprint: string): Append[] {
  const { targets, offsets, origin, isGone } = messages
  const places = new Map<number, number[]>()
  for (let place = from; place < to; place++) {
    const target = targets[place]!
    if (target === REFUSED) continue
    const own = places.get(target)
    if (own) own.push(place)
    else places.set(target, [place])
  }
  return [...places].map(([partition, own]): Append => {
    const kind = own.some((place) => isGone[place]) ? 'changes' : 'rows'
    const numbers = Float64Array.from(own, (place) => offsets[place]!)
    const emission = { pipeline: origin.pipeline, first: numbers[0]!, numbers }
    return { partition, kind, payload: payloadOf(messages, own), count: own.length, fingerprint, emission }
  })
}

function payloadOf({ lines, starts, ends, isGone }: ReadMessages, places: readonly number[]): Buffer {
  const payload = Buffer.allocUnsafe(places.reduce((sum, place) => sum + ends[place]! - starts[place]! + 1 + isGone[place]!, 0))
  let at = 0
  for (const place of places) {
    if (isGone[place]) payload[at++] = KEY_MARK
    at += lines.copy(payload, at, starts[place]!, ends[place]!)
    payload[at++] = NEWLINE
  }
  return payload
}

/** How many rows stretches bring, how many keys go, and how many messages are neither. */
export function countsOf(stretches: readonly Stretch[]): { readonly rows: number; readonly deleted: number; readonly rejected: number } {
  const counts = { rows: 0, deleted: 0, rejected: 0 }
  for (const { messages, from, to } of stretches)
    for (let place = from; place < to; place++)
      counts[messages.targets[place] === REFUSED ? 'rejected' : messages.isGone[place] ? 'deleted' : 'rows']++
  return counts
}

/** What was refused stays together in the first partition, as the door has it. */
function refusedPart({ messages, from, to }: Stretch): Append[] {
  const { refusals, offsets, origin } = messages
  if (refusals.size === 0) return []
  const places: number[] = []
  for (let place = from; place < to; place++) if (refusals.has(place)) places.push(place)
  if (places.length === 0) return []
  const numbers = Float64Array.from(places, (place) => offsets[place]!)
  const emission = { pipeline: `${origin.pipeline}/refused`, first: numbers[0]!, numbers }
  const payload = encodeRefusals(places.map((place) => refusals.get(place)!))
  return [{ partition: 0, kind: 'rejects', payload, count: places.length, fingerprint: '', emission }]
}
