// Who asks. Made from a verified token; never from what a request merely says.

export interface HeldRole {
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>>
}

export interface Identity {
  readonly user: string
  /** Scopes idempotency keys and names the caller in the audit trail. */
  readonly tokenId: string
  readonly roles: readonly HeldRole[]
  /** The built-in role that sees everything; audited like everybody. */
  readonly isAdmin: boolean
}

export const ADMIN = 'admin'
