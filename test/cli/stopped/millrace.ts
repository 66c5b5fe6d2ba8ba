// Two live models over a text that may be no number: one sets its row aside, one joins it and stops.
import { http, model, project, sql, stream, t } from 'millrace'

export const orders = stream(
  'orders',
  { id: t.long(), amount: t.string(), placed: t.timestamp() },
  { from: http(), key: 'id', time: 'placed', lateness: '1 second' },
)
export const payments = stream(
  'payments',
  { order_id: t.long(), method: t.string(), paid: t.timestamp() },
  { from: http(), key: 'order_id', time: 'paid', lateness: '1 second' },
)
export const amounts = model('amounts', sql`SELECT id, CAST(amount AS DECIMAL(12, 2)) AS amount FROM ${orders}`, { fresh: 'live' })
export const settled = model(
  'settled',
  sql`SELECT o.id, CAST(o.amount AS DECIMAL(12, 2)) AS amount, p.method
    FROM ${orders} o JOIN ${payments} p ON o.id = p.order_id AND p.paid BETWEEN o.placed AND o.placed + INTERVAL 1 MINUTE`,
  { fresh: 'live' },
)
export default project('stopped', [orders, payments, amounts, settled])
