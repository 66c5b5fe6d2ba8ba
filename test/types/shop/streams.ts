// The samples of the definition API, in the scope that this version implements.
import { http, keyed, processor, stream, t } from 'millrace'

export const clicks = stream(
  'clicks',
  {
    id: t.uuid(),
    session: t.string(),
    customer: t.string().optional().pii('id'),
    page: t.enum('home', 'product', 'cart', 'checkout'),
    product: t.string().optional(),
    ip: t.string().pii('ip'),
    seen: t.timestamp(),
  },
  {
    from: http(),
    key: 'session',
    time: 'seen',
    lateness: '10 minutes',
    maxSkew: '1 minute',
    dedupe: { by: 'id', within: '1 hour' },
    keep: { log: '7 days', table: '400 days' },
  },
)

export const payments = stream(
  'payments',
  { id: t.uuid(), customer: t.string().pii('id'), card: t.string(), amount: t.decimal(12, 2), seen: t.timestamp() },
  { from: http(), key: 'customer', time: 'seen', partition: ['day(seen)', 'bucket(16, card)'] },
)

export const suspects = processor(
  'suspects',
  { payment: payments.id, customer: payments.customer, reason: t.enum('cards', 'model'), score: t.double(), seen: t.timestamp() },
  {
    from: payments,
    key: 'customer',
    time: 'seen',
    state: {
      cards: keyed.expiringSet(t.string(), '10 minutes'),
      rate: keyed.ewma('1 minute'),
      last: keyed.value(t.decimal(12, 2)),
      amounts: keyed.moments(),
    },
    on(p, state, { emit, now }) {
      state.cards.add(p.card)
      state.rate.tick()
      const before = state.last.get()
      state.last.set(before === null ? p.amount : before.plus(p.amount))
      if (state.cards.size > 3) emit({ payment: p.id, customer: p.customer, reason: 'cards', score: state.amounts.score(1), seen: p.seen })
      if (p.amount.gt('100')) emit({ payment: p.id, customer: p.customer, reason: 'model', score: state.rate.value, seen: now })
    },
  },
)
