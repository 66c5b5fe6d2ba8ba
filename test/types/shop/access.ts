import { grant, masks, policy, role, t } from 'millrace'
import { dailyRevenue } from './models.ts'
import { orders } from './tables.ts'

export const analyst = role('analyst', { country: t.string() })
export const privacyOfficer = role('privacy_officer')
export const reads = grant('analysts_read', { to: [analyst], on: [dailyRevenue, 'marts.*'] })
export const ownCountry = policy('own_country', { on: dailyRevenue, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const largeOrders = policy('large_orders', {
  on: orders,
  to: privacyOfficer,
  rows: (row) => row.amount.gt('100').and(row.status.in(['paid', 'placed']).or(row.placed.gte('2026-01-01T00:00:00Z').not())),
})
export const hidden = masks('hidden', { email: 'hash', ip: 'null', id: 'hash' }, { except: [privacyOfficer] })
