// The shop, as the admin API would tell it on Friday 2026-11-20 at 12:52:08 UTC: one source down, one model waiting, two rows
// set aside, a partition behind. Fixed numbers; only `nowMs` moves. The same story as the console's mock-ups.
import type { Relation } from '../../src/define/manifest.ts'
import type { Field, Type } from '../../src/schema/type.ts'
import type { Cell } from '../../src/serve/answers/admin.ts'
import type { DashboardDetail, TileAnswer } from '../../src/serve/answers/dashboards.ts'
import type { Lineage, LineageNode } from '../../src/serve/answers/lineage.ts'
import type { CheckResult, QualityPage } from '../../src/serve/answers/quality.ts'
import type { CheckCounts, Freshness, RelationDetail, RelationSummary } from '../../src/serve/answers/relations.ts'
import type { RowsPage } from '../../src/serve/answers/rows.ts'
import type { RunDetail, RunStep, RunSummary } from '../../src/serve/answers/runs.ts'
import type { ColumnDetail, SchemaPage } from '../../src/serve/answers/schema.ts'
import type { Session } from '../../src/serve/answers/session.ts'
import type { SnapshotsPage } from '../../src/serve/answers/snapshots.ts'
import type { SqlAnswer, SqlWritten } from '../../src/serve/answers/sql.ts'
import type { Conservation, StreamDetail, StreamSummary } from '../../src/serve/answers/streams.ts'

export const START_MS = Date.UTC(2026, 10, 20, 12, 52, 8)
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const at = (clock: string, day = '2026-11-20'): number => Date.parse(`${day}T${clock}Z`)

/** Seeded noise, so that charts look like charts and stay the same. */
export function noise(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  }
}

export const session: Omit<Session, 'nowMs'> = {
  project: 'shop',
  environment: 'dev',
  deployment: 'embedded',
  version: '0.1.0',
  code: 'a41f9c2',
  user: 'administrator',
  role: 'administrator',
  roles: [
    { name: 'administrator', attributes: [] },
    { name: 'finance', attributes: [] },
    { name: 'analyst', attributes: [{ name: 'country', type: 'string' }] },
  ],
  mayRun: true,
  counts: { relations: 12, streams: 3, dashboards: 1, failing: 1 },
}

const checks = (total: number, failing: Partial<CheckCounts> = {}): CheckCounts => {
  const bad = (failing.warned ?? 0) + (failing.blocked ?? 0) + (failing.quarantining ?? 0)
  return { total, passed: total - bad, warned: 0, blocked: 0, quarantining: 0, setAside: 0, lastAtMs: at('12:49:17'), ...failing }
}
const live = (lagMs: number): Freshness => ({ state: 'fresh', asOfMs: START_MS, targetMs: null, lagMs })
const aged = (asOfMs: number, targetMs: number): Freshness => ({ state: 'fresh', asOfMs, targetMs })

const string: Type = { kind: 'string' }
const timestamp: Type = { kind: 'timestamp' }
const money: Type = { kind: 'decimal', precision: 12, scale: 2 }
const field = (name: string, type: Type, more: Partial<Field> = {}): Field => ({ name, type, optional: false, ...more })

const SHAPES: Record<string, readonly Field[]> = {
  clicks: [
    field('id', { kind: 'uuid' }),
    field('session', string),
    field('customer', string, { optional: true, pii: 'id' }),
    field('page', { kind: 'enum', values: ['home', 'product', 'cart', 'checkout'] }),
    field('product', string, { optional: true }),
    field('ip', string, { pii: 'ip' }),
    field('seen', timestamp),
  ],
  payments: [
    field('id', { kind: 'uuid' }),
    field('customer', string, { pii: 'id' }),
    field('card', string, { pii: 'card' }),
    field('amount', money, { unit: 'GBP' }),
    field('seen', timestamp),
  ],
  suspects: [
    field('payment', { kind: 'uuid' }),
    field('customer', string, { pii: 'id' }),
    field('reason', { kind: 'enum', values: ['cards', 'model'] }),
    field('score', { kind: 'double' }),
    field('seen', timestamp),
  ],
  product_views_1m: [field('product', string), field('window_start', timestamp), field('views', { kind: 'long' })],
  customers: [
    field('id', string),
    field('email', string, { pii: 'email' }),
    field('name', string, { pii: 'name' }),
    field('country', string),
  ],
  orders: [
    field('id', string),
    field('customer', string, { optional: true }),
    field('amount', money, { unit: 'GBP' }),
    field('status', string),
    field('placed', timestamp),
  ],
  order_lines: [
    field('order', string),
    field('line', { kind: 'int' }),
    field('product', string),
    field('quantity', { kind: 'int' }),
    field('price', money, { unit: 'GBP' }),
  ],
  products: [field('id', string), field('name', string), field('price', money, { unit: 'GBP' })],
  daily_revenue: [
    field('day', { kind: 'date' }),
    field('country', string),
    field('orders', { kind: 'long' }),
    field('revenue', { kind: 'decimal', precision: 38, scale: 2 }, { unit: 'GBP' }),
  ],
  customer_history: [
    field('id', string),
    field('country', string),
    field('valid_from', timestamp),
    field('valid_to', timestamp, { optional: true }),
  ],
  sales_by_product: [
    field('day', { kind: 'date' }),
    field('product', string),
    field('quantity', { kind: 'long' }),
    field('sales', money, { unit: 'GBP' }),
  ],
  order_facts: [field('id', string), field('placed', timestamp), field('country', string), field('amount', money, { unit: 'GBP' })],
}
const typeText = (type: Type): string => (type.kind === 'decimal' ? `decimal(${type.precision}, ${type.scale})` : type.kind)

