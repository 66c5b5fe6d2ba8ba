// From the real transactions to order lines and payments. Order lines are real; a payment for each paid invoice is
// generated with the invoice's real customer, total and time, because the data has no payments.
import type { Chance } from './chance.ts'
import type { Event } from './event.ts'
import type { OrderLine } from './files.ts'

/** An invoice, summed up from its lines. */
export interface Invoice {
  readonly invoice: string
  readonly placedMs: number
  readonly customer: string | undefined
  readonly country: string
  readonly totalMills: number
  readonly cancelled: boolean
}

export function invoicesOf(lines: Iterable<OrderLine>): Invoice[] {
  const invoices = new Map<string, Invoice>()
  for (const line of lines) {
    const { invoice, placedMs, customer, country } = line
    const totalMills = (invoices.get(invoice)?.totalMills ?? 0) + line.quantity * line.unitPriceMills
    invoices.set(invoice, { invoice, placedMs, customer, country, totalMills, cancelled: isCancelled(invoice) })
  }
  return [...invoices.values()]
}

const isCancelled = (invoice: string): boolean => invoice.startsWith('C')

/** True for an invoice that somebody paid: a known customer, not cancelled, more than nothing. */
export const isPaid = (invoice: Invoice): invoice is Invoice & { customer: string } =>
  invoice.customer !== undefined && !invoice.cancelled && invoice.totalMills > 0

/** `run` is added to the ids of rows that are sent a second time (live), so that they are new rows. */
export function orderLineEvent(line: OrderLine, shiftMs: number, run: string): Event {
  return {
    stream: 'order_lines',
    kind: 'row',
    atMs: line.placedMs + shiftMs,
    behindMs: 0,
    row: {
      id: `${line.invoice}-${line.line}${run}`,
      invoice: `${line.invoice}${run}`,
      line: line.line,
      product: line.product,
      description: line.description,
      quantity: line.quantity,
      unit_price: printMills(line.unitPriceMills),
      amount: printPence(line.quantity * line.unitPriceMills),
      customer: line.customer,
      country: line.country,
      cancelled: isCancelled(line.invoice),
    },
  }
}

/** A payment of a real invoice: up to 40 seconds after it, with one of the customer's two cards. */
export function paymentEvent(paid: Invoice & { customer: string }, code: string | undefined, options: PaymentOptions): Event {
  const { chance, run, shiftMs } = options
  const card = chance.of(`card/${paid.invoice}`) < 0.85 ? 1 : 2
  return {
    stream: 'payments',
    kind: 'row',
    atMs: paid.placedMs + shiftMs + chance.integer(`pay/${paid.invoice}`, 40_000),
    behindMs: 0,
    row: {
      id: chance.uuid(`payment/${paid.invoice}${run}`),
      invoice: `${paid.invoice}${run}`,
      customer: paid.customer,
      card: cardToken(chance, `${paid.customer}/${card}`),
      amount: printPence(paid.totalMills),
      country: code,
    },
  }
}

export interface PaymentOptions {
  readonly chance: Chance
  readonly shiftMs: number
  readonly run: string
}

/** A card as a payment provider names it; no card number exists anywhere. */
export const cardToken = (chance: Chance, name: string): string =>
  `tok_${chance.uuid(`card/${name}`).replaceAll('-', '').slice(0, 12)}${1000 + chance.integer(`digits/${name}`, 9000)}`

/** Thousandths as a decimal with three places. */
const printMills = (mills: number): string => printScaled(mills, 3)

/** Thousandths as a decimal with two places, rounded half away from zero as the till does. */
export const printPence = (mills: number): string => printScaled((Math.sign(mills) * Math.round(Math.abs(mills) / 10)) | 0, 2)

function printScaled(value: number, places: number): string {
  const digits = String(Math.abs(value)).padStart(places + 1, '0')
  return `${value < 0 ? '-' : ''}${digits.slice(0, -places)}.${digits.slice(-places)}`
}
