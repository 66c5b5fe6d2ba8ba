// The project of `bench/latency`: one stream and a live model with a row for each key.
import { http, model, project, sql, stream, t } from 'millrace'

export const events = stream(
  'events',
  { key: t.string(), seq: t.long(), amount: t.int(), note: t.string().optional(), seen: t.timestamp() },
  { from: http(), time: 'seen', lateness: '10 minutes' },
)

export const totals = model(
  'totals',
  sql`SELECT ${events.key}, count(*) AS events, sum(${events.amount}) AS amount, max(${events.seq}) AS newest FROM ${events} GROUP BY ALL`,
  { fresh: 'live', key: 'key' },
)

export default project('latency_bench', [events, totals])
