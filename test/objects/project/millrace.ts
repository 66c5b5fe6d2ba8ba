// A stream, a keyed table, a table of files and models over them, whose lake is in an object store. Environment: `dev`, S3.
import { config, embedded, files, http, model, project, s3Lake, secret, sql, stream, t, table } from 'millrace'

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

export default project('objects', [{ clicks, customers, products, perDay }], {
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
