// Nexmark's events (Tucker et al., "NEXMark: a benchmark for queries over data streams"), with the proportions, hot keys and value
// distributions of the generator that Apache Beam and Flink use: of 50 events one is a person, three are auctions, 46 are bids.
// Seeded by the number of fifty: any range gives the same bytes, however it is cut. Three streams rather than one of nested
// events: a stream has one shape here, and no engine pays for kinds that a query does not read, which is what costs it most.
import { integer, type Random, seededRandom } from '../../src/core/random.ts'
import type { Shape } from '../../src/schema/type.ts'

const field = (name: string, kind: 'long' | 'string' | 'timestamp') => ({ name, type: { kind }, optional: false }) as const

export const PERSON: Shape = {
  fields: [
    field('id', 'long'),
    field('name', 'string'),
    field('email_address', 'string'),
    field('credit_card', 'string'),
    field('city', 'string'),
    field('state', 'string'),
    field('date_time', 'timestamp'),
    field('extra', 'string'),
  ],
}

export const AUCTION: Shape = {
  fields: [
    field('id', 'long'),
    field('item_name', 'string'),
    field('description', 'string'),
    field('initial_bid', 'long'),
    field('reserve', 'long'),
    field('date_time', 'timestamp'),
    field('expires', 'timestamp'),
    field('seller', 'long'),
    field('category', 'long'),
    field('extra', 'string'),
  ],
}

export const BID: Shape = {
  fields: [
    field('auction', 'long'),
    field('bidder', 'long'),
    field('price', 'long'),
    field('channel', 'string'),
    field('url', 'string'),
    field('date_time', 'timestamp'),
    field('extra', 'string'),
  ],
}

export const SHAPES = { person: PERSON, auction: AUCTION, bid: BID } as const
export type StreamName = keyof typeof SHAPES

/** The table of q13: as many keys as it takes auctions modulo. */
export const SIDE_INPUT: Shape = { fields: [field('key', 'long'), field('value', 'string')] }
export const SIDE_ROWS = 10_000

export const sideInputLines = (): Buffer =>
  Buffer.from(Array.from({ length: SIDE_ROWS }, (_, key) => `{"key":${key},"value":"${key}"}\n`).join(''))

export const FIFTY = 50
const START_MS = Date.UTC(2026, 0, 1)
const FIRST_ID = 1_000
const FIRST_CATEGORY = 10
const [ACTIVE_PEOPLE, IN_FLIGHT_AUCTIONS, ID_LEAD] = [1_000, 100, 10]
const STATES = ['AZ', 'CA', 'ID', 'OR', 'WA', 'WY']
const CITIES = ['Phoenix', 'Los Angeles', 'San Francisco', 'Boise', 'Portland', 'Bend', 'Redmond', 'Seattle', 'Kent', 'Cheyenne']
const FIRST_NAMES = ['Peter', 'Paul', 'Luke', 'John', 'Saul', 'Vicky', 'Kate', 'Julie', 'Sarah', 'Deiter', 'Walter']
const LAST_NAMES = ['Shultz', 'Abrams', 'Spencer', 'White', 'Bartels', 'Walton', 'Smith', 'Jones', 'Noris']
const HOT_CHANNELS = ['Google', 'Facebook', 'Baidu', 'Apple']

/** NDJSON of one range of events, by stream; lines in the order of their event times. */
export type Lines = Readonly<Record<StreamName, Buffer>>

export interface Range {
  /** Number of the first fifty, and how many of them. */
  readonly from: number
  readonly count: number
  /** Events a second of event time. */
  readonly perSecond: number
  /** Every `step`th fifty alone: the share of one partition of `step`. */
  readonly step?: number
}

export function nexmarkLines({ from, count, perSecond, step = 1 }: Range): Lines {
  const lines: Record<StreamName, string[]> = { person: [], auction: [], bid: [] }
  const atMs = (event: number): number => START_MS + Math.floor((event * 1_000) / perSecond)
  for (let fifty = from; fifty < from + count; fifty += step) {
    const random = seededRandom(Math.imul(fifty + 1, 0x9e3779b1))
    const first = fifty * FIFTY
    lines.person.push(personLine(random, fifty, atMs(first)))
    for (let i = 0; i < 3; i++) lines.auction.push(auctionLine(random, fifty, fifty * 3 + i, atMs(first + 1 + i), perSecond))
    for (let i = 0; i < 46; i++) lines.bid.push(bidLine(random, fifty, atMs(first + 4 + i)))
  }
  const joined = (name: StreamName): Buffer => Buffer.from(lines[name].join(''))
  return { person: joined('person'), auction: joined('auction'), bid: joined('bid') }
}

