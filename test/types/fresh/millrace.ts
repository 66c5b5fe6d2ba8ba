// A project before its first `check`: no millrace-env.d.ts yet, so models' columns are `any` and everything compiles.
import { between, checks, endpoint, masks, model, policy, project, role, sql, t, table } from 'millrace'

const orders = table('orders', { id: t.string(), amount: t.decimal(12, 2) }, { key: 'id' })
const totals = model('totals', sql`SELECT id, sum(amount) AS total FROM ${orders} GROUP BY id`, {
  key: 'id',
  refresh: 'incremental',
  by: 'id',
})
const more = model('more', sql`SELECT ${totals.total} FROM ${totals}`)
const copy = table('copy', { total: totals.total })
const sound = checks('sound', [between(totals.total, 0, 10)], { on: totals })
const reader = role('reader', { limit: t.decimal(12, 2) })
const small = policy('small', { on: totals, to: reader, rows: (row, user) => row.total.lt(user.limit) })
const hidden = masks('hidden', { email: 'hash' })
const route = endpoint('GET /totals', { sql: () => sql`SELECT * FROM ${totals}` })
const total: number = route.$row.total

export default project('fresh', [orders, [totals, more], copy, sound, reader, small, hidden, route], {})
export const used = total
