// Stretches of messages as appends to the log: rows, and those that are refused, each with the offset of its message as emission number.
// So a message that is read twice is written once, however messages were cut into rounds. Pure.
import type { Append } from '../../log/log.ts'
import { encodeRefusals } from '../../log/refusal.ts'
import type { Stretch } from './align.ts'
import { REFUSED } from './read-messages.ts'

const NEWLINE = 0x0a

/** In the order in which the rows are to stand. `fingerprint`: of the shape that accepted them. */
export const appendsOf = (stretches: readonly Stretch[], fingerprint: string): Append[] =>
  stretches.flatMap((stretch) => [...rowParts(stretch, fingerprint), ...refusedPart(stretch)])

function rowParts({ messages, from, to }: Stretch, fingerprint: string): Append[] {
  const { targets, starts, ends, lines, offsets, origin } = messages
  const places = new Map<number, number[]>()
  for (let place = from; place < to; place++) {
    const target = targets[place]!
    if (target === REFUSED) continue
    const own = places.get(target)
    if (own) own.push(place)
    else places.set(target, [place])
  }
  return [...places].map(([partition, own]): Append => {
    const payload = Buffer.allocUnsafe(own.reduce((sum, place) => sum + ends[place]! - starts[place]! + 1, 0))
    let at = 0
    for (const place of own) {
      at += lines.copy(payload, at, starts[place]!, ends[place]!)
      payload[at++] = NEWLINE
    }
    const numbers = Float64Array.from(own, (place) => offsets[place]!)
    const emission = { pipeline: origin.pipeline, first: numbers[0]!, numbers }
    return { partition, kind: 'rows', payload, count: own.length, fingerprint, emission }
  })
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