interface Line {
  name: string
  kind: RelationSummary['kind']
  how: string
  freshness: Freshness
  rows: number
  arrivals: readonly number[]
  checks: CheckCounts | null
  doc: string
}
const rise = [2, 5, 7, 9, 10, 12, 13, 13, 14, 13, 14, 14, 14]
const hump = [5, 2, 2, 1, 7, 6, 13, 10, 12, 14, 10, 8, 11]
const LINES: readonly Line[] = [
  {
    name: 'clicks',
    kind: 'stream',
    how: 'http',
    freshness: live(200),
    rows: 1631906,
    arrivals: rise,
    checks: checks(6),
    doc: 'What visitors of the shop do, as they do it.',
  },
  {
    name: 'payments',
    kind: 'stream',
    how: 'http',
    freshness: live(400),
    rows: 22064,
    arrivals: hump,
    checks: checks(5),
    doc: 'Payments as the provider reports them.',
  },
  {
    name: 'suspects',
    kind: 'stream',
    how: 'processor',
    freshness: live(500),
    rows: 318,
    arrivals: [1, 0, 2, 4, 1, 6, 1, 8, 2, 5, 1, 3, 4],
    checks: checks(2),
    doc: 'Payments that look like fraud.',
  },
  {
    name: 'product_views_1m',
    kind: 'model',
    how: 'live',
    freshness: live(1100),
    rows: 84512,
    arrivals: rise,
    checks: checks(4),
    doc: 'Views of each product by minute.',
  },
  {
    name: 'customers',
    kind: 'table',
    how: 'files',
    freshness: aged(START_MS - 3 * SECOND, MINUTE),
    rows: 4372,
    arrivals: hump,
    checks: checks(4),
    doc: 'One row per customer.',
  },
  {
    name: 'orders',
    kind: 'table',
    how: 'files',
    freshness: aged(START_MS - 3 * SECOND, MINUTE),
    rows: 25900,
    arrivals: [1, 1, 1, 1, 2, 6, 9, 14, 12, 9, 8, 7, 10],
    checks: checks(8, { quarantining: 1, setAside: 2 }),
    doc: 'One row per order, followed from the shop database.',
  },
  {
    name: 'order_lines',
    kind: 'table',
    how: 'files',
    freshness: aged(START_MS - 3 * SECOND, MINUTE),
    rows: 541909,
    arrivals: [1, 1, 1, 1, 3, 7, 9, 14, 12, 11, 8, 8, 10],
    checks: checks(5),
    doc: 'The lines of the orders.',
  },
  {
    name: 'products',
    kind: 'table',
    how: 'files',
    freshness: { state: 'late', asOfMs: at('11:16:06'), targetMs: HOUR, why: { kind: 'source', runId: '4812', sinceMs: at('11:31:36') } },
    rows: 4070,
    arrivals: [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0],
    checks: checks(4, { warned: 1 }),
    doc: 'What the shop sells.',
  },
  {
    name: 'daily_revenue',
    kind: 'model',
    how: 'incremental',
    freshness: aged(at('12:49:17'), 10 * MINUTE),
    rows: 1716,
    arrivals: [1, 1, 1, 1, 1, 8, 8, 14, 14, 14, 8, 14, 14],
    checks: checks(9),
    doc: 'Orders and revenue per day and country of the customer.',
  },
  {
    name: 'customer_history',
    kind: 'model',
    how: 'full',
    freshness: aged(at('12:49:17'), 10 * MINUTE),
    rows: 5108,
    arrivals: [1, 4, 1, 1, 4, 9, 9, 14, 9, 4, 9, 9, 4],
    checks: checks(6),
    doc: 'Every version of a customer.',
  },
  {
    name: 'sales_by_product',
    kind: 'model',
    how: 'incremental',
    freshness: {
      state: 'late',
      asOfMs: at('11:16:06'),
      targetMs: HOUR,
      why: { kind: 'waits', on: 'products', runId: '4812', sinceMs: at('11:31:36') },
    },
    rows: 102814,
    arrivals: [4, 4, 4, 6, 4, 8, 10, 14, 13, 11, 0, 0, 0],
    checks: checks(5),
    doc: 'Sales per day and product.',
  },
  {
    name: 'order_facts',
    kind: 'model',
    how: 'full',
    freshness: aged(at('12:49:17'), HOUR),
    rows: 25900,
    arrivals: [1, 1, 1, 1, 1, 5, 6, 12, 14, 11, 10, 9, 8],
    checks: checks(7),
    doc: 'Orders with the country of their customer.',
  },
]

export const relations: readonly RelationSummary[] = LINES.map((line) => ({
  ...line,
  owner: line.name === 'payments' || line.name === 'suspects' ? 'payments-team' : 'shop-team',
  tags: [],
  bytes: line.rows * 61,
  files: Math.max(1, Math.round(line.rows / 45000)),
  columns: (SHAPES[line.name] ?? []).map((one) => ({ name: one.name, type: typeText(one.type) })),
}))

const REVENUE_SQL = `SELECT CAST(orders.placed AS date) AS day,
  customers.country,
  count(*) AS orders,
  sum(orders.amount) AS revenue
FROM orders JOIN customers
  ON orders.customer
   = customers.id
GROUP BY ALL`

function manifestOf(relation: RelationSummary): Relation {
  const common = {
    name: relation.name,
    at: `${relation.kind}s.ts:12`,
    ...(relation.doc ? { doc: relation.doc } : {}),
    ...(relation.owner ? { owner: relation.owner } : {}),
    tags: [],
    shape: { fields: SHAPES[relation.name] ?? [] },
    partition: [],
    cluster: [],
    keep: { logMs: 7 * DAY, tableMs: 400 * DAY },
    ...(relation.freshness.targetMs === null ? {} : { freshMs: relation.freshness.targetMs }),
  }
  if (relation.kind === 'stream')
    return {
      ...common,
      kind: 'stream',
      source: relation.how === 'processor' ? 'processor' : 'http',
      partitions: 4,
      key: relation.name === 'clicks' ? 'session' : 'customer',
      time: 'seen',
      latenessMs: 10 * MINUTE,
      maxSkewMs: MINUTE,
      dedupe: { by: ['id'], withinMs: HOUR },
    }
  if (relation.kind === 'table')
    return {
      ...common,
      kind: 'table',
      key: ['id'],
      load: 'upsert',
      source: { kind: 'files', path: `data/${relation.name}*.csv`, format: 'csv', everyMs: 15 * MINUTE, options: {} },
    }
  const revenue = relation.name === 'daily_revenue'
  return {
    ...common,
    kind: 'model',
    sql: {
      text: revenue
        ? REVENUE_SQL
        : `SELECT *\nFROM ${relation.name === 'order_facts' ? 'orders JOIN customers ON orders.customer = customers.id' : 'order_lines'}`,
      params: [],
    },
    inputs:
      revenue || relation.name === 'order_facts'
        ? ['orders', 'customers']
        : relation.name === 'sales_by_product'
          ? ['order_lines', 'products']
          : ['customers'],
    refresh: relation.how as 'full' | 'incremental' | 'live',
    key: revenue ? ['day', 'country'] : [],
    ...(relation.how === 'incremental' ? { by: 'day', onChange: 'recompute' as const } : {}),
    emit: 'final',
    declared: false,
    partition: revenue ? [{ transform: 'month', column: 'day' }] : [],
  }
}

