// What must not compile: every line below an expectation is an error in the editor.
import {
  alert,
  between,
  endpoint,
  fresh,
  http,
  job,
  keyed,
  line,
  masks,
  model,
  policy,
  processor,
  role,
  shared,
  sql,
  stream,
  t,
  table,
} from 'millrace'
import { analyst } from './access.ts'
import { baskets } from './baskets.ts'
import { dailyRevenue } from './models.ts'
import { payments, reviews } from './streams.ts'
import { appointments, customers, orders } from './tables.ts'

// @ts-expect-error an unknown column
orders.nope
// @ts-expect-error an unknown column of a model
dailyRevenue.nope
// @ts-expect-error event time that is no timestamp
stream('a', { id: t.string() }, { from: http(), time: 'id' })
// @ts-expect-error event time that may be null
stream('a', { seen: t.timestamp().optional() }, { from: http(), time: 'seen' })
// @ts-expect-error event time that is a reading of a clock
stream('a', { due: t.datetime() }, { from: http(), time: 'due' })
// @ts-expect-error the hour of a date
table('a', { day: t.date() }, { partition: ['hour(day)'] })
// @ts-expect-error a default that is an instant
t.datetime().default(new Date())
// @ts-expect-error a key of a map that is a datetime
t.map(t.datetime(), t.long())
// @ts-expect-error freshness of a reading of a clock
fresh(appointments.due, '1 hour')
// @ts-expect-error a key that is no column
stream('a', { id: t.string() }, { from: http(), key: 'nope' })
// @ts-expect-error dedupe by what is no column
stream('a', { id: t.string() }, { from: http(), dedupe: { by: 'nope', within: '1 hour' } })
// @ts-expect-error not a duration
stream('a', { id: t.string() }, { from: http(), lateness: '1 fortnight' })
// @ts-expect-error the day of a string
table('a', { id: t.string() }, { partition: ['day(id)'] })
// @ts-expect-error lateness never applies to keyed relations
table('a', { id: t.string() }, { key: 'id', lateness: '1 hour' })
// @ts-expect-error freshness of what is no timestamp
fresh(orders.status, '1 hour')
// @ts-expect-error freshness cannot set a row aside
fresh(orders.placed, '1 hour').quarantine()
// @ts-expect-error bounds of another type than the column
between(customers.country, 1, 2)
// @ts-expect-error an interval that is no column of the model
model('daily_revenue', sql`SELECT 1`, { refresh: 'incremental', by: 'nope' })
// @ts-expect-error a key that is no column of the model
model('daily_revenue', sql`SELECT 1`, { key: 'nope' })
// @ts-expect-error a lookback without increments
model('daily_revenue', sql`SELECT 1`, { refresh: 'full', lookback: '1 day' })
// @ts-expect-error an object is not SQL
sql`SELECT ${{ a: 1 }}`
// @ts-expect-error a role is not SQL
sql`SELECT ${analyst}`
// @ts-expect-error the path's parameter is not declared
endpoint('GET /a/:zone', { params: { other: t.string() }, sql: () => sql`SELECT 1` })
// @ts-expect-error the path's parameter is not declared
endpoint('GET /a/:zone', { sql: () => sql`SELECT 1` })
// @ts-expect-error a parameter that does not exist
endpoint('GET /a/:zone', { params: { zone: t.string() }, sql: (p) => sql`SELECT ${p.nope}` })
// @ts-expect-error an attribute that the role lacks
policy('p', { on: customers, to: analyst, rows: (row, user) => row.country.eq(user.nope) })
// @ts-expect-error a column that the relation lacks
policy('p', { on: customers, to: analyst, rows: (row, user) => row.nope.eq(user.country) })
// @ts-expect-error a constant of another type
policy('p', { on: customers, to: analyst, rows: (row) => row.country.eq(1) })
// @ts-expect-error a mask is missing for a tag
masks('m', { id: 'hash', email: 'hash' })
// @ts-expect-error a mask that does not exist
masks('m', { id: 'hash', email: 'hash', ip: 'blur' })
// @ts-expect-error a mask for a tag that does not exist
masks('m', { id: 'hash', email: 'hash', ip: 'null', phone: 'last4' })
// @ts-expect-error a stream is not run by a job
job('j', { run: [payments], cron: '0 3 * * *' })
// @ts-expect-error a role is no condition
alert('a', { when: analyst, to: [] })
// @ts-expect-error an axis that is no column
line('l', dailyRevenue, { x: 'nope', y: 'revenue' })
// @ts-expect-error an attribute must be a field
role('r', { country: 'string' })

