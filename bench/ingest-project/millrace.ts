// The project of `bench/ingest`: one click stream without key or dedupe, as a collector would define it.
import { http, project, stream, t } from 'millrace'

export const clicks = stream(
  'clicks',
  {
    id: t.uuid(),
    session: t.string(),
    customer: t.string().optional(),
    page: t.enum('home', 'product', 'cart', 'checkout'),
    product: t.string().optional(),
    price: t.decimal(12, 2).optional(),
    position: t.int(),
    referrer: t.string().optional(),
    seen: t.timestamp(),
  },
  { from: http(), time: 'seen', lateness: '10 minutes' },
)

export default project('ingest_bench', [clicks])
