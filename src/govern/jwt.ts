// Callers by a signed token of somebody else (OpenID Connect). The algorithms are fixed by the kind of key, never read from
// the token; issuer, audience and expiry are required. Roles and attributes come from named claims. The library is loaded where
// there is such a somebody.
import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from 'jose'
import type { Clock } from '../core/clock.ts'
import { MillraceError } from '../core/errors.ts'
import { ADMIN, type HeldRole, type Identity } from './identity.ts'

export interface JwtSettings {
  readonly issuer: string
  readonly audience: string
  readonly keys:
    | { readonly kind: 'secret'; readonly secret: Uint8Array } // HS256 only; at least 32 bytes
    | { readonly kind: 'set'; readonly set: JSONWebKeySet }
    | { readonly kind: 'url'; readonly url: string }
  /** Claims to read; a dot goes inside: `realm_access.roles`. */
  readonly claims: {
    /** Default `sub`. */
    readonly user?: string
    /** A list of role names, or one with spaces. */
    readonly roles: string
    /** Attribute of a role -> claim. */
    readonly attributes: Readonly<Record<string, string>>
  }
  /** Whether the role `admin` of a token counts. Default false. */
  readonly mayAdminister?: boolean
}

const PUBLIC_KEY_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']
const SKEW_SECONDS = 30
/** A token that was good is not verified again for so long: a key that its issuer withdraws works for a minute more. */
const KNOWN_MS = 60_000
const KNOWN_MAX = 1_000

/** Three parts in base64url: what `Tokens.verify` does not take. */
export const isJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)

/**
 * What answers the identity of a token. @throws MR_ENVIRONMENT for a secret that is too short; of a token MR_AUTH_INVALID in the same
 * words whatever is wrong with it, MR_NOT_READY without keys.
 */
export async function openJwt(settings: JwtSettings, clock: Clock): Promise<(token: string) => Promise<Identity>> {
  const { keys, issuer, audience } = settings
  if (keys.kind === 'secret' && keys.secret.length < 32)
    throw new MillraceError('MR_ENVIRONMENT', `the secret of tokens has ${keys.secret.length} bytes, 32 are needed`)
  const jose = await import('jose')
  const common = { issuer, audience, requiredClaims: ['exp'], clockTolerance: SKEW_SECONDS }
  const keySet: JWTVerifyGetKey | undefined =
    keys.kind === 'set' ? jose.createLocalJWKSet(keys.set) : keys.kind === 'url' ? remoteKeys(jose, keys.url, issuer) : undefined
  const verified = new Map<string, { readonly identity: Identity; readonly untilMs: number }>()
  return async (token) => {
    const known = verified.get(token)
    if (known && clock.nowMs() < known.untilMs) return known.identity
    verified.delete(token)
    const options = { ...common, currentDate: new Date(clock.nowMs()) }
    try {
      const { payload } = keySet
        ? await jose.jwtVerify(token, keySet, { ...options, algorithms: PUBLIC_KEY_ALGORITHMS })
        : await jose.jwtVerify(token, (keys as { secret: Uint8Array }).secret, { ...options, algorithms: ['HS256'] })
      const identity = identityOf(settings, payload)
      if (verified.size >= KNOWN_MAX) verified.delete(verified.keys().next().value!)
      verified.set(token, { identity, untilMs: Math.min(payload.exp! * 1_000, clock.nowMs() + KNOWN_MS) })
      return identity
    } catch (cause) {
      if (cause instanceof MillraceError && cause.code === 'MR_NOT_READY') throw cause
      throw new MillraceError('MR_AUTH_INVALID', 'the token is not valid', { cause, fix: 'sign in again' })
    }
  }
}

function remoteKeys({ createRemoteJWKSet, errors }: typeof import('jose'), url: string, issuer: string): JWTVerifyGetKey {
  // Faults of the token; any other of the key set is the provider's: it cannot be reached, or answers something else.
  const ofToken = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported]
  const keyOf = createRemoteJWKSet(new URL(url))
  return async (header, token) => {
    try {
      return await keyOf(header, token)
    } catch (cause) {
      if (ofToken.some((fault) => cause instanceof fault)) throw cause
      throw new MillraceError('MR_NOT_READY', 'the keys of tokens could not be fetched', { cause, fix: `see whether ${issuer} answers` })
    }
  }
}

function claimAt(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path]
  let value: unknown = payload
  for (const part of path.split('.'))
    value = value !== null && typeof value === 'object' && Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined
  return value
}

function identityOf({ claims, mayAdminister = false, issuer }: JwtSettings, payload: JWTPayload): Identity {
  const user = claimAt(payload, claims.user ?? 'sub')
  if (typeof user !== 'string' || user === '') throw new MillraceError('MR_AUTH_INVALID', 'the token names no user')
  const listed = claimAt(payload, claims.roles)
  const names = (typeof listed === 'string' ? listed.split(' ') : Array.isArray(listed) ? listed : []).filter(
    (name): name is string => typeof name === 'string' && name !== '',
  )
  const attributes = Object.fromEntries(
    Object.entries(claims.attributes).flatMap(([name, path]) => {
      const value = claimAt(payload, path)
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const roles: HeldRole[] = names.filter((name) => name !== ADMIN).map((name) => ({ name, attributes }))
  return { user, tokenId: `${issuer}#${user}`, roles, isAdmin: mayAdminister && names.includes(ADMIN) }
}
