// Who may see what. Nothing is open unless granted; analysts see their own country; personal data is masked for all but
// the privacy officer, in tables and in whatever is computed from them.
import { grant, masks, policy, role, t } from 'millrace'
import {
  conversion,
  dailyRevenue,
  dimCountry,
  dimCustomer,
  dimDate,
  dimProduct,
  factSales,
  fraudQuality,
  monthlyRevenue,
  topProducts,
  viewsPerMinute,
} from './models.ts'
import { suspects } from './processors.ts'
import { clicks } from './streams.ts'

export const analyst = role('analyst', { country: t.string() })
export const marketing = role('marketing')
export const privacyOfficer = role('privacy_officer')

export const analystsRead = grant('analysts_read', {
  to: [analyst],
  on: [dailyRevenue, factSales, dimProduct, dimCountry, dimDate, dimCustomer, topProducts, suspects],
})
export const marketingReads = grant('marketing_reads', {
  to: [marketing],
  on: [clicks, viewsPerMinute, conversion, topProducts, dimProduct, monthlyRevenue],
})
export const privacyReads = grant('privacy_reads', { to: [privacyOfficer], on: ['*'] })
export const fraudFigures = grant('fraud_figures', { to: [analyst, marketing], on: [fraudQuality] })

export const ownRevenue = policy('own_revenue', { on: dailyRevenue, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const ownSales = policy('own_sales', { on: factSales, to: analyst, rows: (row, user) => row.country.eq(user.country) })
export const ownCustomers = policy('own_customers', { on: dimCustomer, to: analyst, rows: (row, user) => row.country.eq(user.country) })

export const hidden = masks('hidden', { id: 'hash', ip: 'null', card: 'last4' }, { except: [privacyOfficer] })