const pick = <T>(random: Random, of: readonly T[]): T => of[integer(random, of.length)]!
const iso = (ms: number): string => new Date(ms).toISOString()
/** From 100 to 100 million, evenly over the magnitudes. */
const price = (random: Random): number => Math.round(10 ** (random.next() * 6) * 100)

/** Letters to cut texts from. */
const POOL = ((): string => {
  const random = seededRandom(0x51ed)
  return Array.from({ length: 4_096 }, () => String.fromCharCode(97 + integer(random, 26))).join('')
})()

function text(random: Random, length: number): string {
  const at = integer(random, POOL.length - length)
  return POOL.slice(at, at + length)
}

/** As long as Nexmark fills events up to: between 0.8 and 1.2 of the wanted size. */
const filling = (random: Random, length: number): string =>
  text(random, length - Math.floor(length / 5) + integer(random, Math.floor((length * 2) / 5) + 1))

function personLine(random: Random, fifty: number, ms: number): string {
  const name = `${pick(random, FIRST_NAMES)} ${pick(random, LAST_NAMES)}`
  const card = Array.from({ length: 4 }, () => String(integer(random, 10_000)).padStart(4, '0')).join(' ')
  const email = `${text(random, 7)}@${text(random, 5)}.com`
  return `{"id":${FIRST_ID + fifty},"name":"${name}","email_address":"${email}","credit_card":"${card}","city":"${pick(random, CITIES)}","state":"${pick(random, STATES)}","date_time":"${iso(ms)}","extra":"${filling(random, 100)}"}\n`
}

function auctionLine(random: Random, fifty: number, id: number, ms: number, perSecond: number): string {
  const seller = integer(random, 4) > 0 ? Math.floor(fifty / 100) * 100 : somebody(random, fifty)
  const initial = price(random)
  const horizonMs = Math.floor((((IN_FLIGHT_AUCTIONS * FIFTY) / 3) * 1_000) / perSecond)
  const expires = ms + 1 + integer(random, Math.max(horizonMs * 2, 1))
  return `{"id":${FIRST_ID + id},"item_name":"${text(random, 20)}","description":"${text(random, 100)}","initial_bid":${initial},"reserve":${initial + price(random)},"date_time":"${iso(ms)}","expires":"${iso(expires)}","seller":${FIRST_ID + seller},"category":${FIRST_CATEGORY + integer(random, 5)},"extra":"${filling(random, 250)}"}\n`
}

function bidLine(random: Random, fifty: number, ms: number): string {
  const last = fifty * 3 + 2
  const auction =
    integer(random, 2) > 0
      ? Math.floor(last / 100) * 100
      : Math.max(0, last - IN_FLIGHT_AUCTIONS) + integer(random, Math.min(last, IN_FLIGHT_AUCTIONS) + 1 + ID_LEAD)
  const bidder = integer(random, 4) > 0 ? Math.floor(fifty / 100) * 100 + 1 : somebody(random, fifty)
  const number = integer(random, 10_000)
  const isHot = integer(random, 2) > 0
  const channel = isHot ? HOT_CHANNELS[number % 4]! : `channel-${number}`
  const query = !isHot && integer(random, 10) > 0 ? `&channel_id=${Math.imul(number, 0x9e3779b1) >>> 1}` : ''
  const url = `https://www.nexmark.com/${text(random, 5)}/${text(random, 5)}/${text(random, 5)}/item.htm?query=1${query}`
  return `{"auction":${FIRST_ID + auction},"bidder":${FIRST_ID + bidder},"price":${price(random)},"channel":"${channel}","url":"${url}","date_time":"${iso(ms)}","extra":"${filling(random, 50)}"}\n`
}

/** One of the latest people, or one who is about to be. */
function somebody(random: Random, fifty: number): number {
  const active = Math.min(fifty + 1, ACTIVE_PEOPLE)
  return fifty + 1 - active + integer(random, active + ID_LEAD)
}