export function relationDetail(name: string): Omit<RelationDetail, 'nowMs'> | null {
  const relation = relations.find((one) => one.name === name)
  if (relation === undefined) return null
  return {
    relation,
    manifest: manifestOf(relation),
    counts: { checks: relation.checks?.total ?? 0, snapshots: name === 'orders' ? 1880 : 214 },
    snapshot: { id: '5312906377301925831', sequence: 3214, committedAtMs: at('12:49:17') },
    tail: true,
    rowsToday: 5,
    state: null,
    readers: [
      { role: 'administrator', limited: false },
      { role: 'finance', limited: false },
      { role: 'analyst', limited: true },
    ],
    lastRun: { id: '4815', state: 'done', startedAtMs: at('12:49:13'), durationMs: 900, note: '1 of 305 days' },
  }
}

const REVENUE: readonly (readonly Cell[])[] = [
  ['2026-11-20', 'United Kingdom', 41, '27345.03'],
  ['2026-11-20', 'Norway', 2, '2638.69'],
  ['2026-11-20', 'Germany', 4, '1689.72'],
  ['2026-11-20', 'France', 1, '249.45'],
  ['2026-11-20', 'Belgium', 1, '208.64'],
  ['2026-11-19', 'United Kingdom', 136, '78437.90'],
  ['2026-11-19', 'Germany', 2, '1089.45'],
  ['2026-11-19', 'EIRE', 1, '1084.14'],
  ['2026-11-19', 'Austria', 1, '683.20'],
  ['2026-11-19', 'Netherlands', 1, '250.60'],
  ['2026-11-19', 'France', 2, '146.70'],
  ['2026-11-19', 'Channel Islands', 1, '-4.25'],
  ['2026-11-19', 'USA', 1, '-269.96'],
  ['2026-11-18', 'United Kingdom', 121, '55028.58'],
  ['2026-11-18', 'Netherlands', 2, '11477.42'],
  ['2026-11-18', 'EIRE', 3, '3856.89'],
  ['2026-11-18', 'Germany', 4, '2879.26'],
  ['2026-11-18', 'France', 2, '1117.62'],
  ['2026-11-18', 'Portugal', 2, '394.34'],
] satisfies Cell[][]

/** Rows of any relation: those of daily_revenue as they are, others made to their shape. */
export function rowsPage(name: string, limit: number, order: string | null, desc: boolean): Omit<RowsPage, 'nowMs'> | null {
  const relation = relations.find((one) => one.name === name)
  if (relation === undefined) return null
  const fields = SHAPES[name] ?? []
  const random = noise(name.length)
  const value = (one: Field, index: number): Cell => {
    if (one.optional && index % 7 === 3) return null
    if (one.type.kind === 'decimal') return (random() * 400 - 8).toFixed(2)
    if (one.type.kind === 'timestamp') return new Date(START_MS - index * 61_337).toISOString().replace('Z', '412Z')
    if (one.type.kind === 'date') return new Date(START_MS - index * DAY).toISOString().slice(0, 10)
    if (one.type.kind === 'long' || one.type.kind === 'int') return Math.floor(random() * 60)
    if (one.type.kind === 'double') return Math.round(random() * 100) / 100
    if (one.type.kind === 'enum') return one.type.values[index % one.type.values.length] ?? null
    return one.name === 'country'
      ? (['United Kingdom', 'Germany', 'Norway'][index % 3] ?? null)
      : `${one.name.slice(0, 3)}-${(84210 - index * 3).toString(16)}`
  }
  const all =
    name === 'daily_revenue' ? REVENUE : Array.from({ length: Math.min(limit, 240) }, (_, index) => fields.map((one) => value(one, index)))
  const by = fields.findIndex((one) => one.name === order)
  const sorted = by < 0 ? all : all.toSorted((a, b) => (String(a[by]) < String(b[by]) ? -1 : 1) * (desc ? -1 : 1))
  return {
    columns: fields.map((one) => ({ name: one.name, type: typeText(one.type), ...(one.unit ? { unit: one.unit } : {}) })),
    rows: sorted.slice(0, limit),
    matched: name === 'daily_revenue' ? REVENUE.length : relation.rows,
    total: relation.rows,
    snapshot: { id: '5312906377301925831', sequence: 3214 },
    tail: true,
    durationMs: 4,
    policy: { rowFilter: false, masked: [] },
  }
}

export function schemaPage(name: string): Omit<SchemaPage, 'nowMs'> | null {
  const fields = SHAPES[name]
  if (fields === undefined) return null
  const random = noise(7)
  const known: Record<string, Pick<ColumnDetail, 'from' | 'profile'>> = {
    day: {
      from: ['orders.placed'],
      profile: {
        nullShare: 0,
        distinct: 305,
        least: '2025-11-12',
        greatest: '2026-11-20',
        spread: Array.from({ length: 12 }, () => 4 + random() * 10),
      },
    },
    country: {
      from: ['customers.country'],
      profile: { nullShare: 0, distinct: 38, least: 'Australia', greatest: 'Unspecified', spread: [14, 6, 4, 2, 1, 1, 1, 1, 1, 1, 1, 1] },
    },
    orders: { from: [], profile: { nullShare: 0, distinct: 146, least: 1, greatest: 167, spread: [14, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1] } },
    revenue: {
      from: ['orders.amount'],
      profile: { nullShare: 0, distinct: 1689, least: '-8142.75', greatest: '109286.21', spread: [1, 14, 9, 4, 2, 1, 1, 1, 1, 1, 1, 1] },
    },
  }
  return {
    columns: fields.map((one, index) => ({
      name: one.name,
      type: typeText(one.type),
      optional: one.optional,
      key: index < (name === 'daily_revenue' ? 2 : 1),
      ...(one.unit ? { unit: one.unit } : {}),
      ...(one.pii ? { pii: one.pii } : {}),
      ...(known[one.name] ?? { from: [], profile: null }),
    })),
    profiledAtMs: at('12:49:17'),
    changes: [
      { atMs: at('14:10:00', '2026-11-02'), kind: 'compatible', summary: 'orders added, long', code: '7be02d1' },
      { atMs: at('09:31:00', '2026-10-19'), kind: 'first', summary: 'day, country, revenue', code: '12c9a04' },
    ],
  }
}

