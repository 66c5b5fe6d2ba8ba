// Bids with the distributions of Nexmark's generator (Tucker et al., "NEXMark: a benchmark for queries over data streams"): of 50
// events one is a person, three are auctions and 46 are bids, half of them on a hot auction, three of four by a hot bidder.
// The three are streams of their own. Seeded: every run makes the same bytes.
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

export const AUCTION: Shape = {
  fields: [
    field('id', 'long'),
    field('item', 'string'),
    field('reserve', 'long'),
    field('listed', 'timestamp'),
    field('expires', 'timestamp'),
    field('seller', 'long'),
    field('category', 'long'),
    field('extra', 'string'),
  ],
}

export const PERSON: Shape = {
  fields: [
    field('id', 'long'),
    field('name', 'string'),
    field('email', 'string'),
    field('city', 'string'),
    field('state', 'string'),
    field('joined', 'timestamp'),
    field('extra', 'string'),
  ],
}

const START_MS = Date.UTC(2026, 0, 1)
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple']

function dice(seed: number) {
  const random = seededRandom(seed)
  const below = (limit: number): number => Math.floor(random.next() * limit)
  const letters = (length: number): string => Array.from({ length }, () => String.fromCharCode(97 + below(26))).join('')
  const pool = letters(4_096)
  const text = (length: number): string => {
    const at = below(4_096 - length)
    return pool.slice(at, at + length)
  }
  return { random, below, text }
}

const timeOf = (event: number, perSecond: number, laterMs = 0): string =>
  new Date(START_MS + Math.floor((event * 1_000) / perSecond) + laterMs).toISOString()

/** Auctions among the events of `count` bids from number `from` on: three of 50 events, of ten categories. */
export function auctionLines(from: number, count: number, perSecond: number): Buffer {
  const { below, text } = dice(0x51ed270b ^ from)
  const lines: string[] = []
  for (let group = Math.ceil(from / 46); group * 46 < from + count; group++) {
    for (let k = 0; k < 3; k++) {
      const event = group * 50 + 1 + k
      const people = group + 1
      const active = Math.min(people, 1_000)
      const seller = below(4) > 0 ? Math.floor(people / 100) * 100 : people - active + below(active + 10)
      const listed = timeOf(event, perSecond)
      lines.push(
        `{"id":${1_000 + group * 3 + k},"item":"${text(20)}","reserve":${below(1e8)},"listed":"${listed}","expires":"${timeOf(event, perSecond, 1 + below(20_000))}","seller":${1_000 + seller},"category":${10 + below(5)},"extra":"${text(100 + below(100))}"}\n`,
      )
    }
  }
  return Buffer.from(lines.join(''))
}

const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY']

/** People among the events of those bids: one of 50. */
export function personLines(from: number, count: number, perSecond: number): Buffer {
  const { below, text } = dice(0x2545f491 ^ from)
  const lines: string[] = []
  for (let group = Math.ceil(from / 46); group * 46 < from + count; group++)
    lines.push(
      `{"id":${1_000 + group},"name":"${text(8)} ${text(9)}","email":"${text(7)}@${text(5)}.com","city":"${text(9)}","state":"${STATES[below(6)]}","joined":"${timeOf(group * 50, perSecond)}","extra":"${text(60 + below(60))}"}\n`,
    )
  return Buffer.from(lines.join(''))
}

/** NDJSON of `count` bids from number `from` on, at `perSecond` events of event time; bids come in order of their time. */
export function bidLines(from: number, count: number, perSecond: number): Buffer {
  const { random, below, text } = dice(0x9e3779b9 ^ from)
  const lines: string[] = []
  for (let i = from; i < from + count; i++) {
    const event = Math.floor(i / 46) * 50 + 4 + (i % 46)
    const [people, auctions] = [Math.floor(event / 50) + 1, Math.floor(event / 50) * 3 + 3]
    const auction = below(2) > 0 ? Math.floor(auctions / 100) * 100 : Math.max(0, auctions - 100) + below(Math.min(auctions, 100) + 10)
    const active = Math.min(people, 1_000)
    const bidder = below(4) > 0 ? Math.floor(people / 100) * 100 + 1 : people - active + below(active + 10)
    const channel = below(2) > 0 ? HOT_CHANNELS[below(4)]! : `channel-${below(10_000)}`
    const price = Math.round(10 ** (random.next() * 6) * 100)
    const seen = timeOf(event, perSecond)
    lines.push(
      `{"auction":${1_000 + auction},"bidder":${1_000 + bidder},"price":${price},"channel":"${channel}","url":"https://www.nexmark.com/${text(5)}/${text(5)}/${text(5)}/item.htm?query=1","seen":"${seen}","extra":"${text(54 + below(28))}"}\n`,
    )
  }
  return Buffer.from(lines.join(''))
}
