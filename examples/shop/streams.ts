// What happens in the shop, as it happens: clicks, payments, and the labels of generated fraud. All by HTTP
// (`POST /streams/clicks`); `traffic.ts` sends them.
import { http, stream, t } from 'millrace'

export const clicks = stream(
  'clicks',
  {
    id: t.uuid(),
    session: t.string(),
    step: t.int().doc('Position in the session, from 1'),
    category: t.enum('trousers', 'skirts', 'blouses', 'sale'),
    product: t.string(),
    page: t.int().doc('Page of the shop on which the product stood, 1 to 5'),
    price: t.decimal(8, 2).unit('USD'),
    country: t.string().optional().doc('ISO 3166 code, where the address has one'),
    customer: t.string().optional().pii('id').doc('Who is signed in'),
    ip: t.string().optional().pii('ip'),
    seen: t.timestamp(),
  },
  {
    doc: 'Views of products in the clothing shop',
    owner: 'web-team',
    from: http(),
    key: 'session',
    partitions: 2,
    time: 'seen',
    lateness: '10 minutes',
    maxSkew: '1 minute',
    dedupe: { by: 'id', within: '1 hour' },
    partition: ['month(seen)'],
    keep: { log: '7 days', table: '400 days' },
  },
)

export const payments = stream(
  'payments',
  {
    id: t.uuid(),
    invoice: t.string(),
    customer: t.string().pii('id'),
    card: t.string().pii('card').doc('Token of the payment provider; not a card number'),
    amount: t.decimal(12, 2).unit('GBP'),
    country: t.string().optional().doc('ISO 3166 code'),
    seen: t.timestamp(),
  },
  {
    doc: 'Payments of orders: generated, one for each real invoice that was paid, and the bursts of fraud around some',
    owner: 'payments-team',
    from: http(),
    key: 'customer',
    time: 'seen',
    lateness: '10 minutes',
    maxSkew: '1 minute',
    dedupe: { by: 'id', within: '1 hour' },
    partition: ['month(seen)'],
  },
)

export const fraudLabels = stream(
  'fraud_labels',
  {
    payment: t.uuid(),
    fraud_case: t.uuid().doc('Payments of one burst share it'),
    kind: t.enum('cards', 'velocity'),
    seen: t.timestamp(),
  },
  {
    doc: 'Which payments are generated fraud. The detector never reads it; fraud_quality compares',
    owner: 'payments-team',
    from: http(),
    key: 'fraud_case',
    time: 'seen',
    lateness: '10 minutes',
  },
)
