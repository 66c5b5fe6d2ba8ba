// The project of the kill campaign: two streams of two partitions, a keyed table, a processor with a derived stream, live models
// of windows, sessions and a keyed table, and an incremental one.
import { http, keyed, model, processor, project, sql, stream, t, table } from 'millrace'

const event = { producer: t.string(), seq: t.long(), key: t.string(), amount: t.int(), at: t.timestamp() }

export const alpha = stream('alpha', event, { from: http(), key: 'key', partitions: 2, time: 'at', lateness: '5 seconds' })
export const beta = stream('beta', event, { from: http(), key: 'key', partitions: 2, time: 'at', lateness: '5 seconds' })

export const latest = table('latest', { key: t.string(), seq: t.long(), amount: t.int() }, { from: http(), key: 'key' })

export const derived = processor(
  'derived',
  { producer: t.string(), seq: t.long(), key: t.string(), nth: t.long() },
  {
    from: alpha,
    key: 'key',
    state: { seen: keyed.value(t.long()) },
    on(row, state, { emit }) {
      const nth = (state.seen.get() ?? 0n) + 1n
      state.seen.set(nth)
      emit({ producer: row.producer, seq: row.seq, key: row.key, nth })
    },
  },
)

export const perSecond = model(
  'per_second',
  sql`SELECT window_start, key, count(*) AS events, sum(amount) AS total FROM tumble(${beta}, ${beta.at}, INTERVAL 1 SECOND) GROUP BY ALL`,
  { fresh: 'live' },
)

export const newest = model('newest', sql`SELECT key, count(*) AS events, max(seq) AS seq FROM ${beta} GROUP BY ALL`, { fresh: 'live' })

export const visits = model(
  'visits',
  sql`SELECT producer, window_start, window_end, count(*) AS events
    FROM session(${beta}, ${beta.at}, INTERVAL '20 milliseconds', key := producer) GROUP BY ALL`,
  { fresh: 'live' },
)

export const byKey = model('by_key', sql`SELECT key, count(*) AS events, sum(amount) AS total FROM ${alpha} GROUP BY ALL`, {
  refresh: 'incremental',
  key: 'key',
})

export default project('crash', [{ alpha, beta, latest, derived, perSecond, newest, visits, byKey }])
