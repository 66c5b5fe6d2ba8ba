// When things run, who is told when they break, and the page that people look at in the morning.
import { alert, bar, dashboard, failed, heat, job, late, line, number, secret, sql, table, webhook } from 'millrace'
import { analyst, marketing, privacyOfficer } from './access.ts'
import { dailyRevenue, dimCustomer, dimDate, factSales, fraudQuality, monthlyRevenue, viewsPerMinute } from './models.ts'
import { suspects } from './processors.ts'
import { soundOrders } from './quality.ts'
import { payments } from './streams.ts'

// Everything else follows its inputs; these three are read once a day.
export const nightly = job('nightly', {
  run: [dimDate, dimCustomer, monthlyRevenue],
  cron: '0 3 * * *',
  zone: 'Europe/London',
  retry: { times: 3, wait: '1 minute' },
  timeout: '30 minutes',
})

const onCall = [webhook(secret('SHOP_ALERT_URL'))]

export const ordersBroken = alert('orders_broken', { when: soundOrders, to: onCall })
export const revenueLate = alert('revenue_late', { when: late(dailyRevenue), for: '5 minutes', to: onCall })
export const nightlyFailed = alert('nightly_failed', { when: failed(nightly), to: onCall })
export const fraudSpike = alert('fraud_spike', {
  when: sql`SELECT count(*) > 25 FROM ${suspects} WHERE seen > (SELECT max(seen) FROM ${payments}) - INTERVAL 10 MINUTE`,
  every: '1 minute',
  to: onCall,
})

// "Latest" is the last day of the data, not the machine's: the page is right on a replayed history too.
const latest = sql`(SELECT max(day) FROM ${dailyRevenue})`

export const operations = dashboard(
  'operations',
  [
    number('Revenue, latest day', sql`SELECT CAST(sum(revenue) AS DECIMAL(18, 2)) AS revenue FROM ${dailyRevenue} WHERE day = ${latest}`, {
      unit: 'GBP',
      span: 3,
    }),
    number('Orders, latest day', sql`SELECT CAST(sum(orders) AS BIGINT) AS orders FROM ${dailyRevenue} WHERE day = ${latest}`, { span: 3 }),
    number(
      'Product views, last minute',
      sql`SELECT CAST(sum(views) AS BIGINT) AS views FROM ${viewsPerMinute} WHERE window_start = (SELECT max(window_start) FROM ${viewsPerMinute})`,
      { span: 3 },
    ),
    number('Fraud cases found', sql`SELECT round(100 * recall, 1) AS recall FROM ${fraudQuality}`, { unit: '%', span: 3 }),
    line(
      'Revenue by hour, latest day and a week before',
      sql`
      SELECT hour(placed) AS hour, CASE WHEN day = ${latest} THEN 'latest' ELSE 'a week before' END AS which, CAST(sum(amount) AS DECIMAL(18, 2)) AS revenue
      FROM ${factSales} WHERE day = ${latest} OR day = ${latest} - 7 GROUP BY ALL ORDER BY which DESC, hour`,
      { x: 'hour', y: 'revenue', by: 'which', unit: 'GBP', span: 7 },
    ),
    bar(
      'Revenue outside the UK, last 30 days',
      sql`SELECT country, CAST(sum(revenue) AS DECIMAL(18, 2)) AS revenue FROM ${dailyRevenue} WHERE country <> 'UK' AND day > ${latest} - 30
        GROUP BY country ORDER BY revenue DESC LIMIT 8`,
      { x: 'country', y: 'revenue', unit: 'GBP', span: 5 },
    ),
    table('Suspect payments', sql`SELECT seen, payment, customer, reason, score FROM ${suspects} ORDER BY seen DESC LIMIT 20`, { span: 7 }),
    heat(
      'Orders by weekday and hour, last 60 days',
      sql`SELECT isodow(day) AS weekday, hour(placed) AS hour, count(DISTINCT invoice) AS orders FROM ${factSales}
        WHERE NOT cancelled AND day > ${latest} - 60 GROUP BY ALL ORDER BY ALL`,
      { x: 'hour', by: 'weekday', y: 'orders', span: 5 },
    ),
  ],
  { title: 'Operations', allow: [analyst, marketing, privacyOfficer] },
)
