// A keyed table, live models over it, and what reads them.
import { http, model, project, sql, t, table } from 'millrace'

export const customers = table(
  'customers',
  { id: t.int(), country: t.string().optional(), spent: t.decimal(12, 2), email: t.string() },
  { from: http(), key: 'id' },
)

export const byCountry = model(
  'by_country',
  sql`SELECT coalesce(${customers.country}, '?') AS country, count(*) AS n, sum(${customers.spent}) AS spent, max(${customers.spent}) AS most
      FROM ${customers} GROUP BY ALL`,
  { fresh: 'live', key: 'country' },
)
/** Customers of no country are a group of their own. */
export const countries = model(
  'countries',
  sql`SELECT ${customers.country}, count(*) AS n, max(${customers.spent}) AS most FROM ${customers} GROUP BY ALL`,
  { fresh: 'live' },
)
/** All customers, of whom there may be none. */
export const everybody = model(
  'everybody',
  sql`SELECT count(*) AS n, count(${customers.country}) AS somewhere, sum(${customers.spent}) AS spent FROM ${customers}`,
  { fresh: 'live' },
)
export const large = model(
  'large',
  sql`SELECT ${customers.country}, count(*) AS n FROM ${customers} WHERE ${customers.country} IS NOT NULL GROUP BY ALL HAVING count(*) > 1`,
  { fresh: 'live' },
)
export const rich = model(
  'rich',
  sql`SELECT ${customers.id}, lower(regexp_extract(${customers.email}, '@(.*)', 1)) AS host, ${customers.spent} FROM ${customers} WHERE ${customers.spent} >= 100`,
  { fresh: 'live', emit: 'changes' },
)
/** Refreshed when the live model has committed. */
export const hosts = model('hosts', sql`SELECT ${rich.host}, count(*) AS n FROM ${rich} GROUP BY ALL`, {
  fresh: '1 second',
  refresh: 'incremental',
  key: 'host',
})

export default project('tables', [customers, byCountry, countries, everybody, large, rich, hosts])
