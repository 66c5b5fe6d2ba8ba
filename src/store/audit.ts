// The audit trail: a chain in which each entry's hash covers the entry and the hash before it, so that a changed, removed
// or inserted entry shows. Whoever can write the database can rebuild the whole chain: keep its newest hash elsewhere.
import { createHash } from 'node:crypto'
import type { Store } from './open-store.ts'
import type { AuditRow } from './tables.ts'

export interface AuditEntry {
  readonly atMs: number
  readonly user: string
  readonly roles: readonly string[]
  /** 'query', 'token.create', 'deploy', 'erase', ... */
  readonly action: string
  /** What it was done to. */
  readonly object: string
  readonly detail: unknown
  readonly outcome: 'allowed' | 'denied' | 'failed'
}

export interface AuditRecord extends AuditEntry {
  readonly sequence: number
  readonly hash: string
}

type Database = Pick<Store, 'read' | 'write'>

const GENESIS = '0'.repeat(64)

/** Appends entries in order; answers the newest hash. */
export const appendAudit = (store: Database, entries: readonly AuditEntry[]): Promise<string> =>
  store.write(async (tx) => {
    const last = await tx.selectFrom('audit').select(['sequence', 'hash']).orderBy('sequence', 'desc').limit(1).executeTakeFirst()
    let [sequence, hash] = [last?.sequence ?? 0, last?.hash ?? GENESIS]
    for (const entry of entries) {
      const row = chained(entry, ++sequence, hash)
      await tx.insertInto('audit').values(row).execute()
      hash = row.hash
    }
    return hash
  })

function chained(entry: AuditEntry, sequence: number, previousHash: string): AuditRow {
  const row = { ...entry, sequence, roles: JSON.stringify(entry.roles), detail: JSON.stringify(entry.detail ?? null), previousHash }
  return { ...row, hash: hashOf(row) }
}

const hashOf = (row: Omit<AuditRow, 'hash'>): string =>
  createHash('sha256')
    .update(
      JSON.stringify([row.sequence, row.atMs, row.user, row.roles, row.action, row.object, row.detail, row.outcome, row.previousHash]),
    )
    .digest('hex')

const PAGE = 1_000

/** Number of the first entry that does not fit the chain; null when all do. */
export async function verifyAudit(store: Database): Promise<number | null> {
  let [next, hash] = [1, GENESIS]
  for (;;) {
    const rows = await store.read.selectFrom('audit').selectAll().where('sequence', '>=', next).orderBy('sequence').limit(PAGE).execute()
    for (const row of rows) {
      if (row.sequence !== next || row.previousHash !== hash || hashOf(row) !== row.hash) return next
      next++
      hash = row.hash
    }
    if (rows.length < PAGE) return null
  }
}

export interface AuditFilter {
  readonly user?: string
  readonly action?: string
  readonly object?: string
  /** Only entries before this number: for paging. */
  readonly before?: number
  readonly limit?: number
}

/** Newest first. */
export async function listAudit(store: Database, filter: AuditFilter = {}): Promise<AuditRecord[]> {
  let query = store.read.selectFrom('audit').selectAll()
  if (filter.user !== undefined) query = query.where('user', '=', filter.user)
  if (filter.action !== undefined) query = query.where('action', '=', filter.action)
  if (filter.object !== undefined) query = query.where('object', '=', filter.object)
  if (filter.before !== undefined) query = query.where('sequence', '<', filter.before)
  const rows = await query
    .orderBy('sequence', 'desc')
    .limit(filter.limit ?? 100)
    .execute()
  return rows.map(({ previousHash: _previousHash, ...row }) => ({
    ...row,
    roles: JSON.parse(row.roles) as string[],
    detail: JSON.parse(row.detail) as unknown,
    outcome: row.outcome as AuditEntry['outcome'],
  }))
}
