// Bids with the distributions of Nexmark's generator (Tucker et al., "NEXMark: a benchmark for queries over data streams"): of 50
// events one is a person, three are auctions and 46 are bids, half of them on a hot auction, three of four by a hot bidder.
// Only the bids are made: no query here reads the others. Seeded: every run makes the same bytes.
import { seededRandom } from '../src/core/random.ts'
import type { Shape } from '../src/schema/type.ts'

const field = (name: string, kind: 'long' | 'string' | 'timestamp') => ({ name, type: { kind }, optional: false }) as const

export const BID: Shape = {
  fields: [
    field('auction', 'long'),
    field('bidder', 'long'),
    field('price', 'long'),
    field('channel', 'string'),
    field('url', 'string'),
    field('seen', 'timestamp'),
    field('extra', 'string'),
  ],
}

const START_MS = Date.UTC(2026, 0, 1)
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple']

/** NDJSON of `count` bids from number `from` on, at `perSecond` events of event time; bids come in order of their time. */
export function bidLines(from: number, count: number, perSecond: number): Buffer {
  const random = seededRandom(0x9e3779b9 ^ from)
  const below = (limit: number): number => Math.floor(random.next() * limit)
  const letters = (length: number): string => Array.from({ length }, () => String.fromCharCode(97 + below(26))).join('')
  const pool = letters(4_096)
  const text = (length: number): string => {
    const at = below(4_096 - length)
    return pool.slice(at, at + length)
  }
  const lines: string[] = []
  for (let i = from; i < from + count; i++) {
    const event = Math.floor(i / 46) * 50 + 4 + (i % 46)
    const [people, auctions] = [Math.floor(event / 50) + 1, Math.floor(event / 50) * 3 + 3]
    const auction = below(2) > 0 ? Math.floor(auctions / 100) * 100 : Math.max(0, auctions - 100) + below(Math.min(auctions, 100) + 10)
    const active = Math.min(people, 1_000)
    const bidder = below(4) > 0 ? Math.floor(people / 100) * 100 + 1 : people - active + below(active + 10)
    const channel = below(2) > 0 ? HOT_CHANNELS[below(4)]! : `channel-${below(10_000)}`
    const price = Math.round(10 ** (random.next() * 6) * 100)
    const seen = new Date(START_MS + Math.floor((event * 1_000) / perSecond)).toISOString()
    lines.push(
      `{"auction":${1_000 + auction},"bidder":${1_000 + bidder},"price":${price},"channel":"${channel}","url":"https://www.nexmark.com/${text(5)}/${text(5)}/${text(5)}/item.htm?query=1","seen":"${seen}","extra":"${text(54 + below(28))}"}\n`,
    )
  }
  return Buffer.from(lines.join(''))
}
