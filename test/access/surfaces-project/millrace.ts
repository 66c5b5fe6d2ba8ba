// A shop with secrets, for the test of surfaces: an analyst of one country may read orders, clicks, revenue and margin, and must
// learn nothing of payroll, whispers and overtime, not even that they exist.
import {
  alert,
  between,
  checks,
  dashboard,
  endpoint,
  grant,
  http,
  job,
  masks,
  model,
  noRows,
  number,
  policy,
  project,
  references,
  role,
  sql,
  stream,
  t,
  table,
  webhook,
} from 'millrace'

export const orders = stream(
  'orders',
  {
    id: t.long(),
    country: t.string(),
    customer: t.string().pii('name'),
    card: t.string().pii('card'),
    amount: t.decimal(12, 2),
    seen: t.timestamp(),
  },
  { from: http(), key: 'customer', time: 'seen', lateness: '1 hour' },
)
export const clicks = stream('clicks', { page: t.int(), ip: t.string().pii('ip') }, { from: http() })
export const payroll = table('payroll', { employee: t.string(), salary: t.long() }, { from: http(), key: 'employee' })
export const whispers = stream('whispers', { text: t.string() }, { from: http() })

export const revenue = model(
  'revenue',
  sql`SELECT country, CAST(count(*) AS BIGINT) AS orders, CAST(sum(amount) AS DECIMAL(38, 2)) AS revenue FROM ${orders} GROUP BY ALL`,
)
export const margin = model(
  'margin',
  sql`SELECT (SELECT CAST(sum(amount) AS DECIMAL(38, 2)) FROM ${orders}) > (SELECT sum(salary) FROM ${payroll}) AS is_positive`,
)
export const overtime = model('overtime', sql`SELECT max(salary) AS most FROM ${payroll}`)
export const customers = model('customers', sql`SELECT DISTINCT country, customer, card FROM ${orders}`, { refresh: 'view' })

export const soundOrders = checks(
  'sound_orders',
  [
    between(orders.amount, '0', '5000').quarantine(),
    references(orders.customer, payroll.employee),
    noRows(sql`SELECT employee FROM ${payroll} WHERE salary < 0`),
  ],
  { on: orders },
)

export const analyst = role('analyst', { country: t.string() })
export const sender = role('sender')
export const paymaster = role('paymaster')

export const analystsRead = grant('analysts_read', { to: [analyst], on: [orders, clicks, revenue, margin, customers] })
export const paymasterReads = grant('paymaster_reads', { to: [paymaster], on: ['*'] })
export const senderWrites = grant('sender_writes', { to: [sender], on: [orders], privilege: 'write' })
export const ownOrders = policy('own_orders', { on: orders, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const ownRevenue = policy('own_revenue', { on: revenue, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const ownCustomers = policy('own_customers', { on: customers, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const hidden = masks('hidden', { name: 'hash', card: 'last4', ip: 'null' }, { except: [paymaster] })

export const listOrders = endpoint('GET /orders', {
  allow: [analyst],
  page: { by: 'id', size: 7 },
  sql: () => sql`SELECT id, country, customer, card, amount FROM ${orders}`,
})
export const wages = endpoint('GET /wages', { allow: [analyst], sql: () => sql`SELECT employee FROM ${payroll}` })
export const pay = endpoint('GET /pay', { sql: () => sql`SELECT employee, salary FROM ${payroll}` })

export const payJob = job('pay_job', { run: [overtime], cron: '0 3 * * *' })
export const payAlert = alert('pay_alert', {
  when: sql`SELECT count(*) > 1000000 FROM ${payroll}`,
  every: '1 hour',
  to: [webhook('http://127.0.0.1:9/')],
})

export const desk = dashboard(
  'desk',
  [
    number('Revenue', sql`SELECT sum(revenue) FROM ${revenue}`),
    number('Customers', sql`SELECT count(DISTINCT customer) FROM ${customers}`),
    number('Wages', sql`SELECT sum(salary) FROM ${payroll}`),
  ],
  { allow: [analyst] },
)
export const boardRoom = dashboard('board_room', [number('Wages', sql`SELECT sum(salary) FROM ${payroll}`)], { allow: [paymaster] })

export default project('surfaces', [
  { orders, clicks, payroll, whispers, revenue, margin, overtime, customers, soundOrders },
  { analyst, sender, paymaster, analystsRead, paymasterReads, senderWrites, ownOrders, ownRevenue, ownCustomers, hidden },
  { listOrders, wages, pay, payJob, payAlert, desk, boardRoom },
])
