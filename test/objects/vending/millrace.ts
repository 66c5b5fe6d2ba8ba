// Tables in S3 whose clients get credentials of their own: open ones, one with a row policy and one with a mask. Environment: `dev`.
import { config, embedded, grant, http, masks, policy, project, role, s3Lake, secret, stream, t, table } from 'millrace'

export const clicks = stream('clicks', { id: t.int(), page: t.string(), seen: t.timestamp() }, { from: http(), key: 'page', time: 'seen' })
export const customers = table('customers', { id: t.string(), country: t.string() }, { from: http(), key: 'id' })
export const people = table('people', { id: t.string(), mail: t.string().pii('email') }, { from: http(), key: 'id' })
export const notes = table('notes', { id: t.int(), text: t.string().optional() })

/** So that the namespace is there for grants. */
export const bench = table('lab.bench', { n: t.int() })

export const analyst = role('analyst')
export const loader = role('loader')
export const maker = role('maker')
export const engine = role('engine', {}, { trustedEngine: true })
export const reads = grant('reads', { to: [analyst], on: [clicks, customers, people, notes] })
export const loads = grant('loads', { to: [loader], on: [notes, 'lab.*'] })
export const writes = grant('writes', { to: [loader], on: [notes, 'lab.*'], privilege: 'write' })
export const makes = grant('makes', { to: [maker], on: ['lab.*'], privilege: 'write' })
export const french = policy('french', { on: customers, to: analyst, rows: (row) => row.country.eq('FR') })
export const hidden = masks('hidden', { email: 'hash' }, { except: [] })

export default project(
  'vending',
  [{ clicks, customers, people, notes, bench, analyst, loader, maker, engine, reads, loads, writes, makes, french, hidden }],
  {
    environments: {
      dev: embedded({
        lake: s3Lake({
          bucket: 'lake',
          prefix: 'shop',
          endpoint: config('LAKE_ENDPOINT'),
          accessKeyId: config('LAKE_KEY'),
          secretAccessKey: secret('LAKE_SECRET'),
          vend: { role: config('LAKE_ROLE', 'arn:aws:iam::123456789012:role/lake'), endpoint: config('STS_ENDPOINT') },
        }),
      }),
    },
  },
)
