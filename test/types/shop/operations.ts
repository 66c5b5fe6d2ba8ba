import { alert, bar, dashboard, failed, heat, job, late, line, number, secret, slack, sql, table, webhook } from 'millrace'
import { analyst } from './access.ts'
import { dailyRevenue, viewsPerMinute } from './models.ts'
import { soundOrders } from './quality.ts'
import { suspects } from './streams.ts'
import { customers } from './tables.ts'

export const nightly = job('nightly', {
  run: [dailyRevenue],
  cron: '0 3 * * *',
  zone: 'Europe/London',
  retry: { times: 3, wait: '1 minute' },
})
export const broken = alert('orders_broken', { when: soundOrders, to: [slack(secret('SLACK_URL'))] })
export const fraud = alert('fraud', { when: suspects, to: [webhook('http://127.0.0.1:9/hook')] })
export const stale = alert('stale', { when: late(customers), for: '5 minutes', to: [slack(secret('SLACK_URL'))] })
export const crashed = alert('crashed', { when: failed(nightly), to: [slack(secret('SLACK_URL'))] })
export const none = alert('none', { when: sql`SELECT count(*) = 0 FROM ${dailyRevenue}`, every: '10 minutes', to: [] })
export const board = dashboard(
  'operations',
  [
    number('Revenue', sql`SELECT sum(revenue) FROM ${dailyRevenue}`, { unit: 'GBP' }),
    line('Views', viewsPerMinute, { x: 'window_start', y: 'views', by: 'product' }),
    bar('By country', sql`SELECT country, sum(revenue) AS revenue FROM ${dailyRevenue} GROUP BY ALL`, { x: 'country', y: 'revenue' }),
    table('Latest', dailyRevenue, { span: 12 }),
    heat('Heat', dailyRevenue, { x: 'day', by: 'country', y: 'orders' }),
  ],
  { allow: [analyst] },
)
