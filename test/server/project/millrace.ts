// Keyed tables of both format versions, versions of their rows, a stream: what can be deleted by key, and what cannot.
import { grant, http, model, project, role, sql, stream, t, table } from 'millrace'

const columns = { id: t.string(), shop: t.int(), amount: t.decimal(12, 2).optional() }
export const plain = table('plain', columns, { from: http(), key: ['id', 'shop'] })
export const orders = table('orders', columns, { from: http(), key: ['id', 'shop'], iceberg: { version: 3 } })
export const history = model('history', sql`SELECT id, shop, amount FROM ${orders}`, {
  refresh: 'scd2',
  key: ['id', 'shop'],
  iceberg: { version: 3 },
})
export const clicks = stream('clicks', { page: t.string() }, { from: http() })
export const reader = role('reader')
export const writer = role('writer')
export const reads = grant('reads', { to: [reader], on: [plain, orders] })
export const writes = grant('writes', { to: [writer], on: [orders], privilege: 'write' })

export default project('deletes', [{ plain, orders, history, clicks, reader, writer, reads, writes }])
