// The project of the soak: a stream of many rows with a live model of windows, and one of fewer with a processor that counts by
// key and a live model of the latest.
import { http, keyed, model, processor, project, sql, stream, t } from 'millrace'

const event = { producer: t.int(), seq: t.long(), key: t.string(), amount: t.int(), at: t.timestamp() }
const how = { from: http(), key: 'key', partitions: 2, time: 'at', lateness: '20 seconds' } as const

export const clicks = stream('clicks', event, how)
export const orders = stream('orders', event, how)

export const perTen = model(
  'per_ten',
  sql`SELECT window_start, key, count(*) AS events, sum(amount) AS total FROM tumble(${clicks}, ${clicks.at}, INTERVAL 10 SECOND) GROUP BY ALL`,
  { fresh: 'live' },
)

export const newest = model('newest', sql`SELECT key, count(*) AS events, max(seq) AS seq FROM ${orders} GROUP BY ALL`, { fresh: 'live' })

export const numbered = processor(
  'numbered',
  { producer: t.int(), seq: t.long(), key: t.string(), nth: t.long() },
  {
    from: orders,
    key: 'key',
    state: { seen: keyed.value(t.long()) },
    on(row, { seen }, { emit }) {
      const nth = (seen.get() ?? 0n) + 1n
      seen.set(nth)
      emit({ producer: row.producer, seq: row.seq, key: row.key, nth })
    },
  },
)

export default project('soak', [{ clicks, orders, perTen, newest, numbered }])
