// The audit trail: append-only records, each hashed with the one before, so that a change, a gap or another order shows.
// Records of one turn are written together, in the order in which they were given.
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { asMillraceError } from '../core/errors.ts'
import type { Store } from '../store/open-store.ts'
import type { Identity } from './identity.ts'

export interface AuditEntry {
  readonly action: string
  readonly object: string
  readonly outcome: string
  readonly detail: Readonly<Record<string, unknown>>
}

export interface AuditRecord extends AuditEntry {
  readonly sequence: number
  readonly atMs: number
  readonly user: string
  readonly roles: readonly string[]
  readonly previousHash: string
  readonly hash: string
}

export interface Audit {
  /** Durable when it resolves. */
  record(identity: Identity, entry: AuditEntry): Promise<void>
  read(afterSequence: number, limit: number): Promise<readonly AuditRecord[]>
  /** The first record that does not fit, or null when the whole trail does. */
  verify(): Promise<{ sequence: number; reason: string } | null>
}

/** Does it and records it, whether it succeeded or by which error it was refused. */
export async function audited<T>(
  audit: Audit,
  identity: Identity,
  entry: Pick<AuditEntry, 'action' | 'object' | 'detail'>,
  work: () => Promise<T>,
  detailOf: (done: T) => AuditEntry['detail'] = () => ({}),
): Promise<T> {
  try {
    const done = await work()
    await audit.record(identity, { ...entry, outcome: 'ok', detail: { ...entry.detail, ...detailOf(done) } })
    return done
  } catch (cause) {
    await audit.record(identity, { ...entry, outcome: asMillraceError(cause).code })
    throw cause
  }
}

const START = '0'.repeat(64)

export function hashRecord(record: Omit<AuditRecord, 'hash'>): string {
  const { sequence, atMs, user, roles, action, object, outcome, detail, previousHash } = record
  return createHash('sha256')
    .update(JSON.stringify([sequence, atMs, user, roles, action, object, outcome, detail, previousHash]))
    .digest('hex')
}

/** Checks records in order; `previous` is the one before the first, null at the start of the trail. */
export function verifyChain(records: readonly AuditRecord[], previous: AuditRecord | null): { sequence: number; reason: string } | null {
  let last = previous
  for (const record of records) {
    if (record.sequence !== (last?.sequence ?? 0) + 1)
      return { sequence: record.sequence, reason: `follows ${last?.sequence ?? 0}: records are missing` }
    if (record.previousHash !== (last?.hash ?? START)) return { sequence: record.sequence, reason: 'does not fit the record before it' }
    if (record.hash !== hashRecord(record)) return { sequence: record.sequence, reason: 'was changed' }
    last = record
  }
  return null
}

export function openAudit(store: Store, clock: Clock): Audit {
  const read = async (afterSequence: number, limit: number): Promise<AuditRecord[]> => {
    const rows = await store.read
      .selectFrom('audit')
      .selectAll()
      .where('sequence', '>', afterSequence)
      .orderBy('sequence')
      .limit(limit)
      .execute()
    return rows.map((row) => ({
      ...row,
      roles: JSON.parse(row.roles) as string[],
      detail: JSON.parse(row.detail) as Record<string, unknown>,
    }))
  }
  return {
    read,
    record: (identity, entry) =>
      store.write(async (tx) => {
        const last = await tx.selectFrom('audit').select(['sequence', 'hash']).orderBy('sequence', 'desc').limit(1).executeTakeFirst()
        const roles = [...(identity.isAdmin ? ['admin'] : []), ...identity.roles.map((role) => role.name)]
        const detail = JSON.parse(JSON.stringify(entry.detail)) as Record<string, unknown>
        const record = {
          ...entry,
          detail,
          sequence: (last?.sequence ?? 0) + 1,
          atMs: clock.nowMs(),
          user: identity.user,
          roles,
          previousHash: last?.hash ?? START,
        }
        await tx
          .insertInto('audit')
          .values({ ...record, roles: JSON.stringify(roles), detail: JSON.stringify(detail), hash: hashRecord(record) })
          .execute()
      }),
    async verify() {
      let last: AuditRecord | null = null
      for (;;) {
        const records: readonly AuditRecord[] = await read(last?.sequence ?? 0, 10_000)
        if (records.length === 0) return null
        const fault = verifyChain(records, last)
        if (fault) return fault
        last = records.at(-1)!
      }
    },
  }
}
