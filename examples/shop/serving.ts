// The shop's REST endpoints, served below /api under the caller's policy: an analyst who asks for another country gets
// no rows.
import { endpoint, sql, t } from 'millrace'
import { analyst, marketing, privacyOfficer } from './access.ts'
import { dailyRevenue, topProducts } from './models.ts'
import { suspects } from './processors.ts'

export const revenue = endpoint('GET /revenue/:country', {
  doc: 'Revenue by day of one country (its name), from a day on',
  params: { country: t.string(), since: t.date() },
  allow: [analyst],
  page: { by: 'day', size: 100 },
  sql: (p) => sql`SELECT day, orders, lines, revenue, goods, services, returned FROM ${dailyRevenue}
    WHERE country = ${p.country} AND day >= ${p.since} ORDER BY day`,
})

export const bestSellers = endpoint('GET /products/top', {
  doc: 'Goods by revenue in the last 30 days of the data',
  params: { limit: t.int() },
  allow: [analyst, marketing],
  sql: (p) =>
    sql`SELECT product, name, category, orders, quantity, revenue FROM ${topProducts} ORDER BY revenue DESC, product LIMIT ${p.limit}`,
})

export const latestSuspects = endpoint('GET /suspects', {
  doc: 'The hundred latest suspect payments, as they are found',
  allow: [analyst, privacyOfficer],
  live: true,
  sql: () => sql`SELECT seen, payment, customer, reason, score FROM ${suspects} ORDER BY seen DESC, payment LIMIT 100`,
})
