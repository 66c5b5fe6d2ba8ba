import type { Decimal, Instant } from 'millrace'

declare module 'millrace' {
  interface MillraceRows {
    daily_revenue: { day: string; country: string; orders: bigint; revenue: Decimal | null }
    views_per_minute: { product: string | null; window_start: Instant; views: bigint }
    pairs: { a: string; b: string }
    'GET /revenue/:country': { day: string; country: string; orders: bigint; revenue: Decimal | null }
    'GET /revenue': { day: string; country: string; orders: bigint; revenue: Decimal | null }
  }
  interface MillraceTags {
    email: true
    id: true
    ip: true
  }
}
