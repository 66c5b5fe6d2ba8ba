import { files, ref, t, table } from 'millrace'

export const customers = table(
  'customers',
  { id: t.string().pii('id'), email: t.string().pii('email'), country: t.string() },
  {
    from: files({ path: 'data/customers.csv', format: 'csv', every: '1 hour', columns: { id: 'CustomerID' } }),
    key: 'id',
    fresh: '2 hours',
  },
)

export const orders = table(
  'orders',
  { id: t.string(), customer: customers.id, amount: t.decimal(12, 2).unit('GBP'), status: t.string(), placed: t.timestamp() },
  { key: 'id', partition: ['month(placed)'] },
)

export const employees = table('employees', { id: t.uuid(), manager: ref('employees.id', t.uuid()).optional() }, { key: 'id' })

export const parcels = table(
  'parcels',
  {
    id: t.string(),
    state: t.enum('new', 'sent').default('new'),
    weight: t.decimal(8, 3).default('0.500').unit('kg'),
    sent: t.timestamp().default('2026-01-01T00:00:00Z'),
    count: t.long().default(0n),
    note: t.string().optional().default('none'),
  },
  { key: 'id' },
)

export const appointments = table(
  'appointments',
  {
    id: t.string(),
    due: t.datetime().default('2026-01-01T09:00:00'),
    ends: t.datetime().optional(),
    breaks: t.list(t.struct({ from: t.datetime() })).optional(),
  },
  { key: 'id', partition: ['day(due)', 'hour(ends)', 'year(due)', 'due'] },
)

/** A text, like a date. */
export const endOf = ({ due, ends }: typeof appointments.$row): string => (ends ?? due).slice(0, 10)

/** What has a default is there in every row. */
export const stateOf = (parcel: typeof parcels.$row): 'new' | 'sent' => parcel.state

export type Order = typeof orders.$row
