// Tables of all kinds of columns, streams, models and rules: what SQL may change, and what it may not.
import { between, checks, files, grant, http, masks, model, policy, project, role, sql, stream, t, table } from 'millrace'

/** Compared with a table of DuckDB. */
export const stock = table(
  'stock',
  {
    id: t.int(),
    name: t.string(),
    status: t.string().default('new'),
    n: t.long().optional(),
    price: t.decimal(12, 2).optional(),
    weight: t.double().optional(),
    seen: t.timestamp().optional(),
    isOld: t.boolean().optional(),
  },
  { from: http(), key: 'id' },
)

/** Every kind of column. */
export const kinds = table(
  'shop.kinds',
  {
    id: t.uuid(),
    part: t.long(),
    flag: t.boolean().optional(),
    small: t.int().default(7),
    big: t.long().optional(),
    single: t.float().optional(),
    double: t.double().optional(),
    money: t.decimal(8, 2).optional().unit('USD'),
    huge: t.decimal(38, 10).optional(),
    day: t.date().optional(),
    clock: t.time().optional(),
    moment: t.timestamp().optional(),
    text: t.string().optional().pii('text'),
    raw: t.binary().optional(),
    doc: t.json().optional(),
    kind: t.enum('home', 'cart').optional(),
    place: t.struct({ lat: t.double(), name: t.string().optional(), doc: t.json().optional() }).optional(),
    tags: t.list(t.string().optional()).optional(),
    counts: t.map(t.string(), t.decimal(20, 2).optional()).optional(),
  },
  { from: http(), key: ['id', 'part'] },
)

export const counters = table('counters', { id: t.int(), n: t.long() }, { from: http(), key: 'id' })
export const checked = table('checked', { id: t.int(), n: t.int() }, { from: http(), key: 'id' })
export const checkedNumbers = checks('checked_numbers', [between(checked.n, 0, 100).quarantine()], { on: checked })
export const clicks = stream('clicks', { page: t.string(), n: t.int().optional() }, { from: http(), key: 'page', partitions: 3 })
export const loaded = table('loaded', { id: t.int() }, { from: files({ path: 'none/*.csv', format: 'csv' }), key: 'id' })
export const foreign = table('foreign_rows', { id: t.int() }, { key: 'id' })
export const total = model('total', sql`SELECT sum(n) AS n FROM ${counters}`, { refresh: 'view' })
export const versions = model('versions', sql`SELECT id, n FROM ${checked}`, { refresh: 'scd2', key: 'id' })

export const secrets = table(
  'secrets',
  { id: t.int(), owner: t.string(), email: t.string().optional().pii('text') },
  { from: http(), key: 'id' },
)
export const copies = table('copies', { id: t.int(), owner: t.string(), email: t.string().optional() }, { from: http(), key: 'id' })

export const reader = role('reader')
export const writer = role('writer')
export const blind = role('blind')
export const narrow = role('narrow', { owner: t.string() })
export const masked = role('masked')
export const reads = grant('reads', { to: [reader, writer], on: [counters, copies, secrets, clicks, total] })
export const writes = grant('writes', { to: [writer, blind], on: [counters, copies, clicks, total], privilege: 'write' })
export const narrowReads = grant('narrow_reads', { to: [narrow, masked], on: [secrets, copies, counters] })
export const narrowWrites = grant('narrow_writes', { to: [narrow, masked], on: [secrets, copies], privilege: 'write' })
export const own = policy('own', { on: secrets, to: narrow, rows: (row, user) => row.owner.eq(user.owner) })
export const hidden = masks('hidden', { text: 'redact' }, { except: [writer, narrow] })

export default project('writes', [
  { stock, kinds, counters, checked, checkedNumbers, clicks, loaded, foreign, total, versions, secrets, copies },
  { reader, writer, blind, narrow, masked, reads, writes, narrowReads, narrowWrites, own, hidden },
])
