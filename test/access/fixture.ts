// A small shop under policies: Parquet files with dictionaries, a hot tail, models and callers, for the tests of access.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '../../src/core/clock.ts'
import type { Manifest, ModelManifest, Relation, StreamManifest, TableManifest } from '../../src/define/manifest.ts'
import { openParser, type SqlParser } from '../../src/engine/ast.ts'
import { type Engine, openEngine, type ResultSet, type Session } from '../../src/engine/duckdb.ts'
import type { Identity } from '../../src/govern/identity.ts'
import { type At, type Guard, openGuard, type Resolved, type ResolveOptions, type SecureOptions } from '../../src/govern/secure.ts'
import type { PruneTerm } from '../../src/lake/types.ts'
import type { Field, Type } from '../../src/schema/type.ts'

export const field = (name: string, type: Type | Type['kind'], more: Partial<Field> = {}): Field => ({
  name,
  type: typeof type === 'string' ? ({ kind: type } as Type) : type,
  optional: true,
  ...more,
})

const common = (name: string, fields: readonly Field[]) =>
  ({ name, at: 'test:1', tags: [], shape: { fields }, partition: [], cluster: [], keep: { logMs: 1 } }) as const

export const tableOf = (name: string, fields: readonly Field[]): TableManifest => ({
  ...common(name, fields),
  kind: 'table',
  key: [],
  source: { kind: 'none' },
  load: 'full',
})

export const streamOf = (name: string, fields: readonly Field[]): StreamManifest => ({
  ...common(name, fields),
  kind: 'stream',
  source: 'http',
  partitions: 1,
  latenessMs: 0,
})

export const viewOf = (name: string, fields: readonly Field[], text: string): ModelManifest => ({
  ...common(name, fields),
  kind: 'model',
  sql: { text, params: [] },
  inputs: [],
  refresh: 'view',
  key: [],
  emit: 'final',
  declared: false,
})

export const manifestOf = (relations: readonly Relation[], access: Partial<Manifest>): Manifest => ({
  version: 1,
  project: 'shop',
  relations,
  processors: [],
  checks: [],
  roles: [],
  grants: [],
  policies: [],
  masks: [],
  endpoints: [],
  jobs: [],
  alerts: [],
  dashboards: [],
  ...access,
})

export const MANIFEST = manifestOf(
  [
    tableOf('customers', [
      field('id', 'string'),
      field('country', 'string'),
      field('email', 'string', { pii: 'email' }),
      field('phone', 'string', { pii: 'phone' }),
      field('born', 'date', { pii: 'born' }),
      field('spent', { kind: 'decimal', precision: 12, scale: 2 }),
    ]),
    tableOf('orders', [
      field('id', 'long'),
      field('customer', 'string'),
      field('country', 'string'),
      field('amount', { kind: 'decimal', precision: 12, scale: 2 }),
      field('note', 'string'),
      field('number', 'long'),
      field('placed', 'timestamp'),
    ]),
    streamOf('clicks', [field('page', 'string'), field('ip', 'string', { pii: 'ip' }), field('seen', 'timestamp')]),
    tableOf('payroll', [field('employee', 'string'), field('salary', 'long')]),
    tableOf('marts.daily', [
      field('day', 'date'),
      field('country', 'string'),
      field('revenue', { kind: 'decimal', precision: 38, scale: 2 }),
    ]),
    viewOf(
      'spenders',
      [field('country', 'string'), field('email', 'string', { pii: 'email' }), field('orders', 'long')],
      'SELECT c.country, c.email, count(*) AS orders FROM customers c JOIN main.orders o ON o.customer = c.id GROUP BY ALL',
    ),
    viewOf(
      'french',
      [field('id', 'long'), field('note', 'string'), field('number', 'long')],
      "SELECT id, note, number FROM orders WHERE country = 'FR'",
    ),
  ],
  {
    roles: [
      { name: 'analyst', at: 'test:1', attributes: { fields: [field('country', 'string')] } },
      { name: 'officer', at: 'test:1', attributes: { fields: [] } },
      { name: 'payer', at: 'test:1', attributes: { fields: [] } },
      { name: 'guest', at: 'test:1', attributes: { fields: [] } },
    ],
    grants: [
      { name: 'g1', at: 'test:1', to: ['analyst'], on: ['orders', 'customers', 'clicks', 'spenders', 'marts.*'], privilege: 'read' },
      { name: 'g2', at: 'test:1', to: ['officer'], on: ['orders', 'customers', 'clicks'], privilege: 'read' },
      { name: 'g4', at: 'test:1', to: ['guest'], on: ['french'], privilege: 'read' },
      { name: 'g3', at: 'test:1', to: ['payer'], on: ['payroll'], privilege: 'read' },
    ],
    policies: ['orders', 'customers', 'spenders'].map((on) => ({
      name: `own_${on}`,
      at: 'test:1',
      on,
      to: 'analyst',
      rows: { kind: 'compare', column: 'country', op: '=', value: { kind: 'attribute', name: 'country' } },
    })),
    masks: [{ name: 'hidden', at: 'test:1', by: { email: 'hash', phone: 'last4', born: 'year', ip: 'null' }, except: ['officer'] }],
  },
)

export const caller = (...roles: (readonly [string, Record<string, unknown>?])[]): Identity => ({
  user: 'someone',
  tokenId: 't1',
  roles: roles.map(([name, attributes = {}]) => ({ name, attributes })),
  isAdmin: false,
})

export const ADMIN: Identity = { user: 'root', tokenId: 't0', roles: [], isAdmin: true }
export const FRANCE = caller(['analyst', { country: 'FR' }])
export const OFFICER = caller(['officer'])

