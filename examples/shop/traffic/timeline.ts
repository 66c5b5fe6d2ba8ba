// One timeline of everything that happens in the shop: order lines, payments, fraud and clicks, merged by time, moved by
// whole weeks so that weekdays stay weekdays and the history ends at a chosen moment. Pure but for reading the data files:
// the same options give the same events.
import { type Chance, chanceOf } from './chance.ts'
import { type ClickOptions, clickEvents } from './clicks.ts'
import { type Event, type Faults, withFaults } from './event.ts'
import { type Click, clickCountries, orderCountries, orderMonths, readClicks, readOrders } from './files.ts'
import { fraudEvents } from './fraud.ts'
import { type Invoice, invoicesOf, isPaid, orderLineEvent, paymentEvent } from './orders.ts'

export interface TimelineOptions {
  readonly seed: number
  /** The moment at which history ends, milliseconds since 1970. */
  readonly untilMs: number
  /** How many of the 13 months of orders are history; clicks of the same time (all 4.5 months of them from 5 on). */
  readonly months: number
  /** True: all rows of those months are history, which then ends up to a week before `untilMs`. False: it ends at `untilMs`
   *  to the minute, and up to a week of rows is left over for the live part. */
  readonly whole: boolean
  readonly faults: Faults
  /** Share of payments that start a case of fraud. */
  readonly fraud: number
}

export interface Timeline {
  /** Everything up to the end of history. */
  history(): Generator<Event>
  /** What follows history, then all of it again, for ever. `run` makes the ids new. Send times are for the sender to choose. */
  live(run: string): Generator<Event>
}

const WEEK = 7 * 24 * 60 * 60 * 1000
const DAY = WEEK / 7

export function timelineOf(options: TimelineOptions): Timeline {
  const months = orderMonths()
  const chosen = months.slice(0, options.months)
  if (chosen.length === 0) throw new RangeError(`months: ${options.months} is not 1 to ${months.length}`)
  const source = sourceOf(options, chosen, chosen)
  return {
    *history() {
      for (const event of events(source, chosen, -Infinity, '')) {
        if (event.atMs > options.untilMs) return
        yield event
      }
    },
    *live(run) {
      const all = chosen.length === months.length ? source : sourceOf(options, months, chosen)
      yield* events(all, months, options.untilMs, `~${run}`)
      for (let round = 2; ; round++) yield* events(all, months, -Infinity, `~${run}.${round}`)
    },
  }
}

interface Source {
  readonly chance: Chance
  readonly faults: Faults
  readonly fraud: number
  readonly invoices: readonly Invoice[]
  readonly clicks: readonly Click[]
  readonly buyers: ClickOptions['buyers']
  readonly orderShiftMs: number
  readonly clickShiftMs: number
  /** The first order, moved: days of clicks before it are left out. */
  readonly firstMs: number
}

/** What events of `months` are made from; `chosen` are those that are history, and decide how far dates move. */
function sourceOf(options: TimelineOptions, months: readonly string[], chosen: readonly string[]): Source {
  const invoices = months.flatMap((month) => invoicesOf(readOrders(month)))
  const lastMonth = chosen.at(-1)!
  const lastOrderMs = invoices.findLast((invoice) => isoMonth(invoice.placedMs) === lastMonth)!.placedMs
  const clicks = readClicks()
  const orderShiftMs = shiftOf(lastOrderMs, options)
  return {
    chance: chanceOf(options.seed),
    faults: options.faults,
    fraud: options.fraud,
    invoices,
    clicks,
    buyers: buyersOf(invoices, orderShiftMs),
    orderShiftMs,
    clickShiftMs: shiftOf(clicks.at(-1)!.dayMs + DAY, options),
    firstMs: invoices[0]!.placedMs + orderShiftMs,
  }
}

/** Whole weeks that bring the last row just up to `untilMs` (whole) or to it and up to a week beyond. */
function shiftOf(lastMs: number, { untilMs, whole }: TimelineOptions): number {
  const weeks = (untilMs - lastMs) / WEEK
  return (whole ? Math.floor(weeks) : Math.ceil(weeks)) * WEEK
}

function buyersOf(invoices: readonly Invoice[], shiftMs: number): ClickOptions['buyers'] {
  const paid = invoices.filter(isPaid)
  const groups = Map.groupBy(paid, (invoice) => new Date(invoice.placedMs + shiftMs).toISOString().slice(0, 10))
  return { byDay: new Map([...groups].map(([day, buyers]) => [day, customersOf(buyers)])), all: customersOf(paid) }
}

const customersOf = (paid: readonly { readonly customer: string }[]): string[] => [...new Set(paid.map((one) => one.customer))].sort()

/** All events from `fromMs` on, by time. */
function* events(source: Source, months: readonly string[], fromMs: number, run: string): Generator<Event> {
  const parts = [
    orderLines(source, months, fromMs, run),
    payments(source, months, run),
    clicks(source, Math.max(fromMs, source.firstMs), run),
  ]
  for (const event of mergeByTime(parts)) {
    if (event.atMs > fromMs) yield* withFaults(event, source.faults, source.chance)
  }
}

function* orderLines(source: Source, months: readonly string[], fromMs: number, run: string): Generator<Event> {
  for (const month of months) {
    // A month is over when the next begins: only then can its file be left unread.
    if (nextMonthMs(month) + source.orderShiftMs <= fromMs) continue
    for (const line of readOrders(month)) yield orderLineEvent(line, source.orderShiftMs, run)
  }
}

function payments(source: Source, months: readonly string[], run: string): Event[] {
  const { chance, orderShiftMs: shiftMs } = source
  const countries = orderCountries()
  const codeOf = (name: string): string | undefined => (countries.get(name) === 'ZZ' ? undefined : countries.get(name))
  const included = new Set(months)
  return source.invoices
    .filter(isPaid)
    .filter((invoice) => included.has(isoMonth(invoice.placedMs)))
    .map((invoice) => paymentEvent(invoice, codeOf(invoice.country), { chance, shiftMs, run }))
    .flatMap((payment) => [payment, ...fraudEvents(payment, source.fraud, { chance, shiftMs, run })])
    .sort((a, b) => a.atMs - b.atMs)
}

function* clicks(source: Source, fromMs: number, run: string): Generator<Event> {
  const { chance, clickShiftMs: shiftMs, buyers } = source
  const countries = clickCountries()
  for (const [dayMs, day] of Map.groupBy(source.clicks, (click) => click.dayMs)) {
    if (dayMs + DAY + shiftMs > fromMs) yield* clickEvents(day, { chance, shiftMs, run, countries, buyers })
  }
}

const isoMonth = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 7)
const nextMonthMs = (month: string): number => Date.UTC(Number(month.slice(0, 4)), Number(month.slice(5)), 1)

/** Merges parts that are each in order; of equal times the earlier part goes first. */
function* mergeByTime(parts: readonly Iterable<Event>[]): Generator<Event> {
  const heads = parts.map((part) => {
    const iterator = part[Symbol.iterator]()
    return { iterator, next: iterator.next() }
  })
  for (;;) {
    let first: (typeof heads)[number] | undefined
    for (const head of heads) if (!head.next.done && (!first || head.next.value.atMs < first.next.value.atMs)) first = head
    if (!first) return
    yield first.next.value
    first.next = first.iterator.next()
  }
}
