import { model, sql, t } from 'millrace'
import { clicks } from './streams.ts'
import { customers, orders } from './tables.ts'

export const dailyRevenue = model(
  'daily_revenue',
  sql`
  SELECT CAST(${orders.placed} AS date) AS day, ${customers.country}, count(*) AS orders, sum(${orders.amount}) AS revenue
  FROM ${orders} JOIN ${customers} ON ${orders.customer} = ${customers.id} GROUP BY ALL`,
  { refresh: 'incremental', by: 'day', key: ['day', 'country'], onChange: 'recompute' },
)

export const viewsPerMinute = model(
  'views_per_minute',
  sql`
  SELECT product, window_start, count(*) AS views FROM tumble(${clicks}, ${clicks.seen}, INTERVAL 1 MINUTE) GROUP BY ALL`,
  { fresh: 'live', emit: 'final' },
)

const first = orders.$as('first')

export const pairs = model(
  'pairs',
  sql`SELECT ${first.id} AS a, ${orders.id} AS b FROM ${first} JOIN ${orders} ON ${first.customer} = ${orders.customer}`,
  { refresh: 'view' },
)

export const large = model('marts.large', sql`SELECT ${orders.id} FROM ${orders} WHERE ${orders.amount} > ${100}`, {
  refresh: 'full',
  columns: { id: t.string() },
  key: 'id',
})