export function qualityPage(name: string): Omit<QualityPage, 'nowMs'> {
  const days = (bad: Record<number, CheckResult['status']>) => Array.from({ length: 30 }, (_, day) => bad[day] ?? 'pass')
  const result = (check: CheckResult['check'], more: Partial<CheckResult> = {}): CheckResult => ({
    check,
    status: 'pass',
    atMs: at('12:49:17'),
    runId: '4815',
    found: 0,
    of: 25900,
    measured: null,
    history: days({}),
    ...more,
  })
  if (name === 'suspects') return { sets: [], targetMs: null, setAside: null }
  return {
    sets: [
      {
        set: { name: `sound_${name}`, at: 'quality.ts:4', on: name, owner: 'shop-team' },
        results: [
          result(
            { name: 'between_amount', severity: 'quarantine', rule: { kind: 'between', column: 'amount', min: '0', max: '100000' } },
            { status: 'quarantine', found: 2, history: days({ 8: 'quarantine', 29: 'quarantine' }) },
          ),
          result(
            { name: 'fresh_placed', severity: 'block', rule: { kind: 'fresh', column: 'placed', withinMs: HOUR } },
            { found: null, of: null, measured: '3 min', history: days({ 11: 'block' }) },
          ),
          result({ name: 'unique_id', severity: 'quarantine', rule: { kind: 'unique', columns: ['id'] } }),
          result({
            name: 'references_customer',
            severity: 'warn',
            rule: { kind: 'references', column: 'customer', to: { relation: 'customers', column: 'id' } },
          }),
          result({ name: 'not_null_customer', severity: 'warn', rule: { kind: 'not_null', column: 'customer' } }),
          result({
            name: 'in_status',
            severity: 'warn',
            rule: { kind: 'in', column: 'status', values: ['placed', 'sent', 'paid', 'adjusted'] },
          }),
          result(
            { name: 'row_count_anomaly', severity: 'warn', rule: { kind: 'row_count_anomaly', sigma: 3 } },
            {
              found: null,
              of: null,
              measured: '49, expected 38 to 66',
              history: days({ 5: 'never', 12: 'never', 19: 'never', 26: 'never' }),
            },
          ),
          result({ name: 'matches_id', severity: 'warn', rule: { kind: 'matches', column: 'id', pattern: '^C?[0-9]{6}$' } }),
        ],
      },
    ],
    targetMs: MINUTE,
    setAside: {
      check: 'between(amount, 0, 100000)',
      rows: {
        columns: [
          { name: '_ingested_at', type: 'timestamp' },
          { name: 'code', type: 'string' },
          { name: 'field', type: 'string' },
          { name: 'message', type: 'string' },
          { name: 'raw', type: 'json' },
        ],
        rows: ['A563187', 'A563186'].map((id) => [
          '2026-11-20T09:04:11.204112Z',
          'MR_ROW_CHECK',
          'amount',
          '-11062.06 is outside 0 to 100000',
          `{"id":"${id}","amount":"-11062.06","customer":null,"status":"adjusted"}`,
        ]),
        matched: 2,
        total: 2,
        snapshot: null,
        tail: false,
        durationMs: 2,
        policy: { rowFilter: false, masked: [] },
        nowMs: START_MS,
      },
    },
  }
}

export function snapshotsPage(): Omit<SnapshotsPage, 'nowMs'> {
  const lines: [number, string, string, number, number, number, string, string | null][] = [
    [3214, '12:49:17', '4815', 2, 1, 1716, 'a41f9c2', '1 day'],
    [3213, '12:39:09', '4813', 3, 3, 1714, 'a41f9c2', '1 day'],
    [3212, '12:29:12', '4811', 3, 2, 1714, 'a41f9c2', '1 day'],
    [3211, '12:19:08', '4810', 2, 2, 1713, 'a41f9c2', '1 day'],
    [3210, '12:12:40', '4808', 26, 26, 1713, 'a41f9c2', 'code change, 26 days'],
    [3209, '12:09:11', '4807', 2, 1, 1713, '7be02d1', '1 day'],
  ]
  return {
    snapshots: lines.map(([sequence, clock, run, added, removed, rows, code, note]) => ({
      id: `5312906377301${sequence}831`,
      sequence,
      committedAtMs: at(clock),
      operation: 'overwrite',
      run: { id: run, name: `run ${run}` },
      added,
      removed,
      rows,
      files: 13,
      bytes: 402_113,
      inputs: [
        { relation: 'orders', sequence: sequence - 1334, id: '1' },
        { relation: 'customers', sequence: 412, id: '2' },
      ],
      code,
      refs: [],
      note,
    })),
    total: 214,
    bytes: 6.2e6,
    keepMs: 400 * DAY,
  }
}

// --- lineage --------------------------------------------------------------------------------------------------------

const relationNode = (name: string): LineageNode => {
  const relation = relations.find((one) => one.name === name)!
  const made: Record<string, string> = {
    day: 'CAST(orders.placed AS date)',
    country: 'customers.country',
    orders: 'count(*)',
    revenue: 'sum(orders.amount)',
  }
  return {
    id: `relation:${name}`,
    kind: relation.how === 'processor' ? 'processor' : relation.kind,
    name,
    note: relation.kind === 'model' ? relation.how : relation.how === 'processor' ? 'processor' : relation.kind,
    freshness: relation.freshness,
    checks: relation.checks,
    at: `${relation.kind}s.ts:12`,
    ...(relation.doc ? { doc: relation.doc } : {}),
    columns: (SHAPES[name] ?? []).map((one) => ({
      name: one.name,
      type: typeText(one.type),
      ...(one.unit ? { unit: one.unit } : {}),
      ...(one.pii ? { pii: one.pii } : {}),
      ...(name === 'daily_revenue' ? { made: made[one.name] ?? '' } : {}),
    })),
  }
}
const other = (kind: LineageNode['kind'], name: string, note: string, columns: string[] = []): LineageNode => ({
  id: `${kind}:${name}`,
  kind,
  name,
  note,
  columns: columns.map((column) => ({ name: column, type: 'string' })),
})

