// A project to begin with: one stream that takes rows by HTTP, and a view that counts them.
import { embedded, http, model, project, sql, stream, t } from 'millrace'

export const events = stream('events', { id: t.uuid(), name: t.string(), seen: t.timestamp() }, { from: http(), key: 'id', time: 'seen' })

export const eventCounts = model('event_counts', sql`SELECT name, count(*) AS events, max(seen) AS latest FROM ${events} GROUP BY ALL`, {
  refresh: 'view',
  key: 'name',
})

export default project('empty', [events, eventCounts], { environments: { dev: embedded() } })
