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
      if (order.does === 'clock') n.set(Date.now())
      if (order.does === 'today') n.set(new Date().getDay())
      if (order.does === 'chance') n.set(Math.floor(Math.random() * 2))
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

/** With enough time to use up its memory. */
export const hoarded = processor(
  'hoarded',
  { id: t.int() },
  {
    from: orders,
    limit: '10 minutes',
    on(order, _state, { emit }) {
      const hoard: number[][] = []
      while (order.does === 'hoard') hoard.push(new Array<number>(100_000).fill(1.5))
      emit({ id: order.id })
    },
  },
)

export default project('processor', [{ orders, counted, hoarded }])
