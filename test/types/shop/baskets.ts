// Nested columns in the editor: what rows of them are to user code. Not part of the sample project.
import { type Decimal, http, type Instant, keyed, processor, stream, t } from 'millrace'
import { payments } from './streams.ts'

export const baskets = stream(
  'baskets',
  {
    id: t.string(),
    place: t.struct({ area: t.string().was('region').optional(), zone: t.enum('north', 'south'), seen: t.timestamp().optional() }),
    items: t.list(t.struct({ sku: payments.card, price: payments.amount, tags: t.list(t.string().optional()).optional() })),
    sizes: t.map(t.int(), t.long()).optional(),
  },
  { from: http(), key: 'id' },
)

export const totals = processor(
  'totals',
  { id: t.string(), total: t.decimal(12, 2), zones: t.map(t.string(), t.struct({ n: t.int() })) },
  {
    from: baskets,
    key: 'id',
    state: { last: keyed.value(t.list(t.struct({ sku: t.string() }))) },
    on(basket, state, { emit }) {
      const zone: 'north' | 'south' = basket.place.zone
      const seen: Instant | null | undefined = basket.place.seen
      const prices: readonly Decimal[] = basket.items.map(({ price }) => price)
      const tag: string | null | undefined = basket.items[0]?.tags?.[0]
      const size: bigint | undefined = basket.sizes?.['38']
      state.last.set(basket.items.map(({ sku }) => ({ sku })))
      if (prices[0] && seen !== undefined && tag !== '' && size !== 0n)
        emit({ id: basket.id, total: prices[0], zones: { [zone]: { n: 1 } } })
    },
  },
)
