// A processor whose code does on request what code should not do.
import { http, keyed, processor, project, stream, t } from 'millrace'

export const orders = stream(
  'orders',
  { id: t.int(), customer: t.string(), does: t.string(), seen: t.timestamp() },
  { from: http(), key: 'customer', time: 'seen', partitions: 2, lateness: '1 hour' },
)

function spin(): never {
  for (;;);
}

export const counted = processor(
  'counted',
  { id: t.int(), customer: t.string(), nth: t.int(), seen: t.timestamp() },
  {
    from: orders,
    key: 'customer',
    time: 'seen',
    limit: '400 milliseconds',
    state: { n: keyed.value(t.int()) },
    on(order, { n }, { emit, timer }) {
      const nth = (n.get() ?? 0) + 1
      n.set(nth)
      if (order.does === 'throw') throw new RangeError(`order ${order.id} is refused`)
      if (order.does === 'loop') spin()
      if (order.does === 'exit') process.exit(3)
      if (order.does === 'promise') return Promise.reject(new Error('nobody waits')) as unknown as undefined
      if (order.does === 'loop later') timer('later', order.seen.plusMs(1))
      emit({ id: order.id, customer: order.customer, nth, seen: order.seen })
    },
    onTimer: {
      later() {
        spin()
      },
    },
  },
)

export default project('processor', [{ orders, counted }])
