// From the real clicks to events. Session, order in the session, category, product, price, page and country are real; the
// time of day, the address and the link to a customer are generated, because the data has none.
import type { Chance } from './chance.ts'
import type { Event } from './event.ts'
import type { Click } from './files.ts'

const CATEGORIES = ['trousers', 'skirts', 'blouses', 'sale']
const SECOND = 1000
const HOUR = 3600 * SECOND
/** Ranges reserved for documentation (RFC 5737): they belong to nobody. */
const ADDRESSES = ['192.0.2', '198.51.100', '203.0.113']
/** Share of the sessions whose visitor is signed in. */
const SIGNED_IN = 0.3
/** Share of those who order on the same day. */
const BUYERS = 0.35

export interface ClickOptions {
  readonly chance: Chance
  readonly shiftMs: number
  readonly run: string
  readonly countries: ReadonlyMap<number, string>
  /** Who ordered on a day (moved, as `2026-11-20`), and who ever did. */
  readonly buyers: { readonly byDay: ReadonlyMap<string, readonly string[]>; readonly all: readonly string[] }
}

/** The events of one day's clicks, by time. Sessions begin between 6:00 and 22:00 and end before midnight. */
export function clickEvents(day: readonly Click[], options: ClickOptions): Event[] {
  const sessions = Map.groupBy(day, (click) => click.session)
  return [...sessions.values()].flatMap((clicks) => sessionEvents(clicks, options)).sort((a, b) => a.atMs - b.atMs)
}

function sessionEvents(clicks: readonly Click[], options: ClickOptions): Event[] {
  const { chance, shiftMs, run } = options
  const { session, dayMs, country } = clicks[0]!
  const name = `session/${session}`
  // The mean of two draws: more visits in the middle of the day than at its ends.
  let atMs = dayMs + shiftMs + 6 * HOUR + Math.floor(8 * HOUR * (chance.of(`${name}/start`) + chance.of(`${name}/hump`)))
  const visitor = {
    session: `s${session}${run}`,
    country: options.countries.get(country),
    customer: customerOf(name, atMs, options),
    ip: `${ADDRESSES[chance.integer(`${name}/net`, 3)]}.${1 + chance.integer(`${name}/host`, 254)}`,
  }
  return clicks.map((click) => {
    atMs += 2 * SECOND + chance.integer(`${name}/${click.step}`, 30 * SECOND)
    return clickEvent(click, visitor, atMs, options)
  })
}

function customerOf(name: string, atMs: number, { chance, buyers }: ClickOptions): string | undefined {
  if (chance.of(`${name}/signed`) >= SIGNED_IN) return undefined
  const today = buyers.byDay.get(new Date(atMs).toISOString().slice(0, 10))
  const among = today && chance.of(`${name}/buys`) < BUYERS ? today : buyers.all
  return among[chance.integer(`${name}/who`, among.length)]
}

interface Visitor {
  readonly session: string
  readonly country: string | undefined
  readonly customer: string | undefined
  readonly ip: string
}

const clickEvent = (click: Click, visitor: Visitor, atMs: number, { chance }: ClickOptions): Event => ({
  stream: 'clicks',
  kind: 'row',
  atMs,
  behindMs: 0,
  row: {
    id: chance.uuid(`click/${visitor.session}/${click.step}`),
    session: visitor.session,
    step: click.step,
    category: CATEGORIES[click.category - 1]!,
    product: click.product,
    page: click.page,
    price: click.priceUsd.toFixed(2),
    country: visitor.country,
    customer: visitor.customer,
    ip: visitor.ip,
  },
})
