import { endpoint, sql, t } from 'millrace'
import { analyst } from './access.ts'
import { dailyRevenue } from './models.ts'

export const revenue = endpoint('GET /revenue/:country', {
  params: { country: t.string(), since: t.date() },
  allow: [analyst],
  live: true,
  sql: (p) => sql`SELECT * FROM ${dailyRevenue} WHERE country = ${p.country} AND day >= ${p.since}`,
})

export const everything = endpoint('GET /revenue', { allow: [analyst], sql: () => sql`SELECT * FROM ${dailyRevenue}` })

export const revenueRow: { day: string; revenue: unknown } = revenue.$row
