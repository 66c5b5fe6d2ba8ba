// The project behind the tests of external catalogs: a stream, a table by key and a model in a namespace of its own.
import { config, embedded, http, model, project, restCatalog, secret, sql, stream, t, table } from 'millrace'

export const clicks = stream(
  'clicks',
  { id: t.long(), page: t.string(), seen: t.timestamp(), local: t.datetime() },
  { from: http(), time: 'seen', lateness: '1 hour' },
)

export const people = table('people', { id: t.long(), name: t.string() }, { from: http(), key: 'id' })

export const pages = model('marts.pages', sql`SELECT page, count(*) AS views FROM ${clicks} GROUP BY page`)

const catalog = restCatalog({ uri: config('CATALOG_URI'), namespace: 'ext.shop', token: secret('CATALOG_TOKEN') })

export default project('shop', [{ clicks, people, pages }], { environments: { dev: embedded({ lake: catalog }) } })