export const lineage: Omit<Lineage, 'nowMs'> = {
  nodes: [
    other('source', 'shop files', 'csv · 15 min'),
    other('source', 'product API', 'http · 15 min'),
    other('source', 'collector', 'http · live'),
    ...relations.map((one) => relationNode(one.name)),
    other('endpoint', '/revenue/:country', 'endpoint', ['day', 'revenue']),
    other('endpoint', '/products/:id', 'endpoint', ['name', 'sales']),
    other('dashboard', 'operations', '8 tiles', ['revenue']),
    other('alert', 'fraud_desk', 'alert'),
    {
      ...other('sink', 'facts_out', 'topic shop.facts of bus', ['order', 'amount']),
      at: 'serving.ts:30',
      doc: 'What the warehouse team reads.',
      flow: { topic: 'shop.facts', bus: 'bus', format: 'avro', key: ['order'], everyMs: 5000, lag: 1204, stopped: null },
    },
    {
      ...other('sink', 'suspects_out', 'topic shop.suspects of bus', ['id']),
      at: 'serving.ts:36',
      flow: {
        topic: 'shop.suspects',
        bus: 'bus',
        format: 'json',
        key: [],
        everyMs: 5000,
        lag: null,
        stopped: {
          code: 'MR_KAFKA_TOPIC',
          message: 'the topic "shop.suspects" does not exist on bus',
          fix: 'create the topic; Millrace does not',
          sinceMs: START_MS - 3 * HOUR,
        },
      },
    },
  ],
  edges: (
    [
      ['source:shop files', 'relation:customers'],
      ['source:shop files', 'relation:orders'],
      ['source:shop files', 'relation:order_lines'],
      ['source:product API', 'relation:products', true],
      ['source:collector', 'relation:clicks'],
      ['source:collector', 'relation:payments'],
      ['relation:customers', 'relation:customer_history'],
      ['relation:customers', 'relation:daily_revenue'],
      ['relation:orders', 'relation:daily_revenue'],
      ['relation:orders', 'relation:order_facts'],
      ['relation:customers', 'relation:order_facts'],
      ['relation:order_lines', 'relation:sales_by_product'],
      ['relation:products', 'relation:sales_by_product', true],
      ['relation:clicks', 'relation:product_views_1m'],
      ['relation:payments', 'relation:suspects'],
      ['relation:daily_revenue', 'endpoint:/revenue/:country'],
      ['relation:daily_revenue', 'dashboard:operations'],
      ['relation:sales_by_product', 'endpoint:/products/:id', true],
      ['relation:product_views_1m', 'dashboard:operations'],
      ['relation:suspects', 'dashboard:operations'],
      ['relation:suspects', 'alert:fraud_desk'],
      ['relation:order_facts', 'sink:facts_out'],
      ['relation:suspects', 'sink:suspects_out', true],
    ] as [string, string, boolean?][]
  ).map(([from, to, stopped]) => ({ from, to, stopped: stopped ?? false })),
  columns: (
    [
      ['orders', 'amount', 'daily_revenue', 'revenue', 'value', 'value'],
      ['orders', 'customer', 'daily_revenue', 'revenue', 'filter', 'join'],
      ['customers', 'id', 'daily_revenue', 'revenue', 'filter', 'join'],
      ['customers', 'country', 'daily_revenue', 'revenue', 'filter', 'group'],
      ['customers', 'country', 'daily_revenue', 'country', 'value', 'value'],
      ['orders', 'placed', 'daily_revenue', 'day', 'value', 'cast'],
    ] as [string, string, string, string, 'value' | 'filter', string][]
  )
    .map(([from, fromColumn, to, toColumn, role, note]) => ({
      from: { node: `relation:${from}`, column: fromColumn },
      to: { node: `relation:${to}`, column: toColumn },
      role,
      note,
    }))
    .concat([
      {
        from: { node: 'relation:daily_revenue', column: 'revenue' },
        to: { node: 'endpoint:/revenue/:country', column: 'revenue' },
        role: 'value',
        note: 'value',
      },
      {
        from: { node: 'relation:daily_revenue', column: 'revenue' },
        to: { node: 'dashboard:operations', column: 'revenue' },
        role: 'value',
        note: 'value',
      },
      {
        from: { node: 'relation:daily_revenue', column: 'day' },
        to: { node: 'endpoint:/revenue/:country', column: 'day' },
        role: 'value',
        note: 'value',
      },
    ]),
}

/** The part of the graph within two edges of one relation. */
export function lineageAround(name: string): Omit<Lineage, 'nowMs'> {
  const near = new Set([`relation:${name}`])
  for (const [from, to] of [
    ['from', 'to'],
    ['to', 'from'],
  ] as const) {
    let edge = new Set([`relation:${name}`])
    for (let depth = 0; depth < 2; depth++) {
      edge = new Set(lineage.edges.filter((one) => edge.has(one[from])).map((one) => one[to]))
      for (const id of edge) near.add(id)
    }
  }
  return {
    nodes: lineage.nodes.filter((node) => near.has(node.id)),
    edges: lineage.edges.filter((edge) => near.has(edge.from) && near.has(edge.to)),
    columns: lineage.columns.filter((edge) => near.has(edge.from.node) && near.has(edge.to.node)),
  }
}

// --- streams --------------------------------------------------------------------------------------------------------

const counters = (inRows: number, deduplicated: number, late: number, rejected: number, skewed: number): Conservation => ({
  sinceMs: START_MS - DAY,
  in: inRows,
  out: inRows - deduplicated - late - rejected,
  deduplicated,
  late,
  rejected,
  skewed,
  pending: 0,
  unbalanced: [],
})
export const allStreams: Conservation = counters(1677122, 19204, 2871, 759, 412)

export const streams: readonly StreamSummary[] = [
  {
    name: 'clicks',
    source: 'http',
    doc: 'What visitors of the shop do.',
    partitions: 4,
    ratePerSecond: 34.1,
    lagMaxMs: 64,
    watermarkMs: at('12:38:12'),
    behind: [2],
    stopped: null,
    conservation: counters(1654740, 19204, 2871, 759, 412),
  },
  {
    name: 'payments',
    source: 'http',
    doc: 'Payments.',
    partitions: 4,
    ratePerSecond: 0.4,
    lagMaxMs: 41,
    watermarkMs: at('12:42:01'),
    behind: [],
    stopped: null,
    conservation: counters(22064, 0, 0, 0, 0),
  },
  {
    name: 'suspects',
    source: 'processor',
    doc: 'Payments that look like fraud.',
    partitions: 4,
    ratePerSecond: 0.01,
    lagMaxMs: 88,
    watermarkMs: at('12:41:57'),
    behind: [],
    stopped: null,
    conservation: counters(318, 0, 0, 0, 0),
  },
]

