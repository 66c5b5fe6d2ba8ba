// Tokens: who a caller is. Only a hash of the secret is stored; checking expiry and revocation is `govern/`'s matter.
import type { Store } from './open-store.ts'
import type { TokenRow } from './tables.ts'

export interface Token {
  readonly id: string
  readonly user: string
  /** Hash of the secret part; unique. */
  readonly secretHash: string
  readonly roles: readonly string[]
  readonly attributes: Readonly<Record<string, unknown>>
  readonly scopes: readonly string[]
  readonly createdMs: number
  readonly expiresMs: number | null
  readonly revokedMs: number | null
  readonly lastUsedMs: number | null
}

type Database = Pick<Store, 'read' | 'write'>

export const insertToken = (store: Database, token: Token): Promise<void> =>
  store.write(async (tx) => {
    const { roles, attributes, scopes, ...rest } = token
    const json = { roles: JSON.stringify(roles), attributes: JSON.stringify(attributes), scopes: JSON.stringify(scopes) }
    await tx
      .insertInto('tokens')
      .values({ ...rest, ...json })
      .execute()
  })

export async function tokenByHash(store: Database, secretHash: string): Promise<Token | null> {
  const row = await store.read.selectFrom('tokens').selectAll().where('secretHash', '=', secretHash).executeTakeFirst()
  return row ? toToken(row) : null
}

export async function tokenById(store: Database, id: string): Promise<Token | null> {
  const row = await store.read.selectFrom('tokens').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toToken(row) : null
}

/** Newest first. */
export async function listTokens(store: Database): Promise<Token[]> {
  const rows = await store.read.selectFrom('tokens').selectAll().orderBy('createdMs', 'desc').orderBy('id', 'desc').execute()
  return rows.map(toToken)
}

/** False when there is no such token or it was revoked before. */
export const revokeToken = (store: Database, id: string, revokedMs: number): Promise<boolean> =>
  store.write(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('tokens')
      .set({ revokedMs })
      .where('id', '=', id)
      .where('revokedMs', 'is', null)
      .executeTakeFirst()
    return numUpdatedRows > 0n
  })

/** Notes a use; call it at most about once a minute a token. */
export const touchToken = (store: Database, id: string, lastUsedMs: number): Promise<void> =>
  store.write(async (tx) => {
    await tx.updateTable('tokens').set({ lastUsedMs }).where('id', '=', id).execute()
  })

const toToken = (row: TokenRow): Token => ({
  ...row,
  roles: JSON.parse(row.roles) as string[],
  attributes: JSON.parse(row.attributes) as Record<string, unknown>,
  scopes: JSON.parse(row.scopes) as string[],
})
