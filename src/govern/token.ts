// Tokens: `mrt_<id>_<secret>`. The secret has 256 random bits, so its SHA-256 is enough to store; it is shown once. Looked up
// by id, compared in constant time.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { type Random, uuidV7 } from '../core/random.ts'
import type { Store } from '../store/open-store.ts'
import { ADMIN, type Identity } from './identity.ts'

export interface NewToken {
  readonly user: string
  readonly roles: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly expiresInMs?: number
}

export interface TokenInfo {
  readonly id: string
  readonly user: string
  readonly roles: readonly string[]
  readonly createdMs: number
  readonly expiresMs: number | null
  readonly revokedMs: number | null
}

export interface Tokens {
  create(token: NewToken): Promise<{ id: string; token: string }>
  /** @throws MR_AUTH_INVALID: the same for unknown, wrong, expired and revoked. */
  verify(token: string): Promise<Identity>
  /** The identity of a token that was verified within the last seconds; undefined says nothing. For paths that cannot wait. */
  known(token: string): Identity | undefined
  list(): Promise<readonly TokenInfo[]>
  revoke(id: string): Promise<void>
  /** Told before `revoke` resolves, for those who remember who a token belongs to. */
  onRevoked(listener: () => void): void
}

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
const invalid = (): MillraceError =>
  new MillraceError('MR_AUTH_INVALID', 'the token is not valid', { fix: 'create one with `millrace token create`' })

/** How long a verified token is believed without asking the store again; revoking clears it at once in this process. */
const CACHE_MS = 5_000

export function openTokens(store: Store, clock: Clock, random: Random): Tokens {
  const cache = new Map<string, { identity: Identity; untilMs: number }>()
  const known = (token: string): Identity | undefined => {
    const entry = cache.get(token)
    return entry && entry.untilMs > clock.nowMs() ? entry.identity : undefined
  }
  const listeners: (() => void)[] = []
  return {
    known,
    onRevoked: (listener) => void listeners.push(listener),
    async create({ user, roles, attributes, expiresInMs }) {
      const nowMs = clock.nowMs()
      const id = uuidV7(nowMs, random).replaceAll('-', '')
      const secret = Buffer.from(random.bytes(32)).toString('base64url')
      const row = {
        id,
        user,
        secretHash: hashOf(secret),
        roles: JSON.stringify(roles),
        attributes: JSON.stringify(attributes),
        scopes: '[]',
        createdMs: nowMs,
        expiresMs: expiresInMs === undefined ? null : nowMs + expiresInMs,
        revokedMs: null,
        lastUsedMs: null,
      }
      await store.write(async (tx) => {
        await tx.insertInto('tokens').values(row).execute()
      })
      return { id, token: `mrt_${id}_${secret}` }
    },
    async verify(token) {
      const identityKnown = known(token)
      if (identityKnown) return identityKnown
      const nowMs = clock.nowMs()
      const match = /^mrt_([0-9a-f]{32})_([\w-]{43})$/.exec(token)
      if (!match) throw invalid()
      const row = await store.read.selectFrom('tokens').selectAll().where('id', '=', match[1]!).executeTakeFirst()
      const expected = Buffer.from(row?.secretHash ?? hashOf(''), 'hex')
      const isEqual = timingSafeEqual(Buffer.from(hashOf(match[2]!), 'hex'), expected)
      if (!row || !isEqual || row.revokedMs !== null || (row.expiresMs !== null && row.expiresMs <= nowMs)) throw invalid()
      const identity = identityOf(row)
      if (cache.size > 10_000) cache.clear()
      cache.set(token, { identity, untilMs: Math.min(nowMs + CACHE_MS, row.expiresMs ?? Number.POSITIVE_INFINITY) })
      return identity
    },
    async list() {
      const rows = await store.read.selectFrom('tokens').selectAll().orderBy('createdMs', 'desc').execute()
      return rows.map((row) => ({
        id: row.id,
        user: row.user,
        roles: JSON.parse(row.roles) as string[],
        createdMs: row.createdMs,
        expiresMs: row.expiresMs,
        revokedMs: row.revokedMs,
      }))
    },
    async revoke(id) {
      const nowMs = clock.nowMs()
      const changed = await store.write(async (tx) => {
        const result = await tx
          .updateTable('tokens')
          .set({ revokedMs: nowMs })
          .where('id', '=', id)
          .where('revokedMs', 'is', null)
          .executeTakeFirst()
        return Number(result.numUpdatedRows)
      })
      cache.clear()
      for (const listener of listeners) listener()
      if (changed === 0) throw new MillraceError('MR_NOT_FOUND', `there is no valid token ${id}`, { fix: 'see `millrace token list`' })
    },
  }
}

function identityOf(row: { id: string; user: string; roles: string; attributes: string }): Identity {
  const names = JSON.parse(row.roles) as string[]
  const attributes = JSON.parse(row.attributes) as Record<string, unknown>
  return {
    user: row.user,
    tokenId: row.id,
    roles: names.filter((name) => name !== ADMIN).map((name) => ({ name, attributes })),
    isAdmin: names.includes(ADMIN),
  }
}
