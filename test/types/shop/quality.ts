import { between, checks, fresh, matches, noRows, notNull, oneOf, references, rowCount, rowCountAnomaly, sql, unique } from 'millrace'
import { customers, orders } from './tables.ts'

export const soundOrders = checks(
  'sound_orders',
  [
    unique(orders.id).quarantine(),
    notNull(orders.status),
    between(orders.amount, '0', '100000'),
    oneOf(orders.status, ['placed', 'paid']).quarantine(),
    matches(orders.id, /^[0-9]+$/),
    references(orders.customer, customers.id),
    fresh(orders.placed, '1 hour').block(),
    rowCount({ min: 1 }).block(),
    rowCountAnomaly(),
    sql`SELECT * FROM ${orders} WHERE ${orders.amount} < 0`,
    noRows(sql`SELECT * FROM ${orders} WHERE ${orders.amount} = 0`).block(),
  ],
  { on: orders, owner: 'shop-team' },
)