export function streamDetail(name: string, range: string): Omit<StreamDetail, 'nowMs'> | null {
  const stream = streams.find((one) => one.name === name)
  if (stream === undefined) return null
  const random = noise(3)
  const stepMs = range === '1h' ? MINUTE : range === '24h' ? 15 * MINUTE : 2 * HOUR
  const count = range === '7d' ? 84 : range === '24h' ? 96 : 61
  const spike = (index: number): number => Math.exp(-(((index - 41) / 2.5) ** 2))
  const rate = Array.from({ length: count }, (_, index) => 32 + random() * 5 + 13 * spike(index))
  const partition = (no: number) =>
    Array.from({ length: count }, (_, index) => (10 + random() * 0.6 + (no === 2 && index > 50 ? (index - 50) * 0.4 : 0)) * MINUTE)
  return {
    stream,
    key: name === 'clicks' ? 'session' : 'customer',
    time: 'seen',
    latenessMs: 10 * MINUTE,
    maxSkewMs: MINUTE,
    at: 'streams.ts:4',
    owner: 'shop-team',
    series: {
      startMs: START_MS - (count - 1) * stepMs,
      stepMs,
      rate: [
        { name: 'in', values: rate },
        { name: 'out', values: rate.map((value) => value - 0.3) },
      ],
      lag: [
        {
          name: name === 'clicks' ? 'product_views_1m' : 'readers',
          values: Array.from({ length: count }, (_, index) => 55 + random() * 25 + 290 * spike(index)),
        },
        { name: 'table', values: Array.from({ length: count }, (_, index) => 30 + random() * 15 + 110 * spike(index)) },
      ],
      watermark: [0, 1, 2, 3].map((no) => ({ name: String(no), values: partition(no) })),
    },
    partitions: [
      { partition: 0, endOffset: 413902, committedOffset: 413490, watermarkMs: at('12:41:49'), share: 0.25 },
      { partition: 1, endOffset: 411377, committedOffset: 410979, watermarkMs: at('12:41:50'), share: 0.25 },
      { partition: 2, endOffset: 418846, committedOffset: 418391, watermarkMs: at('12:38:12'), share: 0.26 },
      { partition: 3, endOffset: 410615, committedOffset: 410214, watermarkMs: at('12:41:50'), share: 0.24 },
    ],
    rejected: {
      total: stream.conservation.rejected,
      groups:
        name === 'clicks'
          ? [
              {
                code: 'MR_ROW_MISSING',
                field: 'session',
                rows: 402,
                firstAtMs: at('09:14:00'),
                lastAtMs: at('12:51:00'),
                newest: '{"id":"7f0c2b1e-44","page":"product","product":"22423","seen":"2026-11-20T12:51:00Z"}',
              },
              {
                code: 'MR_ROW_ENUM',
                field: 'page',
                rows: 311,
                firstAtMs: at('10:02:00'),
                lastAtMs: at('12:20:00'),
                newest: '{"id":"c2e1aa07-91","session":"s-81204","page":"wishlist"}',
              },
              {
                code: 'MR_ROW_TYPE',
                field: 'seen',
                rows: 46,
                firstAtMs: at('11:47:00'),
                lastAtMs: at('12:44:00'),
                newest: '{"id":"09bd4c55-02","seen":"20/11/2026 11:47"}',
              },
            ]
          : [],
    },
  }
}

// --- runs -----------------------------------------------------------------------------------------------------------

const run = (
  id: number,
  name: string,
  trigger: string,
  state: RunSummary['state'],
  clock: string,
  ms: number | null,
  steps: [number, number, number] = [1, 0, 0],
): RunSummary => {
  const startedAtMs = at(clock)
  const [done, failed, skipped] = steps
  return {
    id: String(id),
    name,
    trigger,
    state,
    startedAtMs,
    endedAtMs: ms === null ? null : startedAtMs + ms,
    steps: { total: Math.max(1, done + failed + skipped), done, failed, skipped },
  }
}
export const runs: readonly RunSummary[] = [
  run(4816, 'compact order_lines', 'file count over 64', 'running', '12:52:00', null, [0, 0, 0]),
  run(4815, 'after orders', 'orders committed', 'done', '12:49:13', 4100),
  run(4814, 'products', 'every 15 minutes', 'failed', '12:46:00', 72_000, [0, 1, 0]),
  run(4813, 'after orders', 'orders committed', 'done', '12:39:05', 3900),
  run(4812, 'hourly sales', 'cron 30 * * * * Europe/London', 'partial', '12:30:00', 96_118, [6, 1, 2]),
  run(4811, 'after orders', 'orders committed', 'done', '12:29:08', 4000),
  run(4810, 'after orders', 'orders committed', 'done', '12:19:04', 3700),
  run(4809, 'products', 'every 15 minutes', 'failed', '12:16:00', 72_000, [0, 1, 0]),
  run(4808, 'backfill 88', 'code change', 'done', '12:12:34', 6400),
  run(4807, 'after orders', 'orders committed', 'done', '12:09:07', 3800),
  run(4806, 'products', 'every 15 minutes', 'failed', '12:01:00', 72_000, [0, 1, 0]),
  run(4805, 'compact clicks', 'file count over 64', 'done', '12:00:20', 22_600),
  run(4804, 'revenue_out', 'hourly', 'done', '12:00:00', 1900),
  run(4803, 'products', 'every 15 minutes', 'failed', '11:46:00', 72_000, [0, 1, 0]),
]
export const buckets = Array.from({ length: 24 }, (_, index) => ({
  startMs: START_MS - (24 - index) * HOUR,
  runs: 14 + ((index * 7) % 6),
  failed: index > 21 ? 3 : 0,
}))

