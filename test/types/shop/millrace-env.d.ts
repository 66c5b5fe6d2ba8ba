// Written by millrace (check, dev, build): types of models and endpoints, found by binding their SQL. Keep it in version
// control, do not edit it.
import type { Decimal, Instant } from 'millrace'

declare module 'millrace' {
  interface MillraceRows {
    daily_revenue: {
      day: string
      country: string
      orders: bigint
      revenue: Decimal
    }
    'marts.large': {
      id: string
    }
    pairs: {
      a: string
      b: string
    }
    views_per_minute: {
      product: string | null
      window_start: Instant
      views: bigint
    }
    'GET /revenue': {
      day: string
      country: string
      orders: bigint
      revenue: Decimal
    }
    'GET /revenue/:country': {
      day: string
      country: string
      orders: bigint
      revenue: Decimal
    }
  }
  interface MillraceTags {
    email: true
    id: true
    ip: true
  }
}
