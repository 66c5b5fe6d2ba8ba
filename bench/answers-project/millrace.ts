// The project of `bench/answers`: a keyed table, a role that sees a part of it, and an endpoint.
import { endpoint, grant, http, masks, policy, project, role, sql, t, table } from 'millrace'

export const customers = table(
  'customers',
  { id: t.long(), name: t.string().pii('name'), country: t.string(), spent: t.double() },
  { from: http(), key: 'id' },
)

export const analyst = role('analyst', { country: t.string() })
export const reads = grant('analysts_read', { to: [analyst], on: [customers] })
export const ownCountry = policy('own_country', { on: customers, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const hidden = masks('hidden', { name: 'hash' }, { except: [] })

export const byId = endpoint('GET /customers/:id', {
  params: { id: t.long() },
  allow: [analyst],
  sql: (p) => sql`SELECT * FROM ${customers} WHERE id = ${p.id}`,
})

export default project('answers_bench', [customers, analyst, reads, ownCountry, hidden, byId])