const base = at('12:30:00')
const step = (name: string, startS: number, ms: number, note: string | null, rows: number, relation: string | null = null): RunStep => ({
  name,
  relation,
  note,
  state: 'done',
  startedAtMs: base + startS * SECOND,
  endedAtMs: base + startS * SECOND + ms,
  tries: [{ startedAtMs: base + startS * SECOND, endedAtMs: base + startS * SECOND + ms, error: null }],
  waitsOn: [],
  rows,
  error: null,
  log: [{ atMs: base + startS * SECOND, level: 'info', text: 'step started' }],
  saved: null,
  effects: relation === null ? [] : [{ relation, snapshot: { id: '3212', sequence: 3212 }, added: rows, removed: 0 }],
  sql: relation === 'daily_revenue' ? REVENUE_SQL : null,
  query: { cpuMs: 812, peakBytes: 41e6, readBytes: 1.2e6, rowsRead: 25900 },
})
const skipped = (name: string, on: string): RunStep => ({
  name,
  relation: null,
  note: null,
  state: 'skipped',
  startedAtMs: null,
  endedAtMs: null,
  tries: [],
  waitsOn: [on],
  rows: null,
  error: null,
  log: [],
  saved: null,
  effects: [],
  sql: null,
  query: null,
})
const failure = {
  code: 'MR_INGEST_SOURCE',
  message: 'the product API answered 503 in 3 of 3 tries.',
  fix: "ask the owner of the product API, or set onUnavailable: 'keep' to let readers go on with the last load",
  at: 'tables.ts:22',
}
const failedLoad: RunStep = {
  ...step('products.load', 0, 96_118, null, 0),
  relation: 'products',
  state: 'failed',
  tries: [
    { startedAtMs: base, endedAtMs: base + 9000, error: '503' },
    { startedAtMs: base + 39_000, endedAtMs: base + 47_000, error: '503' },
    { startedAtMs: base + 87_000, endedAtMs: base + 96_000, error: '503' },
  ],
  error: failure,
  effects: [],
  log: (
    [
      [12, 'info', 'step started, try 1 of 3'],
      [9004, 'warn', 'GET /v1/products?since=2026-11-20T11:16:04Z answered 503 after 9.0 s'],
      [39_018, 'info', 'try 2 of 3 after 30 s'],
      [47_221, 'warn', 'GET /v1/products?since=2026-11-20T11:16:04Z answered 503 after 8.2 s'],
      [87_240, 'info', 'try 3 of 3 after 40 s'],
      [96_118, 'error', 'MR_INGEST_SOURCE: products answered 503; nothing was committed'],
    ] as [number, 'info' | 'warn' | 'error', string][]
  ).map(([ms, level, text]) => ({ atMs: base + ms, level, text })),
}

export function runDetail(id: string): Omit<RunDetail, 'nowMs'> | null {
  const summary = runs.find((one) => one.id === id)
  if (summary === undefined) return null
  const hourly = id === '4812'
  const failed = summary.steps.failed > 0
  const steps = hourly
    ? [
        failedLoad,
        step('order_lines.catch_up', 0, 2400, null, 1106),
        step('orders.checks', 2.4, 1800, '8 checks', 25900),
        step('daily_revenue', 4.2, 900, '1 of 305 days', 5, 'daily_revenue'),
        step('customer_history', 4.2, 2100, '3 keys', 3, 'customer_history'),
        step('order_facts', 5.1, 16_300, 'full', 25900, 'order_facts'),
        skipped('sales_by_product', 'products'),
        skipped('sound_sales', 'sales_by_product'),
        step('revenue_out', 5.1, 1900, 'upsert', 5),
      ]
    : failed
      ? [failedLoad]
      : [step(summary.name, 0, summary.endedAtMs === null ? 8000 : summary.endedAtMs - summary.startedAtMs, null, 5, 'daily_revenue')]
  return {
    run: summary,
    code: 'a41f9c2',
    zone: 'Europe/London',
    steps,
    failure: failed
      ? {
          step: 'products.load',
          error: failure,
          left: 'Last good load at 11:16:06. Nothing was committed by this step; products keeps its 4,070 rows.',
        }
      : null,
    mayResume: failed,
    holdsBack: failed ? ['sales_by_product', 'GET /products/:id'] : [],
  }
}

// --- dashboards and sql ---------------------------------------------------------------------------------------------

const COUNTRIES: [string, number][] = [
  ['Netherlands', 22875],
  ['Germany', 17878],
  ['France', 17591],
  ['EIRE', 16125],
  ['Norway', 7646],
  ['Spain', 5132],
  ['Portugal', 4148],
]
const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']

export const dashboard: Omit<DashboardDetail, 'nowMs'> = {
  dashboard: { name: 'operations', at: 'dashboards.ts:1', title: 'operations' },
  tiles: [
    { kind: 'number', title: 'Revenue today', inputs: ['daily_revenue'], y: ['revenue'], unit: 'GBP', span: 3 },
    { kind: 'number', title: 'Orders today', inputs: ['orders'], y: ['orders'], span: 3 },
    { kind: 'number', title: 'Product views, last min', inputs: ['product_views_1m'], y: ['views'], span: 3 },
    { kind: 'number', title: 'Suspect payments today', inputs: ['suspects'], y: ['suspects'], span: 3 },
    {
      kind: 'line',
      title: 'Revenue today and last Friday',
      inputs: ['order_facts'],
      x: 'at',
      y: ['revenue'],
      by: 'day',
      unit: 'GBP',
      span: 7,
    },
    {
      kind: 'bar',
      title: 'Revenue outside the UK, November',
      inputs: ['daily_revenue'],
      x: 'country',
      y: ['revenue'],
      unit: 'GBP',
      span: 5,
    },
    { kind: 'table', title: 'Suspect payments', inputs: ['suspects'], span: 5 },
    { kind: 'heat', title: 'Orders by weekday and hour', inputs: ['order_facts'], x: 'hour', y: ['orders'], by: 'weekday', span: 7 },
  ],
}

const source = (name: string) => ({ relation: name, freshness: relations.find((one) => one.name === name)!.freshness })
const answer = (columns: [string, string][], rows: Cell[][], from: string, masked: string[] = []): Omit<TileAnswer, 'nowMs'> => ({
  columns: columns.map(([name, type]) => ({ name, type })),
  rows,
  sources: [source(from)],
  policy: { rowFilter: false, masked },
})