export const MASK_KEY = Buffer.from('0123456789abcdef0123456789abcdef')

export interface Shop {
  readonly engine: Engine
  readonly parser: SqlParser
  readonly guard: Guard
  readonly admin: Session
  readonly directory: string
  /** Pins that nobody has released. */
  readonly open: { count: number }
  /** By what each relation was last pruned. */
  readonly pruned: Map<string, readonly PruneTerm[]>
  ask(identity: Identity, sql: string, options?: SecureOptions): Promise<ResultSet>
  /** First column of the first row. */
  one(identity: Identity, sql: string, options?: SecureOptions): Promise<unknown>
  close(): Promise<void>
}

/** Rows of `orders`: even ids are in FR with harmless values, odd ones in US with values on which functions fail. */
const ORDERS = `SELECT i AS id, 'c' || (i % 100) AS customer, ['FR', 'US'][1 + i % 2] AS country, CAST((i % 50) + 0.5 AS DECIMAL(12, 2)) AS amount,
  CASE WHEN i % 2 = 0 THEN '5' ELSE '[SECRET-' || (i % 3) END AS note, CASE WHEN i % 2 = 0 THEN 65 ELSE -9223372036854775807 END AS number,
  TIMESTAMPTZ '2026-01-01 00:00:00+00' + INTERVAL 1 HOUR * (i % 1000) AS placed FROM range(20000) r(i)`

const TABLES: Readonly<Record<string, string>> = {
  orders: ORDERS,
  customers: `SELECT 'c' || i AS id, ['FR', 'US'][1 + i % 2] AS country, 'user' || i || '@example.com' AS email, '+33 555 ' || (1000 + i) AS phone,
    DATE '1990-05-17' + CAST(i AS INTEGER) AS born, CAST(i AS DECIMAL(12, 2)) AS spent FROM range(100) r(i)`,
  clicks: `SELECT 'home' AS page, '10.0.0.' || i AS ip, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS seen, 0 AS _partition, i AS _offset, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS _ingested_at FROM range(10) r(i)`,
  clicks__rejected: `SELECT 0 AS _partition, 1::BIGINT AS _offset, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS _ingested_at, '{"ip": "10.9.9.9"}' AS raw, 'MR_ROW_TYPE' AS code, 'ip: "10.9.9.9"' AS message, 'ip' AS field`,
  payroll: `SELECT 'boss' AS employee, 1000000::BIGINT AS salary`,
  'marts.daily': `SELECT DATE '2026-01-01' AS day, 'FR' AS country, CAST(5 AS DECIMAL(38, 2)) AS revenue`,
}

export async function openShop(): Promise<Shop> {
  const directory = await mkdtemp(join(tmpdir(), 'access-'))
  await mkdir(join(directory, 'temp'))
  const engine = await openEngine({
    clock: new VirtualClock(0),
    directories: [directory],
    tempDirectory: join(directory, 'temp'),
    threads: 2,
  })
  const admin = await engine.session()
  for (const [name, select] of Object.entries(TABLES))
    await admin.run(`COPY (${select}) TO '${directory}/${name}.parquet' (FORMAT parquet)`)
  await admin.run(`CREATE TABLE memory.tail."orders#0" AS SELECT * FROM (${ORDERS}) WHERE id < 10`)
  await admin.run(`UPDATE memory.tail."orders#0" SET id = id + 20000`)
  const parser = await openParser(engine)
  const open = { count: 0 }
  const pruned = new Map<string, readonly PruneTerm[]>()
  const resolve = async (relation: string, at: At | undefined, { committedOnly, prune }: ResolveOptions): Promise<Resolved> => {
    open.count++
    pruned.set(relation, prune)
    const release = (): void => void open.count--
    if (relation === 'millrace.runs') return { scanSql: "SELECT 'r1' AS id", version: 'runs', snapshotId: null, hasTail: false, release }
    const columns = (await admin.rows(`SELECT * FROM read_parquet('${directory}/${relation}.parquet') LIMIT 0`)).columns
    const list = columns.map((column) => `"${column.name}"`).join(', ')
    const files = `SELECT ${list} FROM read_parquet(['${directory}/${relation}.parquet'])`
    const hasTail = relation === 'orders' && at === undefined && !committedOnly
    return {
      scanSql: hasTail ? `${files} UNION ALL SELECT ${list} FROM memory.tail."orders#0"` : files,
      version: `7${at ? JSON.stringify(at) : ''}${hasTail ? '+0' : ''}`,
      snapshotId: at?.version ?? '7',
      hasTail,
      release,
    }
  }
  const guard = await openGuard({
    engine,
    parser,
    manifest: () => MANIFEST,
    resolve,
    systemRelation: (name, identity) => name === 'runs' && identity.isAdmin,
    maskKey: MASK_KEY,
  })
  const ask = async (identity: Identity, sql: string, options: SecureOptions = {}): Promise<ResultSet> => {
    const secured = await guard.secure(identity, sql, options)
    try {
      return await secured.session.rows(secured.sql, secured.params, { timeoutMs: 20_000 })
    } finally {
      await secured.release()
    }
  }
  return {
    engine,
    parser,
    guard,
    admin,
    directory,
    open,
    pruned,
    ask,
    one: async (identity, sql, options) => (await ask(identity, sql, options)).rows[0]?.[0],
    async close() {
      guard.close()
      parser.close()
      admin.close()
      engine.close()
      await rm(directory, { recursive: true })
    },
  }
}
