// The samples of the definition API, in the scope that this version implements.
import { type Decimal, emitted, http, type Instant, keyed, processor, shared, stream, t, table } from 'millrace'

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

export const reviews = stream(
  'reviews',
  { customer: payments.customer, chance: t.double(), weights: t.long(), since: t.timestamp() },
  { from: emitted(), key: 'customer', time: 'since' },
)

/** The type is exactly what is expected, not merely assignable. */
type Exactly<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const exactly = <A, B>(_is: Exactly<A, B>): void => {}

export const watched = processor(
  'watched',
  { customer: payments.customer, amount: t.decimal(12, 2), seen: t.timestamp() },
  {
    from: payments,
    key: 'customer',
    time: 'seen',
    outputs: { reviews },
    limit: '1 second',
    state: {
      byCard: keyed.map(t.string(), t.decimal(12, 2), { within: '1 hour' }),
      last: keyed.window('10 minutes', { panes: 20 }),
      cards: keyed.top(t.string(), 3),
      days: keyed.distinct(t.date()),
      amounts: shared.quantiles(),
      model: shared.logistic({ features: ['amount', 'cards'], rate: 0.1 }),
      forecast: keyed.regression({ features: ['day'] }),
    },
    on(payment, { byCard, last, cards, days, amounts, model, forecast }, { emit, emitTo, timer, cancelTimer, now }) {
      const amount = payment.amount.toNumber()
      exactly<ReturnType<typeof byCard.get>, Decimal | null>(true)
      exactly<ReturnType<typeof byCard.entries>, readonly (readonly [string, Decimal])[]>(true)
      exactly<typeof last.mean, number | null>(true)
      exactly<ReturnType<typeof cards.values>[number]['value'], string>(true)
      exactly<Parameters<typeof timer>[0], 'silent' | 'weekly'>(true)
      exactly<keyof typeof model.weights, 'amount' | 'cards' | 'intercept'>(true)
      exactly<keyof typeof emitTo, 'reviews'>(true)
      byCard.set(payment.card, payment.amount)
      last.add(amount)
      cards.add(payment.card, 2)
      days.add('2026-01-01')
      amounts.add(amount)
      const inputs = { amount, cards: byCard.size }
      model.learn(inputs, byCard.size > 3)
      forecast.learn({ day: 1 }, forecast.predict({ day: 2 }))
      emitTo.reviews({ customer: payment.customer, chance: model.score(inputs), weights: BigInt(model.version), since: now })
      timer('silent', payment.seen.plusMs(60_000))
      timer('weekly', now.plusMs(1), 'arrival')
      cancelTimer('weekly')
      emit({ customer: payment.customer, amount: payment.amount, seen: payment.seen })
    },
    onTimer: {
      silent({ key, at }, { byCard }, { emitTo }) {
        exactly<typeof key, string>(true)
        exactly<typeof at, Instant>(true)
        emitTo.reviews({ customer: key, chance: byCard.size, weights: 0n, since: at })
      },
      weekly() {},
    },
  },
)

export const limits = table('limits', { name: t.string(), most: t.int() }, { from: http(), key: 'name' })

export const limited = processor(
  'limited',
  { customer: payments.customer, most: t.int() },
  {
    from: payments,
    key: 'customer',
    broadcast: { limits },
    state: { most: shared.map(t.string(), t.int()) },
    on(payment, { most }, { emit }) {
      emit({ customer: payment.customer, most: most.get('usual') ?? 0 })
    },
    onBroadcast: {
      limits({ name, most: value }, { most }) {
        exactly<typeof name, string>(true)
        exactly<typeof value, number>(true)
        most.set(name, value)
      },
    },
  },
)