export function tile(index: number): Omit<TileAnswer, 'nowMs'> | null {
  const random = noise(11)
  const halfHours = Array.from({ length: 27 }, (_, i) => new Date(at('08:00:00') + i * 30 * MINUTE).toISOString())
  const total = { today: 0, last: 0 }
  const tiles: (() => Omit<TileAnswer, 'nowMs'>)[] = [
    () =>
      answer(
        [
          ['revenue', 'decimal(38,2)'],
          ['change', 'string'],
        ],
        [['32131.53', '+25.3 % on last Friday, 13:00']],
        'daily_revenue',
      ),
    () =>
      answer(
        [
          ['orders', 'long'],
          ['expected', 'string'],
        ],
        [[49, 'expected 38 to 66']],
        'orders',
      ),
    () =>
      answer(
        [
          ['views', 'long'],
          ['cart', 'string'],
        ],
        [[1204, '1.9 % go to the cart']],
        'product_views_1m',
      ),
    () =>
      answer(
        [
          ['suspects', 'long'],
          ['share', 'string'],
        ],
        [[11, '0.9 % of 1,236']],
        'suspects',
      ),
    () =>
      answer(
        [
          ['at', 'timestamp'],
          ['day', 'string'],
          ['revenue', 'double'],
        ],
        halfHours.flatMap((time, i): Cell[][] => {
          total.last += random() * 4200
          if (i < 10) total.today += random() * 6400
          return [...(i < 10 ? [[time, 'today', Math.round(total.today)]] : []), [time, 'last Friday', Math.round(total.last)]]
        }),
        'order_facts',
      ),
    () =>
      answer(
        [
          ['country', 'string'],
          ['revenue', 'long'],
        ],
        COUNTRIES,
        'daily_revenue',
      ),
    () =>
      answer(
        [
          ['seen', 'timestamp'],
          ['customer', 'string'],
          ['reason', 'string'],
          ['score', 'double'],
        ],
        ['51b0…e6', '8c1f…02', 'e47a…9d', '0d33…71', 'b9a4…5c', '77fe…10'].map((customer, i) => [
          new Date(at('12:51:02') - i * 17 * MINUTE).toISOString(),
          customer,
          i % 2 === 0 ? 'model' : 'cards',
          i % 2 === 0 ? 0.97 - i / 100 : 1,
        ]),
        'suspects',
        ['customer'],
      ),
    () =>
      answer(
        [
          ['weekday', 'string'],
          ['hour', 'string'],
          ['orders', 'long'],
        ],
        DAYS.flatMap((day) =>
          Array.from({ length: 14 }, (_, hour): Cell[] => [
            day,
            String(hour + 7).padStart(2, '0'),
            day === 'Sat' ? 0 : Math.round(206 * Math.exp(-(((hour - 5.5) / 3.6) ** 2)) * (0.7 + random() * 0.3)),
          ]),
        ),
        'order_facts',
      ),
  ]
  return tiles[index]?.() ?? null
}

const WEEK: Cell[][] = [
  ['United Kingdom', '287414.55', '287368.50', 0],
  ['Netherlands', '11728.02', '119.00', 9755.5],
  ['Germany', '7071.00', '4121.36', 71.6],
  ['EIRE', '6301.97', '5324.45', 18.4],
  ['France', '4747.08', '7126.20', -33.4],
  ['Norway', '2785.70', '2843.29', -2],
  ['Portugal', '1365.02', '1492.93', -8.6],
  ['Belgium', '1107.41', '535.07', 107],
  ['Austria', '683.20', null, null],
  ['Greece', '680.99', null, null],
  ['USA', '345.32', '269.96', 27.9],
  ['Spain', '271.43', '170.74', 59],
  ['Iceland', '224.82', null, null],
  ['Italy', '200.45', '-197.80', null],
]
export const WEEK_SQL = `-- Week on week
SELECT country,
       sum(revenue) FILTER (WHERE day >= DATE '2026-11-15') AS this_week,
       sum(revenue) FILTER (WHERE day <  DATE '2026-11-15') AS last_week,
       round(100 * (this_week / last_week - 1), 1) AS change
FROM daily_revenue
WHERE day >= DATE '2026-11-08'
GROUP BY ALL ORDER BY this_week DESC`

/** The few questions that the console itself and the tests ask. */
export function sqlAnswer(sql: string): SqlAnswer {
  const common = {
    snapshots: { daily_revenue: '3214' },
    tail: true,
    durationMs: 6,
    readBytes: 36_112,
    policy: { rowFilter: false, masked: [] },
  }
  if (/^SELECT CAST\("\w+" AS DATE\) AS day, count/.test(sql)) {
    const measures = (sql.match(/sum\("(\w+)"\)/g) ?? []).map((one) => one.slice(5, -2))
    const random = noise(5)
    const rows = Array.from({ length: 61 }, (_, index): Cell[] => {
      const day = new Date(at('00:00:00') - index * 1.15 * DAY).toISOString().slice(0, 10)
      const value = index === 0 ? 32131.53 : 12000 + random() * 60000 + (index === 22 ? 52000 : 0)
      return [day, Math.round(value / 420), ...measures.map((name) => (name === 'revenue' ? value.toFixed(2) : Math.round(value / 300)))]
    })
    return {
      ...common,
      columns: [
        { name: 'day', type: 'DATE' },
        { name: 'count', type: 'BIGINT' },
        ...measures.map((name) => ({ name, type: 'DECIMAL(38,2)' })),
      ],
      rows,
    }
  }
  if (sql.includes('many_rows'))
    return {
      ...common,
      columns: [
        { name: 'n', type: 'BIGINT' },
        { name: 'word', type: 'VARCHAR' },
      ],
      rows: Array.from({ length: 5000 }, (_, index): Cell[] => [index, `word ${index}`]),
    }
  return {
    ...common,
    columns: [
      { name: 'country', type: 'VARCHAR' },
      { name: 'this_week', type: 'DECIMAL(38,2)' },
      { name: 'last_week', type: 'DECIMAL(38,2)' },
      { name: 'change', type: 'DOUBLE' },
    ],
    rows: WEEK,
  }
}

/** 'analyst' sees own country and hashed customers: the fixture only says that a filter applied. */
export const sqlWritten: SqlWritten = {
  relation: 'products',
  inserted: 0,
  updated: 3,
  deleted: 1,
  offsets: [{ partition: 0, first: 4_120, last: 4_123 }],
  durationMs: 24.6,
}

export const sqlAs = (sql: string, role: string | null): SqlAnswer =>
  role === null || role === 'administrator'
    ? sqlAnswer(sql)
    : { ...sqlAnswer(sql), rows: sqlAnswer(sql).rows.slice(2, 3), policy: { rowFilter: true, masked: ['country'] } }

export const attention = [
  {
    kind: 'late' as const,
    severity: 'bad' as const,
    subject: 'products',
    relation: 'products',
    runId: '4812',
    sinceMs: at('11:31:36'),
    detail: 'The product API answered 503 in 3 of 3 tries. Last good load at 11:16.',
    holdsBack: ['sales_by_product', 'GET /products/:id'],
  },
  {
    kind: 'check' as const,
    severity: 'warn' as const,
    subject: 'orders',
    relation: 'orders',
    sinceMs: at('09:04:11'),
    detail: 'sound_orders: amount −11,062.06 is outside 0 to 100,000.',
    holdsBack: [],
    rows: 2,
  },
  {
    kind: 'rejected' as const,
    severity: 'warn' as const,
    subject: 'clicks',
    relation: 'clicks',
    sinceMs: at('12:20:00'),
    detail: '402 rows lack session, 311 have a page that is not allowed.',
    holdsBack: [],
    rows: 759,
  },
]
