// Fraud, found as payments arrive: many cards of one customer within ten minutes, or many payments within about one.
// State goes by the time of the payments, so the same code finds the same suspects live and over the replayed history.
import { keyed, processor, t } from 'millrace'
import { payments } from './streams.ts'

const CARDS = 3
const PER_MINUTE = 4

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
    state: { cards: keyed.expiringSet(t.string(), '10 minutes'), rate: keyed.ewma('1 minute') },
    on(payment, { cards, rate }, { emit }) {
      cards.add(payment.card)
      rate.tick()
      const perMinute = rate.value * 60
      const found = { payment: payment.id, customer: payment.customer, seen: payment.seen }
      if (cards.size > CARDS) emit({ ...found, reason: 'cards', score: 1 - CARDS / cards.size })
      else if (perMinute > PER_MINUTE) emit({ ...found, reason: 'velocity', score: 1 - PER_MINUTE / perMinute })
    },
  },
)