processor(
  'p',
  { payment: payments.id, score: t.double() },
  {
    from: payments,
    key: 'customer',
    state: { rate: keyed.ewma('1 minute') },
    on(p, state, { emit }) {
      // @ts-expect-error a value of another type
      emit({ payment: p.id, score: 'high' })
      // @ts-expect-error a column is missing
      emit({ payment: p.id })
      // @ts-expect-error a column that the input lacks
      p.nope
      // @ts-expect-error state that is not declared
      state.nope
      // @ts-expect-error state of another kind
      state.rate.add('x')
      // @ts-expect-error decimals are not numbers
      p.amount > 100
      // @ts-expect-error decimals are not added by an operator
      p.amount + p.amount
    },
  },
)
// @ts-expect-error a processor's key is a column of its input
processor('p', { score: t.double() }, { from: payments, key: 'score', on() {} })
// @ts-expect-error a processor reads a stream
processor('p', { score: t.double() }, { from: orders, on() {} })

processor(
  'p',
  { score: t.double() },
  {
    from: payments,
    key: 'customer',
    outputs: { reviews },
    state: {
      model: shared.logistic({ features: ['amount'] }),
      byCard: keyed.map(t.string(), t.int()),
      days: keyed.distinct(t.date()),
    },
    on(p, { model, byCard, days }, { emitTo, timer }) {
      // @ts-expect-error a feature is missing
      model.score({})
      // @ts-expect-error a feature that is not declared
      model.score({ amount: 1, nope: 2 })
      // @ts-expect-error logistic regression learns true or false
      model.learn({ amount: 1 }, 2)
      // @ts-expect-error a key of another type
      byCard.get(1)
      // @ts-expect-error a value of another type
      byCard.set(p.card, 'two')
      // @ts-expect-error it counts, it does not answer members
      days.has('2026-01-01')
      // @ts-expect-error a timer without a handler
      timer('nope', p.seen)
      // @ts-expect-error a time that is no instant
      timer('silent', 5)
      // @ts-expect-error an output that is not declared
      emitTo.nope({ score: 1 })
      // @ts-expect-error a row of another stream
      emitTo.reviews({ score: 1 })
    },
    onTimer: {
      silent({ key }) {
        // @ts-expect-error the key has the type of its column
        key.plus(1)
      },
    },
  },
)
// @ts-expect-error an expiring set needs its time
keyed.expiringSet(t.string())
// @ts-expect-error an output is a stream
processor('p', { score: t.double() }, { from: payments, outputs: { orders }, on() {} })
// @ts-expect-error what is broadcast is a table
processor('p', { score: t.double() }, { from: payments, broadcast: { payments }, on() {}, onBroadcast: { payments() {} } })
processor(
  'p',
  { score: t.double() },
  {
    from: payments,
    broadcast: { orders },
    on() {},
    onBroadcast: {
      orders(row) {
        // @ts-expect-error a column that the table lacks
        row.nope
      },
    },
  },
)

// @ts-expect-error a map's key is text, a whole number or a date
t.map(t.double(), t.int())
// @ts-expect-error a map's key is never null
t.map(t.string().optional(), t.int())
// @ts-expect-error a member is a field
t.struct({ a: 'string' })
// @ts-expect-error a struct is no event time
stream('x', { at: t.struct({ at: t.timestamp() }) }, { from: http(), time: 'at' })
processor(
  'x',
  { n: t.int() },
  {
    from: baskets,
    on(basket, _state, { emit }) {
      // @ts-expect-error a member that the struct does not have
      emit({ n: basket.items[0]!.nope })
      // @ts-expect-error an element may not be there
      emit({ n: basket.items[0].sku.length })
    },
  },
)
// @ts-expect-error a default of another type
t.string().default(1)
// @ts-expect-error integers of 64 bits are bigint
t.long().default(1)
// @ts-expect-error only columns of single values have defaults
t.list(t.string()).default([])
// @ts-expect-error a member of a struct has none
t.struct({ state: t.string().default('new') })
