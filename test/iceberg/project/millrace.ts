// The project behind the tests of the Iceberg catalog: a stream and a model that Millrace writes, a table that nobody of the
// project writes, one with a policy, and roles that may read or write some of it.
import { grant, http, masks, model, policy, project, role, sql, stream, t, table } from 'millrace'

export const clicks = stream('clicks', { id: t.long(), page: t.string(), at: t.timestamp() }, { from: http(), time: 'at' })

export const regions = table('regions', { id: t.int(), name: t.string().optional() })

export const scratch = table('lab.scratch', { id: t.long() })

export const people = table('people', { id: t.int(), country: t.string(), email: t.string().pii('email') })

/** With rules that read restrictions can say, and one that they cannot. */
export const visits = table('visits', {
  id: t.int(),
  country: t.string().optional(),
  spent: t.decimal(10, 2).optional(),
  born: t.date().optional().pii('born'),
  mail: t.string().optional().pii('mail'),
})
export const letters = table('letters', { id: t.int(), country: t.string(), phone: t.string().optional().pii('phone') })

export const named = model('named', sql`SELECT count(*) AS regions FROM ${regions} WHERE name IS NOT NULL`)

export const pages = model('pages', sql`SELECT page, count(*) AS views FROM ${clicks} GROUP BY page`)

export const reader = role('reader')
export const writer = role('writer')
export const outsider = role('outsider')
export const courier = role('courier')
export const seller = role('seller', { country: t.string() })
export const engine = role('engine', {}, { trustedEngine: true })

export const reads = grant('reads', { to: [reader, writer], on: [clicks, regions, people, pages, 'lab.*'] })
export const writes = grant('writes', { to: [writer], on: [clicks, regions, pages, 'lab.*'], privilege: 'write' })
/** Brings views that it may not read. */
export const brings = grant('brings', { to: [courier], on: ['main.*', 'lab.*'], privilege: 'write' })
export const looks = grant('looks', { to: [courier], on: ['lab.*'] })
export const french = policy('french', { on: people, to: reader, rows: (row) => row.country.eq('fr') })
export const sells = grant('sells', { to: [seller], on: [visits, letters] })
export const sellsWrites = grant('sells_writes', { to: [seller], on: [visits], privilege: 'write' })
export const own = policy('own', { on: visits, to: seller, rows: (row, user) => row.country.eq(user.country).or(row.spent.lt('10')) })
export const hidden = masks('hidden', { email: 'hash', born: 'year', mail: 'null', phone: 'last4' }, { except: [reader] })

export default project('iceberg', [
  { clicks, regions, scratch, people, visits, letters, named, pages, reader, writer, outsider, courier, seller, engine },
  { reads, writes, brings, looks, sells, sellsWrites, french, own, hidden },
])
