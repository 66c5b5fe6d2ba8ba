// What must hold. Most checks warn: the real data has dirt (lines without customer, prices of zero, corrections below it)
// and it is better seen than hidden. What would make a published table wrong blocks it; a row that cannot be is set aside.
import { between, checks, fresh, matches, noRows, notNull, references, rowCount, rowCountAnomaly, sql, unique } from 'millrace'
import { dailyRevenue, dimCustomer, dimProduct, factSales } from './models.ts'
import { clicks, payments } from './streams.ts'
import { countryNames, orderLines, products } from './tables.ts'

export const soundOrders = checks(
  'sound_orders',
  [
    unique(orderLines.invoice, orderLines.line),
    between(orderLines.unit_price, '0', '50000'),
    references(orderLines.product, products.code),
    references(orderLines.country, countryNames.name),
    matches(orderLines.invoice, /^[AC]?[0-9]{6}/),
    // No trading on Saturdays, and long weekends: three days without orders are nothing to wake anybody for.
    fresh(orderLines.placed, '4 days'),
    rowCountAnomaly(),
    noRows(sql`SELECT id, quantity, amount FROM ${orderLines} WHERE cancelled AND quantity > 0`),
  ],
  { on: orderLines, owner: 'shop-team' },
)

export const soundClicks = checks(
  'sound_clicks',
  [matches(clicks.product, /^[ABCP][0-9]+$/).quarantine(), between(clicks.page, 1, 5).quarantine()],
  {
    on: clicks,
    owner: 'web-team',
  },
)

export const soundPayments = checks('sound_payments', [unique(payments.id), between(payments.amount, '0.01', '200000').quarantine()], {
  on: payments,
  owner: 'payments-team',
})

export const soundProducts = checks(
  'sound_products',
  [unique(dimProduct.assortment, dimProduct.code).block(), notNull(dimProduct.category).block(), rowCount({ min: 1000 })],
  {
    on: dimProduct,
    owner: 'shop-team',
  },
)

export const soundCustomers = checks('sound_customers', [unique(dimCustomer.customer).block(), notNull(dimCustomer.country)], {
  on: dimCustomer,
  owner: 'shop-team',
})

export const soundSales = checks('sound_sales', [unique(factSales.id).block(), notNull(factSales.day).block()], {
  on: factSales,
  owner: 'shop-team',
})

export const soundRevenue = checks(
  'sound_revenue',
  [
    unique(dailyRevenue.day, dailyRevenue.country).block(),
    noRows(sql`SELECT day, country, revenue FROM ${dailyRevenue} WHERE goods + services <> revenue`).block(),
  ],
  { on: dailyRevenue, owner: 'shop-team' },
)
