// A stream, a keyed table, a table of files and models over them, whose lake is in an object store. Environment: `dev`, S3.
import { config, embedded, files, grant, http, model, policy, project, role, s3Lake, secret, sql, stream, t, table } from 'millrace'

export const clicks = stream(
  'clicks',
  { id: t.int(), page: t.string(), seen: t.timestamp() },
  { from: http(), key: 'page', time: 'seen', partition: ['day(seen)'] },
)
export const customers = table('customers', { id: t.string(), country: t.string() }, { from: http(), key: 'id' })
export const products = table(
  'products',
  { page: t.string(), price: t.decimal(10, 2) },
  { from: files({ path: 'data/*.csv', format: 'csv' }), key: 'page', load: 'upsert' },
)
export const perDay = model(
  'per_day',
  sql`SELECT CAST(${clicks.seen} AS date) AS day, ${clicks.page}, count(*) AS clicks FROM ${clicks} GROUP BY ALL`,
  { refresh: 'incremental', by: 'day', key: ['day', 'page'] },
)

export const notes = table('notes', { id: t.int(), text: t.string().optional() })
export const analyst = role('analyst')
export const loader = role('loader')
export const reads = grant('reads', { to: [analyst, loader], on: [clicks, customers, notes] })
export const writes = grant('writes', { to: [loader], on: [notes], privilege: 'write' })
export const french = policy('french', { on: customers, to: analyst, rows: (row) => row.country.eq('FR') })

export default project('objects', [{ clicks, customers, products, perDay, notes, analyst, loader, reads, writes, french }], {
  environments: {
    dev: embedded({
      lake: s3Lake({
        bucket: config('LAKE_BUCKET', 'lake'),
        prefix: 'shop/one',
        endpoint: config('LAKE_ENDPOINT'),
        accessKeyId: config('LAKE_KEY'),
        secretAccessKey: secret('LAKE_SECRET'),
      }),
    }),
  },
})
