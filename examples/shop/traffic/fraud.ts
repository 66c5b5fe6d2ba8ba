// Fraud, generated: the real data has none that is known. Each case is a burst of payments around a real payment, and its
// label goes to a stream of its own, so that precision and recall can be computed without the detector seeing it.
// Some cases are slow enough to be missed and some innocent bursts look like fraud, on purpose: a figure of 1 teaches nothing.
import type { Event } from './event.ts'
import { cardToken, type PaymentOptions } from './orders.ts'

interface Burst {
  readonly kind: 'cards' | 'velocity'
  /** Innocent bursts get no label. */
  readonly isFraud: boolean
  readonly payments: number
  readonly withinMs: number
}

const MINUTE = 60_000

/** The payments and labels that a burst adds around `payment`; mostly none. `share` of payments start a case of fraud. */
export function fraudEvents(payment: Event, share: number, options: PaymentOptions): Event[] {
  const burst = burstOf(String(payment.row['id']), share, options)
  if (!burst) return []
  const base = String(payment.row['id'])
  return Array.from({ length: burst.payments }, (_, i) => burstPayment(payment, burst, `${base}/${i}`, options)).flatMap((event) =>
    burst.isFraud ? [event, labelOf(event, base, burst)] : [event],
  )
}

function burstOf(id: string, share: number, { chance }: PaymentOptions): Burst | undefined {
  const draw = chance.of(`fraud/${id}`)
  const size = (low: number, high: number): number => low + chance.integer(`size/${id}`, high - low + 1)
  if (draw < share * 0.55) return { kind: 'cards', isFraud: true, payments: size(5, 9), withinMs: 8 * MINUTE }
  if (draw < share * 0.9) return { kind: 'velocity', isFraud: true, payments: size(9, 16), withinMs: 1.2 * MINUTE }
  if (draw < share) return { kind: 'cards', isFraud: true, payments: 4, withinMs: 60 * MINUTE } // too slow for a window of ten minutes
  if (draw < share * 1.1) return { kind: 'cards', isFraud: false, payments: 4, withinMs: 5 * MINUTE } // a buyer whose cards are declined
  if (draw < share * 1.5) return { kind: 'velocity', isFraud: false, payments: 3, withinMs: MINUTE } // an order paid in parts
  return undefined
}

function burstPayment(payment: Event, burst: Burst, name: string, { chance, run }: PaymentOptions): Event {
  const total = Math.round(Number(payment.row['amount']) * 100)
  const pence = Math.max(100, Math.round(total * (0.1 + 0.9 * chance.of(`part/${name}`))))
  return {
    ...payment,
    atMs: payment.atMs + 1000 + chance.integer(`when/${name}`, burst.withinMs),
    row: {
      ...payment.row,
      id: chance.uuid(`burst/${name}${run}`),
      card: burst.kind === 'cards' ? cardToken(chance, name) : payment.row['card'],
      amount: (pence / 100).toFixed(2),
    },
  }
}

const labelOf = (event: Event, fraudCase: string, burst: Burst): Event => ({
  stream: 'fraud_labels',
  kind: 'row',
  atMs: event.atMs,
  behindMs: 0,
  row: { payment: event.row['id'], fraud_case: fraudCase, kind: burst.kind },
})
