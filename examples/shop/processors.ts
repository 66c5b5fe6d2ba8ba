// Fraud, found as payments arrive: many cards of one customer within ten minutes, or many payments within one.
// Windows are in event time, so the same code gives the same suspects live and over the replayed history.
import { keyed, processor, t } from 'millrace'
import { payments } from './streams.ts'

interface Recent {
  readonly card: string
  readonly seenMs: number
}

const MINUTE = 60_000
const CARDS = 3
const PAYMENTS = 5

export const suspects = processor(
  'suspects',
  {
    payment: payments.id,
    customer: payments.customer,
    reason: t.enum('cards', 'velocity'),
    score: t.double().doc('0 to 1: how far beyond the limit'),
    seen: t.timestamp(),
  },
  {
    doc: 'Payments that look like fraud',
    owner: 'payments-team',
    from: payments,
    key: 'customer',
    time: 'seen',
    state: { recent: keyed.value(t.json<readonly Recent[]>()) },
    on(payment, { recent }, { emit }) {
      const seenMs = Number(payment.seen.epochMicros / 1000n)
      const kept = [...(recent.get() ?? []), { card: payment.card, seenMs }].filter((one) => one.seenMs > seenMs - 10 * MINUTE).slice(-50)
      recent.set(kept)
      const cards = new Set(kept.map((one) => one.card)).size
      const perMinute = kept.filter((one) => one.seenMs > seenMs - MINUTE).length
      const found = { payment: payment.id, customer: payment.customer, seen: payment.seen }
      if (cards > CARDS) emit({ ...found, reason: 'cards', score: 1 - CARDS / cards })
      else if (perMinute > PAYMENTS) emit({ ...found, reason: 'velocity', score: 1 - PAYMENTS / perMinute })
    },
  },
)
