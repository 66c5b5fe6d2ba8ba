// Fraud, found as payments arrive: many cards of one customer within ten minutes, many payments within about one, or what a
// model that learns from both has come to know. State goes by the time of the payments, so the same code finds the same
// suspects live and over the replayed history.
import { keyed, processor, shared, t } from 'millrace'
import { payments } from './streams.ts'

const CARDS = 3
const PER_MINUTE = 4
/** A payment is suspect from this probability on. */
const CHANCE = 0.6
/** The model says nothing before it has seen so many payments judged. */
const LEARNED = 500

export const suspects = processor(
  'suspects',
  {
    payment: payments.id,
    customer: payments.customer,
    reason: t.enum('cards', 'velocity', 'model'),
    score: t.double().doc('0 to 1: how far beyond the limit, or the probability that the model gives'),
    weights: t.long().optional().doc('How many payments the model had learned from, where it was the model'),
    seen: t.timestamp(),
  },
  {
    doc: 'Payments that look like fraud',
    owner: 'payments-team',
    from: payments,
    key: 'customer',
    time: 'seen',
    state: {
      cards: keyed.expiringSet(t.string(), '10 minutes'),
      hour: keyed.expiringSet(t.string(), '1 hour'),
      rate: keyed.ewma('1 minute'),
      recent: keyed.window('10 minutes'),
      amounts: keyed.moments(),
      /** Payments that are not judged yet: what the model saw of each. */
      open: keyed.map(t.uuid(), t.json<{ cards: number; hour: number; rate: number; count: number; amount: number }>()),
      caught: keyed.value(t.boolean()),
      model: shared.logistic({ features: ['cards', 'hour', 'rate', 'count', 'amount'] }),
    },
    on(payment, { cards, hour, rate, recent, amounts, open, caught, model }, { emit, timer }) {
      const amount = Math.log1p(payment.amount.toNumber())
      cards.add(payment.card)
      hour.add(payment.card)
      rate.tick()
      recent.add()
      const perMinute = rate.value * 60
      const inputs = {
        cards: cards.size - 1,
        hour: hour.size - 1,
        rate: perMinute - 1,
        count: Math.log(recent.count),
        amount: amounts.score(amount) / 3,
      }
      amounts.add(amount)
      const found = { payment: payment.id, customer: payment.customer, seen: payment.seen }
      const chance = model.score(inputs)
      if (cards.size > CARDS) emit({ ...found, reason: 'cards', score: 1 - CARDS / cards.size })
      else if (perMinute > PER_MINUTE) emit({ ...found, reason: 'velocity', score: 1 - PER_MINUTE / perMinute })
      else if (model.version >= LEARNED && chance > CHANCE)
        emit({ ...found, reason: 'model', score: chance, weights: BigInt(model.version) })
      if (cards.size > CARDS || perMinute > PER_MINUTE) caught.set(true)
      open.set(payment.id, inputs)
      timer('judge', payment.seen.plusMs(600_000))
    },
    onTimer: {
      /** Ten minutes without a payment: now it is known whether those before were the beginning of something. */
      judge(_timer, { open, caught, model }) {
        for (const [, inputs] of open.entries()) model.learn(inputs, caught.get() === true)
        open.clear()
        caught.clear()
      },
    },
  },
)
