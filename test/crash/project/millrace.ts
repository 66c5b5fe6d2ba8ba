// The project of the kill campaign: two streams of two partitions, a keyed table, a processor with a derived stream, one with
// timers and a further output, live models of windows, sessions and a keyed table, and an incremental one.
import { emitted, http, keyed, model, processor, project, shared, sql, stream, t, table } from 'millrace'

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

/** Every ten rows of a key by the time of the rows, and every half second by the clock, how many there were. */
export const pauses = stream(
  'pauses',
  { key: t.string(), rows: t.long(), at: t.timestamp() },
  { from: emitted(), key: 'key', partitions: 2 },
)

export const paced = processor(
  'paced',
  { key: t.string(), nth: t.long(), at: t.timestamp() },
  {
    from: alpha,
    key: 'key',
    time: 'at',
    outputs: { pauses },
    state: { rows: keyed.value(t.long()), total: shared.value(t.long()) },
    on(row, { rows, total }, { emit, timer, now }) {
      rows.set((rows.get() ?? 0n) + 1n)
      total.set((total.get() ?? 0n) + 1n)
      timer('ten', row.at.plusMs(400))
      if (rows.get() === 1n) timer('clock', now.plusMs(500), 'arrival')
      emit({ key: row.key, nth: total.get()!, at: row.at })
    },
    onTimer: {
      ten({ key, at }, { rows }, { emitTo }) {
        emitTo.pauses({ key, rows: rows.get() ?? 0n, at })
      },
      clock({ key, at }, { rows }, { emitTo, timer }) {
        emitTo.pauses({ key, rows: rows.get() ?? 0n, at })
        timer('clock', at.plusMs(500), 'arrival')
      },
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

export default project('crash', [{ alpha, beta, latest, derived, pauses, paced, perSecond, newest, visits, byKey }])
