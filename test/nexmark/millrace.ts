// Nexmark as a project: its three streams, the bids once more by their time of arrival (q12), the table of q13, and each query as a live
// model. `millrace plan --project test/nexmark` shows it; the tests beside it run it.
import { http, model, project, sql, stream, t, table } from 'millrace'
import { QUERIES } from './queries.ts'

const bidColumns = {
  auction: t.long(),
  bidder: t.long(),
  price: t.long(),
  channel: t.string(),
  url: t.string(),
  date_time: t.timestamp(),
  extra: t.string(),
}

export const person = stream(
  'person',
  {
    id: t.long(),
    name: t.string(),
    email_address: t.string(),
    credit_card: t.string(),
    city: t.string(),
    state: t.string(),
    date_time: t.timestamp(),
    extra: t.string(),
  },
  { from: http(), partitions: 2, time: 'date_time', lateness: '4 seconds', key: 'id', dedupe: { by: 'id', within: '1 hour' } },
)

export const auction = stream(
  'auction',
  {
    id: t.long(),
    item_name: t.string(),
    description: t.string(),
    initial_bid: t.long(),
    reserve: t.long(),
    date_time: t.timestamp(),
    expires: t.timestamp(),
    seller: t.long(),
    category: t.long(),
    extra: t.string(),
  },
  { from: http(), partitions: 2, time: 'date_time', lateness: '4 seconds', key: 'id', dedupe: { by: 'id', within: '1 hour' } },
)

export const bid = stream('bid', bidColumns, { from: http(), partitions: 2, time: 'date_time', lateness: '4 seconds' })

export const arriving = stream('arriving', bidColumns, { from: http() })

export const sideInput = table('side_input', { key: t.long(), value: t.string() }, { from: http(), key: 'key' })

/** Plain text: the queries are also read by the benchmark and printed for Flink. */
const queries = QUERIES.map(({ name, sql: text }) =>
  model(name, sql(Object.assign([text], { raw: [text] })), { fresh: 'live', emit: 'final' }),
)

export default project('nexmark', [{ person, auction, bid, arriving, sideInput }, ...queries])
